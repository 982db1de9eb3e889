"""Opening files of a data set: regular files only, and only the formats that are listed."""

from __future__ import annotations

import os
import stat
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

    # What Pillow raises over the damaged files of its formats.
    broken = (OSError, SyntaxError, ValueError, EOFError)
    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            image.load()
            yield image
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
    except broken as error:
        size = path.stat().st_size
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "no " + ", ".join(FORMATS) if unknown else str(error) or type(error).__name__
        raise DataError(
            f"{path}: the {kind} cannot be read ({size} bytes; {reason}). "
            "It is damaged or no image: fetch it again, or remove it with what belongs to it"
        ) from error


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
