"""Decoded, resized images on disk: built once a machine, then memory-mapped by every run.

A cache is a folder named by what is in it; `cache_files` describes its files. Each opening compares
the checksums: 0.1 s for 2000 images of 256² pixels in the page cache. It is built under another
name and renamed, so it is there whole or not at all; a lock only saves other processes the same
work.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import numpy as np

from robustseg.data.cache_files import Decoded, read_decoded, write_decoded
from robustseg.data.checked_json import shared_folder
from robustseg.data.imageset import ImageSet
from robustseg.data.sources.files import FileSource
from robustseg.data.sources.opening import name_trouble
from robustseg.data.sources.source import Record, Source
from robustseg.errors import DataError, OptionError
from robustseg.terminal.printable import printable

try:
    import fcntl
except ImportError:  # Windows: no lock, so two processes may do the same work
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

FORMAT = 1  # raise it when the decoding or the resizing change
_RANDOM = "?" * 8  # what tempfile appends to a name


def load(source: Source, image_size: int, cache: Path) -> ImageSet:
    """All images of a source at one size, from the cache, which is built first if need be.

    Images are averaged down (bilinear, antialiased), masks take the nearest pixel. Both become
    square; the proportions of others are not kept.

    Args:
        source: where the images come from.
        image_size: height and width in pixels.
        cache: folder shared by all runs of the machine.

    Raises:
        DataError: a file of the source is unusable, or the cache folder cannot be written.
    """
    if image_size < 1:
        raise OptionError(f"dataset.image_size must be at least 1 pixel, got {image_size}")
    records = source.records()
    if not records:
        raise DataError("the data source is empty: check dataset.root")
    for record in records:
        if trouble := name_trouble(record.id):
            raise DataError(f"the id '{printable(record.id)}': {trouble}. Rename it")
    folder = cache / "images" / _name(source, image_size, cache)
    if isinstance(source, FileSource):
        for text in source.checked_scan().recognised:
            log.info("recognised: %s", text)
    shape = (len(records), image_size, image_size, source.channels)
    classes = len(getattr(source, "classes", None) or ())
    opened = _open(folder, shape, classes)
    if opened is None:
        with _locked(folder):
            opened = _open(folder, shape, classes)  # another process may have built it meanwhile
            if opened is None:
                _build(source, records, shape, folder, cache)
                opened = _open(folder, shape, classes)
    if opened is None:
        raise DataError(f"{folder}: damaged as soon as it was written. Check the disk")
    return ImageSet(
        ids=[record.id for record in records],
        splits=np.array([record.split for record in records]),
        images=opened.images,
        masks=opened.masks,
        groups=[record.group for record in records],
        digests=opened.digests,
        own_foreground=opened.own_foreground,
        own_classes=opened.own_classes,
    )


# A disk, network or process in trouble says nothing of the files, which others may be using.
_PASSING = {errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ETIMEDOUT}


def _name(source: Source, image_size: int, cache: Path) -> str:
    """The name of a cache folder."""
    key = f"{source.fingerprint(cache)} {image_size} {FORMAT}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{type(source).__name__.lower()}-{image_size}-{digest[:16]}"


def _open(folder: Path, shape: tuple[int, ...], classes: int) -> Decoded | None:
    """The content of a cache folder; None if there is none or it is damaged."""
    if not folder.is_dir():
        return None
    try:
        return read_decoded(folder, shape, classes)
    except (OSError, ValueError, DataError) as error:
        if isinstance(error, OSError) and error.errno in _PASSING:
            raise DataError(
                f"{folder}: cannot be read now ({error.strerror}). Run the command again, or set "
                "another folder with ROBUSTSEG_CACHE"
            ) from error
        log.warning("%s: damaged (%s), built again", folder, error)
        return None


def _build(
    source: Source, records: list[Record], shape: tuple[int, ...], folder: Path, cache: Path
) -> None:
    """Writes a cache folder under another name and renames it.

    Raises:
        DataError: it cannot be written, or the files changed meanwhile: it would hold other images
            than its name says.
    """
    partial = None
    try:
        shared_folder(folder.parent)
        need = int(np.prod(shape)) + int(np.prod(shape[:3]))
        free = shutil.disk_usage(folder.parent).free
        if free < need:
            raise OSError(errno.ENOSPC, f"{need / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free")
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_partial_prefix(folder)))
        partial.chmod(0o755)
        write_decoded(source, records, shape, partial)
        if _name(source, shape[1], cache) != folder.name:
            raise DataError(
                f"{getattr(source, 'root', None) or 'the data'}: changed while it was decoded. "
                "Wait until no other program writes there, and run the command again"
            )
        _replace(folder, partial)
    except OSError as error:
        raise _cannot_write(folder.parent, error) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _cannot_write(folder: Path, error: OSError) -> DataError:
    what, advice = "the cache cannot be written", "Set"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, advice = "the disk is full", "Free some space there, or set"
    elif error.errno in (errno.EACCES, errno.EPERM):
        advice = "Ask its owner for the right to write, or set"
    advice += " another folder with ROBUSTSEG_CACHE"
    return DataError(f"{folder}: {what} ({error.strerror}). {advice}")


def _replace(folder: Path, partial: Path) -> None:
    """Puts a whole folder in the place of a damaged one or of none."""
    if folder.exists():
        damaged = partial.with_name(f"{partial.name}-damaged")
        os.rename(folder, damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        os.rename(partial, folder)
    except OSError as error:
        # Where locks do not work another process may have been first: its folder is as good.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a cache folder; the system frees it when its process ends."""
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        shared_folder(lock.parent)
        # A lock of another user can be held, too: that needs no right to write.
        flags = os.O_RDONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = os.fdopen(os.open(lock, flags | getattr(os, "O_NONBLOCK", 0), 0o666))
        with suppress(PermissionError):  # another user's
            os.chmod(lock, 0o644)
    except OSError as error:
        raise _cannot_write(lock.parent, error) from error
    with file:
        if _wait(file, folder):
            for end in (_RANDOM, f"{_RANDOM}-damaged"):  # of a process that was killed
                for left in folder.parent.glob(f"{_partial_prefix(folder)}{end}"):
                    shutil.rmtree(left, ignore_errors=True)
        yield


def _wait(file: IO[str], folder: Path) -> bool:
    """Waits for the lock; False on systems that have none, where the work continues without."""
    told = False
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if not told:
                log.warning("%s: another process is building it, waiting", folder)
                told = True
            time.sleep(0.2)
        except OSError as error:
            log.warning("%s: no locks here (%s), continuing", folder.parent, error.strerror)
            break
    return False


def _partial_prefix(folder: Path) -> str:
    # With the host in it, since a lock may not reach other hosts that share the folder; one may
    # be called node, another node-1.
    return f".{folder.name}-{socket.gethostname()}-"
