"""Decoded, resized images on disk: built once a machine, then memory-mapped by every run.

A cache is a folder named by what is in it: `images.npy` (N, H, W, C), `masks.npy` (N, H, W), both
uint8, and `meta.json`. It is built under another name and renamed, so it is there whole or not
at all; a lock only saves other processes the same work.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from robustseg.data.imageset import ImageSet
from robustseg.data.resizing import resize_image, resize_mask
from robustseg.data.sources.source import Record, Source
from robustseg.errors import DataError, OptionError
from robustseg.terminal.progress import track

try:
    import fcntl
except ImportError:  # Windows: no lock, so two processes may do the same work
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

FORMAT = 1  # raise it when the decoding, the resizing or the files change
PROBES = 16  # images whose pixels are compared with the checksum at each opening
ADVICE = "Free some space there, or set another folder with ROBUSTSEG_CACHE"


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
    key = f"{source.fingerprint(cache)} {image_size} {FORMAT}"
    name = f"{type(source).__name__.lower()}-{image_size}-{_sha256(key.encode())[:16]}"
    folder = cache / "images" / name
    shape = (len(records), image_size, image_size, source.channels)
    arrays = _open(folder, shape)
    if arrays is None:
        with _locked(folder):
            arrays = _open(folder, shape)  # another process may have built it meanwhile
            if arrays is None:
                _build(source, records, shape, folder)
                arrays = _open(folder, shape)
    if arrays is None:
        raise DataError(f"{folder}: damaged as soon as it was written. Check the disk")
    return ImageSet(
        ids=[record.id for record in records],
        splits=np.array([record.split for record in records]),
        images=arrays[0],
        masks=arrays[1],
        groups=[record.group for record in records],
    )


def _open(folder: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """The arrays of a cache folder; None if there is none or it is damaged."""
    if not folder.is_dir():
        return None
    try:
        images = np.load(folder / "images.npy", mmap_mode="r")
        masks = np.load(folder / "masks.npy", mmap_mode="r")
        meta = json.loads((folder / "meta.json").read_text())
        if images.shape != shape or masks.shape != shape[:3]:
            raise ValueError(f"shape {images.shape}, not {shape}")
        if images.dtype != np.uint8 or masks.dtype != np.uint8:
            raise ValueError("not uint8")
        if meta != _meta(images, masks):
            raise ValueError("the checksum is wrong")
    except (OSError, ValueError, EOFError) as error:
        log.warning("%s: damaged (%s), built again", folder, error)
        return None
    return images, masks


def _meta(images: np.ndarray, masks: np.ndarray) -> dict[str, object]:
    """What meta.json must say: a checksum over a few images from the first to the last."""
    digest = hashlib.sha256()
    for index in np.linspace(0, len(images) - 1, PROBES).astype(int):
        digest.update(images[index].tobytes())
        digest.update(masks[index].tobytes())
    return {"format": FORMAT, "shape": list(images.shape), "sha256": digest.hexdigest()}


def _build(source: Source, records: list[Record], shape: tuple[int, ...], folder: Path) -> None:
    """Writes a cache folder under another name and renames it."""
    partial = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        need = int(np.prod(shape)) + int(np.prod(shape[:3]))
        free = shutil.disk_usage(folder.parent).free
        if free < need:
            raise OSError(errno.ENOSPC, f"{need / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free")
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_partial_prefix(folder)))
        partial.chmod(0o755)
        _write(source, records, shape, partial)
        _replace(folder, partial)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else "the cache cannot be written"
        raise DataError(f"{folder.parent}: {what} ({error.strerror}). {ADVICE}") from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


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
        pairs = pool.map(lambda record: _resized(source, record, shape[1]), records)
        for image, mask in track(pairs, len(records), f"Decoding images into {folder.parent}"):
            image_file.write(image.tobytes())
            mask_file.write(mask.tobytes())
        for file in (image_file, mask_file):
            file.flush()
            os.fsync(file.fileno())
    images = np.load(folder / "images.npy", mmap_mode="r")
    masks = np.load(folder / "masks.npy", mmap_mode="r")
    (folder / "meta.json").write_text(json.dumps(_meta(images, masks)))


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


def _resized(source: Source, record: Record, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (size, size, C) and mask (size, size) of a record."""
    image, mask = source.read(record)
    return resize_image(image, size), resize_mask(mask, size)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a cache folder; the system frees it when its process ends."""
    lock = folder.with_name(f".{folder.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = open(lock, "a")
    except OSError as error:
        raise DataError(f"{lock.parent}: cannot be written ({error.strerror}). {ADVICE}") from error
    with file:
        if _wait(file, folder):
            for left in folder.parent.glob(f"{_partial_prefix(folder)}*"):
                shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
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
            log.warning("%s: no locks here (%s), going on", folder.parent, error.strerror)
            break
    return False


def _partial_prefix(folder: Path) -> str:
    # With the host in it, since a lock may not reach other hosts that share the folder.
    return f".{folder.name}-{socket.gethostname()}-"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
