"""Runs that need not be trained, since one of the records of `records=[…]` has them."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.errors import ConfigError

if TYPE_CHECKING:
    from robustseg.records.recorded_run import RecordedRun


def check_records(paths: Iterable[str]) -> None:
    """Read the records, before anything is trained.

    Raises:
        ConfigError: one is missing or damaged.
    """
    for path in paths:
        _run_ids(path)


def record_of(run_id: str, paths: Iterable[str]) -> str | None:
    """The path of the first record that has the run; None if none has it.

    Raises:
        ConfigError: one is missing or damaged.
    """
    return next((path for path in paths if run_id in _run_ids(path)), None)


def recorded_dice(run_ids: Iterable[str], path: str) -> dict[str, float | None]:
    """The mean Dice per test image of runs of a record, by their ids.

    Args:
        run_ids: that the record has.
        path: of the record, which `check_records` has read.
    """
    runs = _runs(path)
    return {one: runs[one].numbers.get("dice_image") for one in run_ids if one in runs}


def recorded_status(run_id: str, path: str) -> dict[str, Any]:
    """What a record says of how a run was trained; empty if that part of it is damaged."""
    run = _runs(path).get(run_id)
    return {} if run is None else run.status


@cache
def _runs(path: str) -> dict[str, "RecordedRun"]:
    """By id, of several packings the oldest."""
    from robustseg.records.record import Record

    return {run.run_id: run for run in reversed(Record(Path(path).expanduser()).runs())}


@cache  # a process reads a record once, however many runs it looks for
def _run_ids(path: str) -> frozenset[str]:
    folder = Path(path).expanduser()  # a shell leaves a ~ within brackets alone
    if not (folder / "record.json").is_file():
        raise ConfigError(f"records=[…]: not a record: {path}")
    from robustseg.records import run_ids

    try:
        return frozenset(run_ids(folder))
    except (OSError, ValueError) as error:
        raise ConfigError(f"records=[…]: {error}") from error
