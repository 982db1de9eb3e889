"""A checkpoint that says itself whether it is whole."""

import hashlib
import os
import re
import zipfile
from pathlib import Path

from robustseg.runs.files import DamagedFile

_SEAL = re.compile(rb"robustseg sha256 ([0-9a-f]{64})\n")
_LENGTH = len("robustseg sha256 ") + 64 + 1
_BLOCK = 1 << 20  # bytes


def seal(path: Path) -> None:
    """Append the SHA-256 of a file to it: readers of zip files pass over what follows them.

    The checksum is in the file, so that both change in one rename.
    """
    digest = _digest(path, os.path.getsize(path))
    with open(path, "ab") as file:
        file.write(f"robustseg sha256 {digest}\n".encode())


def check_sealed(path: Path) -> None:
    """Look at whether a checkpoint is the one that was written.

    An unsealed one, from an older version, is checked by the checksums of the zip file.

    Raises:
        DamagedFile: it is not.
        OSError: it cannot be read.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(0, size - _LENGTH))
        found = _SEAL.fullmatch(file.read())
    if found is None:
        _check_archive(path)
    elif found[1].decode() != _digest(path, size - _LENGTH):
        raise DamagedFile(path, "is damaged: its checksum is not the one at its end")


def _digest(path: Path, size: int) -> str:
    """SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except OSError as error:
        if error.errno is not None and error.filename is not None:
            raise
        raise DamagedFile(path, f"cannot be read: {error}") from error
    # A damaged directory of the archive raises nearly anything.
    except Exception as error:
        raise DamagedFile(path, f"cannot be read: {error}") from error
    if damaged:
        raise DamagedFile(path, f"is damaged in {damaged}")
