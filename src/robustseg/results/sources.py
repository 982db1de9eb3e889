"""Where finished runs are read from: folders of runs and records, several at once."""

from __future__ import annotations

import argparse
import gc
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from robustseg.runs.files import DamagedFile
from robustseg.runs.finished import Finished, NotFinished, read_finished
from robustseg.runs.flat import flat
from robustseg.runs.folder import RunFolder
from robustseg.runs.survey import RunState, survey
from robustseg.terminal.text import is_plain, printable

if TYPE_CHECKING:
    import pandas as pd

    from robustseg.records.reading import Record

RUNS = Path("runs")
DUPLICATES = ("first", "all")
_TOLD = 10  # runs with two sets of numbers that are named


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
        """Rows of images.csv, sorted by image; only some columns, if they are named."""

    def hash_ids(self, ids: list[str]) -> list[str]:
        """Image ids as a record of data that are not public has them."""


class FolderRun:
    """A run in a folder of its own.

    Args:
        folder: of the run.
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

        return is_public(self.folder.config)

    @property
    def status(self) -> dict[str, Any]:
        """Its status.json."""
        return self.folder.read_status()

    @property
    def numbers(self) -> dict[str, Any]:
        """Its metrics.json."""
        return self.folder.read_metrics(self.status)

    @property
    def dashboard_id(self) -> str:
        """Its id in dashboards."""
        return self.folder.dashboard_id

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
        return [self.run_id, _stamp(self.folder.metrics), _stamp(self.folder.images)]

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
        """Rows of images.csv, sorted by image; exactly those that were written."""
        rows = self._table(
            self.folder.images,
            usecols=list(columns) or None,
            dtype={"id": str},
            keep_default_na=False,  # an image may be called NA
            na_values=dict.fromkeys(("dice", "jaccard", "hd95"), ""),
        )
        return rows.sort_values("id", kind="stable", ignore_index=True)

    def _table(self, path: Path, **how: Any) -> pd.DataFrame:
        """Rows of one of the run's files, whose columns hold finite numbers, but for ids.

        Raises:
            OSError: it cannot be read.
            DamagedFile: it holds something else, or not what the run's status tells of.
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

    def hash_ids(self, ids: list[str]) -> list[str]:
        """Salted hashes of image ids."""
        from robustseg.records.hashing import hashed_ids

        return hashed_ids(ids, str(self.status.get("fingerprint") or ""))

    def _file(self, kind: str) -> Path:
        return self.folder.path / (f"{kind}.npz" if kind == "examples" else f"{kind}.csv")


@dataclass(frozen=True)
class _Read:
    """A finished run as it was found in a source."""

    source: Path
    run: Run
    finished: Finished


@dataclass
class _Found:
    """What all sources have together."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    left_out: dict[Path, dict[str, str]] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)


class Sources:
    """Folders of runs and records, read as one.

    A run that is in several counts once if its numbers are the same; if not, that of the source
    named first, and `remarks` tells both. None of them is read before it is asked for.

    Args:
        paths: of the sources; None: ``runs`` and each ``experiments/*/record`` that there is.
        duplicates: ``first``, or ``all`` to have each set of numbers as a run of its own, with the
            setting ``source``.

    Examples:
        >>> Sources([Path("runs"), Path("experiments/demo/record")]).rows()[0]["loss"]
        'gce'
    """

    def __init__(
        self, paths: Path | str | Sequence[Path | str] | None = None, duplicates: str = "first"
    ) -> None:
        if paths is None:
            paths = default_sources()
        elif isinstance(paths, Path | str):
            paths = [paths]
        self.paths = [Path(path) for path in dict.fromkeys(map(str, paths))]
        self.duplicates = duplicates
        self._records: dict[Path, Record] = {}
        self._found: _Found | None = None

    def __str__(self) -> str:
        return ", ".join(map(str, self.paths))

    @classmethod
    def of(cls, sources: Sources | Path | str | Sequence[Path | str]) -> Sources:
        """What is asked for, whichever way it is named."""
        return sources if isinstance(sources, Sources) else cls(sources)

    def missing(self) -> list[Path]:
        """Those that are no folder."""
        return [path for path in self.paths if not path.is_dir()]

    def rows(self) -> list[dict[str, Any]]:
        """A row a finished run, by id: see `robustseg.results.load.load_runs`."""
        return self._all().rows

    def left_out(self) -> dict[Path, dict[str, str]]:
        """By folder: names of what is no finished run, and why."""
        return self._all().left_out

    def find(self, run_id: str) -> Run:
        """A run by the ``run_id`` of its row; of a folder also one that is not finished."""
        if len(self.paths) == 1 and not self.has_records():  # nothing else has to be read
            return FolderRun(RunFolder(self.paths[0] / run_id))
        known = self._all().runs
        if run_id in known:
            return known[run_id]
        folders = [path for path in self.paths if path not in self._all_records()]
        there = [folder for folder in folders if (folder / run_id).is_dir()]
        return FolderRun(RunFolder((there or folders or self.paths)[0] / run_id))

    def has_records(self) -> bool:
        """Whether one of the sources is a record."""
        return bool(self._all_records())

    @cached_property
    def any_hashed(self) -> bool:
        """Whether a run's image ids are salted hashes, so that others must be hashed too."""
        return self.has_records() and any(run.hashed for run in self._all().runs.values())

    def states(self) -> list[RunState]:
        """The state of every run, by id; one that is recorded is done, if nobody trains it.

        Raises:
            FileNotFoundError: a source is not there.
        """
        states: dict[str, RunState] = {}
        records = self._all_records()
        for path in self.paths:
            if path not in records:
                states = {run.run_id: run for run in survey(path)} | states
        for path, record in records.items():
            for run in record.runs():
                known = states.get(run.run_id)
                if known is None or known.state not in ("done", "running"):
                    finished = run.finished
                    states[run.run_id] = RunState(
                        run.run_id,
                        "done",
                        labels=finished.labels,
                        experiments=finished.experiments,
                        collapsed=finished.collapsed,
                        where=str(path),
                    )
        return [states[run_id] for run_id in sorted(states)]

    def damages(self) -> list[str]:
        """What of the records is damaged and not used, each with its file."""
        return [
            damage
            for record in self._all_records().values()
            if record.runs() is not None
            for damage in record.damages
        ]

    def unfinished(self) -> list[str]:
        """How many are left out of each folder, and why, as remarks."""
        return [
            f"Left out of {path}: {count_reasons(reasons)}."
            for path, reasons in self.left_out().items()
            if reasons
        ]

    def remarks(self, run_ids: Iterable[str] | None = None) -> list[str]:
        """What a reader has to know of the sources.

        Args:
            run_ids: of runs that are shown; None: all.
        """
        found = self._all()
        shown = set(found.differing if run_ids is None else run_ids)
        told = [text for run_id, text in found.differing.items() if run_id in shown]
        remarks = [f"Not used: {damage}." for damage in found.damages]
        if told and self.duplicates == "first":
            remarks.append(
                f"{len(told)} {'run has' if len(told) == 1 else 'runs have'} other numbers in "
                "another source (another processor?); the first is used, --duplicates all shows "
                "both: " + "; ".join(told[:_TOLD])
            )
            remarks[-1] += f"; and {len(told) - _TOLD} more." if len(told) > _TOLD else "."
        return remarks

    def _all_records(self) -> dict[Path, Record]:
        from robustseg.records.layout import is_record

        for path in self.paths:
            if path not in self._records and is_record(path):
                from robustseg.records.reading import Record

                self._records[path] = Record(path)
        return self._records

    def _all(self) -> _Found:
        if self._found is None:
            # Reading makes many objects and no cycles: looking for those takes a fifth of the time.
            enabled = gc.isenabled()
            gc.disable()
            try:
                self._found = self._read()
            finally:
                if enabled:
                    gc.enable()
        return self._found

    def _read(self) -> _Found:
        found = _Found()
        by_id: dict[str, list[_Read]] = {}
        records = self._all_records()
        for path in self.paths:
            if path in records:
                read = [_Read(path, run, run.finished) for run in records[path].runs()]
                found.damages += records[path].damages
            else:
                read, found.left_out[path] = _read_folder(path)
            for one in read:
                by_id.setdefault(one.finished.run_id, []).append(one)
        several = any(len(same) > 1 for same in by_id.values())
        kept = {run_id: _apart(same, found) for run_id, same in by_id.items()} if several else by_id
        marked = self.duplicates == "all" and bool(found.differing)
        for run_id in sorted(kept):
            chosen = kept[run_id] if marked else kept[run_id][:1]
            for at, one in enumerate(chosen):
                name = run_id if at == 0 else f"{run_id} ({one.source}{f' {at}' if at > 1 else ''})"
                row = _row(one.finished, name)
                if marked:
                    row["settings"]["source"] = str(one.source)
                found.rows.append(row)
                found.runs[name] = one.run
        return found


def count_reasons(left_out: Mapping[str, str]) -> str:
    """Return how often each reason occurs, such as ``2 unfinished, 1 failed``."""
    counts: dict[str, int] = {}
    for reason in left_out.values():
        kind = reason.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())


def default_sources() -> list[Path]:
    """The folder of runs, and the record of each experiment, here; at least the former."""
    from robustseg.records.layout import records_here

    records = records_here()
    return [*([RUNS] if RUNS.is_dir() or not records else []), *records]


def add_options(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add --runs and --duplicates, which `chosen_sources` reads."""
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        action="extend",
        metavar="SOURCE",
        help="folders of runs, and records that `robustseg runs pack` made; where they disagree, "
        "the first is taken (default: runs and experiments/*/record, those that are there)",
    )
    if duplicates:
        parser.add_argument(
            "--duplicates",
            choices=DUPLICATES,
            default="first",
            help="of a run with other numbers in another source: the first source's (default), "
            "or all, told apart by their source",
        )


def chosen_sources(options: argparse.Namespace) -> Sources:
    """The sources that the options name."""
    return Sources(options.runs, getattr(options, "duplicates", "first"))


def settle(options: argparse.Namespace) -> None:
    """Put an experiment that stands behind --runs into its place: argparse takes it for a source.

    Args:
        options: of `add_options` and an ``experiment`` by position, which may be left out.
    """
    if options.experiment is None and options.runs and len(options.runs) > 1:
        last = options.runs[-1]
        if len(last.parts) == 1 and not last.exists():
            options.experiment, options.runs = str(last), options.runs[:-1]


def _read_folder(path: Path) -> tuple[list[_Read], dict[str, str]]:
    """The finished runs of a folder, and why others are none."""
    if not path.is_dir():
        return [], {}
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."]
    read, left_out = [], {}
    for name in sorted(names):
        if not is_plain(name):
            left_out[printable(name)] = "with control characters in its name, which no run has"
            continue
        folder = RunFolder(path / name)
        try:
            read.append(_Read(path, FolderRun(folder), read_finished(folder)))
        except OSError as error:
            left_out[name] = f"that cannot be read ({error.strerror or error})"
        except NotFinished as error:
            left_out[name] = str(error)
    return read, left_out


def _apart(same: Sequence[_Read], found: _Found) -> list[_Read]:
    """Of a run's several readings one for each set of numbers, the first source's first."""
    from robustseg.records.finding import same_numbers

    kept: list[_Read] = []
    joined: list[tuple[str, ...]] = []
    for one in same:
        for at, other in enumerate(kept):
            if same_numbers(other.finished, one.finished) is None:
                joined[at] = tuple(dict.fromkeys((*joined[at], *one.finished.experiments)))
                break
        else:
            kept.append(one)
            joined.append(one.finished.experiments)
    kept = [_joined(one, names) for one, names in zip(kept, joined, strict=True)]
    if len(kept) > 1:
        first = kept[0]
        name = same_numbers(first.finished, kept[1].finished)
        values = [f"{one.finished.numbers.get(str(name))} in {one.source}" for one in kept]
        found.differing[first.finished.run_id] = (
            f"{first.finished.run_id} has {name} {' and '.join(values)}"
        )
    return kept


def _joined(one: _Read, experiments: tuple[str, ...]) -> _Read:
    """A reading of a run that belongs to more experiments, according to another source."""
    from dataclasses import replace

    return replace(one, finished=replace(one.finished, experiments=experiments))


def _row(finished: Finished, name: str) -> dict[str, Any]:
    return {
        **finished.numbers,
        "run_id": name,
        "experiments": finished.experiments,
        "settings": flat(finished.settings),
        "collapsed": finished.collapsed,
        "labels": finished.labels,
    }


def _stamp(path: Path) -> list[int]:
    """Time and size; empty for a missing file, which is reported where it is read."""
    if not path.exists():
        return []
    stat = path.stat()
    return [stat.st_mtime_ns, stat.st_size]
