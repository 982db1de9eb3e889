"""Files of runs as figures take them, and which of them cannot be taken."""

import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import pandas as pd

from robustseg.errors import Unreadable
from robustseg.runs.files import trouble

Read = TypeVar("Read")

# What pandas and NumPy raise over files that are not there, cut off or of something else.
_BROKEN = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def read_each(
    run_ids: Iterable[str], folder: Path, name: str, read: Callable[[Path], Read]
) -> dict[str, Read]:
    """Read a file of each run.

    Args:
        run_ids: of the runs.
        folder: of the runs.
        name: of the file.
        read: a file.

    Returns:
        What was read, by run id.

    Raises:
        Unreadable: some cannot be read; it tells of all of them.
    """
    found, reasons = {}, {}
    for run_id in run_ids:
        path = folder / run_id / name
        try:
            found[run_id] = read(path)
        except _BROKEN as error:
            reasons[run_id] = f"{path} {trouble(error)}"
    if reasons:
        raise Unreadable(reasons)
    return found


def read_epochs(run_ids: Iterable[str], folder: Path, *columns: str) -> dict[str, pd.DataFrame]:
    """epochs.csv of some runs, by run id.

    Args:
        run_ids: of the runs.
        folder: of the runs.
        *columns: those that there have to be, beside ``epoch``.

    Raises:
        Unreadable: some cannot be read.
    """

    def read(path: Path) -> pd.DataFrame:
        rows = pd.read_csv(path, dtype=float)
        lacking = [name for name in ("epoch", *columns) if name not in rows]
        if lacking or rows.empty:
            raise ValueError(f"no column {lacking[0]}" if lacking else "no epoch")
        return rows

    return read_each(run_ids, folder, "epochs.csv", read)
