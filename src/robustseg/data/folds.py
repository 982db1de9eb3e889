"""Cross-validation: which images a run of one fold holds out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robustseg.data.imageset import ImageSet
from robustseg.data.selection import has_foreground
from robustseg.data.sources.split import seeded_folds

_CLASSES = 3  # of images with foreground, by its share


def hold_out_fold(
    imageset: ImageSet,
    folds: int,
    fold: int,
    *,
    drawn_test: bool,
    stratum: Callable[[str], str] | None = None,
    seed: int = 0,
) -> ImageSet:
    """A set with one fold of its images as test split, the others being for training.

    A test split that is not random stays as it is: then the fold of the other images is the
    validation split. Groups stay whole. As far as they allow, each fold has its share of the
    images without foreground, of each third of the others by its share, and of each stratum.

    Args:
        imageset: all images.
        folds: how many parts there are.
        fold: the one that is held out, 0 to folds − 1.
        drawn_test: whether the test split is one draw of many; see `Source`.
        stratum: gives an id's stratum; None: all are alike.
        seed: of the draw; see `seeded_folds`.

    Raises:
        DataError: there are fewer images, or groups, than folds.
    """
    splits = imageset.splits.copy()
    kept = np.zeros(len(imageset), dtype=bool) if drawn_test else splits == "test"
    dealt = np.flatnonzero(~kept)
    ids = [imageset.ids[i] for i in dealt]
    grouped = any(imageset.groups[i] for i in dealt)
    groups = {imageset.ids[i]: imageset.groups[i] or imageset.ids[i] for i in dealt}
    classes = dict(zip(ids, _foreground_classes(imageset, dealt), strict=True))
    strata = {name: f"{stratum(name) if stratum else ''} {classes[name]}" for name in ids}
    of = seeded_folds(ids, folds, seed, groups if grouped else None, strata)
    held = "val" if kept.any() else "test"
    splits[dealt] = [held if of[name] == fold else "train" for name in ids]
    return replace(imageset, splits=splits)


def _foreground_classes(imageset: ImageSet, chosen: np.ndarray) -> list[int]:
    """0 for images without foreground; 1, 2 and 3 for thirds of the others by its share."""
    if imageset.own_foreground is None:
        shares = has_foreground(imageset.masks[chosen]).astype(float)
    else:
        shares = imageset.own_foreground[chosen]
    positive = np.flatnonzero(shares > 0).tolist()
    ranked = sorted(positive, key=lambda at: (shares[at], imageset.ids[chosen[at]]))
    classes = [0] * len(chosen)
    for rank, at in enumerate(ranked):
        classes[at] = 1 + rank * _CLASSES // len(ranked)
    return classes
