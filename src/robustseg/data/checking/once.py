"""The same thing about many files, said once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_LISTED = 3
# What differs between messages of one kind: names of files, quoted names, numbers.
_VARIES = re.compile(r"'[^']*'|[^\s,()]+\.(?:png|jpe?g|bmp|tiff?|gif|webp)\b|\d+(?:\.\d+)?", re.I)


def once(messages: Iterable[str]) -> list[str]:
    """Messages "FILE: TEXT" of one kind as one, with the number and first names of the files.

    Two are of one kind if they differ in names and numbers only; the text is that of the first.

    Examples:
        >>> once(["m/a.png: of 3 values", "m/b.png: of 4 values", "other"])
        ['m/a.png and 1 more (b.png): of 3 values', 'other']
    """
    kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for message in dict.fromkeys(messages):
        place, _, text = message.partition(": ")
        kind = _VARIES.sub("*", text)
        folder = str(Path(place).parent) if text else place
        kinds.setdefault((folder, kind), []).append((place, text))
    return [line for found in kinds.values() for line in _lines(found)]


def _lines(found: list[tuple[str, str]]) -> list[str]:
    places = list(dict.fromkeys(place for place, _ in found))
    if len(places) < len(found):  # several things about one file
        return [f"{place}: {text}" if text else place for place, text in found]
    first, text = found[0]
    if len(found) == 1:
        return [f"{first}: {text}" if text else first]
    names = [Path(place).name for place in places[1:_LISTED]]
    more = ", …" if len(places) > _LISTED else ""
    return [f"{first} and {len(places) - 1} more ({', '.join(names)}{more}): {text}"]
