"""One run of a record, with what a run folder has of it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.metrics.by_class import derived
from robustseg.records.hashing import hashed_ids, recorded_order
from robustseg.records.layout import INDEX, DamagedRecord, NotKept, Packing
from robustseg.records.tables import COSTS, OWN, STATUS_TEXTS
from robustseg.runs.contents import check_settings, check_texts
from robustseg.runs.files import parse_json
from robustseg.runs.finished import Finished
from robustseg.runs.identity import SCHEMA
from robustseg.runs.labels import check_labels
from robustseg.terminal.printable import is_plain

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from robustseg.records.record import Record


class RecordedRun:
    """A finished run of a record.

    Attributes:
        finished: its numbers, and what they are of.
        public: whether its data may be shown.
        hashed: whether its image ids are salted hashes.
    """

    folder = None  # weights, pictures and the manifest are not recorded

    def __init__(
        self,
        record: Record,
        packing: Packing,
        finished: Finished,
        columns: Mapping[str, list[Any]],
        at: int,
    ) -> None:
        self.record, self.packing, self.finished = record, packing, finished
        self._columns, self._at = columns, at
        self.public, self.hashed = columns["public"][at], columns["hashed"][at]

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.finished.run_id

    @property
    def status(self) -> dict[str, Any]:
        """Versions, processor, times, … as in status.json, without host and process.

        Raises:
            DamagedRecord: they are not what packing writes.
        """
        row = {
            name: self._columns[name][self._at]
            for name in (*STATUS_TEXTS, *COSTS, "threads", "planned_epochs", "versions", "started")
            if name in self._columns
        }
        try:
            versions, started = _object(row["versions"], dict), _object(row["started"], list)
        except ValueError as error:
            raise DamagedRecord(Path(self.place("runs")), f"is damaged: {error}") from error
        known = {
            **{name: row.get(name) for name in (*STATUS_TEXTS, "threads")},
            "epochs": row.get("planned_epochs"),
            "versions": versions,
            "attempts": [{"started": str(one)} for one in started],
            "cost": {name: row[name] for name in COSTS if row.get(name) is not None},
        }
        return {
            "schema": SCHEMA,
            "state": "done",
            "run": self.finished.labels,
            "experiments": list(self.finished.experiments),
            "collapsed": self.finished.collapsed,
            **{name: value for name, value in known.items() if value not in (None, {}, [])},
        }

    def row(self) -> dict[str, Any]:
        """What the runs part says of it, without numbers that it does not have."""
        own = {name: values[self._at] for name, values in self._columns.items() if name in OWN}
        return {**own, **self.finished.numbers}

    @property
    def numbers(self) -> Mapping[str, float]:
        """The final numbers by their dotted names."""
        return self.finished.numbers

    @property
    def dashboard_id(self) -> str:
        """Its id in dashboards."""
        return str(self.status.get("dashboard_id") or self.run_id)

    def metrics(self) -> dict[str, Any]:
        """The numbers, labels and settings as metrics.json has them."""
        nested: dict[str, Any] = {}
        for name, value in self.numbers.items():
            *path, leaf = name.split(".")
            place = nested
            for part in path:
                place = place.setdefault(part, {})
            place[leaf] = None if value != value else value
        known = self.finished
        return {
            **nested,
            "collapsed": known.collapsed,
            "run": known.labels,
            "settings": known.settings,
        }

    def has(self, kind: str) -> bool:
        """Whether there is a part of a kind."""
        return self.packing.part(kind) is not None

    def place(self, kind: str) -> str:
        """Where the rows of a kind lie, for messages."""
        part = self.packing.part(kind)
        return f"{self.record.path / (part.file if part else INDEX)} ({self.run_id})"

    def identity(self) -> list[Any]:
        """What changes when the run has other numbers: checksums of its parts.

        Raises:
            DamagedRecord: the rows of images are not those of the checksum.
        """
        part = self.packing.part("images")
        if part is not None:
            self.record.verify(part)
        return [self.run_id, *(part.sha256 for part in self.packing.parts)]

    def epochs(self) -> pd.DataFrame:
        """Rows of epochs.csv.

        Raises:
            DamagedRecord: they cannot be used.
            NotKept: there are none.
        """
        return self.table("epochs").to_pandas().astype(float)

    def thresholds(self) -> pd.DataFrame:
        """Rows of thresholds.csv.

        Raises:
            DamagedRecord: they cannot be used.
            NotKept: there are none.
        """
        return self.table("thresholds").to_pandas().astype(float)

    def epoch_rows(self) -> list[dict[str, Any]]:
        """Rows of epochs.csv as `runs.files.read_csv` gives them: without what is not defined.

        Raises:
            DamagedRecord: they cannot be used.
            NotKept: there are none.
        """
        rows = self._rows("epochs").drop_columns(["run_id"]).to_pylist()
        return [
            {name: value for name, value in row.items() if value is not None and value == value}
            for row in rows
        ]

    def images(self, *columns: str) -> pd.DataFrame:
        """Rows of images.csv, those of one image together; only some columns, if they are named.

        Those of data that are not public are in the order of their hashed ids, if the ids are
        plain too; hashed ones in the order of the record.

        Raises:
            DamagedRecord: they cannot be used.
            NotKept: there are none.
        """
        table = self.table("images")
        rows = table.drop_columns([*({"case"} & {*table.column_names})]).to_pandas()
        rows = rows.iloc[recorded_order(self, rows["id"])].reset_index(drop=True)
        rows = rows.astype({name: "int64" for name in rows if rows[name].dtype.kind in "iu"})
        rows = rows.assign(**derived({name: rows[name].to_numpy() for name in rows}))
        if "fn_tuned" in rows and "tp_tuned" not in rows:
            rows["tp_tuned"] = rows["tp"] + rows["fn"] - rows["fn_tuned"]
            rows["tn_tuned"] = rows["fp"] + rows["tn"] - rows["fp_tuned"]
        return rows[[*columns]] if columns else rows

    def cases(self) -> dict[str, str]:
        """The case of each test image, by its id; empty if none has two, or it is not recorded.

        Raises:
            DamagedRecord: the rows cannot be used.
            NotKept: there are none.
        """
        table = self.table("images")
        if "case" not in table.column_names:
            return {}
        pairs = zip(*(table[name].to_pylist() for name in ("id", "case")), strict=True)
        return {name: case for name, case in pairs if case is not None}

    def hash_ids(self, ids: list[str]) -> list[str]:
        """Image ids as a record of data that are not public has them."""
        if self.hashed:
            return ids
        return hashed_ids(ids, str(self.status.get("fingerprint") or ""))

    def table(self, kind: str) -> pa.Table:
        """Its rows of a part as they are kept, without the columns that its file did not have.

        Raises:
            DamagedRecord: they cannot be used.
            NotKept: there are none.
        """
        import pyarrow as pa

        rows = self._rows(kind)
        kept = [name for name in rows.column_names if rows[name].null_count < rows.num_rows]
        rows = rows.select([name for name in kept if name != "run_id"])
        if "id" in rows.column_names:
            at = rows.column_names.index("id")
            rows = rows.set_column(at, "id", rows["id"].cast(pa.string()))
        return rows

    def _rows(self, kind: str) -> pa.Table:
        part = self.packing.part(kind)
        if part is None:
            raise NotKept(f"{self.record.path} has no {kind} of {self.run_id}")
        return self.record.rows(part, self.packing, self.run_id)


def recorded_runs(record: Record, packing: Packing, table: pa.Table) -> list[RecordedRun]:
    """The runs of a packing, from the table of its runs part.

    Raises:
        ValueError: a value is not what packing writes.
    """
    columns = {name: _values(table[name]) for name in table.column_names}
    numbers = [(name, values) for name, values in columns.items() if name not in OWN]
    check_texts([*columns, *set(columns.get("collapsed", ()))])
    clashes = _clashes({name for name, _ in numbers})
    experiments = {text: _names(text) for text in set(columns["experiments"])}
    runs = []
    for at, run_id in enumerate(columns["run_id"]):
        labels = _object(columns["labels"][at], dict)
        check_labels(labels)
        settings = _object(columns["settings"][at], dict)
        check_settings(settings)
        check_texts(settings, columns["settings"][at].encode())
        for group, name in clashes:
            if columns[group][at] is not None and columns[name][at] is not None:
                raise ValueError(f"{group} is a number and has one inside, {name}")
        finished = Finished(
            run_id,
            labels,
            {name: values[at] for name, values in numbers if values[at] is not None},
            settings,
            columns["collapsed"][at],
            experiments[columns["experiments"][at]],
            status={},
        )
        runs.append(RecordedRun(record, packing, finished, columns, at))
    return runs


def _clashes(names: Set[str]) -> list[tuple[str, str]]:
    """Pairs of dotted names that no nested numbers have both: one is the group of the other."""
    return [
        (group, name)
        for name in sorted(names)
        for group in accumulate(name.split(".")[:-1], "{}.{}".format)
        if group in names
    ]


def _values(column: pa.ChunkedArray) -> list[Any]:
    """As to_pylist, which goes by way of a scalar object for each value."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        texts: list[Any] = []
        for chunk in column.chunks:
            known = chunk.dictionary.to_pylist()
            texts += [None if at is None else known[at] for at in _values_of(chunk.indices)]
        return texts
    return [value for chunk in column.chunks for value in _values_of(chunk)]


def _values_of(array: pa.Array) -> list[Any]:
    import numpy as np
    import pyarrow as pa

    plain = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if array.null_count or not plain:
        values: list[Any] = array.to_pylist()
        return values
    values = np.from_dlpack(array).tolist()  # to_numpy would import pandas
    return values


def _names(text: str) -> tuple[str, ...]:
    names = _object(text, list)
    if not all(isinstance(name, str) and is_plain(name) for name in names):
        raise ValueError("experiments are names")
    return tuple(names)


def _object(text: str, kind: type) -> Any:
    value = parse_json(text)
    if not isinstance(value, kind):
        raise ValueError(f"{text[:60]!r} is no {kind.__name__}")
    return value
