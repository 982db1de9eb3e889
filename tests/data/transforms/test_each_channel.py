import albumentations as A
import numpy as np
from scipy import ndimage, stats

from robustseg.data.batches.augmented import Augmentation
from robustseg.data.transforms import EachChannel

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
MASK = np.ones((12, 12), np.uint8)


def test_channels_are_changed_independently_of_each_other():
    invert = EachChannel([A.InvertImg(p=1.0)], p_channel=0.3, p=0.5)
    augment = Augmentation([invert], seed=0)
    counts = np.zeros(8)
    for number in range(2000):
        image, _ = augment(number, 0, IMAGE, MASK)
        inverted = [(image[..., c] == 255 - IMAGE[..., c]).all() for c in range(3)]
        for c in range(3):
            assert inverted[c] or (image[..., c] == IMAGE[..., c]).all()
        counts[int(np.dot(inverted, [1, 2, 4]))] += 1
    share = [0.3 ** bin(k).count("1") * 0.7 ** (3 - bin(k).count("1")) for k in range(8)]
    expected = 1000 * np.array(share) + 1000 * (np.arange(8) == 0)
    assert stats.chisquare(counts, expected).pvalue > 0.01


def test_each_channel_has_a_draw_of_its_own():
    blur = EachChannel([A.GaussianBlur(sigma_limit=(0.5, 1.0), p=1.0)], p=1.0)
    image = np.zeros((31, 31, 3), np.uint8)
    image[15, 15] = 255
    out, mask = Augmentation([blur], seed=1)(0, 0, image, np.ones((31, 31), np.uint8))
    peaks = out[15, 15].astype(int)
    assert len(set(peaks)) == 3
    low, high = (255 * ndimage.gaussian_filter(image[..., 0] / 255, s)[15, 15] for s in (1.0, 0.5))
    assert ((peaks >= low - 3) & (peaks <= high + 3)).all()
    assert (mask == 1).all()


def test_grey_images_keep_their_channel_and_the_input_is_left_alone():
    grey = IMAGE[..., :1].copy()
    out = EachChannel([A.InvertImg(p=1.0)], p=1.0)(image=grey)["image"]
    assert (out == 255 - grey).all()
    assert (grey == IMAGE[..., :1]).all()
