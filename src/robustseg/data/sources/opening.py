"""Opening files of a data set: regular files only, and only the formats that are listed."""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from robustseg.errors import DataError
from robustseg.terminal.printable import printable

if TYPE_CHECKING:
    from PIL import Image

# Pillow's names of the formats of `IMAGE_ENDINGS`. Others are not tried, whatever a file is named:
# for some of them Pillow starts programs.
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP")
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright
DEEP_MASK = (
    "the mask has 16 bits in each colour, of which 8 are read: 1 would be read as 0. Save it in "
    "grey levels"
)
# What Pillow raises over the damaged files of its formats.
BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, SystemError),
    struct.error,
)


def open_regular(path: str | Path) -> BufferedReader:
    """Open a file to read bytes; a FIFO or a device, which could block forever, is refused.

    Raises:
        OSError: it cannot be opened.
        DataError: it is not a regular file.
    """
    # Without O_NONBLOCK the opening of a FIFO waits for a writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DataError(
                f"{printable(str(path))}: not a regular file. Remove it or replace it by one"
            )
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


@contextmanager
def opened(path: Path, kind: str) -> Iterator[Image.Image]:
    """A decoded image file; what is wrong with it becomes a DataError."""
    from PIL import Image, UnidentifiedImageError

    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            if kind == "mask" and is_deep_colour(image):
                raise DataError(f"{path}: {DEEP_MASK}")
            yield _loaded(image)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(
            f"{path}: the {kind} file is gone. Restore it, or remove what belongs to it"
        ) from None
    except PermissionError:
        raise DataError(f"{path}: not allowed to read the {kind} file. Change its mode") from None
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{path}: the {kind} has more pixels than Pillow accepts ({error}). "
            "Cut it into tiles or save it smaller"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, SystemError) as error:
        size = path.stat().st_size
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "no " + ", ".join(FORMATS) if unknown else str(error) or type(error).__name__
        raise DataError(
            f"{path}: the {kind} cannot be read ({size} bytes; {reason}). The file is damaged or "
            "not an image. Get it again, or remove it (with its mask or image)"
        ) from error


def is_deep_colour(image: Image.Image) -> bool:
    """Whether a file has several channels of 16 bits, of which Pillow gives 8.

    Loaded pixels do not tell.
    """
    tiles = getattr(image, "tile", [])
    return len(image.getbands()) > 1 and bool(tiles) and ";16" in str(tiles[0].args)


def _loaded(image: Image.Image) -> Image.Image:
    """The decoded image as it is stored.

    Raises:
        OSError: the file is damaged, whatever Pillow calls it.
    """
    try:
        tag = image.getexif().get(ORIENTATION, 1) if image.format == "TIFF" else 1
        image.load()
        return image if tag == 1 else _turned_back(image, tag)
    except BROKEN as error:
        if isinstance(error, OSError | SyntaxError | ValueError | EOFError | SystemError):
            raise
        raise OSError(f"{type(error).__name__}: {error}") from error


def _turned_back(image: Image.Image, tag: int) -> Image.Image:
    """A TIFF as it is stored: Pillow turns it, and no other format, by its orientation tag."""
    from PIL import Image

    if image.getexif().get(ORIENTATION, 1) == tag:
        return image  # not turned
    way = Image.Transpose
    back = {
        **{2: way.FLIP_LEFT_RIGHT, 3: way.ROTATE_180, 4: way.FLIP_TOP_BOTTOM, 5: way.TRANSPOSE},
        **{6: way.ROTATE_90, 7: way.TRANSVERSE, 8: way.ROTATE_270},
    }
    stored = image.transpose(back[tag]) if tag in back else image
    stored.getexif()[ORIENTATION] = tag
    stored.format = image.format
    return stored


def name_trouble(name: str) -> str:
    """Why a name cannot be an id; "" if it can."""
    if any("\ud800" <= char <= "\udfff" for char in name):
        return "its name is not UTF-8"
    if any(map(_unprintable, name)):
        return "its name has control characters"
    return ""


def _unprintable(char: str) -> bool:
    # Control, surrogate, line and paragraph separator; and what turns the direction of writing.
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or (
        "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
    )
