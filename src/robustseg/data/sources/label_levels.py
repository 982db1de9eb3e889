"""The values of label maps: one number per pixel, or a colour."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from robustseg.data.sources.mask_pixels import drawn_in_alpha, is_plain, used_colours
from robustseg.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

LISTED = 256  # values of a file that are kept apart; a label map has far fewer
_COLOUR = re.compile(r"(\d{1,3})/(\d{1,3})/(\d{1,3})")
_HEX = re.compile(r"#([0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Level:
    """One of the values of a label map.

    Attributes:
        number: grey level, or index of a palette; None if it is a colour alone.
        colour: red, green and blue as one number, of a palette, a colour file or the 1 of one bit
            a pixel, which is white; None if grey.
        pixels: how many have it.
    """

    number: int | None
    colour: int | None
    pixels: int

    def code(self, colours: bool) -> int | None:
        """What a rule of colours, or of numbers, knows it by; None if it knows no such thing."""
        if not colours:
            return self.number
        return self.colour if self.colour is not None else _of_grey(self.number)


def levels_of(image: Image.Image) -> list[Level]:
    """The values of a decoded label map, the commonest first, at most `LISTED`.

    Raises:
        DataError: its pixels are no values of a label map.
    """
    if image.mode == "P":
        counts = np.bincount(np.asarray(image).ravel(), minlength=256).tolist()
        found = [
            Level(index, colour_code(red, green, blue), counts[index])
            for index, red, green, blue, _ in used_colours(image)
        ]
    else:
        raw = _raw(image)
        coloured = raw.ndim == 3 and bool((raw != raw[..., :1]).any())
        white = colour_code(255, 255, 255) if image.mode == "1" else None
        codes = _packed(raw) if coloured else _numbers(raw if raw.ndim == 2 else raw[..., 0])
        found = [
            Level(None, code, count) if coloured else Level(code, white if code else None, count)
            for code, count in counts_of(codes).items()
        ]
    return sorted(found, key=lambda one: -one.pixels)[:LISTED]


def counts_of(codes: np.ndarray) -> dict[int, int]:
    """The different numbers of an array in order, and how many of each there are."""
    if codes.dtype == np.uint8:  # many times as fast
        many = np.bincount(codes.ravel())
        return {value: int(many[value]) for value in np.flatnonzero(many).tolist()}
    values, many = np.unique(codes, return_counts=True)
    return dict(zip(values.tolist(), many.tolist(), strict=True))


def codes_of(image: Image.Image, colours: bool) -> np.ndarray:
    """The numbers (H, W), or the colours as red·65536 + green·256 + blue, of a label map's pixels.

    Of a palette file the numbers are its indices. Grey levels are colours of three equal parts.

    Raises:
        DataError: the pixels are no such values.
    """
    if colours:
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            raise DataError("the mask has no colours, but grey levels of more than 8 bits")
        return _packed(np.array(image.convert("RGB")))
    raw = np.array(image) if image.mode == "P" else _raw(image)
    if raw.ndim == 2:
        return _numbers(raw)
    if (raw != raw[..., :1]).any():
        raise DataError(
            "the mask is in colour. Name its colours in dataset.source.values, as red/green/blue: "
            "'dataset.source.values={255/0/0: CLASS}'"
        )
    return _numbers(raw[..., 0])


def colour_of(text: str) -> int | None:
    """The colour that "red/green/blue" or "#rrggbb" names; None if it is neither."""
    parts = _COLOUR.fullmatch(text)
    if parts:
        red, green, blue = map(int, parts.groups())
        return colour_code(red, green, blue) if max(red, green, blue) < 256 else None
    code = _HEX.fullmatch(text)
    return int(code[1], 16) if code else None


def level_text(code: int, colours: bool) -> str:
    """A value as dataset.source.values names it."""
    return f"{code >> 16}/{code >> 8 & 255}/{code & 255}" if colours else str(code)


def shares_of(files: Iterable[Iterable[Level]], colours: bool) -> dict[int | None, float]:
    """The share of the pixels of a set that have each value, the commonest first.

    None stands for values that a rule of numbers, or of colours, does not know.
    """
    pixels: Counter[int | None] = Counter()
    for levels in files:
        for one in levels:
            pixels[one.code(colours)] += one.pixels
    return {code: count / pixels.total() for code, count in pixels.most_common()}


def colour_code(red: int, green: int, blue: int) -> int:
    """A colour as one number."""
    return red << 16 | green << 8 | blue


def _of_grey(number: int | None) -> int | None:
    return None if number is None or number > 255 else colour_code(number, number, number)


def _raw(image: Image.Image) -> np.ndarray:
    """Values (H, W), or colours (H, W, 3) without their opacity."""
    raw = np.array(image)
    if image.mode in ("LA", "RGBA"):
        raw = raw[..., -1] if drawn_in_alpha(raw) else raw[..., :-1]
        return raw[..., 0] if raw.ndim == 3 and raw.shape[2] == 1 else raw
    if not is_plain(image.mode):
        raise DataError(f"a mask of mode {image.mode} has no plain values. Save it in grey levels")
    return raw


def _numbers(raw: np.ndarray) -> np.ndarray:
    if raw.dtype == bool:
        return raw.astype(np.uint8)
    if raw.dtype.kind == "f" and not (np.isfinite(raw).all() and (raw == np.rint(raw)).all()):
        raise DataError("the mask holds values that are not whole numbers. Save it in grey levels")
    return raw.astype(np.int64) if raw.dtype.kind == "f" else raw


def _packed(colours: np.ndarray) -> np.ndarray:
    wide = colours.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
