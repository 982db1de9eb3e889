"""Which runs are to be packed: those of folders and records, and those that joined without one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from robustseg.records.layout import DamagedRecord, Packing, is_record, read_index
from robustseg.records.record import Record
from robustseg.records.recorded_run import RecordedRun
from robustseg.runs.finished import Finished, NotFinished, read_finished
from robustseg.runs.folder import RunFolder, run_folders
from robustseg.runs.joined import joined_in
from robustseg.terminal.printable import printable


@dataclass(frozen=True)
class Candidate:
    """A finished run, where it was found.

    Attributes:
        place: the folder of runs, or the record.
        run: there.
        finished: its numbers, and all experiments to which it belongs.
    """

    place: Path
    run: RunFolder | RecordedRun
    finished: Finished


@dataclass
class Found:
    """The runs of an experiment.

    Attributes:
        runs: by their ids, in order.
        differing: ids of those with other numbers in a second place, with both values.
        left_out: other folders' names, and ids that are nowhere, and why.
        damages: parts of records that cannot be used, each with its file.
    """

    runs: dict[str, Candidate] = field(default_factory=dict)
    differing: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)


def find(experiment: str | None, sources: Sequence[Path], elsewhere: Sequence[Path]) -> Found:
    """The finished runs of an experiment, one for each id: that of the first place.

    A run that a sweep skipped, since a record has it, belongs to the experiment by a note in the
    folder of runs (`robustseg.runs.joined`). It is looked for in all places.

    Args:
        experiment: whose runs; None: all.
        sources: folders of runs, and records.
        elsewhere: records in which only runs that belong by a note are looked for.

    Raises:
        OSError: a folder cannot be read.
    """
    found = Found()
    notes = joined_in(sources)
    noted = {run for run, names in notes.items() if experiment is None or experiment in names}
    for place in dict.fromkeys(sources):
        if is_record(place):
            there = _of_record(place, None, found)
        else:
            there = _of_folder(place, experiment, found)
        for one in there:
            one = _with(one, notes.get(one.finished.run_id, ()))
            if experiment is None or experiment in one.finished.experiments:
                _add(one, found)
    for place in dict.fromkeys(elsewhere):
        if noted and place not in sources and is_record(place):
            for one in _of_record(place, noted, found):
                _add(_with(one, notes[one.finished.run_id]), found)
    for run_id in sorted(noted - found.runs.keys()):
        found.left_out[run_id] = (
            f"a sweep of {notes[run_id][0]} skipped it since a record has it, but none of the "
            f"records read here does; name that record: --runs {' '.join(map(str, sources))} "
            "RECORD"
        )
    found.runs = dict(sorted(found.runs.items()))
    return found


def sound(record: Record, packings: Iterable[Packing], damages: list[str]) -> list[RecordedRun]:
    """The runs of those packings of a record of which every part can be used.

    Args:
        record: it.
        packings: of its index.
        damages: to which the others are added, each with its file.
    """
    runs: list[RecordedRun] = []
    for packing in packings:
        try:
            runs += record.check(packing)
        except DamagedRecord as error:
            damages.append(f"{error}; its {len(packing.runs)} runs are not used")
    return runs


def same_numbers(first: Finished, second: Finished) -> str | None:
    """None if two runs have the same numbers; else the name of one in which they differ."""
    names = dict.fromkeys(("dice_image", *first.numbers, *second.numbers))
    for name in names:
        one, other = (run.numbers.get(name, math.nan) for run in (first, second))
        if one != other and not (math.isnan(one) and math.isnan(other)):
            return name
    return None


def _of_folder(place: Path, experiment: str | None, found: Found) -> Iterator[Candidate]:
    for folder in run_folders(place):
        name = folder.run_id
        try:
            yield Candidate(place, folder, read_finished(folder))
        except OSError as error:
            found.left_out[printable(name)] = f"that cannot be read ({error.strerror or error})"
        except NotFinished as error:
            status = folder.read_status()  # a damaged one does not name its experiments
            if not status or experiment is None or experiment in status.get("experiments", ()):
                found.left_out[printable(name)] = str(error)


def _of_record(place: Path, run_ids: Set[str] | None, found: Found) -> Iterator[Candidate]:
    """The runs of a record, or those of some ids."""
    try:
        packings = read_index(place)
    except DamagedRecord as error:
        found.damages.append(f"{error}; the record is not used")
        return
    if run_ids is not None:
        packings = [packing for packing in packings if not run_ids.isdisjoint(packing.runs)]
    for run in sound(Record(place), packings, found.damages):
        if run_ids is None or run.run_id in run_ids:
            yield Candidate(place, run, run.finished)


def _with(one: Candidate, experiments: Iterable[str]) -> Candidate:
    """A run that belongs to more experiments."""
    names = tuple(dict.fromkeys((*one.finished.experiments, *experiments)))
    return replace(one, finished=replace(one.finished, experiments=names))


def _add(one: Candidate, found: Found) -> None:
    """Add a run, or what a second place says of one that is there."""
    run_id = one.finished.run_id
    first = found.runs.setdefault(run_id, one)
    differs = same_numbers(first.finished, one.finished)
    if differs is None:
        found.runs[run_id] = _with(first, one.finished.experiments)
    else:
        values = [known.finished.numbers.get(differs) for known in (first, one)]
        found.differing[run_id] = (
            f"{differs} {values[0]} in {first.place}, {values[1]} in {one.place}"
        )
