import albumentations as A
import numpy as np
import pytest
import torch

from robustseg.data.augmented import AugmentedImages, training_batches

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
MASKS = RNG.integers(0, 2, (9, 16, 16), dtype=np.uint8)
TRANSFORMS = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5), A.RandomGamma((50, 200), p=1.0)]


def epochs(workers, count=3):
    loader = training_batches(
        IMAGES, MASKS, transforms=TRANSFORMS, batch_size=4, seed=7, num_workers=workers
    )
    result = []
    for number in range(count):
        loader.sampler.set_epoch(number)
        result.append(torch.cat([images for images, _ in loader]))
    return torch.stack(result)


def test_workers_do_not_change_what_is_drawn():
    assert torch.equal(epochs(0), epochs(2))


def test_augmentation_differs_between_passes_and_images():
    data = AugmentedImages(np.repeat(IMAGES[:1], 2, 0), np.repeat(MASKS[:1], 2, 0), TRANSFORMS, 0)
    images, _ = data[[(0, 0), (0, 1), (1, 0), (0, 0)]]
    assert torch.equal(images[0], images[3])
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])


def test_image_and_mask_are_moved_together():
    data = AugmentedImages(
        np.repeat(MASKS[..., None] * 255, 3, -1), MASKS, [A.HorizontalFlip(p=0.5)], seed=1
    )
    images, masks = data[[(n, i) for n in range(5) for i in range(9)]]
    assert torch.equal(images[..., 0], masks * 255)
    assert not torch.equal(masks[:9], masks[9:18])


@pytest.mark.parametrize("transforms", [[], TRANSFORMS])
def test_the_data_itself_is_left_alone(transforms):
    images, masks = IMAGES.copy(), MASKS.copy()
    AugmentedImages(images, masks, transforms, 0)[[(0, i) for i in range(9)]]
    assert (images == IMAGES).all()
    assert (masks == MASKS).all()
