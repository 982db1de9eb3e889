import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from skimage.exposure import adjust_gamma

from robustseg.data.transforms import Brightness, Contrast, Gamma

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(60, 190, (40, 40, 3), dtype=np.uint8)
COLOUR[..., 2] = 20 + COLOUR[..., 2] // 2
GREY = COLOUR[..., :1]


def channels(transform, image, count):
    """Pairs of a channel before and after, of `count` images."""
    transform.set_random_state(np.random.default_rng(0), random.Random(0))
    for _ in range(count):
        out = transform(image=image)["image"]
        assert (out.dtype, out.shape) == (np.uint8, image.shape)
        for c in range(image.shape[2]):
            yield image[..., c].astype(float), out[..., c].astype(float)


def factor_about(centre, before, after, counted):
    """The factor that takes `before` to `after` about a centre, rounded to whole levels."""
    distance, reached = (before - centre)[counted], (after - centre)[counted]
    far = np.abs(distance) > 1
    ends = np.stack([reached[far] - 0.5, reached[far] + 0.5]) / distance[far]
    least, largest = ends.min(0).max(), ends.max(0).min()
    assert least <= largest + 1e-9  # there is one that fits every pixel
    return (least + largest) / 2


@pytest.mark.parametrize(("image", "middle"), [(COLOUR, 127.5), (GREY, 0.0)])
def test_brightness_multiplies_what_the_network_sees(image, middle):
    """[-1, 1] in colour turns about the middle grey, [0, 1] in grey about black."""
    factors = []
    for before, after in channels(Brightness((0.75, 1.25), p=1.0), image, 300 // image.shape[2]):
        factors.append(factor_about(middle, before, after, (after > 0) & (after < 255)))
    assert stats.kstest(factors, stats.uniform(0.75, 0.5).cdf).pvalue > 0.01
    by_image = np.reshape(factors, (-1, image.shape[2]))
    if image.shape[2] == 3:  # a factor for each channel
        assert abs(stats.pearsonr(by_image[:, 0], by_image[:, 1]).statistic) < 0.3


def test_contrast_turns_about_the_mean_of_the_channel_within_its_range():
    factors = []
    for before, after in channels(Contrast((0.75, 1.25), p=1.0), COLOUR, 100):
        assert after.min() >= before.min()
        assert after.max() <= before.max()
        inside = (after > before.min()) & (after < before.max())
        factors.append(factor_about(before.mean(), before, after, inside))
    assert stats.kstest(factors, stats.uniform(0.75, 0.5).cdf).pvalue > 0.01


@given(st.floats(0.5, 2.0), st.booleans(), st.integers(0, 99))
def test_gamma_is_a_power_on_the_range_of_the_channel(gamma, inverted, seed):
    """Up to scale and shift it is scikit-image's; the deviation stays, the mean is scaled with it.

    The mean is that of batchgenerators 0.21: m·s/s', with s' the deviation after the power.
    """
    x = np.random.default_rng(seed).uniform(-0.7, 0.9, (9, 9))
    y = Gamma((0.5, 2.0), inverted=inverted).change(x, gamma)
    u, v = (-x, -y) if inverted else (x, y)
    power = adjust_gamma((u - u.min()) / np.ptp(u), gamma)
    assert stats.zscore(v, axis=None) == pytest.approx(stats.zscore(power, axis=None), abs=1e-5)
    assert y.std() == pytest.approx(x.std(), rel=1e-5)
    assert y.mean() == pytest.approx(x.mean() * x.std() / (np.ptp(u) * power.std()), abs=1e-5)


def test_gamma_is_below_and_above_1_equally_often():
    gamma = Gamma((0.7, 1.5))
    gamma.set_random_state(np.random.default_rng(0), random.Random(0))
    drawn = np.array([gamma.draw() for _ in range(1000)])
    below = drawn[drawn < 1]
    assert stats.binomtest(len(below), 1000, 0.5).pvalue > 0.01
    assert stats.kstest(below, stats.uniform(0.7, 0.3).cdf).pvalue > 0.01
    assert stats.kstest(drawn[drawn > 1], stats.uniform(1.0, 0.5).cdf).pvalue > 0.01


@pytest.mark.parametrize("transform", [Brightness, Contrast, Gamma])
def test_a_flat_channel_gives_a_flat_one(transform):
    image = np.full((8, 8, 3), 90, np.uint8)
    for _, after in channels(transform((0.7, 1.5), p=1.0), image, 10):
        assert np.ptp(after) == 0


@pytest.mark.parametrize("transform", [Brightness, Contrast, Gamma])
@pytest.mark.parametrize("factors", [(-0.5, 1.0), (1.5, 2.0), (0.5, 0.9), (1.0,)])
def test_ranges_that_cannot_be_are_refused(transform, factors):
    with pytest.raises(ValueError, match=f"{transform.__name__}: factors"):
        transform(factors)
