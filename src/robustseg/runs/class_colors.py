"""The colours of the classes of label maps: the same in every figure, sheet and file."""

from __future__ import annotations

import colorsys
import math

# Bright ones of Okabe and Ito, for the colour-blind, seen on skin, X-ray and stained tissue alike.
_FIRST = ("#56b4e9", "#f0e442", "#cc79a7", "#009e73", "#e69f00", "#d55e00", "#0072b2")
BACKGROUND, IGNORED = "#000000", "#808080"


def class_color(value: int) -> str:
    """The colour "#rrggbb" of the k-th class, 1 being the first after the background.

    Examples:
        >>> class_color(1), class_color(0), class_color(255)
        ('#56b4e9', '#000000', '#808080')
    """
    if value in (0, 255):
        return BACKGROUND if value == 0 else IGNORED
    if value <= len(_FIRST):
        return _FIRST[value - 1]
    at = value - len(_FIRST)  # steps of the golden ratio fill the circle of hues evenly
    parts = colorsys.hsv_to_rgb(at * (math.sqrt(5) - 1) / 2 % 1, (0.85, 0.55)[at % 2], 0.9)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def class_palette() -> list[int]:
    """Red, green and blue of all 256 labels in turn, as the palette of a PNG has them."""
    return [part for value in range(256) for part in bytes.fromhex(class_color(value)[1:])]
