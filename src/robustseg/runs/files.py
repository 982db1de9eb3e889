"""Files that are either the old ones or the new ones, whatever happens in between."""

import csv
import errno
import io
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robustseg.errors import UserError

# No file of a run comes near these; one that is larger would fill the memory.
JSON_LIMIT = 1 << 26  # bytes
FILE_LIMIT = 1 << 34
_DEPTH = 64  # of nested values
_WHOLE = 1 << 63  # no number of ours is as large
_DIGITS = 40  # nor is any written longer
_NAMES = ("id", "case", "data", "source")  # hold no numbers, though they may look so

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW


class DamagedFile(ValueError):
    """A file that is not what the program writes.

    Attributes:
        path: of the file.
        reason: what is wrong, to be said behind its name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name} {reason}")
        self.path, self.reason = path, reason


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to, and rename it to `path` if the block succeeds.

    The data is on disk before the rename, unless it need not outlive the machine (`durable`); if
    the block fails, `path` is as it was and nothing else is left. The temporary name cannot be
    guessed, so that no link can be planted there.

    Raises:
        OSError: it cannot be written; the error names `path`, not the temporary file.
        UserError: the same, where PyTorch writes it, which does not say why.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        os.close(os.open(temporary, _CREATE, 0o666))
        try:
            yield temporary
            if durable:
                with open(temporary, "rb") as file:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        named = (error.filename, error.filename2)
        of_this = error.filename is None or str(temporary) in map(str, named)
        if error.errno is None or not of_this:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    except RuntimeError as error:
        if "inline_container" not in str(error):
            raise
        raise UserError(f"{path}: cannot be written (disk full?): free some space") from error


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file atomically; `durable` as for `replacing`."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write JSON atomically; NaN, which JSON does not know, becomes null."""
    text = json.dumps(without_nan(value), indent=2, ensure_ascii=False) + "\n"
    write_text(path, text, durable=durable)


def read_bytes(path: Path, limit: int = FILE_LIMIT) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: there is none, or it cannot be read.
        DamagedFile: it is a link (which may lead anywhere), a pipe (which would block), a device,
            or larger than a limit in bytes.
    """
    _check_kind(path, os.lstat(path), limit)
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # it was replaced in this moment
            raise DamagedFile(path, "is not a regular file") from error
        raise
    try:
        _check_kind(path, os.fstat(descriptor), limit)
    except BaseException:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as file:
        return file.read(limit + 1)


def _check_kind(path: Path, found: os.stat_result, limit: int) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise DamagedFile(path, "is a link, which is not followed")
    if not stat.S_ISREG(found.st_mode):
        raise DamagedFile(path, "is not a regular file")
    if found.st_size > limit:
        raise DamagedFile(path, f"has {found.st_size} bytes, more than {limit}")


def read_text(path: Path, limit: int = FILE_LIMIT) -> str:
    """The text of a regular file; errors as of `read_bytes`, also for one that is not UTF-8."""
    return decoded(path, read_bytes(path, limit))


def decoded(path: Path, data: bytes) -> str:
    """A file's content as text.

    Raises:
        DamagedFile: it is not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DamagedFile(path, f"is not UTF-8 text ({error.reason})") from error


def read_json(path: Path) -> Any:
    """What `write_json` wrote.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged.
    """
    try:
        return parse_json(read_bytes(path, JSON_LIMIT))
    except DamagedFile:
        raise
    except ValueError as error:
        raise DamagedFile(path, f"is damaged: {error}") from error


def parse_json(text: str | bytes) -> Any:
    """JSON within the limits of what the program writes: depth, and size of numbers.

    Raises:
        ValueError: it is not JSON, or beyond them.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        value = json.loads(text, parse_constant=_number, parse_float=_number, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > _DEPTH:  # else it is not deep
        check_plain(value)
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:60]} is not a number that is ever written")
    return value


def _whole(text: str) -> int:
    value = int(text) if len(text) <= _DIGITS else _WHOLE
    if not -_WHOLE <= value < _WHOLE:
        raise ValueError("a number has too many digits")
    return value


def check_plain(value: Any, *, finite: bool = True) -> None:
    """Refuse nested values that no file of ours holds: too deep, or with numbers beyond all use.

    Args:
        value: dictionaries, lists and scalars.
        finite: whether infinity and NaN are refused too.

    Raises:
        ValueError: it says what.
    """
    level = [value]
    for _ in range(_DEPTH):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(one)
                below.extend(one.values())
            elif isinstance(one, list):
                below.extend(one)
            elif isinstance(one, float):
                if finite and not math.isfinite(one):
                    raise ValueError(f"{one} is not a number that is ever written")
            elif isinstance(one, int):
                if not -_WHOLE <= one < _WHOLE:
                    raise ValueError("a number has too many digits")
            elif not isinstance(one, str | None):
                raise ValueError(f"a value has the type {type(one).__name__}")
        if not below:
            return
        level = below
    raise ValueError("it is nested too deeply")


def trouble(error: Exception) -> str:
    """What is wrong with a file that could not be read, to be said behind its name."""
    if isinstance(error, FileNotFoundError):
        return "is missing"
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror or error})"
    if isinstance(error, DamagedFile):
        return error.reason
    return f"is damaged: {error}"


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows atomically; columns are the union of their keys in order of appearance.

    Floats are written so that they read back exactly; None and NaN become empty cells.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in row.items()} for row in rows)
    write_text(path, text.getvalue())


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Rows that `write_csv` wrote: numbers as numbers (but for names), empty cells left out.

    Raises:
        OSError: there is no such file.
        ValueError: it is damaged.
    """
    return parse_csv(path, read_bytes(path))


def parse_csv(path: Path, data: bytes) -> list[dict[str, Any]]:
    """The rows of a file that `write_csv` wrote, from its content.

    Raises:
        DamagedFile: it holds something else.
    """
    try:
        lines = csv.DictReader(io.StringIO(decoded(path, data), newline=""), strict=True)
        return [
            {key: text if key in _NAMES else _value(text) for key, text in row.items() if text}
            for row in lines
        ]
    except (csv.Error, TypeError) as error:  # the latter: a row is longer than the header
        raise DamagedFile(path, f"is damaged: it holds no rows ({error})") from error


def cell(value: Any) -> Any:
    """A value as `write_csv` writes it; "" for what is not defined."""
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(float(value))
    return "" if value is None else value


def _value(text: str) -> Any:
    # Words are not tried, which takes long; nan and inf are no words.
    looks_so = len(text) <= _DIGITS and (not text[0].isalpha() or text[0] in "nNiI")
    for kind in (int, float) if looks_so else ():
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def without_nan(value: Any) -> Any:
    """Nested values with None for numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return value
