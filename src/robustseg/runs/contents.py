"""What a run's status.json and metrics.json hold, checked as they are read."""

from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic wants it before Python 3.12

from robustseg.runs.files import read_json

_AS_WRITTEN = ConfigDict(strict=True, extra="allow")  # entries of other versions stay


@with_config(_AS_WRITTEN)
class Attempt(TypedDict, total=False):
    """One process that trained the run, or tried to."""

    started: str
    host: str
    pid: int


@with_config(_AS_WRITTEN)
class Status(TypedDict, total=False):
    """A run's status.json, as far as every reader relies on it.

    State, schema, labels and facts such as the processor are judged where they are used.
    """

    run: dict[str, Any]
    epochs: int
    experiments: list[str]
    attempts: list[Attempt]
    versions: dict[str, Any]
    commit: str | None
    error: dict[str, Any] | None
    collapsed: str | None


@with_config(_AS_WRITTEN)
class Metrics(TypedDict, total=False):
    """A run's metrics.json: numbers, and what they are of."""

    run: dict[str, Any]
    settings: dict[str, Any]
    collapsed: str | None
    noise: dict[str, Any]


_STATUS, _METRICS = TypeAdapter(Status), TypeAdapter(Metrics)


def read_status(path: Path) -> dict[str, Any]:
    """A status.json.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged: no JSON, or an entry is of another type than it ever is.
    """
    return _checked(_STATUS, path)


def read_metrics(path: Path) -> dict[str, Any]:
    """A metrics.json; errors as of `read_status`."""
    return _checked(_METRICS, path)


def _checked(contents: TypeAdapter[Any], path: Path) -> dict[str, Any]:
    read = read_json(path)
    contents.validate_python(read)
    return dict(read)  # in the order of the file, in which it is written again
