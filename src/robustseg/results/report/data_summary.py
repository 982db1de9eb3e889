"""What a page says of the data of its runs."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

# A column of the runs, or one of their settings, and what it is called.
_ROWS = {
    "train_images": "training images",
    "test_images": "test images",
    "dataset.val_fraction": "share held out for validation",
    "dataset.folds": "folds",
    "image_size": "image size in pixels",
    "subset": "subset",
    "noise.noisy": "training images with a wrong mask",
    "data_folder": "folder",
    "fingerprint": "fingerprint",
}


def data_summary(runs: pd.DataFrame) -> dict[str, str]:
    """Numbers and names of a data set; where runs differ, all values there are.

    Args:
        runs: finished runs on one data set, as `load_runs` gives them.
    """
    found = {}
    for name, title in _ROWS.items():
        if name in runs:
            values: Iterable[Any] = runs[name]
        else:
            values = [settings.get(name) for settings in runs["settings"]]
        known = sorted({value for value in values if pd.notna(value)})
        if known and known not in (["all"], [0.0]):
            found[title] = ", ".join(_text(value) for value in known)
    return found


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)[:16] if isinstance(value, str) and len(value) == 64 else str(value)
