import random

import numpy as np
import pytest
from scipy import stats

from robustseg.data.transforms import ZoomedCrop

SIDE, SIZE = 60, 30
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
# A cubic spline repeats a plane exactly, so that a grey level tells where it was taken. The levels
# are 4 a pixel and uint8 rounds them: to an eighth of a pixel.
IMAGE = np.stack([4 * ROWS, 4 * COLUMNS], -1).astype(np.uint8)


def crops(count, **settings):
    crop = ZoomedCrop(SIZE, **settings)
    crop.set_random_state(np.random.default_rng(0), random.Random(0))
    for _ in range(count):
        out = crop(image=IMAGE, mask=(ROWS >= 25).astype(np.uint8))
        yield out["image"], out["mask"]


def test_an_unzoomed_crop_is_the_centre():
    ((image, mask),) = crops(1, p_zoom=0.0)
    assert (image == IMAGE[15:45, 15:45]).all()
    assert (mask == (ROWS >= 25)[15:45, 15:45]).all()


def test_a_pixel_is_taken_at_the_centre_and_u_times_its_place():
    fields = []
    places = np.arange(SIZE) - (SIZE - 1) / 2
    for image, mask in crops(200, zoom=(0.8, 1.0), p_zoom=1.0):
        rows, columns = image[..., 0] / 4.0, image[..., 1] / 4.0
        u = (rows[-1, 0] - rows[0, 0]) / (SIZE - 1)
        expected = np.tile(SIDE / 2 + u * places, (SIZE, 1))
        np.testing.assert_allclose(rows, expected.T, rtol=0, atol=0.26)
        np.testing.assert_allclose(columns, expected, rtol=0, atol=0.26)
        clear = np.abs(rows - 24.5) > 0.3
        assert (mask == (rows > 24.5))[clear].all()
        fields.append(u)
    fields = np.array(fields)
    whole = np.isclose(fields, 1, atol=0.005)
    assert stats.binomtest(int(whole.sum()), 200, 0.5 + 0.5 * 0.005 / 0.2).pvalue > 0.01
    assert stats.kstest(fields[~whole], stats.uniform(0.8, 0.2).cdf).pvalue > 0.01


def test_a_zoomed_crop_shows_what_an_unzoomed_one_cuts_off_where_u_is_above_1():
    (image, _), *_ = (c for c in crops(20, zoom=(1.0, 1.5), p_zoom=1.0) if np.ptp(c[0]) > 4 * SIZE)
    assert image[0, 0, 0] < IMAGE[15, 15, 0]


def test_the_share_of_zoomed_crops():
    plain = sum((image == IMAGE[15:45, 15:45]).all() for image, _ in crops(500, p_zoom=0.2))
    assert stats.binomtest(int(plain), 500, 0.8).pvalue > 0.01


def test_labels_stay_labels():
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:40, 20:40] = 1
    mask[28:32] = 255
    crop = ZoomedCrop(SIZE, zoom=(0.7, 1.0), p_zoom=1.0)
    crop.set_random_state(np.random.default_rng(1), random.Random(1))
    for _ in range(20):
        assert set(np.unique(crop(image=IMAGE, mask=mask)["mask"])) == {0, 1, 255}


def test_where_three_classes_meet_none_is_lost():
    mask = np.where(ROWS < 30, 1, np.where(COLUMNS < 30, 2, 3)).astype(np.uint8)
    crop = ZoomedCrop(SIZE, zoom=(0.7, 1.0), p_zoom=1.0)
    crop.set_random_state(np.random.default_rng(1), random.Random(1))
    for _ in range(50):
        out = crop(image=IMAGE, mask=mask)
        assert set(np.unique(out["mask"])) == {1, 2, 3}
        rows, columns = out["image"][..., 0] / 4.0, out["image"][..., 1] / 4.0
        clear = (np.abs(rows - 29.5) > 0.5) & (np.abs(columns - 29.5) > 0.5)
        nearest = mask[np.rint(rows).astype(int), np.rint(columns).astype(int)]
        assert (out["mask"] == nearest)[clear].all()


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match=r"does not fit in an image of 20×60: set dataset"):
        ZoomedCrop(SIZE)(image=IMAGE[:20], mask=IMAGE[:20, :, 0])


@pytest.mark.parametrize("zoom", [(1.1, 1.2), (0.0, 1.0), (0.5, 0.9), (0.5,)])
def test_ranges_that_cannot_be_are_refused(zoom):
    with pytest.raises(ValueError, match="ZoomedCrop: zoom"):
        ZoomedCrop(SIZE, zoom=zoom)
