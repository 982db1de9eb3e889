"""Unpacking untrusted zip archives."""

from __future__ import annotations

import errno
import lzma
import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from robustseg.data.sources.opening import name_trouble
from robustseg.errors import DataError
from robustseg.terminal.printable import printable
from robustseg.terminal.progress import track

JUNK = "__MACOSX"
# What zipfile and its decoders raise over damaged archives.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    UnicodeDecodeError,
)


def extract(archive: Path, folder: Path, inside: str = "") -> list[str]:
    """Unpacks a zip archive; every member is looked at before the first is written.

    Args:
        archive: the file.
        folder: where the members go, and nowhere else.
        inside: a folder at the top of the archive whose content goes directly into `folder`.

    Returns:
        The files, relative to the folder.

    Raises:
        DataError: a member would leave the folder, is a link, or is damaged; the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [m for m in opened.infolist() if not m.filename.startswith(JUNK)]
            targets = [_target(archive, member, inside) for member in members]
            need = sum(member.file_size for member in members)
            folder.mkdir(parents=True, exist_ok=True)
            if need > shutil.disk_usage(folder).free:
                raise OSError(errno.ENOSPC, f"{need / 1e9:.1f} GB needed")
            pairs = list(zip(members, targets, strict=True))
            for member, target in track(pairs, len(pairs), f"Unpacking {archive.name}"):
                _write(opened, member, folder / target)
            return [str(target) for member, target in pairs if not member.is_dir()]
    except _BROKEN as error:
        raise _damaged(archive, error) from error
    except OSError as error:
        if error.errno is None:  # how bz2 reports damage
            raise _damaged(archive, error) from error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DataError(
            f"{folder}: the archive {archive.name} cannot be unpacked ({error.strerror}). "
            + ("Free some space or take another folder" if full else "Take another folder")
        ) from error


def _damaged(archive: Path, error: Exception) -> DataError:
    if isinstance(error, UnicodeDecodeError):
        error = ValueError("a name in it is not UTF-8")
    return DataError(
        f"{archive}: damaged or not a zip archive ({error}). Delete it and download it again"
    )


def _target(archive: Path, member: zipfile.ZipInfo, inside: str) -> PurePosixPath:
    """Where a member goes, relative to the folder."""
    # The name as it is in the archive: zipfile cuts it at a zero and turns backslashes round.
    name = member.orig_filename
    path = PurePosixPath(name)
    trouble = name_trouble(name)
    if trouble and "\0" not in name:
        raise DataError(
            f"{archive}: its member '{printable(name)}': {trouble}. Nothing was unpacked: the "
            "archive is not the official one, delete it"
        )
    if path.is_absolute() or ".." in path.parts or re.search(r"[\\\0]|^[A-Za-z]:", name):
        raise DataError(
            f"{archive}: its member {name!r} would leave the folder. Nothing was unpacked: "
            "the archive is not the official one, delete it"
        )
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise DataError(
            f"{archive}: its member {name!r} is a link or a device, not a file. Nothing was "
            "unpacked: the archive is not the official one, delete it"
        )
    return path.relative_to(inside) if inside and path.is_relative_to(inside) else path


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Writes a member under another name and renames it, so that no half file stays."""
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        with opened.open(member) as source, open(part, "wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
