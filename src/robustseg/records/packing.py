"""Packing: what a record lacks of some runs is added to it, as new parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from robustseg.records.finding import Candidate, Found, find, same_numbers, sound
from robustseg.records.layout import Packing, check_place, read_index, write_index, write_part
from robustseg.records.packed_parts import parts_of
from robustseg.records.record import Record
from robustseg.records.tables import COLUMNS_LIMIT
from robustseg.runs.finished import Finished
from robustseg.runs.flat import flat
from robustseg.runs.folder import RunFolder

if TYPE_CHECKING:
    from robustseg.records.folders import Kept

# Of one packing; a part is read as a whole, so it must not become too large.
_RUNS_AT_ONCE = 5_000
_ROWS_AT_ONCE = 4_000_000
_CELLS_AT_ONCE = 100_000_000  # rows × columns, of 8 bytes in memory


@dataclass
class PackReport:
    """What packing did.

    Attributes:
        record: the folder.
        added: ids of the runs that were added.
        known: ids of those that were there already.
        differing: ids of those that are there, or in two of the folders, with other numbers, with
            both values; of folders the first counts.
        left_out: other folders' names, and ids that no record has, and why they were not packed.
        without: ids of runs that were packed without a file that they lack, with its name.
        paths: ids of runs that were packed with absolute paths in their settings, with those.
        damages: parts of records that cannot be used, each with its file.
        files: the parts that were written, and the bytes of each.
    """

    record: Path
    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    differing: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)


def pack(
    experiment: str | None,
    runs: Sequence[Path],
    record: Path,
    *,
    image_ids: bool = False,
    elsewhere: Sequence[Path] = (),
) -> PackReport:
    """Add what a record lacks of an experiment's finished runs.

    Nothing that was written before is touched. Several processes may pack at once, on hosts that
    share the folder too: one waits for the other.

    A run that a sweep skipped, since a record has it, is taken from the first record that has it.

    Args:
        experiment: whose runs; None: all of the folders.
        runs: folders of run folders, and other records.
        record: the record's folder; it is made if it is not there.
        image_ids: whether image ids are kept plainly, also of data that are not public; of a
            record, those that are hashes stay hashes.
        elsewhere: records in which only such skipped runs are looked for; after `runs`, and before
            the record itself.

    Raises:
        FileNotFoundError: there is no such folder of runs.
        DamagedRecord: the index of the record cannot be used.

    Examples:
        >>> pack("demo", [Path("runs")], Path("record")).added  # doctest: +SKIP
        ['synthetic-gce-a0.5-b0.7-s0-1f2e3d4c']
    """
    found = find(experiment, runs, [*elsewhere, record])
    report = PackReport(
        record, differing=found.differing, left_out=found.left_out, damages=found.damages
    )
    if not found.runs:
        return report
    with locked(record):
        packings = read_index(record)
        lacking = _lacking(experiment, found, report)
        for kept in _read(lacking, image_ids, report):
            for packing in _write(record, kept, report):
                packings = [*packings, *([packing] if packing not in packings else [])]
                write_index(record, packings)
        if report.added:
            from robustseg.records.readme import write_readme

            write_readme(record)
    return report


@contextmanager
def locked(record: Path) -> Iterator[None]:
    """Keep other packers out of a record for the length of the block.

    Raises:
        ConfigError: the folder holds other things.
    """
    from filelock import FileLock

    check_place(record)
    record.mkdir(parents=True, exist_ok=True)
    with FileLock(record / ".lock"):
        yield


def _lacking(experiment: str | None, found: Found, report: PackReport) -> list[Candidate]:
    """Those that the record does not have for the experiment, or has in damaged parts only."""
    there: list[str] = []
    known: dict[str, list[Finished]] = {}
    for run in sound(Record(report.record), read_index(report.record), there):
        known.setdefault(run.run_id, []).append(run.finished)
    report.damages += [damage for damage in there if damage not in report.damages]
    lacking = []
    for run_id, one in found.runs.items():
        differences = [same_numbers(other, one.finished) for other in known.get(run_id, [])]
        joined = {name for other in known.get(run_id, []) for name in other.experiments}
        wanted = set(one.finished.experiments) if experiment is None else {experiment}
        if differences and all(differences):
            name = str(differences[0])
            values = [other.numbers.get(name) for other in (known[run_id][0], one.finished)]
            report.differing[run_id] = (
                f"{name} {values[0]} in {report.record}, {values[1]} in {one.place}"
            )
        elif differences and wanted <= joined:
            report.known.append(run_id)
        else:
            lacking.append(one)
    return lacking


def _read(
    lacking: Sequence[Candidate], image_ids: bool, report: PackReport
) -> Iterator[list[Kept]]:
    """Runs to be packed together, as many at a time as a part may hold."""
    from robustseg.records.copying import read_recorded
    from robustseg.records.folders import Unpackable, read_folder

    batch: list[Kept] = []
    sizes: Mapping[str, _Size] = {}
    for one in lacking:
        try:
            if isinstance(one.run, RunFolder):
                kept = read_folder(one.run, one.finished, image_ids=image_ids)
            else:
                kept = read_recorded(one.run, one.finished, image_ids=image_ids)
        except Unpackable as error:
            report.left_out[one.run.run_id] = f"with contradictions: {error}"
            continue
        lacks = [name for name in ("epochs", "images") if name not in kept.tables]
        if lacks:
            report.without[kept.run_id] = ", ".join(f"{name}.csv" for name in lacks)
        if paths := _paths(one.finished.settings):
            report.paths[kept.run_id] = ", ".join(paths)
        larger = _with(sizes, kept)
        if batch and (len(batch) == _RUNS_AT_ONCE or any(one.too_large for one in larger.values())):
            yield batch
            batch, larger = [], _with({}, kept)
        batch.append(kept)
        sizes = larger
    if batch:
        yield batch


def _paths(settings: Mapping[str, Any]) -> list[str]:
    """Settings that name a place on a machine, such as a file of weights.

    They are kept whole: files of one name in two folders may differ, and so may their runs.
    """
    return [
        f"{name}={path}"
        for name, value in flat(settings).items()
        for path in (value if isinstance(value, list) else [value])
        if isinstance(path, str)
        and any(kind(path).is_absolute() for kind in (PurePosixPath, PureWindowsPath))
    ]


@dataclass(frozen=True)
class _Size:
    """Of a part that is not written yet."""

    rows: int = 0
    columns: frozenset[str] = frozenset()

    def plus(self, rows: int, columns: Iterable[str]) -> _Size:
        return _Size(self.rows + rows, self.columns.union(columns))

    @property
    def too_large(self) -> bool:
        # Packing adds two columns, run_id and class.
        rows, columns = self.rows, len(self.columns) + 2
        return rows > _ROWS_AT_ONCE or columns > COLUMNS_LIMIT or rows * columns > _CELLS_AT_ONCE


def _with(sizes: Mapping[str, _Size], kept: Kept) -> dict[str, _Size]:
    """The sizes of the parts once a run is added to them."""
    own = {kind: (table.num_rows, table.column_names) for kind, table in kept.tables.items()}
    own["runs"] = 1, [*kept.row]
    larger = {kind: sizes.get(kind, _Size()).plus(*one) for kind, one in own.items()}
    return {**sizes, **larger}


def _write(record: Path, batch: Sequence[Kept], report: PackReport) -> Iterator[Packing]:
    """Write the parts of some runs, once they are found to be what a reader takes.

    Runs whose parts no reader would take are halved until the one at fault is alone, which is left
    out. What a full disk or a kill leaves is a part that the index does not name, which nothing
    reads.
    """
    run_ids = tuple(kept.run_id for kept in batch)
    try:
        parts = parts_of(batch)
    except ValueError as error:
        if len(batch) == 1:
            report.left_out[run_ids[0]] = f"which no record can hold: {error}"
            return
        half = len(batch) // 2
        for some in (batch[:half], batch[half:]):
            yield from _write(record, some, report)
        return
    for part, data in parts.items():
        write_part(record, part, data)
        report.files[part.file] = part.size
    report.added += run_ids
    yield Packing(run_ids, tuple(parts))
