"""Text of others on a terminal: shown, never obeyed."""

import sys
import unicodedata
from typing import Any

# Control, format (as those that reverse text), surrogate, line and paragraph separator.
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def is_plain(text: str) -> bool:
    r"""Whether a text has no character that a terminal would obey instead of showing.

    Example:
        >>> is_plain("α = 0.3"), is_plain("\x1b[2J")
        (True, False)
    """
    return (text.isascii() and text.isprintable()) or not any(map(_is_unseen, text))


def printable(text: str) -> str:
    r"""A text with such characters as escapes; newlines and tabs stay.

    Example:
        >>> printable("a\x1b[2Jb")
        'a\\x1b[2Jb'
    """
    if is_plain(text):
        return text
    return "".join(
        char.encode("unicode_escape", "surrogatepass").decode("ascii")
        if _is_unseen(char) and char not in "\n\t"
        else char
        for char in text
    )


def print_anything(*streams: Any) -> None:
    r"""Let streams write what their encoding does not know as escapes: ``\u03bd`` for ν.

    Args:
        *streams: text streams; none: standard output and error. One that a program has replaced by
            something else stays as it is.
    """
    for stream in streams or (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) in _UNSEEN
