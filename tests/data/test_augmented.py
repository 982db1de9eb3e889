import albumentations as A
import numpy as np
import pytest
import torch
from scipy import stats

from robustseg.data.batches.augmented import AugmentedImages, training_batches

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


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stream_that_dropout_draws_from_is_left_alone(workers):
    loader = training_batches(
        IMAGES, MASKS, transforms=TRANSFORMS, batch_size=4, seed=7, num_workers=workers
    )
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert len(list(loader)) == 2
    assert torch.equal(torch.get_rng_state(), before)


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


def test_flips_and_gamma_are_drawn_independently():
    """Each of the eight combinations turns up as often as the product of its probabilities."""
    image = np.array([[50, 100], [150, 200]], np.uint8)[None, ..., None].repeat(3, -1)
    transforms = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5), A.RandomGamma((50, 70), p=0.3)]
    data = AugmentedImages(image, np.array([[[1, 2], [3, 4]]], np.uint8), transforms, seed=0)
    images, masks = data[[(number, 0) for number in range(2000)]]
    flipped = masks[:, 0, 0].numpy()  # 1 none, 2 left-right, 3 up-down, 4 both
    brighter = images.amax((1, 2, 3)).numpy() > 200
    counts = [
        (brighter[flipped == state] == gamma).sum() for state in (1, 2, 3, 4) for gamma in (0, 1)
    ]
    expected = [2000 / 4 * share for _ in range(4) for share in (0.7, 0.3)]
    assert stats.chisquare(counts, expected).pvalue > 0.01
