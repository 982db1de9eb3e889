"""Runs as figures take them: of one data set and noise model, each with the name of its line."""

from collections.abc import Iterable, Sequence

import pandas as pd

from robustseg.errors import ConfigError
from robustseg.results.tables.distinct import row_labels

# Labels whose values say what they are of.
_SELF_EVIDENT = ("dataset", "loss", "domain", "regularizer", "model", "subset", "data")


def told_apart(runs: pd.DataFrame) -> pd.DataFrame:
    """Add a column ``line``: the loss, named by all that tells a row of the table from another.

    Raises:
        ConfigError: the runs are of several data sets or noise models, which no axis shows.
    """
    for name in ("dataset", "noise"):
        kinds = sorted(runs[name].dropna().unique())
        if len(kinds) > 1:
            raise ConfigError(
                f"the runs differ in {name} ({', '.join(kinds)}): choose with --{name}"
            )
    named, labels = row_labels(runs)
    return runs.assign(line=joined(named, labels))


def joined(runs: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """A name for each run, such as ``dice batch lr=0.01``: its labels without the missing ones."""
    parts = runs[list(labels)].astype(object)
    rows = parts.where(parts.notna(), None).to_numpy()
    return [
        " ".join(
            _word(label, value)
            for label, value in zip(labels, row, strict=True)
            if value is not None
        )
        for row in rows
    ]


def settings(runs: pd.DataFrame) -> list[tuple[float, float]]:
    """The noise settings (α, β) of some runs, in order; β is 0 for clean masks."""
    pairs = runs[["alpha", "beta"]].fillna(0).drop_duplicates().to_numpy(float)
    return sorted((float(alpha), float(beta)) for alpha, beta in pairs)


def at_setting(runs: pd.DataFrame, alpha: float, beta: float) -> pd.DataFrame:
    """The runs of one noise setting, as `settings` gives it."""
    return runs[(runs["alpha"] == alpha) & (runs["beta"].fillna(0) == beta)]


def hardest(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the largest share of noisy masks, and of those the largest error."""
    return at_setting(runs, *settings(runs)[-1])


def heading(alpha: float, beta: float) -> str:
    """A noise setting in words."""
    return f"α = {alpha:g}, β = {beta:g}" if alpha else "clean masks"


def averaged(curves: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """What `read_epochs` gives of some runs, averaged over them, by epoch."""
    return pd.concat(curves).groupby("epoch").mean()


def _word(label: str, value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if label in _SELF_EVIDENT else f"{label.rpartition('.')[2]}={text}"
