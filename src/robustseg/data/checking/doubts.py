"""Whether a set as a whole looks wrong: swapped folders, inverted masks, too few images."""

from __future__ import annotations

from collections.abc import Sequence

from robustseg.data.checking.foreground import LOOKED_AT
from robustseg.data.checking.seen import Seen
from robustseg.data.sources.reading import is_picture
from robustseg.terminal.count import count

FEW_IMAGES = 10  # fewer are remarkable
_NEARLY_ALL = 0.9  # of the masks


def doubts(seen: Sequence[Seen], names: Sequence[str]) -> list[str]:
    """What a person should look at.

    Args:
        seen: every record.
        names: of the classes of label maps; none of binary masks.
    """
    found = _swapped(seen)
    if 0 < len(seen) < FEW_IMAGES:
        found.append(
            f"there {'is' if len(seen) == 1 else 'are'} only {count(len(seen), 'image')}: results "
            "depend on which of them are tested"
        )
    return found if names else [*found, *_inverted(seen)]


def _swapped(seen: Sequence[Seen]) -> list[str]:
    """A warning if the masks look like pictures, and the images like masks."""
    pairs = [(one.record.image, one.record.mask) for one in seen]
    known = [(image, mask) for image, mask in pairs if image and mask][:LOOKED_AT]
    if not known or not all(is_picture(m) and is_picture(i) is False for i, m in known):
        return []
    image, mask = known[0]
    return [
        f"the masks look like pictures and the images like masks, such as {mask} and {image}: are "
        "the folders swapped?"
    ]


def _inverted(seen: Sequence[Seen]) -> list[str]:
    """A warning if nearly every mask is foreground for the most part."""
    read = [one for one in seen if not one.error]
    most = sum(one.foreground > 0.5 for one in read)
    if len(read) < 2 or most < _NEARLY_ALL * len(read):
        return []
    return [
        f"{most} of {len(read)} masks are foreground in more than half of their pixels: are they "
        "inverted?"
    ]
