"""Runs as figures take them: of one data set and noise model, each with the name of its line."""

import re
import textwrap
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes

from robustseg.errors import ConfigError
from robustseg.results.figures.style import Style, escaped, loss_styles
from robustseg.results.names import loss_name
from robustseg.results.tables.distinct import distinguished, plain
from robustseg.results.tables.make_table import row_order
from robustseg.results.tables.published import experiments_folder, load_published
from robustseg.results.tables.table_model import setting_words
from robustseg.terminal.number_text import number_text

_TOGETHER = 6  # losses whose two curves each can be distinguished in one panel
_HEADING = 110  # characters of a line above three panels
# Labels whose values say what they are of.
_SELF_EVIDENT = ("dataset", "loss", "domain", "regularizer", "model", "subset", "data")


def line_names(runs: pd.DataFrame, losses: Sequence[str] = ()) -> pd.DataFrame:
    """Add ``line``: the loss, named by all that tells a row from another; and its ``look``.

    ``masks`` tells runs with one noise model and other settings of it apart, "" where none differ.

    Args:
        runs: as `load_runs` gives them.
        losses: that come first, in this order; none: the paper's order, as in tables.

    Raises:
        ConfigError: the runs are of several data sets or noise models, which no axis shows.
    """
    for name in ("dataset", "noise"):
        kinds = sorted(runs[name].dropna().unique())
        if len(kinds) > 1:
            how = "--dataset"
            if name == "noise":  # clean runs have none, and belong to each of them
                how = f"--where noise={kinds[0]},null (null: clean masks)"
            raise ConfigError(f"the runs differ in {name} ({', '.join(kinds)}): choose with {how}")
    return with_lines(runs, *distinguished(runs), losses)


def with_lines(
    runs: pd.DataFrame,
    named: pd.DataFrame,
    labels: Sequence[str],
    of_noise: Sequence[str],
    losses: Sequence[str] = (),
) -> pd.DataFrame:
    """Add ``line``, ``masks`` and ``look``, and order the runs as a table orders its rows.

    Args:
        runs: of one data set.
        named: the runs with a column for every label, as `distinguished` gives them.
        labels: that name a line.
        of_noise: that name masks.
        losses: that come first, in this order; none: the paper's order.
    """
    published = load_published(None, str(runs["dataset"].iloc[0]), experiments_folder())
    order = row_order(labels, losses or (published.losses if published else []))
    rows = [tuple(map(plain, row)) for row in named[list(labels)].itertuples(index=False)]
    lines = joined(named, labels)
    runs = runs.assign(line=lines, masks=_masks(named, of_noise))
    places = sorted(range(len(rows)), key=lambda at: order(rows[at]))
    of_lines = {lines[at]: str(runs["loss"].iloc[at]) for at in places}
    known = loss_styles(of_lines)
    runs["look"] = pd.Series([known[line] for line in lines], index=runs.index, dtype=object)
    return runs.iloc[places]


def styles_of(runs: pd.DataFrame) -> dict[str, Style]:
    """The look of each line, in the order of the runs.

    Args:
        runs: as `line_names` gives them, or some of them.
    """
    return dict(zip(runs["line"], runs["look"], strict=True))


def joined(runs: pd.DataFrame, labels: Sequence[str]) -> list[str]:
    """A name for each run, such as ``dice batch lr=0.01``: its labels without the missing ones."""
    parts = runs[list(labels)].astype(object)
    rows = parts.where(parts.notna(), None).to_numpy()
    names = (
        " ".join(
            _word(label, value)
            for label, value in zip(labels, row, strict=True)
            if value is not None
        )
        for row in rows
    )
    return [f" {name}" if name.startswith("_") else name for name in names]  # legends drop such


def settings(runs: pd.DataFrame) -> list[tuple[float, float, str]]:
    """The noise settings (α, β, masks) of some runs, in order; β is 0 for clean masks."""
    found = runs[["alpha", "beta", "masks"]].fillna({"beta": 0}).drop_duplicates()
    columns = (found[name].tolist() for name in ("alpha", "beta", "masks"))
    return sorted(zip(*columns, strict=True))


def at_setting(runs: pd.DataFrame, alpha: float, beta: float, masks: str) -> pd.DataFrame:
    """The runs of one noise setting, as `settings` gives it."""
    there = (runs["alpha"] == alpha) & (runs["beta"].fillna(0) == beta)
    return runs[there & (runs["masks"] == masks)]


def hardest(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with the largest share of noisy masks, and of those the largest error."""
    return at_setting(runs, *settings(runs)[-1])


def heading(alpha: float, beta: float, masks: str) -> str:
    """A noise setting in words."""
    return (
        ", ".join(filter(None, (f"α = {number_text(alpha)}", f"β = {number_text(beta)}", masks)))
        if alpha
        else "clean masks"
    )


def panels_of(runs: pd.DataFrame) -> tuple[list[tuple[str, pd.DataFrame]], str]:
    """What figures of two curves a loss show: a panel for each noise setting.

    With more losses than a panel has room for, one for each line instead, at the `hardest` setting.

    Args:
        runs: as `line_names` gives them.

    Returns:
        Title and runs of each panel; and the setting, if each panel has a line of its own, or "",
        with the lines that have no run there.
    """
    if len(styles_of(runs)) <= _TOGETHER:
        found = settings(runs)
        return [(heading(*setting), at_setting(runs, *setting)) for setting in found], ""
    worst = hardest(runs)
    panels = [(name, worst[worst["line"] == name]) for name in styles_of(worst)]
    absent = [name for name in styles_of(runs) if name not in styles_of(worst)]
    without = f"; no run there of {', '.join(absent)}" if absent else ""
    return panels, textwrap.fill(heading(*settings(worst)[0]) + without, _HEADING)


def without_labels(axis: Axes) -> None:
    """Leave the lines of a panel out of the legend: its title names them."""
    for line in axis.get_lines():
        line.set_label("")


def averaged(curves: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """What `read_epochs` gives of some runs, averaged over them, by epoch."""
    return pd.concat(curves).groupby("epoch").mean()


def _masks(named: pd.DataFrame, of_noise: Sequence[str]) -> list[str]:
    """What the settings of the noise are that differ, a text for each run."""
    rows = named[list(of_noise)].itertuples(index=False)
    return [
        " ".join(
            setting_words(
                [(n, plain(v)) for n, v in zip(of_noise, row, strict=True) if plain(v) is not None],
                named=len(of_noise) > 1,
            )
        )
        for row in rows
    ]


def _word(label: str, value: object) -> str:
    if label == "loss":
        text = loss_name(value)
    elif isinstance(value, float):
        text = number_text(value)
    else:  # lists are texts here: [0.0, 1.0]
        text = re.sub(r"(?<=\d)\.0\b", "", str(value)).strip("[]")
    *_, last = label.removesuffix(".name").split(".")  # augmentation.name is what it is called
    evident = label in _SELF_EVIDENT or last.endswith("_name")  # such as model.encoder_name
    text = text if evident else f"{last}={text}"
    return escaped(text)
