"""Parts as Arrow tables: how they are written, and what one may hold that is read.

Only pyarrow is imported, and only where a table is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.metrics.catalogue import base_name
from robustseg.metrics.counts import COUNTS
from robustseg.records.layout import DamagedRecord, Part, read_part
from robustseg.runs.files import trouble

if TYPE_CHECKING:
    import pyarrow as pa

# Labels that tables group by, as columns of their own for those who read a record with pandas.
LABEL_TEXTS = ("dataset", "subset", "model", "loss", "domain", "regularizer", "noise")
LABEL_NUMBERS = ("batch_size", "image_size", "epsilon", "alpha", "beta", "noise_seed", "seed")
STATUS_TEXTS = (
    *("fingerprint", "processor", "accelerator", "precision", "commit", "finished"),
    *("dashboard_id", "data_folder"),
)
COSTS = ("train_seconds", "evaluation_seconds", "processor_seconds", "peak_memory_mb")
JSON = ("labels", "experiments", "settings", "versions", "started")
# Columns of the runs part that are not numbers of metrics.json.
OWN = (
    *("run_id", "collapsed", "public", "hashed", "threads", "planned_epochs"),
    *(*LABEL_TEXTS, *LABEL_NUMBERS, *STATUS_TEXTS, *COSTS, *JSON),
)
TUNED = ("tp_tuned", "tn_tuned")  # left out where tp + fn and fp + tn give them

TEXTS = {
    "runs": {"run_id", "collapsed", *LABEL_TEXTS, *STATUS_TEXTS, *JSON},
    "epochs": {"run_id"},
    "thresholds": {"run_id"},
    "images": {"run_id", "id", "case"},
}
LOGICAL = {"runs": {"public", "hashed"}}
_REQUIRED = {
    "runs": {"run_id", "public", "hashed", *JSON},
    "epochs": {"run_id", "epoch"},
    "thresholds": {"run_id", "epoch", "threshold"},
    "images": {"run_id", "id", "epoch"},
}
_SCORES = ("dice_image", "dice_image_pos", "dice_pooled", "jaccard_image", "balanced_accuracy")
# Columns with values from 0 to 1.
_SHARES = {*_SCORES, *(f"test_{name}" for name in _SCORES), "alpha", "threshold"}
COLUMNS_LIMIT = 2000
_BYTES_LIMIT = 1 << 32  # of a part in memory, as its footer declares
_TEXT_LIMIT = 1 << 20  # bytes of one text
_LEVEL = 12  # of zstd; higher ones cost seconds and save a hundredth


def encode(table: pa.Table, kind: str) -> bytes:
    """The bytes of a part; equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [name for name in table.column_names if name in TEXTS[kind]]
    encodings = {
        field.name: encoding
        for field in table.schema
        if field.name not in texts and (encoding := _encoding(field.type))
    }
    narrow = [name for name in table.column_names if name not in (*texts, *encodings)]
    narrow = [name for name in narrow if not pa.types.is_floating(table.schema.field(name).type)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=[*texts, *narrow],
        column_encoding=encodings,
        row_group_size=1 << 20,
        store_schema=True,
    )
    return sink.getvalue().to_pybytes()


def decode(record: Path, part: Part, runs: Iterable[str]) -> pa.Table:
    """A part's table, once its bytes, size, types and runs are found to be those of the index.

    Texts come as dictionaries, so that a short file cannot stand for long ones.

    Args:
        record: the folder.
        part: of it.
        runs: of which there may be rows; of the kind runs each has one.

    Raises:
        DamagedRecord: it holds something else.
    """
    data = read_part(record, part)
    try:
        return checked(data, part, runs)
    except ValueError as error:
        raise DamagedRecord(record / part.file, trouble(error)) from error


def checked(data: bytes, part: Part, runs: Iterable[str]) -> pa.Table:
    """The table of a part's bytes, which have the checksum of the index, as `decode`.

    Raises:
        ValueError: they hold something else.
    """
    import pyarrow as pa

    try:
        table = _table(data, part)
        _check_values(table, part.kind, list(runs))
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(str(error)) from error
    return table


def column_ids(table: pa.Table) -> list[str]:
    """The run ids that a table has rows of, in order."""
    import pyarrow.compute as pc

    return [str(one) for one in pc.unique(table["run_id"]).to_pylist()]


def _encoding(kind: pa.DataType) -> str | None:
    import pyarrow as pa

    # High bytes, of which most are alike, apart from low ones; distances repeat as wholes.
    wide = pa.types.is_int32(kind) or pa.types.is_uint16(kind) or pa.types.is_uint32(kind)
    return "BYTE_STREAM_SPLIT" if wide or pa.types.is_float64(kind) else None


def _table(data: bytes, part: Part) -> pa.Table:
    """Read a part after a look at what its footer declares.

    Raises:
        ValueError: it is not what the index lists, or too large.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = TEXTS[part.kind]
    limits: dict[str, Any] = {
        "thrift_string_size_limit": 1 << 24,
        "thrift_container_size_limit": 1 << 20,
    }
    footer = pq.read_metadata(pa.BufferReader(data))
    groups = [footer.row_group(at) for at in range(footer.num_row_groups)]
    if footer.num_rows != part.rows or sum(group.num_rows for group in groups) != part.rows:
        raise ValueError(f"{footer.num_rows} rows instead of the {part.rows} of the index")
    if footer.num_columns > COLUMNS_LIMIT:
        raise ValueError(f"{footer.num_columns} columns, more than {COLUMNS_LIMIT}")
    columns = [(group, group.column(at)) for group in groups for at in range(footer.num_columns)]
    declared = sum(max(column.total_uncompressed_size, 0) for _, column in columns)
    declared = max(declared, 8 * part.rows * footer.num_columns)  # once decoded
    if declared > _BYTES_LIMIT:
        raise ValueError(f"{declared} bytes in memory, more than {_BYTES_LIMIT}")
    if any(column.num_values != group.num_rows for group, column in columns):
        raise ValueError("a column has other rows than the table")
    there = sorted(texts & set(footer.schema.names))  # an older record has fewer columns
    file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=there, **limits)
    _check_schema(file.schema_arrow, part.kind)
    table = file.read(use_threads=False)
    table.validate(full=True)
    return table


def _check_schema(schema: pa.Schema, kind: str) -> None:
    import pyarrow as pa

    lacking = sorted(_REQUIRED[kind] - set(schema.names))
    if lacking or len(set(schema.names)) < len(schema.names):
        raise ValueError(f"no column {lacking[0]}" if lacking else "a column occurs twice")
    for field in schema:
        is_text = pa.types.is_dictionary(field.type) and pa.types.is_string(field.type.value_type)
        is_number = pa.types.is_integer(field.type) or field.type in (pa.float32(), pa.float64())
        if field.name in TEXTS[kind]:
            right = is_text
        elif field.name in LOGICAL.get(kind, ()):
            right = pa.types.is_boolean(field.type)
        else:
            right = is_number
        if base_name(field.name) in COUNTS or field.name == "epoch":
            right = pa.types.is_integer(field.type)
        if not right:
            raise ValueError(f"column {field.name} is of type {field.type}")


def _check_values(table: pa.Table, kind: str, runs: list[str]) -> None:
    """Refuse values out of range, and rows of unknown runs.

    Raises:
        ValueError: naming the column.
    """
    import pyarrow.compute as pc

    for name in _REQUIRED[kind]:
        if table[name].null_count:
            raise ValueError(f"column {name} has gaps")
    for name in TEXTS[kind] & set(table.column_names):
        for chunk in table[name].chunks:
            longest = pc.max(pc.binary_length(chunk.dictionary)).as_py()
            if longest is not None and longest > _TEXT_LIMIT:
                raise ValueError(f"column {name} has a text of {longest} bytes")
    unknown = sorted(set(column_ids(table)) - set(runs))
    if unknown:
        raise ValueError(f"it has rows of {unknown[0]}, which is not one of its runs")
    if kind == "runs" and (table.num_rows != len(runs) or len(column_ids(table)) != len(runs)):
        raise ValueError(f"{table.num_rows} rows of {len(runs)} runs")
    if kind == "images" or kind == "epochs":
        lowest = {*COUNTS, "hd95", "epoch", *(f"{name}_tuned" for name in COUNTS)}
        for name in (name for name in table.column_names if base_name(name) in lowest):
            least = pc.min(table[name]).as_py()
            if least is not None and least < 0:
                raise ValueError(f"column {name} has the value {least}")
    if kind == "images":
        _check_counts(table)
    for name in (name for name in table.column_names if base_name(name) in _SHARES):
        # NaN, which a run has where something is undefined, is passed over. (To compare with a
        # number in Arrow would import pandas, for which a sweep with records would wait.)
        ends = pc.min_max(table[name]).as_py()
        if ends["min"] is not None and (ends["min"] < 0 or ends["max"] > 1):
            raise ValueError(f"column {name} has the values {ends['min']} to {ends['max']}")


def _check_counts(table: pa.Table) -> None:
    """Refuse rows without the four counts, of binary masks or of each of some classes.

    Raises:
        ValueError: naming the column.
    """
    import pyarrow.compute as pc

    counted = None
    first = [name for name in table.column_names if base_name(name) == COUNTS[0]] or [COUNTS[0]]
    for name in first:
        of = name.removeprefix(COUNTS[0])
        lacking = [f"{one}{of}" for one in COUNTS if f"{one}{of}" not in table.column_names]
        if lacking:
            raise ValueError(f"no column {lacking[0]}")
        there = pc.is_valid(table[name])
        for one in COUNTS[1:]:
            if not pc.all(pc.equal(there, pc.is_valid(table[f"{one}{of}"]))).as_py():
                raise ValueError(f"column {one}{of} has gaps")
        counted = there if counted is None else pc.or_(counted, there)
    if not pc.all(counted).as_py():
        raise ValueError(f"column {first[0]} has gaps")
