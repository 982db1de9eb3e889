"""Images and cases that a run has in two of its splits: a test of what was trained on."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robustseg.data.checked_json import read_checked, write_checked
from robustseg.data.checking.duplicates import THUMBNAIL, Appearance, across_splits, thumbnail
from robustseg.data.imageset import ImageSet
from robustseg.errors import DataError
from robustseg.terminal.count import count
from robustseg.terminal.progress import track

log = logging.getLogger(__name__)

Alike = tuple[str, str]  # two checksums of `ImageSet.digests`


def leaks(images: ImageSet, cache: Path) -> list[str]:
    """What a person should know of a run's splits, in a sentence; nothing if nothing.

    Args:
        images: of the run, with its splits.
        cache: folder that keeps which images are alike, whatever their splits.
    """
    parts = []
    cases = _cases(images)
    if cases:
        parts.append(f"{count(len(cases), 'case')} in two splits (such as {cases[0]})")
    counts, example = _pairs(images, cache)
    words = {"exact": "with the same pixels", "near": "of near duplicates"}
    parts += [f"{count(counts[kind], 'pair')} {words[kind]}" for kind in words if counts[kind]]
    if not parts:
        return []
    named = f" ({' and '.join(example)})" if example else ""
    return [
        f"across training, validation and test images: {', '.join(parts)}{named}, so the test is "
        "not independent of training. `robustseg data check` lists them; keep one of each, or "
        "group images that belong together with dataset.source.group_pattern"
    ]


def alike(images: ImageSet, cache: Path) -> list[Alike]:
    """The pairs of different images that are nearly the same picture, whatever their splits.

    From the cache, if it has them.
    """
    assert images.digests is not None
    key = hashlib.sha256("\n".join(sorted(images.digests)).encode()).hexdigest()
    file = cache / "alike" / f"{key[:32]}.json"
    try:
        return _known(read_checked(file, owned=True), {*images.digests})
    except FileNotFoundError:
        pass
    except (OSError, ValueError, DataError) as error:
        log.info("%s: not used (%s), looked for again", file, error)
    found = _compared(images)
    try:
        write_checked(file, found)
    except OSError as error:
        log.info("%s: not kept (%s)", file, error)
    return found


def _known(read: Any, digests: set[str]) -> list[Alike]:
    if not isinstance(read, list) or not all(
        isinstance(one, list)
        and len(one) == 2
        and all(isinstance(part, str) and part in digests for part in one)
        for one in read
    ):
        raise ValueError("it holds something else")
    return [(first, second) for first, second in read]


def _compared(images: ImageSet) -> list[Alike]:
    """Near pairs; of images of equal pixels, however many, one is compared."""
    assert images.digests is not None
    first: dict[str, int] = {}
    for at, digest in enumerate(images.digests):
        first.setdefault(digest, at)
    appearances = [
        Appearance(digest, "", digest, thumbnail(images.images[at]))
        for digest, at in track(first.items(), len(first), "Comparing images")
    ]
    return [(pair.first, pair.second) for pair in across_splits(appearances, [*first])]


def _pairs(images: ImageSet, cache: Path) -> tuple[Counter[str], list[str]]:
    """How many pairs of each kind are of different splits, and the ids of the first of them."""
    counts: Counter[str] = Counter()
    example: list[str] = []
    if images.digests is None or images.images.shape[1] < THUMBNAIL:
        return counts, example
    places: dict[str, list[int]] = {}
    for at, digest in enumerate(images.digests):
        places.setdefault(digest, []).append(at)
    splits = {digest: Counter(images.splits[of].tolist()) for digest, of in places.items()}
    exact = [("exact", digest, digest) for digest in sorted(places)]
    for kind, one, other in [*exact, *(("near", *pair) for pair in alike(images, cache))]:
        a, b = splits[one], splits[other]
        across = a.total() * b.total() - sum(a[split] * b[split] for split in a)
        counts[kind] += across // 2 if kind == "exact" else across  # each pair was counted twice
        if across and not example:
            example = _first_across(images, places[one], places[other])
    return counts, example


def _first_across(images: ImageSet, some: Sequence[int], others: Sequence[int]) -> list[str]:
    """The ids of the first pair, one of each, that are of different splits."""
    pairs = ((i, j) for i in some for j in others if images.splits[i] != images.splits[j])
    return [images.ids[at] for at in sorted(next(pairs))]


def _cases(images: ImageSet) -> list[str]:
    """The groups that have images in several splits."""
    splits: dict[str, set[str]] = {}
    for group, split in zip(images.groups, images.splits, strict=True):
        if group:
            splits.setdefault(group, set()).add(str(split))
    return sorted(group for group, of in splits.items() if len(of) > 1)
