"""The parts of runs that are packed together, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.records.layout import KINDS, Packing, Part, check_run_ids, part_of
from robustseg.records.record import Record
from robustseg.records.recorded_run import recorded_runs
from robustseg.records.tables import LOGICAL, TEXTS, checked, encode

if TYPE_CHECKING:
    import pyarrow as pa

    from robustseg.records.folders import Kept


def parts_of(batch: Sequence[Kept]) -> dict[Part, bytes]:
    """The parts of some runs with their bytes, read again as from a record.

    Raises:
        ValueError: they are not what a record holds.
    """
    run_ids = tuple(kept.run_id for kept in batch)
    try:
        check_run_ids(run_ids)
    except ValueError as error:
        raise ValueError("a run may not have this name") from error
    parts = {}
    for kind in KINDS:
        table = _runs_table(batch) if kind == "runs" else _joined(batch, kind)
        if table is None:
            continue
        data = encode(table, kind)
        try:
            part = part_of(kind, data, table.num_rows)
            table = checked(data, part, run_ids)
            if kind == "runs":
                recorded_runs(Record(Path()), Packing(run_ids, (part,)), table)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{kind}: {error}") from error
        parts[part] = data
    return parts


def _runs_table(batch: Sequence[Kept]) -> pa.Table:
    """A row per run; a number that a run does not have is missing, one that is undefined is NaN."""
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
    least = pc.min(column).as_py()
    if least is None:
        return column.cast(pa.int16())
    kinds = [pa.uint8(), pa.uint16(), pa.uint32()] if least >= 0 else [pa.int16(), pa.int32()]
    for kind in kinds:
        with suppress(pa.ArrowInvalid):  # a value is out of its range
            return column.cast(kind)
    return column
