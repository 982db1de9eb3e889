"""Which images of a set a run uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from robustseg import IGNORED
from robustseg.data.imageset import ImageSet
from robustseg.data.sources.split import draw, seeded_split
from robustseg.errors import DataError, OptionError

SUBSETS = ("all", "positive")


def hold_out(
    imageset: ImageSet,
    fraction: float,
    stratum: Callable[[str], str] | None = None,
    seed: int = 0,
) -> ImageSet:
    """A set with a share of its training images as validation split.

    Groups stay whole, and each stratum gives its share.

    Args:
        imageset: all images.
        fraction: share of the training images, in [0, 1); 0 changes nothing.
        stratum: gives an id's stratum; None: all are alike.
        seed: of the draw; see `seeded_split`.

    Raises:
        DataError: the set has a validation split of its own, or one of the two parts is empty.
    """
    if not fraction:
        return imageset
    training = np.flatnonzero(imageset.splits == "train")
    if (imageset.splits == "val").any():
        count = int((imageset.splits == "val").sum())
        raise DataError(
            f"dataset.val_fraction={fraction}, but the data set has a validation split of its own "
            f"({count} images). Set dataset.val_fraction=0"
        )
    ids = [imageset.ids[i] for i in training]
    groups = {imageset.ids[i]: imageset.groups[i] or imageset.ids[i] for i in training}
    strata = {name: stratum(name) for name in ids} if stratum else None
    split = seeded_split(ids, {"train": 1 - fraction, "val": fraction}, seed, groups, strata)
    chosen = [i for i in training if split[imageset.ids[i]] != "train"]
    if not 0 < len(chosen) < len(ids):
        raise DataError(
            f"dataset.val_fraction={fraction} of {len(ids)} training images leaves "
            f"{len(chosen)} to validate with. Take another share, or 0 for none"
        )
    splits = imageset.splits.copy()
    splits[chosen] = "val"
    return replace(imageset, splits=splits)


def select(
    imageset: ImageSet,
    *,
    subset: str = "all",
    positive_fraction: float | None = None,
    train_size: int | None = None,
    seed: int = 0,
) -> ImageSet:
    """A part of a set, in its order. An image is positive if its mask has foreground of any class.

    Args:
        imageset: all images.
        subset: "all", or "positive" for the positive images of every split.
        positive_fraction: in (0, 1); in every split all negative images stay and as many
            positive ones as make up this share at most, drawn by `seed`; a val split that does not
            have so many stays whole.
        train_size: so many training images, drawn by `seed`; a smaller number gives a part of
            what a larger one gives.
        seed: of the draws; an image's place in them does not depend on the other images.

    Raises:
        DataError: an option out of range, a share or size that cannot be reached, an empty split.
    """
    if subset not in SUBSETS:
        raise OptionError(f"dataset.subset must be {' or '.join(SUBSETS)}, got {subset!r}")
    if subset == "positive" and positive_fraction is not None:
        raise OptionError(
            "dataset.subset=positive leaves no negative images: set dataset.positive_fraction=null"
        )
    keep = np.ones(len(imageset), dtype=bool)
    if subset == "positive":
        keep = has_foreground(imageset.masks)
    if positive_fraction is not None:
        keep = _with_fraction(imageset, positive_fraction, seed)
    for split in _needed(imageset):
        if not keep[imageset.splits == split].any():
            raise DataError(
                f"dataset.subset={subset}: no image of the split {str(split)!r} has foreground. "
                "Set dataset.subset=all, or look at the masks with robustseg data check"
            )
    if train_size is not None:
        keep = _with_train_size(imageset, keep, train_size, seed)
    return imageset if keep.all() else imageset.subset(np.flatnonzero(keep))


def _needed(imageset: ImageSet) -> list[str]:
    """The splits that a run needs; it trains and tests, so a val split may be of any kind."""
    return [name for name in ("train", "test") if (imageset.splits == name).any()]


def has_foreground(masks: np.ndarray) -> np.ndarray:
    """(N,) bool: whether each mask (H, W) has a pixel of a foreground class."""
    return np.array([bool(is_foreground(mask).any()) for mask in masks], dtype=bool)


def is_foreground(mask: np.ndarray) -> np.ndarray:
    """Where a mask or label map has a foreground class: neither 0 nor ignored."""
    return (mask != 0) & (mask != IGNORED)


def _with_fraction(imageset: ImageSet, fraction: float, seed: int) -> np.ndarray:
    """Which images stay so that `fraction` of each split is positive."""
    if not 0 < fraction < 1:
        raise OptionError(f"dataset.positive_fraction must be in (0, 1), got {fraction}")
    positive = has_foreground(imageset.masks)
    keep, needed = ~positive, _needed(imageset)
    for split in [*needed, *(["val"] if (imageset.splits == "val").any() else [])]:
        inside = imageset.splits == split
        candidates = np.flatnonzero(inside & positive)
        negatives = int((inside & ~positive).sum())
        # Rounded down, so that a set that has the share already keeps all; 1e-9 for 6.999999.
        wanted = int(fraction * negatives / (1 - fraction) + 1e-9)
        if not 1 <= wanted <= len(candidates):
            if split not in needed:
                keep[candidates] = True
                continue
            total = len(candidates) + negatives
            raise DataError(
                f"dataset.positive_fraction={fraction} cannot be reached in the split "
                f"{str(split)!r}, which has {len(candidates)} positive of {total} images "
                f"({len(candidates) / total:.3f}). Take a share between 0 and that"
            )
        keep[_first(imageset, candidates, wanted, seed)] = True
    return keep


def _with_train_size(imageset: ImageSet, keep: np.ndarray, size: int, seed: int) -> np.ndarray:
    """What stays of `keep` with `size` training images."""
    training = imageset.splits == "train"
    candidates = np.flatnonzero(keep & training)
    if not 1 <= size <= len(candidates):
        raise DataError(
            f"dataset.train_size={size}: the training set has {len(candidates)} images. "
            f"Take 1 to {len(candidates)}, or null for all"
        )
    keep = keep & ~training
    keep[_first(imageset, candidates, size, seed)] = True
    return keep


def _first(imageset: ImageSet, candidates: np.ndarray, count: int, seed: int) -> list[int]:
    """The first of the candidates in the order of the seed."""
    return sorted(candidates.tolist(), key=lambda i: draw(seed, imageset.ids[i]))[:count]
