"""Finished runs of several folders and records, each once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.records.hashing import hidden_fingerprint
from robustseg.results.one_run import FolderRun, Run
from robustseg.runs.data_label import data_label, data_of
from robustseg.runs.finished import Finished, NotFinished, read_finished
from robustseg.runs.flat import flat
from robustseg.runs.folder import run_folders
from robustseg.runs.joined import joined_in
from robustseg.terminal.printable import printable

if TYPE_CHECKING:
    from robustseg.records.record import Record


@dataclass(frozen=True)
class _Read:
    """A finished run as it was found in a source.

    Attributes:
        source: it.
        run: it.
        finished: its numbers.
        nth: which of the source's sets of numbers of this run it is, from 1.
    """

    source: Path
    run: Run
    finished: Finished
    nth: int = 1

    @property
    def where(self) -> str:
        """The source, such that no two sets of numbers of a run have the same."""
        return f"{self.source}#{self.nth}" if self.nth > 1 else str(self.source)

    @property
    def status(self) -> Mapping[str, Any]:
        """As status.json."""
        return self.finished.status or self.run.status


@dataclass
class Merged:
    """What all sources have together."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    left_out: dict[Path, dict[str, str]] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)


def merged(paths: Sequence[Path], records: Mapping[Path, Record], every: bool = False) -> Merged:
    """Read sources, and put together what they have.

    Args:
        paths: of the sources; one that is not there has nothing.
        records: those of them that are records.
        every: whether, if sources disagree on any run, each run of each source is a row, with the
            setting ``source``, so that a source's rows are all of its runs; else one row a run,
            that of the first source.
    """
    found = Merged()
    by_id: dict[str, list[_Read]] = {}
    for path in paths:
        if path in records:
            read = [_Read(path, run, run.finished) for run in records[path].runs()]
            found.damages += records[path].damages
        else:
            read, found.left_out[path] = _read_folder(path)
        for one in read:
            by_id.setdefault(one.finished.run_id, []).append(one)
    sets = {run_id: _sets(same) for run_id, same in by_id.items()}
    found.differing = {run_id: _difference(of) for run_id, of in sets.items() if len(of) > 1}
    marked = every and bool(found.differing)
    kept = {run_id: _each(of) if marked else of[0][:1] for run_id, of in sets.items()}
    for run_id, names in joined_in(paths).items():
        kept[run_id] = [_joined(one, names) for one in kept.get(run_id, ())]
    for run_id in sorted(kept):
        for at, one in enumerate(kept[run_id]):
            name = run_id if at == 0 else f"{run_id} ({one.where})"
            row = _row(one, name)
            if marked:
                row["settings"]["source"] = one.where
            found.rows.append(row)
            found.runs[name] = one.run
    _name_data(found.rows, (one for same in by_id.values() for one in same))
    return found


def _name_data(rows: Iterable[dict[str, Any]], readings: Iterable[_Read]) -> None:
    """Give each row its ``data``: one name for one fingerprint, also where a record hides it."""
    folders: dict[str, str] = {}
    plain: dict[str, str] = {}  # by what a record of data that are not public has instead
    for one in readings:
        if one.run.hashed:
            continue
        data = data_of(one.status)
        fingerprint, folder = data["fingerprint"], data["data_folder"]
        if fingerprint and fingerprint not in folders:
            plain[hidden_fingerprint(fingerprint)] = fingerprint
        if fingerprint and folder:
            folders[fingerprint] = min(folder, folders.get(fingerprint, folder))
    for row in rows:
        row["fingerprint"] = plain.get(row["fingerprint"], row["fingerprint"])
        folder = folders.get(row["fingerprint"], row["data_folder"])
        row["data"] = data_label(folder, row["fingerprint"]) or None


def _read_folder(path: Path) -> tuple[list[_Read], dict[str, str]]:
    """The finished runs of a folder, and why others are none."""
    if not path.is_dir():
        return [], {}
    read, left_out = [], {}
    for folder in run_folders(path):
        name = folder.run_id
        try:
            finished = read_finished(folder)
            run = FolderRun(replace(folder, found=finished.status))
            read.append(_Read(path, run, finished))
        except OSError as error:
            left_out[printable(name)] = f"that cannot be read ({error.strerror or error})"
        except NotFinished as error:
            left_out[printable(name)] = str(error)
    return read, left_out


def _sets(same: Sequence[_Read]) -> list[list[_Read]]:
    """A run's several readings, those with the same numbers together, the first source's first."""
    if len(same) == 1:
        return [[*same]]
    from robustseg.records.finding import same_numbers

    sets: list[list[_Read]] = []
    met: dict[Path, list[int]] = {}  # by source, which sets it has
    for one in same:
        equal = [same_numbers(known[0].finished, one.finished) is None for known in sets]
        at = [*equal, True].index(True)
        if at == len(sets):
            sets.append([])
        own = met.setdefault(one.source, [])
        if at not in own:
            own.append(at)
        sets[at].append(replace(one, nth=own.index(at) + 1))
    return [_of_all_experiments(known) for known in sets]


def _of_all_experiments(known: Sequence[_Read]) -> list[_Read]:
    """Readings with the same numbers, each with the experiments of all."""
    names = dict.fromkeys(name for one in known for name in one.finished.experiments)
    return [_joined(one, names) for one in known]


def _each(sets: Sequence[Sequence[_Read]]) -> list[_Read]:
    """What each source has of a run, each set of numbers once, the first source's first."""
    found: dict[str, _Read] = {}
    for one in (one for known in sets for one in known):
        found.setdefault(one.where, one)
    return list(found.values())


def _difference(sets: Sequence[Sequence[_Read]]) -> str:
    """A number in which the readings of a run differ, in words."""
    from robustseg.records.finding import same_numbers

    first, second, *_ = firsts = [known[0] for known in sets]
    name = str(same_numbers(first.finished, second.finished))
    values = [f"{one.finished.numbers.get(name)} in {one.where}" for one in firsts]
    return f"{first.finished.run_id} has {name} {' and '.join(values)}"


def _joined(one: _Read, experiments: Iterable[str]) -> _Read:
    """A reading of a run that belongs to more experiments, according to another source."""
    names = tuple(dict.fromkeys((*one.finished.experiments, *experiments)))
    return replace(one, finished=replace(one.finished, experiments=names))


def _row(one: _Read, name: str) -> dict[str, Any]:
    finished, processor = one.finished, one.status.get("processor")
    return {
        **finished.numbers,
        "run_id": name,
        "experiments": finished.experiments,
        "settings": flat(finished.settings),
        "collapsed": finished.collapsed,
        "labels": finished.labels,
        "processors": (processor,) if isinstance(processor, str) else (),
        **data_of(one.status),
    }
