"""What a record is on disk: an index, and immutable parts named by their content."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from robustseg.errors import ConfigError
from robustseg.runs.files import (
    DamagedFile,
    parse_json,
    read_bytes,
    replacing,
    trouble,
    write_text,
)
from robustseg.terminal.printable import is_plain, printable

SCHEMA = 1  # raise it when the meaning of a part or of the index changes
INDEX = "record.json"
KINDS = ("runs", "epochs", "thresholds", "images")

# No record of a study comes near these; a file that says it does would fill the memory.
INDEX_LIMIT = 1 << 28  # bytes
PART_LIMIT = 1 << 30  # bytes of a part on disk
ROWS_LIMIT = {"runs": 100_000, "epochs": 10_000_000, "thresholds": 20_000_000, "images": 20_000_000}

_DIGITS = 16  # of the checksum, in a part's name
_RUN_ID = re.compile(r"[^/\\]{1,255}")


class DamagedRecord(ValueError):
    """A file of a record is damaged, of another schema or not what a record holds."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file} {reason}")


class NotKept(LookupError):
    """A record has no such rows of a run."""


@dataclass(frozen=True)
class Part:
    """A file of one kind.

    Attributes:
        kind: one of `KINDS`.
        sha256: of its bytes, hex.
        size: in bytes.
        rows: in its table.
    """

    kind: str
    sha256: str
    size: int
    rows: int

    @property
    def file(self) -> str:
        """Its place in the record."""
        return f"{self.kind}/{self.sha256[:_DIGITS]}.parquet"


@dataclass(frozen=True)
class Packing:
    """Runs that were packed together: their ids, and a part of each kind that they have."""

    runs: tuple[str, ...]
    parts: tuple[Part, ...]

    def part(self, kind: str) -> Part | None:
        """The part of a kind; None if the runs have none."""
        return next((part for part in self.parts if part.kind == kind), None)


def is_record(path: Path) -> bool:
    """Whether a folder is a record, sound or not."""
    return os.path.lexists(path / INDEX)


def records_here() -> list[Path]:
    """The record of each experiment of the current directory: ``experiments/*/record``."""
    return [path for path in sorted(Path("experiments").glob("*/record")) if is_record(path)]


def check_place(record: Path) -> None:
    """Refuse to make a record of a folder that holds other things.

    Parts without an index are those of a packer that was killed.

    Raises:
        ConfigError: it does.
    """
    if is_record(record) or not record.is_dir():
        return
    for entry in record.iterdir():
        if not entry.name.startswith(".") and not _holds_parts(entry):
            raise ConfigError(
                f"{record} is not a record and not empty (it has {printable(entry.name)}): name a "
                f"new folder, such as {record / 'record'}"
            )


def _holds_parts(entry: Path) -> bool:
    kind = entry.is_dir() and entry.name in KINDS
    return kind and all(one.suffix in (".parquet", ".tmp") for one in entry.iterdir())


def read_index(record: Path) -> list[Packing]:
    """The packings of a record, oldest first; none if there is no record yet.

    Raises:
        DamagedRecord: the index is damaged, or of another schema.
    """
    path = record / INDEX
    if not is_record(record):
        return []
    try:
        index = parse_json(_read(path, INDEX_LIMIT))
    except DamagedRecord:
        raise
    except ValueError as error:
        raise DamagedRecord(path, f"is damaged: {error}") from error
    if not isinstance(index, dict) or index.get("schema") != SCHEMA:
        schema = index.get("schema") if isinstance(index, dict) else None
        raise DamagedRecord(
            path,
            f"has schema {schema!r} instead of {SCHEMA}: read it with the version that wrote it",
        )
    try:
        return [_packing(one) for one in _typed(index.get("packings"), list)]
    except (TypeError, ValueError) as error:
        raise DamagedRecord(path, f"is damaged: {error}") from error


def write_index(record: Path, packings: Sequence[Packing]) -> None:
    """Write the index atomically."""
    entries = [
        {
            "runs": list(packing.runs),
            "parts": [{**asdict(part), "file": part.file} for part in packing.parts],
        }
        for packing in packings
    ]
    write_text(record / INDEX, json.dumps({"schema": SCHEMA, "packings": entries}, indent=1) + "\n")


def check_run_ids(runs: Sequence[Any]) -> None:
    """Refuse what are not the ids of the runs of a packing.

    Raises:
        ValueError: there is none, one is twice, or no run has such an id.
    """
    if not runs or not all(map(_is_run_id, runs)):
        raise ValueError("a packing has no run ids")
    if len(set(runs)) < len(runs):
        raise ValueError("a run is in one packing twice")


def _is_run_id(run: Any) -> bool:
    return isinstance(run, str) and bool(_RUN_ID.fullmatch(run)) and is_plain(run)


def read_part(record: Path, part: Part) -> bytes:
    """The bytes of a part, checked against the index.

    Raises:
        DamagedRecord: they are not, or it is not a regular file.
    """
    path = _place(record, part)
    data = _read(path, PART_LIMIT)
    if len(data) != part.size or hashlib.sha256(data).hexdigest() != part.sha256:
        raise DamagedRecord(path, f"is damaged: its checksum is not the one in {INDEX}")
    return data


def _place(record: Path, part: Part) -> Path:
    path = record / part.file
    if path.parent.is_symlink():
        raise DamagedRecord(path.parent, "is a link, which a record does not hold")
    return path


def part_of(kind: str, data: bytes, rows: int) -> Part:
    """What the index says of a part with these bytes.

    Raises:
        ValueError: it is larger than an index may say.
    """
    part = Part(kind, hashlib.sha256(data).hexdigest(), len(data), rows)
    _check_size(part)
    return part


def write_part(record: Path, part: Part, data: bytes) -> bool:
    """Write a part under the name of its content; False if it is there, and stays as it is.

    Raises:
        DamagedRecord: its folder is a link, behind which no reader would look.
    """
    path = _place(record, part)
    if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
        return False
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return True


def _read(path: Path, limit: int) -> bytes:
    """A regular file that is no larger than a limit."""
    try:
        return read_bytes(path, limit)
    except (OSError, DamagedFile) as error:
        raise DamagedRecord(path, trouble(error)) from error


def _packing(entry: Any) -> Packing:
    """A packing of the index.

    Raises:
        TypeError: something is of another type.
        ValueError: or out of range.
    """
    entry = _typed(entry, dict)
    runs = tuple(_typed(entry.get("runs"), list))
    check_run_ids(runs)
    parts = tuple(_part(_typed(part, dict)) for part in _typed(entry.get("parts"), list))
    kinds = [part.kind for part in parts]
    if "runs" not in kinds or len(set(kinds)) < len(kinds):
        raise ValueError(f"a packing has the parts {', '.join(kinds) or 'of nothing'}")
    return Packing(runs, parts)


def _part(entry: Mapping[str, Any]) -> Part:
    part = Part(
        _typed(entry.get("kind"), str),
        _typed(entry.get("sha256"), str),
        _typed(entry.get("size"), int),
        _typed(entry.get("rows"), int),
    )
    if part.kind not in KINDS:
        raise ValueError(f"{part.kind!r} is not a kind of part")
    if not re.fullmatch("[0-9a-f]{64}", part.sha256):
        raise ValueError(f"{part.sha256!r} is not a checksum")
    _check_size(part)
    return part


def _check_size(part: Part) -> None:
    if not (0 < part.size <= PART_LIMIT and 0 < part.rows <= ROWS_LIMIT[part.kind]):
        raise ValueError(
            f"{part.file} is said to have {part.rows} rows in {part.size} bytes, which is no "
            f"record's (limits: {ROWS_LIMIT[part.kind]} rows, {PART_LIMIT} bytes)"
        )


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:60]!r} is no {kind.__name__}")
    return value
