"""What a run's status.json and metrics.json hold, checked as they are read."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from robustseg.runs.files import DamagedFile, parse_json, read_bytes
from robustseg.runs.identity import SCHEMA
from robustseg.runs.plain_name import Name
from robustseg.setting_groups import group_of
from robustseg.settings import Settings
from robustseg.terminal.printable import is_plain

_AS_WRITTEN = ConfigDict(strict=True, extra="allow")  # entries of other versions stay
CHECKSUM = "checksum"  # of a status: that of all its other entries


@with_config(_AS_WRITTEN)
class Attempt(TypedDict, total=False):
    """One process that trained the run, or tried to, and on what."""

    started: str
    host: str
    pid: int
    versions: dict[str, Any]
    processor: str | None
    commit: str | None
    code: dict[str, Any]
    call: list[str]


@with_config(_AS_WRITTEN)
class Noted(TypedDict):
    """A file of a finished run."""

    size: Annotated[int, Ge(0)]
    sha256: str


@with_config(_AS_WRITTEN)
class Status(TypedDict, total=False):
    """A run's status.json, as far as every reader relies on it.

    The labels are judged where they are used, and the schema, which comes first.
    """

    state: str
    run_id: str
    run: dict[str, Any]
    epochs: int
    experiments: list[Name]
    attempts: list[Attempt]
    versions: dict[str, Any]
    threads: Annotated[int, Ge(1)]
    fingerprint: str
    data_folder: str | None
    dashboard_id: Name
    forced_by: str | None
    processor: str | None
    accelerator: str
    precision: str
    finished: str
    commit: str | None
    error: dict[str, Any] | None
    collapsed: Name | None
    cost: dict[str, int | float]
    files: dict[str, Noted]
    checksum: str


@with_config(_AS_WRITTEN)
class Metrics(TypedDict, total=False):
    """A run's metrics.json: numbers, and what they are of."""

    run: dict[str, Any]
    settings: dict[str, Any]
    collapsed: Name | None
    noise: dict[str, Any]
    dice_image: int | float | None


_STATUS, _METRICS = TypeAdapter(Status), TypeAdapter(Metrics)


def read_status(path: Path) -> dict[str, Any]:
    """A status.json.

    Raises:
        OSError: it cannot be read.
        DamagedFile: it is not JSON, an entry is of another type than it ever is, or its checksum
            is not that of its entries.
    """
    read = _checked(_STATUS, path, read_bytes(path))
    # What another schema sums up is its own affair: such a run is not used.
    if read.get("schema") == SCHEMA and read.get(CHECKSUM, checksum(read)) != checksum(read):
        raise DamagedFile(path, "is damaged: its checksum is not that of its entries")
    return read


def read_metrics(path: Path, data: bytes | None = None) -> dict[str, Any]:
    """A metrics.json; errors as of `read_status`.

    Args:
        path: of the file.
        data: its content, where that has been read.
    """
    data = read_bytes(path) if data is None else data
    read = _checked(_METRICS, path, data)
    try:
        if not any(isinstance(value, int | float) for value in read.values()):
            raise ValueError("it holds no numbers")
        check_texts(read, data)
        check_settings(read.get("settings", {}))
    except ValueError as error:
        raise DamagedFile(path, f"is damaged: {error}") from error
    return read


def checksum(status: Mapping[str, Any]) -> str:
    """SHA-256 of a status without its checksum, hex; the order of the entries does not count.

    Args:
        status: as JSON knows it, which has no NaN.
    """
    entries = {name: value for name, value in status.items() if name != CHECKSUM}
    text = json.dumps(entries, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings with a group that is not a mapping.

    Raises:
        ValueError: naming the setting.
    """
    for name in _groups():
        if not isinstance(settings.get(name, {}), dict):
            raise ValueError(f"settings.{name} is {str(settings[name])[:60]!r}")


@cache
def _groups() -> tuple[str, ...]:
    return tuple(name for name in Settings.model_fields if group_of(Settings, name) is not None)


def _checked(contents: TypeAdapter[Any], path: Path, data: bytes) -> dict[str, Any]:
    try:
        read = parse_json(data)
        contents.validate_python(read)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])).removesuffix(".int")  # of a union's members
        shown = repr(first["input"])[:60]
        raise DamagedFile(path, f"is damaged: {place[:60] or 'it'} is {shown}") from error
    except ValueError as error:
        raise DamagedFile(path, f"is damaged: {error}") from error
    return dict(read)  # in the order of the file, in which it is written again


def check_texts(value: Any, data: bytes = b"", place: str = "") -> None:
    """Refuse texts that a terminal would obey: they are shown in tables and messages.

    Args:
        value: nested values.
        data: the JSON that they were read from, which may show at once that there are none.
        place: of the values among others, such as ``dataset.source``.

    Raises:
        ValueError: it says which.
    """
    if data.isascii() and data and b"\\" not in data and b"\x7f" not in data:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            check_texts(name, place=place)
            check_texts(inner, place=f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for inner in value:
            check_texts(inner, place=place)
    elif isinstance(value, str) and not is_plain(value.replace("\n", "").replace("\t", "")):
        where = f"{place}: " if place else ""
        raise ValueError(f"{where}{value[:60]!r} has control characters")
