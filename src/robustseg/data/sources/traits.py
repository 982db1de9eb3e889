"""What is odd about an image file: found once, when it is hashed, and remembered with the hash.

Most files have no such traits. The others are read by rules that older versions lacked, or hold
something that a person should know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from robustseg.data.sources.opening import (
    BROKEN,
    DEEP_MASK,
    FORMATS,
    ORIENTATION,
    is_deep_colour,
    open_regular,
)
from robustseg.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

    from robustseg.data.sources.masks import MaskRule

LISTED = 16  # colours of a palette that are listed; a mask has no more
MIN_BITS = 15  # of 16: fewer leave at most 64 of 256 levels


class Traits(TypedDict, total=False):
    """What is odd about a file; each key is there only if there is something to tell.

    Attributes:
        turned: it has an orientation tag that asks for turning.
        turned_tiff: so has a TIFF, whose pixels were once read turned.
        pages: how many pictures it holds.
        deep: the largest value of an image of 16 bits a channel.
        deep_colour: it has several channels of 16 bits, of which Pillow gives 8.
        alpha: all colours are equal and the opacity is not.
        blank: of one colour and one opacity, and which: see `mask_pixels.blank`.
        one_bit: a pixel is one bit.
        mode: of pixels that are not plain values, such as CMYK.
        odd_floats: it holds values that are not numbers.
        palette: the colours in use, as `mask_pixels.used_colours` lists them; empty if more than
            `LISTED`. Left out if each index is its own grey level.
        levels: the values of a label map, number, colour and pixels of each; see `Level`.
    """

    turned: bool
    turned_tiff: bool
    pages: int
    deep: int
    deep_colour: bool
    alpha: bool
    blank: str
    one_bit: bool
    mode: str
    odd_floats: bool
    palette: list[list[int]]
    levels: list[tuple[int | None, int | None, int]]


def traits_of(path: str | Path, *, mask: bool, labels: bool = False) -> Traits:
    """The traits of a file; none if it is not a readable image; reading it raises the error.

    Args:
        path: the file.
        mask: whether it is a mask, for which opacity, palette and mode matter; few pixels of
            images need to be decoded.
        labels: whether the mask is a label map, of which the values are counted.
    """
    from PIL import Image

    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            if mask and is_deep_colour(image):
                return {"deep_colour": True}  # refused, whatever else is odd
            if labels:
                return _of_any(image) | _of_labels(image)
            return _of_any(image) | (_of_mask(image) if mask else _of_image(image))
    except (*BROKEN, Image.DecompressionBombError):
        return {}


def is_turned(image: Image.Image) -> bool:
    """Whether a file has an orientation tag that asks for turning."""
    # Of a PNG without the tag `getexif` would decode all pixels.
    tagged = image.format != "PNG" or any("exif" in str(key) for key in image.info)
    return tagged and image.getexif().get(ORIENTATION, 1) != 1


def _of_any(image: Image.Image) -> Traits:
    found: Traits = {}
    if is_turned(image):
        found["turned"] = True
        if image.format == "TIFF":
            found["turned_tiff"] = True
    try:
        pages = getattr(image, "n_frames", 1)
    except BROKEN:  # of a page behind the first, which is read
        pages = 1
    if pages > 1 and image.format != "MPO":  # of these the second is a preview
        found["pages"] = pages
    return found


def _of_image(image: Image.Image) -> Traits:
    """The traits of an image before its pixels are loaded."""
    import numpy as np

    if image.mode.startswith("I;16"):
        return {"deep": int(np.asarray(image).max())}
    if is_deep_colour(image):
        return {"deep_colour": True, "deep": 256 * int(np.asarray(image).max()) + 255}
    return {}


def _of_mask(image: Image.Image) -> Traits:
    import numpy as np

    from robustseg.data.sources.mask_pixels import blank, drawn_in_alpha, is_plain, used_colours

    if image.mode in ("LA", "RGBA"):
        raw = np.asarray(image)
        if kind := blank(raw):
            return {"blank": kind}
        return {"alpha": True} if drawn_in_alpha(raw) else {}
    if image.mode == "1":
        return {"one_bit": True}
    if image.mode == "F":
        return {} if np.isfinite(np.asarray(image)).all() else {"odd_floats": True}
    if image.mode == "P":
        used = used_colours(image)
        if all(row[1:] == [row[0]] * 3 + [255] for row in used):
            return {}
        return {"palette": used if len(used) <= LISTED else []}
    return {} if is_plain(image.mode) else {"mode": image.mode}


def _of_labels(image: Image.Image) -> Traits:
    from robustseg.data.sources.label_levels import levels_of

    return {"levels": [(one.number, one.colour, one.pixels) for one in levels_of(image)]}


def reading_of(traits: Traits, rule: MaskRule) -> int:
    """Which reading of its pixels gives a mask its values: 1, or the first that gives others.

    2 minds the traits of files. 3 also reads a fully transparent mask as empty, and one bit a
    pixel as 0 and 255.
    """
    if _is_clear(traits, rule) or ("one_bit" in traits and rule.asks_for_255):
        return 3
    if traits.keys() & {"alpha", "mode", "odd_floats"}:
        return 2
    if "palette" not in traits:
        return 1
    if not traits["palette"]:
        return 2 if rule.positive_values is None and rule.threshold is not None else 1
    from robustseg.data.sources.mask_pixels import reads_anew

    return 2 if reads_anew(traits["palette"], rule) else 1


def _is_clear(traits: Traits, rule: MaskRule) -> bool:
    if traits.get("blank") == "clear":
        return True
    used = traits.get("palette", [])
    colours, opacity = {tuple(row[1:4]) for row in used}, {row[4] for row in used}
    coloured = len(colours) == 1 and colours != {(0, 0, 0)}
    return rule.positive_values is None and coloured and opacity == {0}


def check_blank(masks: Mapping[Path, Traits]) -> None:
    """Refuses black opaque masks among masks that are drawn in the opacity.

    Raises:
        DataError: there are some: each may be a full mask or an empty one.
    """
    if not any("alpha" in traits for traits in masks.values()):
        return
    unclear = [path for path, traits in masks.items() if traits.get("blank") == "opaque"]
    if unclear:
        raise DataError(
            f"{_files(unclear)}: black and opaque all over, while other masks are in the opacity "
            "of their files. Is it full or empty? Save it in grey levels, 255 or 0"
        )


def check_palettes(masks: Mapping[Path, Traits], rule: MaskRule) -> None:
    """Refuses palette masks whose colours do not say what is foreground.

    Raises:
        DataError: there are some.
    """
    for path, traits in masks.items():
        if used := traits.get("palette"):
            from robustseg.data.sources.mask_pixels import palette_values  # needs numpy

            try:
                palette_values(used, rule)
            except DataError as error:
                raise DataError(f"{path}: {error}") from None


def check_mask_depth(masks: Mapping[Path, Traits]) -> None:
    """Refuses masks of several channels of 16 bits.

    Raises:
        DataError: there are some.
    """
    deep = [path for path, traits in masks.items() if "deep_colour" in traits]
    if deep:
        raise DataError(f"{_files(deep)}: {DEEP_MASK}")


def check_depth(images: Mapping[Path, Traits], bits: int | None) -> None:
    """Refuses 16-bit images of a set whose values use fewer bits, or more than they should.

    Args:
        images: the traits of each image file.
        bits: of `image_bits`; None: the upper eight of sixteen are to be taken.

    Raises:
        DataError: the set loses most of its grey levels.
    """
    deep = {path: traits for path, traits in images.items() if "deep" in traits}
    if not deep:
        return
    path = max(deep, key=lambda one: deep[one]["deep"])
    largest = deep[path]["deep"]
    if bits is not None and bits < 16 and any("deep_colour" in one for one in deep.values()):
        first = next(path for path, one in deep.items() if "deep_colour" in one)
        raise DataError(
            f"{first}: 16 bits in each colour, for which image_bits={bits} does not work. "
            "Convert the images to 8 bits, or to 16 bits grey"
        )
    if bits is None and largest.bit_length() < MIN_BITS and largest > 0:
        needed = max(largest.bit_length(), 8)
        colour = any("deep_colour" in one for one in deep.values())
        more = f", in {len(deep)} images" if len(deep) > 1 else ""
        remedy = "Convert them to 8 bits" if colour else f"Set dataset.source.image_bits={needed}"
        raise DataError(
            f"{path}: of 16 bits, and the largest value is {largest}{more}. The upper eight bits "
            f"would leave {(largest >> 8) + 1} grey levels. {remedy}, or "
            "dataset.source.image_bits=16 if the images are that dark"
        )


def remarks_on(images: Mapping[Path, Traits], masks: Mapping[Path, Traits]) -> list[str]:
    """What a person should know of the files of a set; one sentence for each kind."""
    remarks = []
    for kind, files in (("images", images), ("masks", masks)):
        turned = [path for path, traits in files.items() if "turned" in traits]
        if turned:
            other = "masks" if kind == "images" else "images"
            remarks.append(
                f"{_files(turned)}: an orientation tag, which is not applied. If {other} were "
                "drawn on the turned picture, save the files turned"
            )
        paged = [path for path, traits in files.items() if "pages" in traits]
        if paged:
            remarks.append(
                f"{_files(paged)}: several pages, of which the first is read. If the {kind} are "
                "on others, save each page as a file"
            )
    return remarks


def _files(paths: Iterable[Path]) -> str:
    paths = list(paths)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"
