"""The one "did you mean"."""

import difflib
import re
from collections.abc import Iterable, Sequence

_MANY = 10  # names that are still listed


def nearest(word: str, known: Iterable[object]) -> str | None:
    """The name that was probably meant, also in other letters; None if none is near.

    Example:
        >>> nearest("T-Loss", ["tloss", "gce"])
        'tloss'
    """
    names = sorted(map(str, known))
    small = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    alike = difflib.get_close_matches(word.lower(), small, n=1, cutoff=0.6)
    return next(iter([*near, *(small[name] for name in alike)]), None)


def suggestion(word: str, known: Iterable[object], usual: Sequence[str] = ()) -> str:
    """What was probably meant, or what there is to choose from, to be said behind a message.

    Args:
        word: that is not known.
        known: all that might be meant.
        usual: of many those that are listed where none is near; none: all.

    Example:
        >>> suggestion("tlos", ["tloss", "gce"])
        'did you mean tloss?'
        >>> suggestion("x", ["tloss", "gce"])
        'there are: gce, tloss'
        >>> suggestion("x", ["tloss", "gce"], usual=["gce"])
        'there are: gce, and 1 more'
    """
    names = sorted(map(str, known))
    near = nearest(word, names)
    if near:
        return f"did you mean {near}?"
    listed = sorted(usual) or names
    more = len(names) - len(listed)
    return f"there are: {', '.join(listed)}" + (f", and {more} more" if more else "")


def shorter(text: str) -> str:
    """A message with the nearest names in place of a long list of all of them.

    Example:
        >>> names = [f"resnet{depth}" for depth in range(50)]
        >>> shorter(f"Wrong encoder name `resnet-18`, supported encoders: {names}")
        'Wrong encoder name `resnet-18`, nearest of 50: resnet18, resnet8, resnet1'
    """
    found = re.search(r"[`'\"]([^`'\"\s]+)[`'\"](?P<said>[^\[\]]*)(?P<list>\[[^\[\]]*\])", text)
    if not found:
        return text
    names = re.findall(r"['\"]([^'\"]+)['\"]", found["list"])
    near = difflib.get_close_matches(found[1], names, n=3, cutoff=0.3)
    if len(names) <= _MANY or not near:
        return text
    start, end = found.span("said")[0], found.span("list")[1]
    rest = text[end:].rstrip("'\"")  # of a KeyError, which quotes its message
    return f"{text[:start].lstrip(chr(34))}, nearest of {len(names)}: {', '.join(near)}{rest}"
