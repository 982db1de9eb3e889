"""A run as results read it, be it a folder or rows of a record."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from robustseg.runs.cases import cases_of
from robustseg.runs.files import DamagedFile
from robustseg.runs.folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd


class Run(Protocol):
    """What results read of a finished run, be it a folder or rows of a record."""

    @property
    def run_id(self) -> str:
        """Its id."""

    @property
    def folder(self) -> RunFolder | None:
        """Its folder, with weights and pictures; None in a record."""

    @property
    def public(self) -> bool:
        """Whether its images may be shown."""

    @property
    def hashed(self) -> bool:
        """Whether its image ids are salted hashes."""

    @property
    def status(self) -> Mapping[str, Any]:
        """As status.json."""

    @property
    def numbers(self) -> Mapping[str, Any]:
        """As metrics.json."""

    @property
    def dashboard_id(self) -> str:
        """Its id in dashboards."""

    def metrics(self) -> dict[str, Any]:
        """As metrics.json, nested."""

    def has(self, kind: str) -> bool:
        """Whether it has ``epochs``, ``thresholds`` or ``images``."""

    def place(self, kind: str) -> str:
        """Where those lie, for messages."""

    def identity(self) -> list[Any]:
        """What changes when it has other numbers, as JSON knows it."""

    def epochs(self) -> pd.DataFrame:
        """Rows of epochs.csv, as floats."""

    def epoch_rows(self) -> list[dict[str, Any]]:
        """The same as `read_csv` gives them."""

    def thresholds(self) -> pd.DataFrame:
        """Rows of thresholds.csv, as floats."""

    def images(self, *columns: str) -> pd.DataFrame:
        """Rows of images.csv, those of one image together; only some columns, if they are named."""

    def cases(self) -> dict[str, str]:
        """The case of each test image, by its id; empty if none has two."""

    def hash_ids(self, ids: list[str]) -> list[str]:
        """Image ids as a record of data that are not public has them."""


class FolderRun:
    """A run in a folder of its own.

    Args:
        folder: of the run; with the status that was found, all that is read is of that training.
    """

    hashed = False

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.folder.run_id

    @property
    def public(self) -> bool:
        """Whether its config.yaml says that its images may be shown."""
        from robustseg.records.folders import is_public

        return is_public(self.folder)

    @property
    def status(self) -> Mapping[str, Any]:
        """Its status.json."""
        found = self.folder.found
        return self.folder.read_status() if found is None else found

    @property
    def numbers(self) -> dict[str, Any]:
        """Its metrics.json."""
        return self.folder.read_metrics(self.status)

    @property
    def dashboard_id(self) -> str:
        """Its id in dashboards."""
        return str(self.status.get("dashboard_id") or self.run_id)

    def metrics(self) -> dict[str, Any]:
        """Its metrics.json."""
        return self.numbers

    def has(self, kind: str) -> bool:
        """Whether there is such a file."""
        return self._file(kind).exists()

    def place(self, kind: str) -> str:
        """Path of the file."""
        return str(self.folder.status if kind == "status" else self._file(kind))

    def identity(self) -> list[Any]:
        """Id, times and sizes of its files."""
        files = self.folder.metrics, self.folder.images, self.folder.split
        return [self.run_id, *map(_stamp, files)]

    def epochs(self) -> pd.DataFrame:
        """Rows of epochs.csv, as floats; exactly those that were written."""
        return self._table(self.folder.epochs, dtype=float)

    def epoch_rows(self) -> list[dict[str, Any]]:
        """Rows of epochs.csv."""
        return self.folder.read_rows(self.folder.epochs)

    def thresholds(self) -> pd.DataFrame:
        """Rows of thresholds.csv, as floats."""
        return self._table(self.folder.thresholds, dtype=float)

    def images(self, *columns: str) -> pd.DataFrame:
        """Rows of images.csv, exactly those that were written, in the order of a record.

        That is by image; by its hashed id if the data are not public, and have a fingerprint.
        """
        from robustseg.records.hashing import recorded_order

        rows = self._table(
            self.folder.images,
            usecols=list(columns) or None,
            dtype={"id": str},
            keep_default_na=False,  # an image may be called NA
            na_values=dict.fromkeys(("dice", "jaccard", "hd95"), ""),
        )
        rows = rows.sort_values("id", kind="stable", ignore_index=True)
        return rows.iloc[recorded_order(self, rows["id"])].reset_index(drop=True)

    def _table(self, path: Path, **how: Any) -> pd.DataFrame:
        """Rows of one of the run's files, whose columns hold finite numbers, but for ids.

        Raises:
            OSError: it cannot be read.
            DamagedFile: it holds something else, or its hash is not that of the run's status.
        """
        import numpy as np
        import pandas as pd

        data = self.folder.read(path)
        try:
            rows = pd.read_csv(io.BytesIO(data), **how)
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise DamagedFile(path, f"is damaged: {error}") from error
        for name, column in rows.items():
            if name != "id" and column.dtype.kind not in "iuf":
                raise DamagedFile(path, f"is damaged: column {name!r:.60} holds no numbers")
            if column.dtype.kind == "f" and np.isinf(column).any():
                raise DamagedFile(path, f"is damaged: column {name!r:.60} holds no finite numbers")
        return rows

    def cases(self) -> dict[str, str]:
        """The cases of its split.csv."""
        return cases_of(self.folder)

    def hash_ids(self, ids: list[str]) -> list[str]:
        """Salted hashes of image ids."""
        from robustseg.records.hashing import hashed_ids

        return hashed_ids(ids, str(self.status.get("fingerprint") or ""))

    def _file(self, kind: str) -> Path:
        return self.folder.path / (f"{kind}.npz" if kind == "examples" else f"{kind}.csv")


def _stamp(path: Path) -> list[int]:
    """Time and size; empty for a missing file, which is reported where it is read."""
    if not path.exists():
        return []
    stat = path.stat()
    return [stat.st_mtime_ns, stat.st_size]
