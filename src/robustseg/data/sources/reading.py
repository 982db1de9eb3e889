"""Image and mask files as arrays; each way in which a file can be broken has its own error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robustseg.data.sources.class_masks import laid_over
from robustseg.data.sources.label_levels import Level, levels_of
from robustseg.data.sources.label_rule import LabelRule
from robustseg.data.sources.mask_pixels import mask_of
from robustseg.data.sources.masks import MaskRule, levels
from robustseg.data.sources.opening import opened
from robustseg.data.sources.source import Record
from robustseg.data.sources.traits import is_turned
from robustseg.errors import DataError

_PICTURE = 32  # values: a picture has more, a mask at most so many


def read_pair(
    record: Record, channels: int, rule: MaskRule | LabelRule, bits: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, channels) and mask (H, W) of a record of files, uint8, at their own size.

    A record without a mask file has an empty mask. One of several files, each the mask of a class,
    has a label map; see `laid_over`.

    Raises:
        DataError: a file cannot be read, the sizes differ, or the mask is not a mask.
    """
    if record.image is None:
        raise ValueError(f"record {record.id} names no image file")
    image = read_image(record.image, channels, bits)
    if record.parts:
        return image, laid_over(read_parts(record, image, rule), image.shape[:2])[0]
    if record.mask is None:
        return image, np.zeros(image.shape[:2], np.uint8)
    return image, _fitting(record.mask, record.image, image, rule)


def read_parts(
    record: Record, image: np.ndarray, rule: MaskRule | LabelRule
) -> list[np.ndarray | None]:
    """The masks (H, W) of a record's classes; None where a class has no file."""
    assert record.image is not None
    return [
        None if path is None else _fitting(path, record.image, image, rule) for path in record.parts
    ]


def _fitting(path: Path, of: Path, image: np.ndarray, rule: MaskRule | LabelRule) -> np.ndarray:
    """The mask of a file, which must be as large as its image."""
    mask = read_mask(path, rule)
    if mask.shape != image.shape[:2]:
        raise DataError(
            f"{path}: the mask is {size_text(mask)} but its image {of.name} is "
            f"{size_text(image)}. {_size_remedy(of, path)}"
        )
    return mask


def _size_remedy(image: Path, mask: Path) -> str:
    for path, kind in ((image, "image"), (mask, "mask")):
        if file_facts(path).turned:
            return f"The {kind} has an orientation tag, which is not applied: save it turned"
    return "Export the mask at the size of the image"


def read_image(path: Path, channels: int, bits: int | None = None) -> np.ndarray:
    """An image file as (H, W, channels) uint8; channels 3 is RGB, 1 is grey.

    Of grey levels of 16 bits the upper eight of `bits` are taken: value >> (bits - 8). An
    orientation tag is not applied, and of several pages the first is read.

    Args:
        path: the file.
        channels: of the array.
        bits: that the values of 16-bit grey files use, 8 to 16; None for all of them.

    Raises:
        DataError: the file cannot be read, or has larger values.
    """
    with opened(path, "image") as image:
        if image.mode.startswith("I;16"):
            return np.repeat(_upper_eight(np.asarray(image), bits, path), channels, axis=2)
        if image.mode in ("I", "F"):
            kind = "floating-point" if image.mode == "F" else "signed or 32-bit"
            raise DataError(
                f"{path}: the image has {kind} pixels (mode {image.mode}). Convert it to 8 bits or "
                "to unsigned 16, such as a window of a CT"
            )
        array = np.array(image.convert("L" if channels == 1 else "RGB"))
    return array.reshape(*array.shape[:2], channels)


def _upper_eight(values: np.ndarray, bits: int | None, path: Path) -> np.ndarray:
    """The upper eight of `bits` bits (H, W, 1) of values (H, W)."""
    bits = 16 if bits is None else bits
    largest = int(values.max())
    if largest >> bits:
        raise DataError(
            f"{path}: its largest value is {largest}, which takes more than {bits} bits. "
            f"Set dataset.source.image_bits={largest.bit_length()}"
        )
    return (values >> (bits - 8)).astype(np.uint8)[..., None]


def read_mask(path: Path, rule: MaskRule | LabelRule) -> np.ndarray:
    """A mask file as (H, W) uint8: 0 background, 1 foreground, 255 ignored; see `mask_of`.

    A `LabelRule` gives the number of each pixel's class instead of 1.
    """
    with opened(path, "mask") as image:
        try:
            return rule.read(image) if isinstance(rule, LabelRule) else mask_of(image, rule)
        except DataError as error:
            raise type(error)(f"{path}: {error}") from None


def label_levels(path: Path) -> list[Level]:
    """The values of a label map's file; none if it is no readable one: reading it says why."""
    try:
        with opened(path, "mask") as image:
            return levels_of(image)
    except DataError:
        return []


def size_text(array: np.ndarray) -> str:
    """Width × height of an image or mask, as people say it."""
    return f"{array.shape[1]}×{array.shape[0]}"


@dataclass(frozen=True)
class FileFacts:
    """What a check reports of a file.

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
        found = tuple(levels(np.asarray(image))) if values else ()
        return FileFacts(image.mode, is_turned(image), found)


def is_picture(path: Path) -> bool | None:
    """Whether a file has more values than masks have; None if it cannot be read."""
    try:
        return len(file_facts(path, values=True).values) > _PICTURE
    except DataError:
        return None
