import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import binary_dilation, binary_erosion

from robustseg.noise.city_block import dilate, dilation_rings, erode, erosion_rings

MASKS = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 1)
)


@given(MASKS.filter(np.any))
def test_dilation_is_stepping(mask):
    rings = dilation_rings(mask)
    stepped = mask.astype(bool)
    for steps, area in enumerate(rings.areas):
        assert np.array_equal(dilate(rings, steps), stepped)
        assert area == np.count_nonzero(stepped)
        stepped = binary_dilation(stepped)
    assert rings.areas[-1] == mask.size


@given(MASKS.filter(np.any), st.integers(1, 250))
def test_dilation_as_far_as_needed(mask, area):
    all_rings, rings = dilation_rings(mask), dilation_rings(mask, area)
    assert np.array_equal(rings.areas, all_rings.areas[: len(rings.areas)])
    assert rings.areas[-1] >= min(area, mask.size)
    for steps in range(len(rings.areas)):
        assert np.array_equal(dilate(rings, steps), dilate(all_rings, steps))


@given(MASKS.filter(np.any))
def test_erosion_is_stepping(mask):
    rings = erosion_rings(mask)
    stepped = mask.astype(bool)
    for steps, area in enumerate(rings.areas):
        assert np.array_equal(erode(rings, steps), stepped)
        assert area == np.count_nonzero(stepped)
        stepped = binary_erosion(stepped)
    assert rings.areas[-1] == 0


@pytest.mark.parametrize("shape", [(97, 61), (300, 200)])
def test_large_blobs(shape, blobs):
    mask = np.zeros(shape, np.uint8)
    mask[10:70, 5:55] = blobs(1, 60)[0][0][:, :50]
    grown, shrunk = mask.astype(bool), mask.astype(bool)
    for _ in range(7):
        grown, shrunk = binary_dilation(grown), binary_erosion(shrunk)
    assert np.array_equal(dilate(dilation_rings(mask), 7), grown)
    assert np.array_equal(erode(erosion_rings(mask), 7), shrunk)
