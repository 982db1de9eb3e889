"""The one "did you mean"."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[object]) -> str | None:
    """The name that was probably meant; None if none is near."""
    near = difflib.get_close_matches(word, sorted(map(str, known)), n=1, cutoff=0.5)
    return near[0] if near else None


def suggestion(word: str, known: Iterable[object]) -> str:
    """What was probably meant, or what there is to choose from, to be said behind a message.

    Example:
        >>> suggestion("tlos", ["tloss", "gce"])
        'did you mean tloss?'
        >>> suggestion("x", ["tloss", "gce"])
        'there are: gce, tloss'
    """
    names = sorted(map(str, known))
    near = nearest(word, names)
    return f"did you mean {near}?" if near else f"there are: {', '.join(names)}"
