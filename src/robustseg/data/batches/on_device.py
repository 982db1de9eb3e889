"""Training batches that are gathered and augmented where the network is.

The images stay on the device as uint8. For each batch the host sends which images, which way each
is turned and its table of grey levels: some 300 bytes an image instead of its pixels.
"""

from collections.abc import Iterator, Sequence

import albumentations as A
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from robustseg.data.batches.augmented import Augmentation, batch_loader
from robustseg.data.batches.drawable import check_drawable
from robustseg.data.batches.sampler import EpochBatches

# An image of all grey levels, each once: what comes out shows how it was turned and mapped.
_PROBE = np.arange(256, dtype=np.uint8).reshape(16, 16)


class DrawnAugmentations(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """What is done to the images of a batch, drawn as `AugmentedImages` draws it.

    The transforms are applied to a small probe, so that there is one source of draws, whichever
    device applies them.

    Args:
        transforms: flips and gamma of albumentations, applied in order; may be empty.
        seed: of the run.

    Raises:
        ValueError: another transform.
    """

    def __init__(self, transforms: Sequence[A.BasicTransform], seed: int) -> None:
        check_drawable(type(transform).__name__ for transform in transforms)
        self.augment = Augmentation(transforms, seed)

    def __getitem__(self, batch: list[tuple[int, int]]) -> tuple[Tensor, Tensor, Tensor]:
        """Index (B,), flips (B, 2) of rows and of columns, and grey tables (B, 256) of a batch."""
        drawn = [self.augment(*item, _PROBE[..., None], _PROBE) for item in batch]
        flips = [(mask[0, 0] >= 128, mask[0, 0] % 16 == 15) for _, mask in drawn]
        tables = np.empty((len(batch), 256), np.uint8)
        for table, (image, mask) in zip(tables, drawn, strict=True):
            table[mask.ravel()] = image.ravel()
        index = torch.tensor([index for _, index in batch])
        return index, torch.tensor(flips), torch.from_numpy(tables)


class DeviceBatches:
    """Batches equal to those of `training_batches`, bit for bit, made on a device.

    Args:
        images: (N, H, W, C) uint8.
        masks: (N, H, W) uint8, the masks to train on.
        device: that keeps all of them.
        transforms: flips and gamma of albumentations.
        batch_size: images per batch.
        seed: of the run.
        steps: as for `EpochBatches`.
        epoch: the first.
        num_workers: processes that draw; no number depends on it.

    Raises:
        ValueError: a transform that is neither.
    """

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        device: torch.device,
        *,
        transforms: Sequence[A.BasicTransform],
        batch_size: int,
        seed: int,
        steps: int | None = None,
        epoch: int = 0,
        num_workers: int = 0,
    ) -> None:
        self.images = torch.from_numpy(np.array(images)).to(device)
        self.masks = torch.from_numpy(np.array(masks)).to(device)
        self.device = device
        self.sampler = EpochBatches(len(images), batch_size, seed, steps)
        self.sampler.set_epoch(epoch)
        self._draws = batch_loader(
            DrawnAugmentations(transforms, seed),
            self.sampler,
            num_workers=num_workers,
            pin_memory=device.type == "cuda",
        )

    def __len__(self) -> int:
        return len(self.sampler)

    def close(self) -> None:
        """Let go of the images and of the processes that draw; Lightning sees neither."""
        del self.images, self.masks, self._draws

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, H, W, C) and masks (B, H, W), uint8, on the device; nothing waits for it."""
        for draws in self._draws:
            index, flips, tables = (part.to(self.device, non_blocking=True) for part in draws)
            images, masks = self.images[index], self.masks[index]
            for axis in (1, 2):
                turned = flips[:, axis - 1, None, None]
                masks = torch.where(turned, masks.flip(axis), masks)
                images = torch.where(turned[..., None], images.flip(axis), images)
            mapped = tables.gather(1, images.flatten(1).long())
            yield mapped.view_as(images), masks
