"""Whether there is foreground to learn and to test on, and how much is left at the size trained at.

Where no mask has foreground, a network that predicts nothing scores a Dice of 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from robustseg import IGNORED
from robustseg.data.imageset import ImageSet
from robustseg.data.selection import is_foreground
from robustseg.data.sources.files import FileSource
from robustseg.data.sources.source import Record, Source
from robustseg.errors import DataError

FEW = 0.02  # a share of images with foreground below this is remarkable
LITTLE = 1e-4  # and a share of pixels
KEPT = 0.5  # of a mask's foreground, relative to the image; less is remarkable
LOOKED_AT = 20  # masks whose values a message lists

NEEDED = ("train", "test")
WORDS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Foreground:
    """The foreground of a split's masks at the size that a run trains at.

    Attributes:
        split: "train", "val" or "test".
        images: how many there are.
        positive: of them with foreground.
        full: with foreground everywhere.
        share: of the pixels that are foreground.
        before: images with foreground at their own size.
        vanished: of these without foreground at this size.
        shrunk: of these with less than half of its share left, but some.
    """

    split: str
    images: int
    positive: int
    full: int
    share: float
    before: int
    vanished: int
    shrunk: int


def foreground_of(images: ImageSet) -> list[Foreground]:
    """The foreground of each split that has images."""
    return [
        measured(name, map(foreground_share, part.masks), part.own_foreground)
        for name in WORDS
        if len(part := images.split(name))
    ]


def foreground_share(mask: np.ndarray) -> float:
    """The share of a mask's pixels that are foreground; NaN if it has no background."""
    count = int(is_foreground(mask).sum())
    if count and count == int((mask != IGNORED).sum()):
        return float("nan")
    return count / mask.size


def measured(split: str, shares: Iterable[float], own: np.ndarray | None) -> Foreground:
    """The foreground of a split.

    Args:
        split: its name.
        shares: `foreground_share` of each mask at the size trained at.
        own: (N,) shares at the images' own size; None where they are as good as the others.
    """
    now = np.array(list(shares))
    full = np.isnan(now)
    before = np.nan_to_num(now, nan=1) if own is None else np.asarray(own)
    had = before > 0
    return Foreground(
        split,
        images=len(now),
        positive=int((full | (now > 0)).sum()),
        full=int(full.sum()),
        share=float(np.nan_to_num(now, nan=1).sum() / max(len(now), 1)),
        before=int((had | full | (now > 0)).sum()),
        vanished=int((had & (now == 0)).sum()),
        shrunk=int((had & (now > 0) & (now < KEPT * before)).sum()),
    )


def troubles(
    found: Sequence[Foreground], image_size: int | None, source: Source, records: Sequence[Record]
) -> tuple[list[str], list[str]]:
    """What a run refuses, and what a person should know.

    Args:
        found: of each split.
        image_size: dataset.image_size; None if masks are at their own size.
        source: of the masks; asked for its rule where it empties them.
        records: of the masks, all of which can be read.
    """
    empty = [one for one in found if not one.positive]
    gone = [one for one in empty if one.before]
    never = [one for one in empty if not one.before]
    # A label map may be of foreground classes everywhere.
    classes = len(getattr(source, "classes", None) or ())
    full = [one for one in found if one.full == one.images and classes <= 2]
    errors: list[str] = []
    warnings: list[str] = []
    for group, text in (
        (gone, f"none of the {{}} has foreground left at dataset.image_size={image_size}; {{}} had "
         "some at their own size. Set a larger dataset.image_size, or crop the images"),
        (never, "none of the {} has foreground"),
        (full, "every one of the {} is foreground everywhere"),
    ):  # fmt: skip
        if group:
            splits = {one.split for one in group}
            text = text.format(_masks(group), sum(one.before for one in group))
            text += (
                ""
                if group is gone
                else _rule(source, [one for one in records if one.split in splits])
            )
            needed = any(one.split in NEEDED for one in group)
            (errors if needed else warnings).append(text)
    for one in found:
        if one not in empty and one not in full:
            warnings += _warnings(one, image_size)
    return errors, warnings


def _masks(group: Sequence[Foreground]) -> str:
    """The masks of some splits with their numbers."""
    counts = [f"{one.images} {WORDS[one.split]}" for one in group]
    return f"{' and '.join(filter(None, (', '.join(counts[:-1]), counts[-1])))} masks"


def _warnings(one: Foreground, image_size: int | None) -> list[str]:
    warnings = []
    name = f"of the {_masks([one])}"
    if one.positive < FEW * one.images:
        warnings.append(
            f"{one.positive} {name} have foreground: a network that predicts none scores well. "
            "dataset.positive_fraction or dataset.subset=positive leave empty ones out"
        )
    elif one.share < LITTLE:
        warnings.append(
            f"{one.share:.2g} of the pixels {name} are foreground: is the rule of the masks right?"
        )
    if one.vanished or one.shrunk:
        warnings.append(
            f"{one.vanished} {name} lose their foreground and {one.shrunk} more than half of it "
            f"at dataset.image_size={image_size}. Set a larger one, or crop the images"
        )
    return warnings


def _rule(source: Source, records: Sequence[Record]) -> str:
    """The rule that reads the masks, and what values they hold."""
    if not isinstance(source, FileSource):
        return ""
    rule = source.labels() or source.rule()
    values = _values(records)
    listed = ", ".join(f"{value:g}" for value in values[:8]) + (", …" if len(values) > 8 else "")
    held = f", and the masks hold {listed}" if values else ", and there are no mask files"
    settings = (
        "dataset.source.mask_threshold or dataset.source.positive_values"
        if source.labels() is None
        else "dataset.source.values"
    )
    return f". The rule is {rule}{held}. Correct {settings}, or the masks"


def _values(records: Sequence[Record]) -> list[float]:
    """The values that some mask files hold."""
    from robustseg.data.sources.reading import file_facts

    values: set[float] = set()
    for record in [record for record in records if record.mask_files][:LOOKED_AT]:
        for path in record.mask_files:
            values.update(file_facts(path, values=True).values)
    return sorted(values)


def check_foreground(images: ImageSet, source: Source) -> list[str]:
    """Refuses a set without foreground to train or test on; returns the warnings.

    Raises:
        DataError: no training or test mask has foreground, or none has background.
    """
    size = images.masks.shape[1]
    split = dict(zip(images.ids, map(str, images.splits), strict=True))  # a fold has others
    records = [replace(one, split=split[one.id]) for one in source.records() if one.id in split]
    errors, warnings = troubles(foreground_of(images), size, source, records)
    if errors:
        raise DataError("; ".join(errors))
    return warnings
