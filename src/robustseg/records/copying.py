"""What a record keeps of a run that another record has: the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from robustseg.records.folders import Kept, as_json, hide, hide_cases
from robustseg.records.hashing import by_hash, hidden_fingerprint
from robustseg.records.layout import NotKept
from robustseg.records.recorded_run import RecordedRun
from robustseg.records.tables import TEXTS
from robustseg.runs.finished import Finished

if TYPE_CHECKING:
    import pyarrow as pa

_TABLES = ("epochs", "thresholds", "images")


def read_recorded(run: RecordedRun, finished: Finished, *, image_ids: bool) -> Kept:
    """Read what a record keeps of a run of another one.

    Args:
        run: of the other.
        finished: the same, with all experiments to which it belongs.
        image_ids: whether plain image ids stay plain, also of data that are not public. Hashed
            ones stay hashed.

    Raises:
        DamagedRecord: a part of the other cannot be used.
        Unpackable: the ids cannot be hashed.
    """
    row = {**run.row(), "experiments": as_json(finished.experiments)}
    tables = {}
    for kind in _TABLES:
        try:
            tables[kind] = _wide(run.table(kind))
        except NotKept:
            continue
    if run.hashed and "images" in tables:
        tables["images"] = _sorted(tables["images"])  # as older records did not
    if not (run.public or run.hashed or image_ids):
        fingerprint = row.get("fingerprint")
        if "images" in tables:
            tables["images"] = _hidden(tables["images"], fingerprint)
        row["hashed"] = True
        row["fingerprint"] = hidden_fingerprint(fingerprint) if fingerprint else fingerprint
    if row["hashed"]:
        row["data_folder"] = None  # as of folders: its name may say whose data they are
    return Kept(row, tables)


def _wide(table: pa.Table) -> pa.Table:
    """Numbers in the types that files of runs are read in; packing narrows those of all runs."""
    import pyarrow as pa

    wide = {"int": pa.int64(), "float": pa.float64()}
    for at, field in enumerate(table.schema):
        kind = "int" if pa.types.is_integer(field.type) else "float"
        if field.name not in TEXTS["images"]:
            table = table.set_column(at, field.name, table[field.name].cast(wide[kind]))
    return table


def _hidden(images: pa.Table, fingerprint: object) -> pa.Table:
    import pyarrow as pa

    for name, hidden in (("id", hide), ("case", hide_cases)):
        if name in images.column_names:
            names = hidden(images[name].to_pylist(), fingerprint)
            at = images.column_names.index(name)
            images = images.set_column(at, name, pa.array(names, pa.string()))
    return _sorted(images)


def _sorted(images: pa.Table) -> pa.Table:
    """In the order of the hashes, with the rows of each as they were."""
    import pyarrow as pa

    return images.take(pa.array(by_hash(images["id"].to_pylist())))
