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

_KEPT = 100_000  # pairs that are remembered of a set

Alike = tuple[str, str, str]  # "exact" or "near", and two checksums of `ImageSet.digests`


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
    pairs = _pairs(images, alike(images, cache))
    kinds = Counter(kind for kind, *_ in pairs)
    words = {"exact": "of the same pixels", "near": "of nearly the same picture"}
    parts += [f"{count(kinds[kind], 'pair')} {words[kind]}" for kind in words if kinds[kind]]
    if not parts:
        return []
    example = f"; {pairs[0][1]} and {pairs[0][2]}" if pairs else ""
    return [
        f"across training, validation and test images there are {', '.join(parts)}{example}: a "
        "test of what was trained on. `robustseg data check` lists them; keep one of each, or name "
        "what belongs together with dataset.source.group_pattern"
    ]


def alike(images: ImageSet, cache: Path) -> list[Alike]:
    """The pairs of images that are alike, whatever their splits, from the cache if it has them."""
    if images.digests is None or images.images.shape[1] < THUMBNAIL:
        return []
    key = hashlib.sha256("\n".join(sorted(images.digests)).encode()).hexdigest()
    file = cache / "alike" / f"{key[:32]}.json"
    try:
        return _known(read_checked(file, owned=True))
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


def _known(read: Any) -> list[Alike]:
    if not isinstance(read, list) or not all(
        isinstance(one, list) and len(one) == 3 and all(isinstance(part, str) for part in one)
        for one in read
    ):
        raise ValueError("it holds something else")
    return [(kind, first, second) for kind, first, second in read]


def _compared(images: ImageSet) -> list[Alike]:
    assert images.digests is not None
    rows = track(zip(images.digests, images.images, strict=True), len(images), "Comparing images")
    appearances = [
        Appearance(digest, str(at), digest, thumbnail(image))
        for at, (digest, image) in enumerate(rows)
    ]
    return [(pair.kind, pair.first, pair.second) for pair in across_splits(appearances)[:_KEPT]]


def _pairs(images: ImageSet, known: Sequence[Alike]) -> list[Alike]:
    """Those of the pairs that are of different splits, with the images' ids."""
    if images.digests is None or not known:
        return []
    places: dict[str, list[int]] = {}
    for at, digest in enumerate(images.digests):
        places.setdefault(digest, []).append(at)
    found = {
        (kind, images.ids[min(i, j)], images.ids[max(i, j)]): None
        for kind, first, second in known
        for i in places.get(first, ())
        for j in places.get(second, ())
        if images.splits[i] != images.splits[j]
    }
    return list(found)


def _cases(images: ImageSet) -> list[str]:
    """The groups that have images in several splits."""
    splits: dict[str, set[str]] = {}
    for group, split in zip(images.groups, images.splits, strict=True):
        if group:
            splits.setdefault(group, set()).add(str(split))
    return sorted(group for group, of in splits.items() if len(of) > 1)
