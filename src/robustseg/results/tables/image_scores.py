"""Values of test images, from images.csv."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from robustseg.metrics.catalogue import CATALOGUE
from robustseg.metrics.summary import COUNTS
from robustseg.runs.files import read_json, trouble
from robustseg.runs.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

# Metrics that are means over images.
PER_IMAGE = tuple(metric.name for metric in CATALOGUE.values() if metric.per_image)
_REMEDY = "; force=true trains the run again"


class NoImages(ValueError):
    """A run's images.csv is missing, damaged or not to be read."""


class UnlikeImages(ValueError):
    """Runs that are to be compared were tested on different images."""


class Images:
    """Values of test images of the runs of a folder, each file read once.

    Args:
        folder: of the runs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[str, pd.DataFrame] = {}
        self._identities: dict[str, list[Any]] = {}

    def identity(self, run_id: str) -> list[Any]:
        """What changes when the run is trained again: id, times and sizes of its files."""
        if run_id not in self._identities:
            folder = RunFolder(self.folder / run_id)
            self._identities[run_id] = [run_id, _stamp(folder.metrics), _stamp(folder.images)]
        return self._identities[run_id]

    def mean(self, run_ids: Iterable[str], metric: str) -> tuple[list[str], NDArray[np.float64]]:
        """Each image's value, averaged over reported evaluations and over runs.

        Args:
            run_ids: one or more.
            metric: one of `PER_IMAGE`; those that end in ``_pos`` are of the images with
                foreground.

        Returns:
            Ids of the images, sorted, and their values.

        Raises:
            NoImages: a file is missing or damaged.
            UnlikeImages: the runs were tested on different images.
        """
        columns = {run_id: self._column(run_id, metric) for run_id in run_ids}
        (first, ids), *rest = ((run_id, column.index) for run_id, column in columns.items())
        for run_id, others in rest:
            check_alike(first, list(ids), run_id, list(others))
        return list(ids), np.mean([column.to_numpy() for column in columns.values()], axis=0)

    def _column(self, run_id: str, metric: str) -> pd.Series:
        folder = RunFolder(self.folder / run_id)
        if run_id not in self._tables:
            self._tables[run_id] = _averaged(folder)
        if metric not in self._tables[run_id]:
            raise NoImages(f"{folder.images} does not tell {metric}{_REMEDY}")
        return self._tables[run_id][metric].dropna()


def check_alike(first: str, ids: list[str], second: str, others: list[str]) -> None:
    """Refuse to pair the images of runs that were tested on different ones.

    Raises:
        UnlikeImages: naming the runs and an image.
    """
    if ids != others:
        apart = sorted(set(ids) ^ set(others))
        raise UnlikeImages(
            f"{first} and {second} were tested on different images ({len(ids)} and {len(others)}; "
            f"{apart[0]} is of one only): choose runs on the same data with --where, or --test none"
        )


def _stamp(path: Path) -> list[int]:
    """Time and size; of a missing file, which is told of where it is read, nothing."""
    if not path.exists():
        return []
    stat = path.stat()
    return [stat.st_mtime_ns, stat.st_size]


def _averaged(folder: RunFolder) -> pd.DataFrame:
    """Values by image, a column a metric; NaN where an image does not count for it."""
    import pandas as pd

    try:
        # Empty numbers are missing, but an image may be called NA.
        missing = {metric.column: "" for metric in CATALOGUE.values() if metric.column}
        rows = pd.read_csv(
            folder.images, dtype={"id": str}, keep_default_na=False, na_values=missing
        )
        counted = rows[[*COUNTS]].sum(axis=1) > 0
        columns = {str(name): column for name, column in rows.items()}
        values = {}
        for metric in map(CATALOGUE.__getitem__, PER_IMAGE):
            if set(metric.needs) <= set(columns):
                given = columns.get(metric.column)
                own = metric.values(columns) if given is None else given.to_numpy()
                counts = counted & metric.counts_for(columns)
                values[metric.name] = np.where(counts, own, np.nan)
        averaged = pd.DataFrame(values).groupby(rows["id"]).mean()
        _check_whole(rows, averaged, read_json(folder.metrics))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder.images, error) from error
    return averaged


def _check_whole(rows: pd.DataFrame, averaged: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """Raise ValueError unless the rows are those that the run's final numbers were made of."""
    images, evaluations = metrics["test_images"], metrics["evaluations"]
    pairs = len(rows[["id", "epoch"]].drop_duplicates())
    if not len(rows) == pairs == images * evaluations == len(averaged) * rows["epoch"].nunique():
        raise ValueError(f"{len(rows)} rows instead of {images} images × {evaluations} evaluations")
    mean, dice = averaged["dice_image"].mean(), metrics["dice_image"]
    if dice is not None and not math.isclose(mean, dice, rel_tol=1e-6):
        raise ValueError(f"the mean Dice is {mean:.6g}, in metrics.json {dice:.6g}")


def _damaged(path: Path, error: Exception) -> NoImages:
    refused = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    return NoImages(f"{path} {trouble(error)}{'' if refused else _REMEDY}")
