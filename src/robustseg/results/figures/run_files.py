"""Files of runs as figures take them, and which of them cannot be taken."""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from robustseg.errors import Unreadable
from robustseg.records.layout import DamagedRecord, NotKept
from robustseg.results.one_run import Run
from robustseg.results.sources import Sources
from robustseg.runs.files import trouble

Source = Sources | Path | str | Sequence[Path | str]
Read = TypeVar("Read")

# What pandas and NumPy raise over files that are not there, cut off or of something else.
_BROKEN = (
    *(OSError, ValueError, LookupError, TypeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def read_each(
    run_ids: Iterable[str], source: Source, kind: str, read: Callable[[Run], Read]
) -> dict[str, Read]:
    """Read something of each run.

    Args:
        run_ids: of the runs.
        source: of the runs, as for `load_runs`.
        kind: what is read: epochs, images or examples.
        read: reads it.

    Returns:
        What was read, by run id.

    Raises:
        Unreadable: some cannot be read; the message names all of them.
    """
    sources = Sources.of(source)
    found, reasons = {}, {}
    for run_id in run_ids:
        run = sources.find(run_id)
        try:
            found[run_id] = read(run)
        except (DamagedRecord, NotKept) as error:
            reasons[run_id] = str(error)
        except _BROKEN as error:
            reasons[run_id] = f"{run.place(kind)} {trouble(error)}"
    if reasons:
        raise Unreadable(reasons)
    return found


def read_epochs(run_ids: Iterable[str], source: Source, *columns: str) -> dict[str, pd.DataFrame]:
    """epochs.csv of some runs, by run id.

    Args:
        run_ids: of the runs.
        source: of the runs, as for `load_runs`.
        *columns: those that there have to be, beside ``epoch``.

    Raises:
        Unreadable: some cannot be read.
    """

    def read(run: Run) -> pd.DataFrame:
        rows = run.epochs()
        lacking = [name for name in ("epoch", *columns) if name not in rows]
        if rows.empty and "epoch" in rows:
            raise ValueError("no epoch")
        if lacking:
            raise ValueError(f"no column {lacking[0]}")
        return rows

    return read_each(run_ids, source, "epochs", read)
