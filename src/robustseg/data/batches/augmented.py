"""Training images with their (noisy) masks, augmented."""

import random
from collections.abc import Sequence
from typing import Any

import albumentations as A
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from robustseg.data.batches.sampler import EpochBatches


class Augmentation:
    """Transforms of one image and its mask, drawn from (seed, pass, index) alone.

    albumentations would otherwise repeat its draws over workers and epochs.

    Args:
        transforms: albumentations transforms, applied in order; may be empty.
        seed: of the run.
    """

    def __init__(self, transforms: Sequence[A.BasicTransform], seed: int) -> None:
        self.seed = seed
        self.transform = A.Compose(list(transforms)) if transforms else None

    def __call__(
        self, number: int, index: int, image: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Augment image `index` (H, W, C) and its mask (H, W) for pass `number`."""
        if self.transform is None:
            return image, mask
        seed = np.random.SeedSequence([self.seed, number, index])
        # One stream for all transforms: `set_random_seed` would give each its own with one seed,
        # and two flips would always fall alike.
        self.transform.set_random_state(
            np.random.default_rng(seed), random.Random(int(seed.generate_state(1, np.uint64)[0]))
        )
        out = self.transform(image=np.array(image), mask=np.array(mask))
        return out["image"], out["mask"]


class AugmentedImages(Dataset[tuple[Tensor, Tensor]]):
    """Batches of augmented images and masks, both uint8; scaling is left to the device.

    Args:
        images: (N, H, W, C) uint8.
        masks: (N, H, W) uint8, the masks to train on.
        transforms: albumentations transforms, applied in order; may be empty.
        seed: of the run.
    """

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        transforms: Sequence[A.BasicTransform],
        seed: int,
    ) -> None:
        self.images = images
        self.masks = masks
        self.augment = Augmentation(transforms, seed)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, batch: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Images (B, H, W, C) and masks (B, H, W) of a batch of (pass, index)."""
        pairs = [
            self.augment(number, index, self.images[index], self.masks[index])
            for number, index in batch
        ]
        images = np.stack([image for image, _ in pairs])
        masks = np.stack([mask for _, mask in pairs])
        return torch.from_numpy(images), torch.from_numpy(masks)


def training_batches(
    images: np.ndarray,
    masks: np.ndarray,
    *,
    transforms: Sequence[A.BasicTransform],
    batch_size: int,
    seed: int,
    steps: int | None = None,
    epoch: int = 0,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """The training loader: (B, H, W, C) images and (B, H, W) masks, uint8.

    The result does not depend on `num_workers`. For `steps` see `EpochBatches`; `epoch` is the
    first, since Lightning starts the workers, which draw at once, before it sets the epoch.
    """
    sampler = EpochBatches(len(images), batch_size, seed, steps)
    sampler.set_epoch(epoch)
    data = AugmentedImages(images, masks, transforms, seed)
    return batch_loader(data, sampler, num_workers=num_workers, pin_memory=pin_memory)


def batch_loader(
    data: Dataset[Any], sampler: EpochBatches, *, num_workers: int, pin_memory: bool
) -> DataLoader[Any]:
    """A loader of data that is asked for whole batches of (pass, index)."""
    return DataLoader(
        data,
        sampler=sampler,
        batch_size=None,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin_memory,
        # Else the loader draws its workers' seed from the stream that dropout draws from, at
        # another moment in a resumed run.
        generator=torch.Generator(),
    )
