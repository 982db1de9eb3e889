import multiprocessing

import albumentations as A
import numpy as np
import pytest
import torch

from robustseg.data.batches.augmented import training_batches
from robustseg.data.batches.on_device import DeviceBatches

RNG = np.random.default_rng(0)
MASKS = RNG.integers(0, 2, (9, 24, 24), dtype=np.uint8)
FLIPS = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)]
GAMMA = A.RandomGamma((50, 200), p=0.7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", [None, 4])
@pytest.mark.parametrize("transforms", [[], FLIPS, [*FLIPS, GAMMA], [GAMMA, FLIPS[1]]])
def test_batches_are_the_hosts_bit_for_bit(channels, steps, transforms):
    images = RNG.integers(0, 256, (9, 24, 24, channels), dtype=np.uint8)
    how = {"transforms": transforms, "batch_size": 4, "seed": 3, "steps": steps, "epoch": 2}
    host = training_batches(images, MASKS, **how)
    device = DeviceBatches(images, MASKS, torch.device("cpu"), **how)
    for epoch in (2, 3):
        host.sampler.set_epoch(epoch)
        device.sampler.set_epoch(epoch)
        pairs = list(zip(host, device, strict=True))
        assert len(pairs) == len(device)
        for (image, mask), (on_device, mask_on_device) in pairs:
            assert torch.equal(image, on_device)
            assert torch.equal(mask, mask_on_device)


def test_workers_do_not_change_what_is_drawn():
    images = RNG.integers(0, 256, (9, 24, 24, 3), dtype=np.uint8)
    alone, two = (
        DeviceBatches(
            images,
            MASKS,
            torch.device("cpu"),
            transforms=[*FLIPS, GAMMA],
            batch_size=4,
            seed=3,
            num_workers=workers,
        )
        for workers in (0, 2)
    )
    for (image, mask), (other, other_mask) in zip(alone, two, strict=True):
        assert torch.equal(image, other)
        assert torch.equal(mask, other_mask)


def test_closed_it_leaves_no_process():
    batches = DeviceBatches(
        MASKS[..., None],
        MASKS,
        torch.device("cpu"),
        transforms=FLIPS,
        batch_size=4,
        seed=3,
        num_workers=1,
    )
    others = set(multiprocessing.active_children())
    assert len(list(batches)) == len(batches)
    assert set(multiprocessing.active_children()) - others
    batches.close()
    assert not set(multiprocessing.active_children()) - others


def test_what_the_device_cannot_repeat_is_refused():
    with pytest.raises(ValueError, match=r"no CenterCrop \(it has HorizontalFlip, .*device=cpu"):
        DeviceBatches(
            MASKS[..., None],
            MASKS,
            torch.device("cpu"),
            transforms=[A.CenterCrop(8, 8)],
            batch_size=4,
            seed=0,
        )
