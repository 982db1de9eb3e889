"""Untrusted text for a terminal: no control characters, no lines of their own."""

import json
import re
import unicodedata
from typing import Any

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, invisible marks, halves, separators


def is_plain(text: str) -> bool:
    r"""Whether a text has no character that a terminal would obey instead of showing.

    Example:
        >>> is_plain("α = 0.3"), is_plain("\x1b[2J")
        (True, False)
    """
    return (text.isascii() and text.isprintable()) or not any(map(_is_hidden, text))


def printable(text: str, keep: str = "") -> str:
    r"""Write what a terminal would act on, or could not show, as its escape.

    Control characters (also those above 127), marks that turn the direction of writing, line
    separators and halves of surrogate pairs become such as ``\x1b``, ``\n`` or ``\u202e``; a byte
    of a name that is not UTF-8 becomes ``\xff``.

    Args:
        text: such as a run id, a file's name or the message of an error.
        keep: characters that stay, such as the newlines of a message.

    Example:
        >>> print(printable("a\x1b[2Jb"))
        a\x1b[2Jb
    """
    if is_plain(text):
        return text
    return "".join(
        _escaped(char) if _is_hidden(char) and char not in keep else char for char in text
    )


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # how Python spells a byte that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def plain_json(value: Any) -> str:
    r"""JSON without a character that a terminal acts on; the values are the same.

    Example:
        >>> print(plain_json("α\x9b2J"))
        "α\u009b2J"
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _BESIDE_LINES.sub(_unicode, text)


_BESIDE_LINES = re.compile(r"[^\n -~]")


def _unicode(match: re.Match[str]) -> str:
    char = match[0]
    return json.dumps(char)[1:-1] if _is_hidden(char) else char


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN
