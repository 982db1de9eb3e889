"""From the pixels of a mask file to the values that a `MaskRule` is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from robustseg.data.sources.masks import MaskRule
from robustseg.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

PLAIN = ("1", "L", "I", "F", "RGB")  # and 16 bits; LA, RGBA and P have rules of their own
Used = Sequence[Sequence[int]]  # rows index, red, green, blue, opacity: colours that are in use


def mask_of(image: Image.Image, rule: MaskRule) -> np.ndarray:
    """The mask (H, W) uint8 of a decoded file: 0 background, 1 foreground, 255 ignored.

    Grey levels are taken as they are; colours must be grey. If all colours are equal and the
    opacity (alpha) is not, or is 0, the mask is drawn in the opacity. Of a palette file
    `positive_values` and `ignore_values` name indices; otherwise see `of_palette`.

    Raises:
        DataError: the pixels do not say what is foreground.
    """
    raw = np.array(image)
    if image.mode == "P":
        return of_palette(raw, used_colours(image), rule)
    if image.mode in ("LA", "RGBA"):
        in_alpha = drawn_in_alpha(raw) or blank(raw) == "clear"
        raw = raw[..., -1] if in_alpha else _one_channel(raw[..., :-1])
    elif image.mode == "RGB":
        raw = _one_channel(raw)
    elif image.mode == "1":
        return _of_bits(raw, rule)
    elif not is_plain(image.mode):
        raise DataError(f"a mask of mode {image.mode} has no plain values. Save it in grey levels")
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        raise DataError("the mask holds values that are not numbers. Replace NaN and infinity")
    return rule.apply(raw)


def _of_bits(raw: np.ndarray, rule: MaskRule) -> np.ndarray:
    """The mask of one bit per pixel, 0 and 1, or 255 where the rule speaks of that."""
    named = rule.positive_values
    if named is not None and not {0, 1, 255} & set(named):
        raise DataError(
            f"the mask has one bit per pixel, and dataset.source.positive_values={[*named]} "
            "names none of its values: 0 and 1 (or 255)"
        )
    return rule.apply(raw * np.uint8(255 if rule.asks_for_255 else 1), labels=raw)


def is_plain(mode: str) -> bool:
    """Whether the values of a file of a Pillow mode are one number per pixel, or grey colours."""
    return mode in PLAIN or mode.startswith("I;16")


def drawn_in_alpha(raw: np.ndarray) -> bool:
    """Whether all colours of an array (H, W, colours + opacity) are equal and the opacity is not.

    Fully transparent pixels count: a programme that blanks their colours has drawn in colours.
    """
    colours, alpha = raw[..., :-1], raw[..., -1]
    return bool((colours == colours[:1, :1]).all() and (alpha != alpha[0, 0]).any())


def blank(raw: np.ndarray) -> str | None:
    """What an array of one colour and one opacity could be beside masks drawn in the opacity.

    Returns:
        "clear": of some colour, and nothing of it is seen: an empty mask. "opaque": black all
        over: an empty mask in its colours, a full one in its opacity. None: anything else.
    """
    if (raw != raw[:1, :1]).any():
        return None
    coloured, opaque = raw[0, 0, :-1].any(), raw[0, 0, -1] > 0
    return "opaque" if opaque and not coloured else "clear" if coloured and not opaque else None


def used_colours(image: Image.Image) -> list[list[int]]:
    """Index, red, green, blue and opacity of each colour of a palette file that is in use."""
    table = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    opacity = np.full(256, 255)
    clear = image.info.get("transparency")
    if isinstance(clear, bytes):
        opacity[: len(clear)] = list(clear)
    elif clear is not None:
        opacity[clear] = 0
    used = np.flatnonzero(np.bincount(np.asarray(image).ravel())).tolist()
    if used and used[-1] >= len(table):
        raise DataError(f"the palette has {len(table)} colours, and index {used[-1]} is in use")
    return [[index, *table[index].tolist(), int(opacity[index])] for index in used]


def of_palette(indices: np.ndarray, used: Used, rule: MaskRule) -> np.ndarray:
    """The mask of a palette file's indices (H, W).

    Without `positive_values` the colours decide: with a threshold by their brightness
    (ITU-R 601); of two colours the brighter is the foreground; a single one is foreground if it
    is white and background if it is black, and foreground if it is another at index 1. More than
    two colours are classes, which `positive_values` must name.

    Raises:
        DataError: the colours do not say what is foreground.
    """
    if rule.positive_values is not None:
        return rule.apply(indices)
    counted = [row for row in used if row[0] not in rule.ignore_values]
    colours = {tuple(row[1:4]) for row in counted}
    clear = {row[4] for row in counted}
    levels = {row[0]: row[0] for row in used}
    if len(colours) == 1 and (len(clear) > 1 or clear == {0}):
        levels |= {row[0]: row[4] for row in counted}
    elif rule.threshold is not None:
        levels |= {row[0]: _brightness(row) for row in counted}
    elif len(colours) == 2:
        bright = max(map(_brightness, counted))
        if all(_brightness(row) == bright for row in counted):
            raise DataError(
                "a palette file of two equally bright colours. Name the index of the foreground "
                "with dataset.source.positive_values (dataset=folder, histopathology), or save "
                "the mask in grey levels"
            )
        levels |= {row[0]: 255 * (_brightness(row) == bright) for row in counted}
    elif colours and colours <= {(0, 0, 0), (255, 255, 255)}:
        levels |= {row[0]: row[1] for row in counted}
    elif len(colours) == 1 and counted[0][0] == 0:
        raise DataError(_one_colour(counted[0]))
    table = np.zeros(256, np.uint8)
    table[list(levels)] = list(levels.values())
    return rule.apply(table[indices], labels=indices)


def palette_values(used: Used, rule: MaskRule) -> np.ndarray:
    """What each colour of a palette that is in use is read as, (1, colours); see `of_palette`."""
    return of_palette(np.array([[row[0] for row in used]], np.uint8), used, rule)


def reads_anew(used: Used, rule: MaskRule) -> bool:
    """Whether the colours of a palette say something else than its indices.

    Older versions read the indices.
    """
    indices = np.array([[row[0] for row in used]], np.uint8)
    try:
        before = rule.apply(indices)
    except DataError:
        return False  # no run has read it
    try:
        return not np.array_equal(palette_values(used, rule), before)
    except DataError:
        return True


def _brightness(row: Sequence[int]) -> int:
    """The grey level of a colour as Pillow's conversion gives it."""
    return (19595 * row[1] + 38470 * row[2] + 7471 * row[3] + 0x8000) >> 16


def _one_colour(row: Sequence[int]) -> str:
    """What is wrong with a palette file of one colour, at index 0."""
    colour = "/".join(map(str, row[1:4]))
    return (
        f"a palette file of one colour, {colour}: is it full or empty? Set "
        "dataset.source.mask_threshold, above which a brightness is foreground (here it is "
        f"{_brightness(row)}), or name the indices of the foreground with "
        "dataset.source.positive_values (dataset=folder, histopathology), or save the mask in "
        "grey levels"
    )


def _one_channel(colours: np.ndarray) -> np.ndarray:
    """The one channel of a mask saved with equal colours."""
    if (colours != colours[..., :1]).any():
        raise DataError(f"the mask is in colour. {_remedy(colours)}")
    return colours[..., 0]


def _remedy(colours: np.ndarray) -> str:
    """What helps against colours (H, W, 3): for one on black the settings that name it."""
    found = np.unique(colours.reshape(-1, 3), axis=0)
    drawn = found[found.any(axis=1)]
    if len(drawn) > 1:
        return "Save it in grey levels, one value for the foreground"
    colour = "/".join(map(str, drawn[0].tolist()))
    return (
        f"Save it in grey levels, or name its colour: 'dataset.classes=[background,lesion]' "
        f"'dataset.source.values={{{colour}: lesion}}' (dataset=folder, histopathology)"
    )
