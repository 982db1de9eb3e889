"""Image and mask files as arrays, with every way a file can be broken told apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from robustseg.data.sources.masks import MaskRule, levels
from robustseg.data.sources.source import Record
from robustseg.errors import DataError

ORIENTATION = 0x0112  # the EXIF tag; 1 is upright

# What Pillow raises over the damaged files of its formats.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def read_pair(record: Record, channels: int, rule: MaskRule) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, channels) and mask (H, W) of a record of files, uint8, at their own size.

    A record without a mask file has an empty mask.

    Raises:
        DataError: a file cannot be read, the sizes differ, or the mask is not a mask.
    """
    if record.image is None:
        raise ValueError(f"record {record.id} names no image file")
    image = read_image(record.image, channels)
    if record.mask is None:
        return image, np.zeros(image.shape[:2], np.uint8)
    mask = read_mask(record.mask, rule)
    if mask.shape != image.shape[:2]:
        raise DataError(
            f"{record.mask}: the mask is {size_text(mask)} but its image {record.image.name} is "
            f"{size_text(image)}. Export the mask at the size of the image"
        )
    return image, mask


def read_image(path: Path, channels: int) -> np.ndarray:
    """An image file as (H, W, channels) uint8; channels 3 is RGB, 1 is grey.

    Sixteen bits a pixel are cut to the upper eight. An orientation tag is not applied.
    """
    with opened(path, "image") as image:
        if image.mode.startswith("I;16"):
            grey = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], channels, axis=2)
        if image.mode in ("I", "F"):
            raise DataError(
                f"{path}: the image has 32 bits a pixel (mode {image.mode}). "
                "Convert it to 8 or 16 bits"
            )
        array = np.array(image.convert("L" if channels == 1 else "RGB"))
    return array.reshape(*array.shape[:2], channels)


def read_mask(path: Path, rule: MaskRule) -> np.ndarray:
    """A mask file as (H, W) uint8: 0 background, 1 foreground, 255 ignored.

    The values of a palette file are its indices, not its colours.
    """
    with opened(path, "mask") as image:
        raw = np.array(image)
        inverted = _palette_inverted(image)
    if raw.ndim == 3:
        raw = _one_channel(raw, path)
    if inverted and rule.positive_values is None:
        raise DataError(
            f"{path}: a palette file whose background, index 0, is the brighter colour. "
            "Save it in grey levels"
        )
    try:
        return rule.apply(raw)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


@contextmanager
def opened(path: Path, kind: str) -> Iterator[Image.Image]:
    """A decoded image file; what is wrong with it becomes a DataError."""
    try:
        with Image.open(path) as image:
            image.load()
            yield image
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: the {kind} file is gone. Restore it or remove the pair") from None
    except PermissionError:
        raise DataError(f"{path}: not allowed to read the {kind} file. Change its mode") from None
    except BROKEN as error:
        size = path.stat().st_size
        raise DataError(
            f"{path}: the {kind} cannot be read ({size} bytes; {_reason(error, path)}). "
            "It is damaged or no image: fetch it again or remove the pair"
        ) from error


def size_text(array: np.ndarray) -> str:
    """Width × height of an image or mask, as people say it."""
    return f"{array.shape[1]}×{array.shape[0]}"


def _reason(error: BaseException, path: Path) -> str:
    return str(error).replace(f"'{path}'", "the file") or type(error).__name__


def _one_channel(raw: np.ndarray, path: Path) -> np.ndarray:
    """The one channel of a mask saved as grey + alpha, RGB or RGBA with equal colours."""
    colours = raw[..., : raw.shape[2] - 1] if raw.shape[2] in (2, 4) else raw
    if (colours != colours[..., :1]).any():
        raise DataError(
            f"{path}: the mask is in colour. Save it in grey levels, one value for the foreground"
        )
    return colours[..., 0]


def _palette_inverted(image: Image.Image) -> bool:
    """Whether index 0 of a palette file in use of two indices is brighter than the other."""
    if image.mode != "P":
        return False
    used = image.getcolors() or []
    if len(used) != 2 or {index for _, index in used} != {0, 1}:
        return False
    table = image.getpalette("RGB") or []
    return sum(table[0:3]) > sum(table[3:6])


@dataclass(frozen=True)
class FileFacts:
    """What a check tells of a file.

    Attributes:
        mode: Pillow's name of its pixel format.
        turned: whether it has an orientation tag that asks for turning.
        values: the different values of its pixels, where asked for.
    """

    mode: str
    turned: bool
    values: tuple[float, ...] = ()

    @property
    def binary(self) -> bool:
        """Whether there are two values or one that is not 0."""
        return len(self.values) in (1, 2) and self.values[-1] != 0


def file_facts(path: Path, values: bool = False) -> FileFacts:
    """Pixel format and orientation of a file, and its values if asked for."""
    with opened(path, "file") as image:
        turned = image.getexif().get(ORIENTATION, 1) != 1
        found = tuple(levels(np.asarray(image))) if values else ()
        return FileFacts(image.mode, turned, found)
