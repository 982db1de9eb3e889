"""What a record keeps of a run folder, as Arrow tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from robustseg.errors import DataError
from robustseg.metrics.by_class import classes_in, derived
from robustseg.metrics.summary import COUNTS, contradiction
from robustseg.records.hashing import hashed_ids, hidden_fingerprint
from robustseg.records.tables import COSTS, LABEL_NUMBERS, LABEL_TEXTS, OWN, STATUS_TEXTS, TUNED
from robustseg.runs.cases import cases_of
from robustseg.runs.config import read_config
from robustseg.runs.files import DamagedFile, trouble
from robustseg.runs.finished import Finished
from robustseg.runs.folder import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa


class Unpackable(ValueError):
    """A finished run whose files contradict each other; the message says how."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one run.

    Attributes:
        row: of the runs part.
        tables: of the other kinds, without run_id; those that the folder has.
    """

    row: dict[str, Any]
    tables: dict[str, pa.Table]

    @property
    def run_id(self) -> str:
        """Of the run."""
        return str(self.row["run_id"])


def read_folder(folder: RunFolder, finished: Finished, *, image_ids: bool) -> Kept:
    """Read what a record keeps of a finished run.

    Args:
        folder: of the run.
        finished: its numbers.
        image_ids: whether image ids are kept plainly, also of data that are not public.

    Raises:
        Unpackable: a file is damaged, missing or of another training, or the ids cannot be hashed.
    """
    folder = replace(folder, found=finished.status)
    public = is_public(folder)
    hashed = not (public or image_ids)
    tables = {}
    for kind, path in (("epochs", folder.epochs), ("thresholds", folder.thresholds)):
        if folder.has(path):
            tables[kind] = _read_csv(folder, path)
    if folder.has(folder.images):
        tables["images"] = _images(folder, finished, hashed)
    _check_unchanged(folder, finished.status)
    return Kept(_row(finished, public, hashed), tables)


def hide(ids: Sequence[str], fingerprint: Any) -> list[str]:
    """Image ids, which may repeat, as `hashed_ids`.

    Raises:
        Unpackable: there is no fingerprint.
    """
    if not isinstance(fingerprint, str) or not fingerprint:
        raise Unpackable(
            "status.json has no fingerprint to hash image ids with, and the data are not public; "
            "--image-ids keeps the ids in plain text"
        )
    plain = list(dict.fromkeys(ids))
    names = dict(zip(plain, hashed_ids(plain, fingerprint), strict=True))
    return [names[one] for one in ids]


def hide_cases(cases: Sequence[str | None], fingerprint: Any) -> list[str | None]:
    """Names of cases as `hide`; None stays."""
    known = [case for case in dict.fromkeys(cases) if case is not None]
    names = dict(zip(known, hide(known, fingerprint), strict=True))
    return [None if case is None else names[case] for case in cases]


def as_json(value: Any) -> str:
    """As a record keeps what is not a number."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_public(folder: RunFolder) -> bool:
    """Whether a run's config.yaml says that its data may be shown; if it does not tell: no."""
    try:
        dataset = read_config(folder.config, folder.found).get("dataset")
    except DataError:
        return False
    return isinstance(dataset, dict) and dataset.get("public") is True


def _check_unchanged(folder: RunFolder, status: Mapping[str, Any]) -> None:
    """Refuse a run that has restarted since it was found, as one without checksums may have.

    Raises:
        Unpackable: it has, or its status cannot be read.
    """
    try:
        now = folder.read_status()
    except OSError as error:
        raise Unpackable(f"{folder.status} {trouble(error)}") from error
    if any(now.get(name) != status.get(name) for name in ("state", "attempts", "finished")):
        raise Unpackable(f"{folder.path} has been restarted since its numbers were read")


def _row(finished: Finished, public: bool, hashed: bool) -> dict[str, Any]:
    status, labels = finished.status, finished.labels
    clash = sorted(set(finished.numbers) & set(OWN))
    if clash:
        raise Unpackable(f"metrics.json has a number {clash[0]}, which a record calls otherwise")
    fingerprint = status.get("fingerprint")
    if hashed and fingerprint:
        fingerprint = hidden_fingerprint(fingerprint)
    cost = status.get("cost") or {}
    _check_status(status, cost, finished.numbers)
    started = [str(one["started"]) for one in status.get("attempts") or [] if "started" in one]
    return {
        "run_id": finished.run_id,
        "collapsed": finished.collapsed,
        "public": public,
        "hashed": hashed,
        **{name: labels.get(name) for name in (*LABEL_TEXTS, *LABEL_NUMBERS)},
        **{name: status.get(name) for name in STATUS_TEXTS},
        "fingerprint": fingerprint,
        "data_folder": None if hashed else status.get("data_folder"),
        "threads": status.get("threads"),
        "planned_epochs": status.get("epochs"),
        **{name: cost.get(name) for name in COSTS},
        "labels": as_json(labels),
        "experiments": as_json(finished.experiments),
        "settings": as_json(finished.settings),
        "versions": as_json(status.get("versions") or {}),
        "started": as_json(started),
        **finished.numbers,
    }


def _check_status(status: Mapping[str, Any], cost: Any, numbers: Mapping[str, float]) -> None:
    """Refuse what `run` and `training` do not write.

    Raises:
        Unpackable: naming the entry.
    """
    if not isinstance(cost, dict):
        raise Unpackable(f"status.json: cost is {cost!r}")
    kinds: dict[str, Any] = {
        **{name: (status.get(name), str | None) for name in STATUS_TEXTS},
        **{name: (status.get(name), int | None) for name in ("threads", "epochs")},
        **{f"cost.{name}": (cost.get(name), int | float | None) for name in COSTS},
    }
    for name, (value, kind) in kinds.items():
        if not isinstance(value, kind):
            raise Unpackable(f"status.json: {name} is {value!r}")
    for name, number in numbers.items():
        if isinstance(number, int) and abs(number) >= 1 << 53:
            raise Unpackable(f"metrics.json: {name} is {number}")


def _read_csv(folder: RunFolder, path: Path) -> pa.Table:
    """A CSV file of numbers (but for ids); floats are read exactly.

    An empty cell among floats is NaN, as the programs that wrote it had it.

    Raises:
        Unpackable: it is damaged.
    """
    import pyarrow as pa
    from pyarrow import csv

    try:
        data = folder.read(path)
        if not data.endswith(b"\n"):
            raise ValueError("it is cut off")
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(block_size=len(data) + 1, use_threads=False),
            csv.ParseOptions(newlines_in_values=True),
            csv.ConvertOptions(
                column_types={"id": pa.string()}, null_values=[""], strings_can_be_null=False
            ),
        )
        columns = {name: _column(name, table[name]) for name in table.column_names}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unpackable(f"{path} {trouble(error)}") from error
    if not table.num_rows or "epoch" not in columns:
        raise Unpackable(f"{path} is damaged: it has no row of an epoch")
    return pa.table(columns)


def _column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if name == "id" or pa.types.is_int64(column.type):
        return column
    if pa.types.is_null(column.type):
        return column.cast(pa.float64()).fill_null(math.nan)
    if not pa.types.is_float64(column.type):
        raise ValueError(f"column {name} holds no numbers")
    return pc.fill_null(column, math.nan)


def _images(folder: RunFolder, finished: Finished, hashed: bool) -> pa.Table:
    """Rows of images.csv, sorted by id as it is kept, without what derives from the counts."""
    import pyarrow as pa

    path = folder.images
    table = _read_csv(folder, path)
    counts = _counts(table.column_names)
    lacking = [name for name in ("id", *counts) if name not in table.column_names]
    if lacking:
        raise Unpackable(f"{path} is damaged: no column {lacking[0]}")
    columns = {name: table[name].to_numpy() for name in table.column_names if name != "id"}
    ids = table["id"].to_pylist()
    try:
        _check_images(columns, ids, finished.numbers)
    except (ValueError, TypeError, KeyError) as error:
        raise Unpackable(f"{path} is damaged: {error}") from error
    cases = _cases(folder, ids)
    if hashed:
        fingerprint = finished.status.get("fingerprint")
        ids, cases = hide(ids, fingerprint), hide_cases(cases, fingerprint)
    # By what is kept of the names, in the order of code points as Python sorts: rows with hashed
    # ids in the order of the names would tell which is which to all who know the names.
    order = np.argsort(np.array(ids, dtype=object), kind="stable")
    follow = {*derived(columns), *(TUNED if _tuned_follows(columns) else ())}
    kept = [name for name in table.column_names if name not in follow]
    table = table.set_column(table.column_names.index("id"), "id", pa.array(ids, pa.string()))
    table = table.select(kept)
    if cases:
        table = table.append_column("case", pa.array(cases, pa.string()))
    return table.take(pa.array(order))


def _cases(folder: RunFolder, ids: Sequence[str]) -> list[str | None]:
    """The case of each row, None where it has none; empty if no two test images are of one.

    Raises:
        Unpackable: split.csv is damaged.
    """
    try:
        cases = cases_of(folder)
    except (OSError, DamagedFile) as error:
        raise Unpackable(f"{folder.split} {trouble(error)}") from error
    return [cases.get(one) for one in ids] if cases else []


def _counts(columns: Sequence[str]) -> list[str]:
    """Names of the counts, of each class if there are several."""
    of = [f"/{name}" for name in classes_in(columns)] or [""]
    return [f"{count}{one}" for one in of for count in COUNTS]


def _tuned_follows(columns: Mapping[str, np.ndarray]) -> bool:
    """Whether both thresholds were counted on the same pixels, so that two counts give the rest."""
    if not all(f"{name}_tuned" in columns for name in COUNTS):
        return False
    return np.array_equal(
        columns["tp_tuned"] + columns["fn_tuned"], columns["tp"] + columns["fn"]
    ) and (np.array_equal(columns["fp_tuned"] + columns["tn_tuned"], columns["fp"] + columns["tn"]))


def _check_images(
    columns: Mapping[str, np.ndarray], ids: Sequence[str], numbers: Mapping[str, float]
) -> None:
    """Refuse rows that the final numbers were not made of, or that the counts do not give.

    Raises:
        ValueError: it says what contradicts what.
    """
    for name in (*_counts([*columns]), "epoch"):
        if columns[name].dtype.kind != "i" or columns[name].min() < 0:
            raise ValueError(f"column {name} holds no counts")
    for name, values in derived(columns).items():
        if name in columns and not np.array_equal(columns[name], values):
            raise ValueError(f"{name} is not that of the counts")
    images, evaluations = numbers["test_images"], numbers["evaluations"]
    pairs = len(set(zip(ids, columns["epoch"].tolist(), strict=True)))
    if not len(ids) == pairs == images * evaluations:
        raise ValueError(f"{len(ids)} rows instead of {images} images × {evaluations} evaluations")
    told = contradiction(numbers, columns, 1e-9)
    if told:
        raise ValueError(told)
