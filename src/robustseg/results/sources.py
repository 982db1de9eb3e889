"""Where finished runs are read from: folders of runs and records, several at once."""

from __future__ import annotations

import gc
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.records.hashing import hidden_fingerprint
from robustseg.results.merged import Merged, merged
from robustseg.results.one_run import FolderRun, Run
from robustseg.runs.data_label import data_of
from robustseg.runs.flat import flat
from robustseg.runs.folder import RunFolder, run_folders
from robustseg.runs.joined import joined_in
from robustseg.runs.labels import LABELS
from robustseg.runs.selection import may_have
from robustseg.runs.survey import RunState, look, survey
from robustseg.terminal.count import count

if TYPE_CHECKING:
    from robustseg.records.record import Record

RUNS = Path("runs")
DUPLICATES = ("first", "all")
_TOLD = 10  # runs with two sets of numbers that are named


class Sources:
    """Folders of runs and records, read as one.

    A run that is in several counts once if its numbers are the same; if not, that of the source
    named first, and `remarks` tells both. None of them is read before it is asked for.

    Args:
        paths: of the sources; None: ``runs`` and each ``experiments/*/record`` that there is.
        duplicates: ``first``, or ``all`` to have each set of numbers as a run of its own, with the
            setting ``source``.

    Examples:
        >>> Sources(Path("experiments/tloss_shenzhen_small/record")).rows()[0]["labels"]["loss"]
        'ce'
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
        self._records: dict[Path, Record] | None = None
        self._found: Merged | None = None

    def __str__(self) -> str:
        return ", ".join(map(str, self.paths))

    @classmethod
    def of(cls, sources: Sources | Path | str | Sequence[Path | str]) -> Sources:
        """What is asked for, whichever way it is named."""
        return sources if isinstance(sources, Sources) else cls(sources)

    def missing(self) -> list[Path]:
        """Those that are not directories."""
        return [path for path in self.paths if not path.is_dir()]

    def rows(self) -> list[dict[str, Any]]:
        """A row a finished run, by id: see `robustseg.results.load.load_runs`."""
        return self._all().rows

    def left_out(self) -> dict[Path, dict[str, str]]:
        """By folder: the names of its unfinished or damaged runs, and why they are left out."""
        return self._all().left_out

    def find(self, run_id: str) -> Run:
        """A run by the ``run_id`` of its row; of a folder also one that is not finished."""
        # Nothing else has to be read; once it is, a run stays the one whose numbers are shown.
        if self._found is None and len(self.paths) == 1 and not self.has_records():
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
        """The state of every run, by id, with the experiments of all sources.

        One that is in several has the state of the first in which it is done or running; what is
        recorded is done.

        Raises:
            FileNotFoundError: a source is not there.
        """
        states: dict[str, RunState] = {}
        records = self._all_records()
        for path in self.paths:
            if path not in records:
                for state in survey(path):
                    _add(states, state)
        # A record of data that are not public hides their fingerprint.
        known_data = {
            hidden_fingerprint(run.fingerprint): {
                "fingerprint": run.fingerprint,
                "data_folder": run.data_folder,
            }
            for run in (states.values() if records else ())
            if run.fingerprint
        }
        for path, record in records.items():
            for run in record.runs():
                finished, data = run.finished, data_of(run.status)
                data = known_data.get(data["fingerprint"] or "", data)
                state = RunState(
                    run.run_id,
                    "done",
                    labels=finished.labels,
                    experiments=finished.experiments,
                    collapsed=finished.collapsed,
                    where=str(path),
                    settings=flat(finished.settings),
                    fingerprint=data["fingerprint"],
                    data_folder=data["data_folder"],
                )
                _add(states, state)
        for run_id, names in joined_in(self.paths).items():
            if run_id in states:
                _add(states, replace(states[run_id], experiments=tuple(names)))
        return [states[run_id] for run_id in sorted(states)]

    def damages(self) -> list[str]:
        """What of the records is damaged and not used, each with its file."""
        return [
            damage
            for record in self._all_records().values()
            if record.runs() is not None
            for damage in record.damages
        ]

    def unfinished(self, filters: Mapping[str, Sequence[Any]] | None = None) -> list[str]:
        """How many are left out of each folder, and why, as remarks.

        Args:
            filters: count those only that have the values, or do not tell what they have.
        """
        return [
            f"Left out of {path}: {count_reasons(reasons)}."
            for path, reasons in self._left_out_of(filters or {}).items()
            if reasons
        ]

    def named_unfinished(self, filters: Mapping[str, Sequence[Any]]) -> str:
        """The same in one clause that names runs, to stand behind an error; "" if there is none."""
        found = {
            name: why for of in self._left_out_of(filters).values() for name, why in of.items()
        }
        if not found:
            return ""
        told = [f"{name} ({_line(why)})" for name, why in list(found.items())[:_TOLD]]
        told += [f"{len(found) - _TOLD} more"] * (len(found) > _TOLD)
        were = "was" if len(found) == 1 else "were"
        return f"; {count(len(found), 'run')} {were} left out: {', '.join(told)}"

    def _left_out_of(self, filters: Mapping[str, Sequence[Any]]) -> dict[Path, dict[str, str]]:
        """Of `left_out`, what may pass the filters, as far as the runs tell."""
        if not filters:
            return self.left_out()

        told = {*LABELS, "experiment", "data"}  # by a small file; settings are not
        closely = not told.issuperset(filters)

        def may_pass(folder: Path) -> bool:
            state = look(RunFolder(folder), closely=closely)
            return all(may_have(state, name, values) for name, values in filters.items())

        return {
            path: {name: why for name, why in reasons.items() if may_pass(path / name)}
            for path, reasons in self.left_out().items()
        }

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
                f"{len(told)} {'run has' if len(told) == 1 else 'runs have'} different numbers "
                "in another source (another processor?); the first is used, "
                f"`robustseg table --runs {shlex.join(map(str, self.paths))} --duplicates all` "
                "shows both: " + "; ".join(told[:_TOLD])
            )
            remarks[-1] += f"; and {len(told) - _TOLD} more." if len(told) > _TOLD else "."
        return remarks

    def _all_records(self) -> dict[Path, Record]:
        if self._records is None:
            from robustseg.records.layout import is_record

            there = [path for path in self.paths if is_record(path)]
            if there:
                from robustseg.records.record import Record
            self._records = {path: Record(path) for path in there}
        return self._records

    def _all(self) -> Merged:
        if self._found is None:
            # Reading makes many objects and no cycles: looking for those takes a fifth of the time.
            enabled = gc.isenabled()
            gc.disable()
            try:
                self._found = merged(self.paths, self._all_records(), self.duplicates == "all")
            finally:
                if enabled:
                    gc.enable()
        return self._found


def _add(states: dict[str, RunState], other: RunState) -> None:
    """Add a run's state in one more source to those in the sources before it."""
    known = states.get(other.run_id, other)
    sound = ("done", "running")
    counts = other if other.state in sound and known.state not in sound else known
    names = dict.fromkeys((*known.experiments, *other.experiments))
    states[other.run_id] = replace(counts, experiments=tuple(names))


def _line(why: str) -> str:
    return why.splitlines()[0]


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


def own_runs() -> list[Path]:
    """The folder of runs if there is a run in it; else `default_sources`."""
    return [RUNS] if RUNS.is_dir() and run_folders(RUNS) else default_sources()
