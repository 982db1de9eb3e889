"""Files that are either the old ones or the new ones, whatever happens in between."""

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to, and rename it to `path` if the block succeeds.

    The data is on disk before the rename, unless it need not outlive the machine (`durable`); if
    the block fails, `path` is as it was and nothing else is left.

    Raises:
        OSError: it cannot be written; of `path`, whose temporary name nobody knows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            yield temporary
            if durable:
                with open(temporary, "rb") as file:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        of_this = error.filename is None or str(error.filename) == str(temporary)
        if error.errno is None or not of_this:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file atomically; `durable` as for `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write JSON atomically; NaN, which JSON does not know, becomes null."""
    text = json.dumps(_without_nan(value), indent=2, ensure_ascii=False) + "\n"
    write_text(path, text, durable=durable)


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged.
    """
    return json.loads(path.read_text(encoding="utf-8"))


def trouble(error: Exception) -> str:
    """What is wrong with a file that could not be read, to be said behind its name."""
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error})"
    return f"is damaged: {error}"


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows atomically; columns are the union of their keys in order of appearance.

    Floats are written so that they read back exactly; None and NaN become empty cells.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Rows that `write_csv` wrote: numbers as numbers (but for ids), empty cells left out.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged.
    """
    with open(path, newline="", encoding="utf-8") as file:
        try:
            return [
                {key: text if key == "id" else _value(text) for key, text in row.items() if text}
                for row in csv.DictReader(file)
            ]
        except (csv.Error, TypeError) as error:  # the latter: a row is longer than the header
            raise ValueError(f"{path} holds no rows: {error}") from error


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else value


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
