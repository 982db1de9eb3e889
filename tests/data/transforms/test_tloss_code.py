"""`augmentation=tloss_code` as a whole."""

import numpy as np
import pytest
import yaml
from hydra.utils import instantiate
from scipy import stats

from robustseg.data.batches.augmented import Augmentation
from tests.conftest import CONF

TRANSFORMS = yaml.safe_load((CONF / "augmentation" / "tloss_code.yaml").read_text())["transforms"]
RNG = np.random.default_rng(0)


def test_noise_has_at_most_a_tenth_of_half_the_scale():
    """The deviation is uniform in [0, 0.1] on [-1, 1], which is 255/2 grey levels a unit."""
    (noise,) = (t for t in TRANSFORMS if t["_target_"].endswith("GaussNoise"))
    augment = Augmentation([instantiate({**noise, "p": 1.0})], seed=0)
    image, mask = np.full((64, 64, 3), 127, np.uint8), np.zeros((64, 64), np.uint8)
    deviations = [augment(n, 0, image, mask)[0].astype(float).std() for n in range(200)]
    on_the_scale = np.sqrt(np.maximum(np.square(deviations) - 1 / 12, 0)) / 127.5
    assert stats.kstest(on_the_scale, stats.uniform(0, 0.1).cdf).pvalue > 0.01


@pytest.mark.parametrize("channels", [1, 3])
def test_turns_mirrors_and_crops_move_image_and_mask_together(channels):
    """A mask that the image shows is still shown; the four orientations come equally often."""
    augment = Augmentation(instantiate(TRANSFORMS), seed=0)
    rows, columns = np.mgrid[:256, :256]
    mask = ((rows < 128) & (columns < 128)).astype(np.uint8)
    image = np.repeat(60 + 130 * mask[..., None], channels, -1).astype(np.uint8)
    corners = []
    for number in range(400):
        out, moved = augment(number, 0, image, mask)
        assert (out.shape, out.dtype) == ((128, 128, channels), np.uint8)
        assert (moved.shape, moved.dtype) == ((128, 128), np.uint8)
        agrees = (out.mean(-1) > out.mean()) == (moved == 1)
        assert agrees.mean() > 0.95
        corners.append(int(np.argmax([moved[0, 0], moved[0, -1], moved[-1, 0], moved[-1, -1]])))
    assert stats.chisquare(np.bincount(corners, minlength=4)).pvalue > 0.01
