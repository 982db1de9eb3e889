"""The files of a cache folder: decoded images and masks, and their checksums.

`images.npy` (N, H, W, C) and `masks.npy` (N, H, W), both uint8, and `meta.json` with a checksum of
every image and mask.
"""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import xxhash

from robustseg.data.checked_json import read_checked, write_checked
from robustseg.data.resizing import resize_image, resize_mask
from robustseg.data.selection import is_foreground
from robustseg.data.sources.opening import open_regular
from robustseg.data.sources.source import Record, Source
from robustseg.errors import DataError
from robustseg.terminal.progress import track

FILES = 2  # raise it when the files change: an older folder is built again in its place


@dataclass(frozen=True)
class Decoded:
    """What a cache folder holds; see `ImageSet`."""

    images: np.ndarray
    masks: np.ndarray
    digests: list[str]
    own_foreground: np.ndarray
    own_classes: np.ndarray | None


def read_decoded(folder: Path, shape: tuple[int, ...], classes: int) -> Decoded:
    """The content of a cache folder; images and masks as memory maps, compared with the checksums.

    Args:
        folder: that `write_decoded` has filled.
        shape: of the images, (N, H, W, C).
        classes: of the masks; 0 for binary ones.

    Raises:
        OSError: a file is missing, or cannot be read.
        DataError: it is not a regular file.
        ValueError: it is damaged, or of an older version.
    """
    images = _map(folder / "images.npy", shape)
    masks = _map(folder / "masks.npy", shape[:3])
    meta = _read_meta(folder / "meta.json", len(images))
    digests = track(map(_digest, images), len(images), "Checking decoded images")
    if list(digests) != meta["images"] or [*map(_digest, masks)] != meta["masks"]:
        raise ValueError("a checksum is wrong")
    own = _class_shares(meta, classes)
    return Decoded(images, masks, meta["images"], np.array(meta["own_foreground"]), own)


def write_decoded(
    source: Source, records: list[Record], shape: tuple[int, ...], folder: Path
) -> None:
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


def _header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


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
