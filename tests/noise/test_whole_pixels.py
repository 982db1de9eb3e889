import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robustseg.noise.whole_pixels import rotate_whole

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
ANGLES = st.one_of(
    st.floats(-30, 30), st.sampled_from([0.0, 1e-15, 1e-9, -1e-7, 45.0, 90.0, 180.0])
)


@given(
    shape=SHAPES,
    angle=ANGLES,
    share=st.sampled_from([0.0, 0.3, 0.9, 0.99, 1.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=400, deadline=None)
def test_equals_skimage(shape, angle, share, seed):
    transform = pytest.importorskip("skimage.transform")
    mask = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    peer = transform.rotate(mask.astype(float), angle).astype(np.uint8)
    assert np.array_equal(rotate_whole(mask, angle), peer)


def test_loses_area(blobs):
    mask = blobs(1)[0][0]
    assert 0.8 < rotate_whole(mask, 17.0).sum() / mask.sum() < 0.95
