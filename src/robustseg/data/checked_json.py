"""JSON files of the cache that carry a checksum: whole, or not believed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from robustseg.data.sources.opening import open_regular

_SHARED = stat.S_IWGRP | stat.S_IWOTH


def read_checked(file: Path, *, owned: bool = False) -> Any:
    """The value that `write_checked` wrote.

    Args:
        file: the file.
        owned: whether it must be this user's own.

    Raises:
        OSError: it cannot be read.
        DataError: it is not a regular file.
        ValueError: it is damaged, or another user's.
    """
    with open_regular(file) as opened:
        if owned and hasattr(os, "geteuid") and os.fstat(opened.fileno()).st_uid != os.geteuid():
            raise ValueError("it belongs to another user")
        checksum, _, body = opened.read().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != checksum:
        raise ValueError("its checksum is wrong")
    try:
        return json.loads(body)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def write_checked(file: Path, value: Any, *, mode: int = 0o600) -> None:
    """Replace a file at once by a value as JSON behind its checksum.

    Raises:
        OSError: it cannot be written.
    """
    body = json.dumps(value).encode()
    shared_folder(file.parent)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        os.chmod(temporary, mode)
        os.replace(temporary, file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def shared_folder(folder: Path) -> None:
    """Make a folder that other users may write to if they may write to the one above it.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    above = folder.parent.stat().st_mode
    if above & _SHARED:
        folder.chmod(stat.S_IMODE(above))
