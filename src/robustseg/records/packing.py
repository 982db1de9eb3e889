"""Packing: what a record lacks of some run folders is added to it, as new parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.records.layout import (
    KINDS,
    DamagedRecord,
    Packing,
    read_index,
    write_index,
    write_part,
)
from robustseg.records.tables import LOGICAL, TEXTS, decode, encode
from robustseg.runs.finished import Finished, NotFinished, read_finished
from robustseg.runs.folder import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from robustseg.records.folders import Kept

# Of one packing; a part is read as a whole, so it must not become too large.
_RUNS_AT_ONCE = 5_000
_IMAGES_AT_ONCE = 4_000_000


@dataclass
class PackReport:
    """What packing did.

    Attributes:
        record: the folder.
        added: ids of the runs that were added.
        known: ids of those that were there already.
        differing: ids of those that are there, or in two of the folders, with other numbers, with
            both values; of folders the first counts.
        left_out: other folders' names, and why they were not packed.
        without: ids of runs that were packed without a file that they lack, with its name.
        damages: parts of the record that cannot be used, each with its file.
        files: the parts that were written, and the bytes of each.
    """

    record: Path
    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    differing: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    damages: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)


def pack(
    experiment: str | None,
    runs: Sequence[Path],
    record: Path,
    *,
    image_ids: bool = False,
) -> PackReport:
    """Add what a record lacks of an experiment's finished runs.

    Nothing that was written before is touched. Several processes may pack at once, on hosts that
    share the folder too: one waits for the other.

    Args:
        experiment: whose runs; None: all of the folders.
        runs: folders of run folders.
        record: the record's folder; it is made if it is not there.
        image_ids: whether image ids are kept plainly, also of data that are not public.

    Raises:
        FileNotFoundError: there is no such folder of runs.
        DamagedRecord: the index of the record cannot be used.

    Examples:
        >>> pack("demo", [Path("runs")], Path("experiments/demo/record")).added
        ['synthetic-gce-a0.5-b0.7-s0-1f2e3d4c']
    """
    report = PackReport(record)
    found = _found(experiment, runs, report)
    if not found:
        return report
    with locked(record):
        packings = read_index(record)
        lacking = _lacking(found, record, report)
        for kept in _read(lacking, image_ids, report):
            packing = _write(record, kept, report)
            packings = [*packings, *([packing] if packing not in packings else [])]
            write_index(record, packings)
        if report.added:
            from robustseg.records.readme import write_readme

            write_readme(record)
    return report


@contextmanager
def locked(record: Path) -> Iterator[None]:
    """Keep other packers out of a record for the length of the block."""
    from filelock import FileLock

    record.mkdir(parents=True, exist_ok=True)
    with FileLock(record / ".lock"):
        yield


def same_numbers(first: Finished, second: Finished) -> str | None:
    """None if two runs have the same numbers; else the name of one in which they differ."""
    names = dict.fromkeys(("dice_image", *first.numbers, *second.numbers))
    for name in names:
        one, other = (run.numbers.get(name, math.nan) for run in (first, second))
        if one != other and not (math.isnan(one) and math.isnan(other)):
            return name
    return None


def _found(
    experiment: str | None, runs: Sequence[Path], report: PackReport
) -> dict[str, tuple[RunFolder, Finished]]:
    """The finished runs of an experiment by their ids, in order."""
    found: dict[str, tuple[RunFolder, Finished]] = {}
    for place in runs:
        names = [one.name for one in place.iterdir() if not one.name.startswith(".")]
        for name in sorted(names):
            folder = RunFolder(place / name)
            if not folder.path.is_dir():
                continue
            try:
                finished = read_finished(folder)
            except OSError as error:
                report.left_out[name] = f"that cannot be read ({error.strerror or error})"
                continue
            except NotFinished as error:
                if experiment is None or experiment in folder.read_status().get("experiments", ()):
                    report.left_out[name] = str(error)
                continue
            if experiment is None or experiment in finished.experiments:
                first, known = found.setdefault(name, (folder, finished))
                if differs := same_numbers(known, finished):
                    values = known.numbers.get(differs), finished.numbers.get(differs)
                    report.differing[name] = (
                        f"{differs} {values[0]} in {first.path.parent}, {values[1]} in {place}"
                    )
    return dict(sorted(found.items()))


def _lacking(
    found: dict[str, tuple[RunFolder, Finished]], record: Path, report: PackReport
) -> list[tuple[RunFolder, Finished]]:
    """Those that the record does not have, or has in damaged parts only."""
    from robustseg.records.reading import Record

    there = Record(record)
    known: dict[str, list[Finished]] = {}
    for packing in read_index(record):
        try:
            for run in there.check(packing):
                known.setdefault(run.run_id, []).append(run.finished)
        except DamagedRecord as error:
            report.damages.append(f"{error}; its {len(packing.runs)} runs are packed again")
    lacking = []
    for run_id, (folder, finished) in found.items():
        differences = [same_numbers(one, finished) for one in known.get(run_id, [])]
        joined = {name for one in known.get(run_id, []) for name in one.experiments}
        if differences and all(differences):
            name = str(differences[0])
            values = [one.numbers.get(name) for one in (known[run_id][0], finished)]
            report.differing[run_id] = (
                f"{name} {values[0]} in {record}, {values[1]} in {folder.path.parent}"
            )
        elif differences and set(finished.experiments) <= joined:
            report.known.append(run_id)
        else:
            lacking.append((folder, finished))
    return lacking


def _read(
    lacking: Sequence[tuple[RunFolder, Finished]], image_ids: bool, report: PackReport
) -> Iterator[list[Kept]]:
    """Runs to be packed together, as many at a time as a part may hold."""
    from robustseg.records.folders import Unpackable, read_folder

    batch: list[Kept] = []
    images = 0
    for folder, finished in lacking:
        try:
            kept = read_folder(folder, finished, image_ids=image_ids)
        except Unpackable as error:
            report.left_out[folder.run_id] = f"with contradictions: {error}"
            continue
        lacks = [name for name in ("epochs", "images") if name not in kept.tables]
        if lacks:
            report.without[kept.run_id] = ", ".join(f"{name}.csv" for name in lacks)
        batch.append(kept)
        images += kept.tables["images"].num_rows if "images" in kept.tables else 0
        if len(batch) == _RUNS_AT_ONCE or images >= _IMAGES_AT_ONCE:
            yield batch
            batch, images = [], 0
    if batch:
        yield batch


def _write(record: Path, batch: Sequence[Kept], report: PackReport) -> Packing:
    """Write the parts of some runs, and read them again.

    Raises:
        DamagedRecord: what was written is not what a record holds.
    """
    run_ids = tuple(kept.run_id for kept in batch)
    parts = []
    for kind in KINDS:
        table = _runs_table(batch) if kind == "runs" else _joined(batch, kind)
        if table is None:
            continue
        part = write_part(record, kind, encode(table, kind), table.num_rows)
        report.files[part.file] = part.size
        decode(record, part, run_ids)
        parts.append(part)
    report.added += run_ids
    return Packing(run_ids, tuple(parts))


def _runs_table(batch: Sequence[Kept]) -> pa.Table:
    """A row a run; a number that a run does not have is missing, one that is undefined is NaN."""
    import pyarrow as pa

    names = dict.fromkeys(name for kept in batch for name in kept.row)
    columns = {name: _array(name, [kept.row.get(name) for kept in batch]) for name in names}
    return pa.table(columns)


def _array(name: str, values: list[Any]) -> pa.Array:
    import pyarrow as pa

    if name in TEXTS["runs"]:
        return pa.array(values, pa.string())
    if name in LOGICAL["runs"]:
        return pa.array(values, pa.bool_())
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, int) for value in there):
        return pa.array(values, pa.int64())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _joined(batch: Sequence[Kept], kind: str) -> pa.Table | None:
    """The rows of all runs that have such a table; columns that a run lacks are missing."""
    import pyarrow as pa

    tables = [(kept.run_id, kept.tables[kind]) for kept in batch if kind in kept.tables]
    if not tables:
        return None
    types: dict[str, pa.DataType] = {}
    for _, table in tables:
        for column in table.schema:
            wider = types.setdefault(column.name, column.type) != column.type
            types[column.name] = pa.float64() if wider else column.type
    whole = pa.concat_tables(
        [
            table.cast(pa.schema([(name, types[name]) for name in table.column_names])).add_column(
                0, "run_id", pa.repeat(run_id, table.num_rows)
            )
            for run_id, table in tables
        ],
        promote_options="default",
    )
    if kind != "images":
        return whole
    if "class" not in whole.column_names:  # of binary runs
        whole = whole.append_column("class", pa.nulls(whole.num_rows, pa.int16()))
    return pa.table({name: _smallest(whole[name]) for name in whole.column_names})


def _smallest(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in the smallest type that holds each of its values exactly."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_float64(column.type):
        narrow = column.cast(pa.float32(), safe=False)
        exact = pc.or_(pc.equal(narrow.cast(pa.float64()), column), pc.is_nan(column))
        return narrow if pc.all(exact).as_py() in (True, None) else column
    if not pa.types.is_int64(column.type):
        return column
    ends = pc.min_max(column).as_py()
    if ends["min"] is None:
        return column.cast(pa.int16())
    kinds = [pa.uint8(), pa.uint16(), pa.uint32()] if ends["min"] >= 0 else [pa.int16(), pa.int32()]
    for kind in kinds:
        if ends["max"] < 1 << (kind.bit_width - (ends["min"] < 0)) and ends["min"] >= -(
            1 << (kind.bit_width - 1)
        ):
            return column.cast(kind)
    return column
