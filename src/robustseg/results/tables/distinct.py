"""What distinguishes runs, apart from their seeds."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from robustseg.results.tables.order import DATA
from robustseg.results.tables.table_model import NOISE_LABELS, listed

_LABELS = (
    "domain",
    "regularizer",
    "epsilon",
    "model",
    "image_size",
    "batch_size",
    "subset",
)
_NOISE = "noise."
_COLUMNS = (*NOISE_LABELS, "seed", "dataset.fold")


def distinguished(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Find the fewest labels and settings that keep runs of different settings apart.

    The loss comes first (after the dataset, if there are several), then each label, then each
    setting in which runs differ that agree in all of those before; ``data`` comes last.

    Settings of the noise say which masks a network was trained on, whatever its loss: those are
    found in which runs with one noise model differ. Where its runs do not, a value is missing.

    Args:
        runs: as `load_runs` returns them.

    Returns:
        The runs, with a column for every name found; the names; and those of the noise.
    """
    names = [*(["dataset"] if runs["dataset"].nunique() > 1 else []), "loss"]
    for label in _LABELS:
        if _varies(runs, names, label):
            names.append(label)
    settings = _settings(runs)
    runs = pd.concat([runs.drop(columns=settings, errors="ignore"), settings], axis=1)
    differing = settings.columns.astype(str)
    for setting in (name for name in differing if not name.startswith(_NOISE)):
        if _varies(runs, names, setting):
            names.append(setting)
    of_noise: list[str] = []
    for setting in (name for name in differing if name.startswith(_NOISE)):
        noisy = runs[runs["alpha"] > 0]
        if _varies(noisy, ["noise", *of_noise], setting):
            of_noise.append(setting)
            kinds = noisy.groupby("noise")[setting].nunique(dropna=False)
            shown = runs["noise"].isin(list(kinds[kinds > 1].index))
            runs[setting] = runs[setting].where(shown, None)
    # Whatever else rows are of: runs on other data neither share a row nor compete unnamed.
    of_data = [name for name in names if name in DATA or name.startswith("dataset.")]
    if _varies(runs, ["dataset", *of_data], "data"):
        names.append("data")
    return runs, names, of_noise


def plain(value: Any) -> Any:
    """Return a cell of a frame as a plain value; None if it is missing."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _settings(runs: pd.DataFrame) -> pd.DataFrame:
    """A column for every setting that is not the same in all runs; lists as text."""
    own = list(runs["settings"])
    names = sorted({name for settings in own for name in settings} - set(_COLUMNS), key=_by_choice)
    differing = {}
    for name in names:
        values = [settings.get(name) for settings in own]
        if list in set(map(type, values)):
            values = [listed(value) if isinstance(value, list) else value for value in values]
        if len(set(values)) > 1:
            differing[name] = values
    return pd.DataFrame(differing, index=runs.index, dtype=object)


def _by_choice(setting: str) -> tuple[str, bool, str]:
    """Sorts settings so that the name of a choice comes before the settings that it brings."""
    return setting.partition(".")[0], not setting.endswith(".name"), setting


def _varies(runs: pd.DataFrame, names: Sequence[str], name: str) -> bool:
    groups = runs.groupby(list(names), dropna=False, sort=False)
    return bool(len(runs)) and bool((groups[name].nunique(dropna=False) > 1).any())
