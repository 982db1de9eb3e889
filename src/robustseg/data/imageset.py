"""Images and masks of one size, ready to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images with their masks.

    The arrays are usually memory-mapped and read only: copy before writing.

    Attributes:
        ids: N unique names.
        splits: (N,) strings, "train", "val" or "test".
        images: (N, H, W, C) uint8, C 1 or 3.
        masks: (N, H, W) uint8: 0 background, 1 foreground, 255 ignored; of label maps k is class
            k of the data set's `classes`.
        groups: N names of groups (patient, case); "" where unknown.
        digests: N checksums of the images' pixels at this size; None where unknown.
        own_foreground: (N,) share of foreground in the mask at the image's own size; None where
            unknown.
        own_classes: (N, K − 1) the same for each foreground class of label maps; None of binary
            masks and where unknown.
    """

    ids: list[str]
    splits: np.ndarray
    images: np.ndarray
    masks: np.ndarray
    groups: list[str]
    digests: list[str] | None = None
    own_foreground: np.ndarray | None = None
    own_classes: np.ndarray | None = None

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.ids, self.splits, self.images, self.masks, self.groups)}
        if len(lengths) != 1:
            raise ValueError(f"ids, splits, images, masks, groups differ in length: {lengths}")
        if self.images.shape[:3] != self.masks.shape:
            raise ValueError(f"images {self.images.shape} do not fit masks {self.masks.shape}")

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageSet:
        """The images at `indices`, in that order; a view where the indices are consecutive."""
        index = np.asarray(indices, dtype=np.intp if len(indices) == 0 else None)
        if index.ndim != 1 or not np.issubdtype(index.dtype, np.integer):
            raise ValueError(f"indices must be a list of whole numbers, got {index.dtype}")
        # A slice keeps a memory map on disk; an array of indices copies it into memory.
        consecutive = len(index) > 0 and index[0] >= 0 and bool((np.diff(index) == 1).all())
        rows = slice(int(index[0]), int(index[-1]) + 1) if consecutive else index
        return ImageSet(
            ids=[self.ids[i] for i in index],
            splits=self.splits[rows],
            images=self.images[rows],
            masks=self.masks[rows],
            groups=[self.groups[i] for i in index],
            digests=None if self.digests is None else [self.digests[i] for i in index],
            own_foreground=None if self.own_foreground is None else self.own_foreground[rows],
            own_classes=None if self.own_classes is None else self.own_classes[rows],
        )

    def split(self, name: str) -> ImageSet:
        """The images of one split, "train", "val" or "test"; empty if there are none."""
        return self.subset(np.flatnonzero(self.splits == name))
