import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_hausdorff_distance

from robustseg.metrics import hd95

pytestmark = pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")


def monai(pred, target):
    pair = (torch.from_numpy(mask)[None, None] for mask in (pred, target))
    return compute_hausdorff_distance(*pair, include_background=True, percentile=95).item()


def square(side, top, left, size):
    mask = np.zeros((side, side), dtype=bool)
    mask[top : top + size, left : left + size] = True
    return mask


sides = st.tuples(st.integers(1, 24), st.integers(1, 24))
pairs = sides.flatmap(lambda shape: st.tuples(*[arrays(bool, shape)] * 2))


@settings(max_examples=200, deadline=None)
@given(pairs)
def test_equals_monai_where_monai_is_defined_and_the_convention_elsewhere(pair):
    pred, target = pair
    distance = hd95(pred, target, "none")
    if pred.any() and target.any():
        # MONAI interpolates the percentile in float32.
        assert distance == pytest.approx(monai(pred, target), abs=1e-4)
        assert hd95(target, pred, "none") == distance
        diagonal = math.hypot(*pred.shape)
        assert hd95(pred, target) == pytest.approx(distance / diagonal)
        assert hd95(pred, target, "side") == pytest.approx(distance / max(pred.shape))
        assert 0 <= hd95(pred, target) <= 1
    elif pred.any() or target.any():
        assert math.isnan(distance)
        assert hd95(pred, target) == hd95(pred, target, "side") == 1
    else:
        assert distance == hd95(pred, target) == 0


@pytest.mark.parametrize("seed", range(5))
def test_equals_monai_on_large_smooth_masks(seed):
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    fields = gaussian_filter(rng.normal(size=(2, 160, 128)), (0, 12, 12))
    pred, target = fields > np.quantile(fields, 0.8)
    assert hd95(pred, target, "none") == pytest.approx(monai(pred, target), abs=1e-4)


def test_a_shift_by_hand():
    assert hd95(square(40, 5, 5, 1), square(40, 8, 9, 1), "none") == 5
    assert hd95(square(40, 10, 10, 10), square(40, 10, 10, 10)) == 0


def test_pixels_on_the_frame_are_of_the_outline():
    # A full mask's outline is the frame; the centre pixel is 5 from its sides, 5√2 from a corner.
    full, centre = square(11, 0, 0, 11), square(11, 5, 5, 1)
    y, x = np.nonzero(full & ~square(11, 1, 1, 9))
    assert hd95(full, centre, "none") == np.percentile(np.hypot(y - 5, x - 5), 95)


def test_nonzero_is_foreground_whatever_the_type():
    pred, target = square(20, 2, 2, 6), square(20, 5, 7, 9)
    assert hd95(pred.astype(np.uint8), target.astype(np.int64)) == hd95(pred, target)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"one shape \(H, W\)"):
        hd95(np.ones((3, 3)), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"one shape \(H, W\)"):
        hd95(np.ones((1, 3, 3)), np.ones((1, 3, 3)))
    with pytest.raises(ValueError, match="diagonal, side, none"):
        hd95(np.ones((3, 3)), np.ones((3, 3)), "diag")
