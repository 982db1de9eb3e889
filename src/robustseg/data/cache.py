"""Decoded, resized images on disk: built once a machine, then memory-mapped by every run.

A cache is a folder named by what is in it: `images.npy` (N, H, W, C), `masks.npy` (N, H, W), both
uint8, and `meta.json` with a checksum of every image and mask, which each opening compares: 0.1 s
for 2000 images of 256² pixels in the page cache. It is built under another name and renamed, so it
is there whole or not at all; a lock only saves other processes the same work.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import xxhash

from robustseg.data.checked_json import read_checked, shared_folder, write_checked
from robustseg.data.imageset import ImageSet
from robustseg.data.resizing import resize_image, resize_mask
from robustseg.data.selection import is_foreground
from robustseg.data.sources.files import FileSource
from robustseg.data.sources.opening import name_trouble, open_regular
from robustseg.data.sources.source import Record, Source
from robustseg.errors import DataError, OptionError
from robustseg.terminal.printable import printable
from robustseg.terminal.progress import track

try:
    import fcntl
except ImportError:  # Windows: no lock, so two processes may do the same work
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

FORMAT = 1  # raise it when the decoding or the resizing change
FILES = 2  # raise it when the files change: an older folder is built again in its place
_RANDOM = "?" * 8  # what tempfile appends to a name
_ADVICE = {
    errno.ENOSPC: "Free some space there, or set another folder with ROBUSTSEG_CACHE",
    errno.EDQUOT: "Free some space there, or set another folder with ROBUSTSEG_CACHE",
    errno.EACCES: "Ask its owner for the right to write, or set another folder with "
    "ROBUSTSEG_CACHE",
    errno.EPERM: "Ask its owner for the right to write, or set another folder with ROBUSTSEG_CACHE",
}


@dataclass(frozen=True)
class _Opened:
    """What a cache folder holds; see `ImageSet`."""

    images: np.ndarray
    masks: np.ndarray
    digests: list[str]
    own_foreground: np.ndarray
    own_classes: np.ndarray | None


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


def _name(source: Source, image_size: int, cache: Path) -> str:
    """The name of a cache folder."""
    key = f"{source.fingerprint(cache)} {image_size} {FORMAT}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{type(source).__name__.lower()}-{image_size}-{digest[:16]}"


def _open(folder: Path, shape: tuple[int, ...], classes: int) -> _Opened | None:
    """The content of a cache folder; None if there is none or it is damaged."""
    if not folder.is_dir():
        return None
    try:
        images = _map(folder / "images.npy", shape)
        masks = _map(folder / "masks.npy", shape[:3])
        meta = _read_meta(folder / "meta.json", len(images))
        digests = track(map(_digest, images), len(images), "Checking decoded images")
        if list(digests) != meta["images"] or [*map(_digest, masks)] != meta["masks"]:
            raise ValueError("a checksum is wrong")
        own = _class_shares(meta, classes)
    except (OSError, ValueError, DataError) as error:
        log.warning("%s: damaged (%s), built again", folder, error)
        return None
    return _Opened(images, masks, meta["images"], np.array(meta["own_foreground"]), own)


def _map(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The array of a file as a read-only memory map.

    The header is compared, not parsed: there is only one that the program writes.
    """
    header = io.BytesIO()
    _header(header, shape)
    expected = header.getvalue()
    with open_regular(file) as opened:
        if opened.read(len(expected)) != expected:
            raise ValueError(f"{file.name} is not a uint8 array of shape {shape}")
        if os.fstat(opened.fileno()).st_size != len(expected) + int(np.prod(shape)):
            raise ValueError(f"{file.name} is cut off or too long")
        return np.memmap(opened, np.uint8, "r", len(expected), shape)


def _digest(array: np.ndarray) -> str:
    """The checksum of an image or mask: XXH3, 128 bits."""
    return xxhash.xxh3_128_hexdigest(array.data)


def _read_meta(file: Path, count: int) -> dict[str, list[Any]]:
    """Checksums of images and masks, and the shares of foreground before resizing.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or of an older version.
    """
    meta = read_checked(file)
    if not isinstance(meta, dict) or meta.pop("files", None) != FILES:
        raise ValueError("of another version")
    kinds = {"images": str, "masks": str, "own_foreground": float}
    if "own_classes" in meta:
        kinds["own_classes"] = list
    if meta.keys() != kinds.keys() or not all(
        isinstance(meta[key], list)
        and len(meta[key]) == count
        and all(type(value) is kind for value in meta[key])
        for key, kind in kinds.items()
    ):
        raise ValueError("meta.json holds something else")
    return meta


def _class_shares(meta: dict[str, list[Any]], classes: int) -> np.ndarray | None:
    """The shares (N, K − 1) of foreground classes before resizing; None of binary masks."""
    rows = meta.get("own_classes")
    if rows is None:
        if classes > 2:
            raise ValueError("of another version")
        return None
    return np.array(rows, float).reshape(len(rows), max(classes - 1, 0))


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
        _write(source, records, shape, partial)
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
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "the disk is full" if full else "the cache cannot be written"
    advice = _ADVICE.get(error.errno or 0, "Set another folder with ROBUSTSEG_CACHE")
    return DataError(f"{folder}: {what} ({error.strerror}). {advice}")


def _write(source: Source, records: list[Record], shape: tuple[int, ...], folder: Path) -> None:
    """Decodes every record into the arrays of a folder.

    Plain writes, not a memory map: on a full disk a map would kill the process.
    """
    with (
        open(folder / "images.npy", "wb") as image_file,
        open(folder / "masks.npy", "wb") as mask_file,
        ThreadPoolExecutor() as pool,
    ):
        _header(image_file, shape)
        _header(mask_file, shape[:3])
        classes = len(getattr(source, "classes", None) or ())
        rows = pool.map(lambda record: _resized(source, record, shape[1], classes), records)
        meta: dict[str, Any] = {"files": FILES, "images": [], "masks": [], "own_foreground": []}
        for image, mask, share, of_classes in track(
            rows, len(records), f"Decoding images into {folder.parent}"
        ):
            image_file.write(image.tobytes())
            mask_file.write(mask.tobytes())
            meta["images"].append(_digest(image))
            meta["masks"].append(_digest(mask))
            meta["own_foreground"].append(share)
            if classes > 2:
                meta.setdefault("own_classes", []).append(of_classes)
        for file in (image_file, mask_file):
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)  # for other users, whatever this one's umask
    write_checked(folder / "meta.json", meta, mode=0o644)


def _header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


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


def _resized(
    source: Source, record: Record, size: int, classes: int
) -> tuple[np.ndarray, np.ndarray, float, list[float]]:
    """Image (size, size, C), mask (size, size), and foreground's share of the mask before.

    Last the same of each foreground class of a label map.
    """
    try:
        image, mask = source.read(record)
    except OSError as error:  # of a source of one's own; it is not the cache that fails
        raise DataError(f"{record.image or record.id}: cannot be read ({error})") from error
    small = np.ascontiguousarray(resize_image(image, size))
    return (
        small,
        np.ascontiguousarray(resize_mask(mask, size)),
        float(is_foreground(mask).mean()),
        [float((mask == value).mean()) for value in range(1, classes)],
    )


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
