"""What the label maps of a set hold, for its check."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robustseg.data.checking.classes import measured_classes
from robustseg.data.checking.foreground import Foreground
from robustseg.data.checking.seen import Seen
from robustseg.data.sources.files import FileSource
from robustseg.data.sources.label_levels import level_text, shares_of
from robustseg.data.sources.label_rule import LabelRule
from robustseg.data.sources.source import SPLITS, Source


def label_rule(source: Source) -> LabelRule | None:
    """How label maps are read; None of binary masks."""
    return source.labels() if isinstance(source, FileSource) else None


def unnamed(source: Source, seen: Sequence[Seen]) -> list[str]:
    """The error of values that belong to no class, with those of the whole set."""
    rule = label_rule(source)
    if rule is None:
        return []
    text = rule.unnamed({path: of for one in seen for path, of in one.levels.items()})
    return [text] if text else []


def level_shares(source: Source, seen: Sequence[Seen]) -> tuple[dict[str, float], bool]:
    """The share of pixels of each value of label maps, and whether they are colours."""
    rule = label_rule(source)
    files = [levels for one in seen for levels in one.levels.values()]
    colours = any(one.number is None for levels in files for one in levels)
    colours = colours if rule is None else rule.colours
    shares = shares_of(files, colours)
    return {level_text(c, colours): share for c, share in shares.items() if c is not None}, colours


def by_class(seen: Sequence[Seen], names: Sequence[str]) -> dict[str, list[Foreground]]:
    """Each foreground class in each split."""
    if not seen or not names:
        return {}
    counts = np.array([one.counts for one in seen], float)
    pixels = np.array([[np.prod([*map(int, one.size.split("×"))])] for one in seen])
    small = np.array([one.small_shares for one in seen])
    splits = np.array([one.record.split for one in seen])
    return measured_classes(splits, small, counts[:, 1:] / pixels, names)


def class_table(seen: Sequence[Seen], names: Sequence[str]) -> dict[str, dict[str, float | int]]:
    """The share of pixels of each class, and how many images of each split have it."""
    if not seen or not names:
        return {}
    counts = np.array([one.counts for one in seen])
    splits = [split for split in SPLITS if any(one.record.split == split for one in seen)]
    return {
        name: {"share": float(counts[:, at].sum() / max(counts.sum(), 1))}
        | {
            split: sum(one.counts[at] > 0 for one in seen if one.record.split == split)
            for split in splits
        }
        for at, name in enumerate(names)
    }


def overlaps(seen: Sequence[Seen]) -> dict[str, float | int]:
    """In how many images several classes claim a pixel, and the share of such pixels."""
    if not any(one.record.parts for one in seen):
        return {}
    foreground = sum(sum(one.counts[1:]) for one in seen)
    twice = sum(one.twice for one in seen)
    return {
        "images": sum(one.twice > 0 for one in seen),
        "share": twice / max(foreground, 1),
    }
