import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.classification import BinaryCalibrationError

from robustseg import IGNORED
from robustseg.metrics import ExpectedCalibrationError


def measured(*batches, **options):
    metric = ExpectedCalibrationError(**options)
    for logits, target in batches:
        metric.update(logits, target)
    return metric.compute()


def drawn(seed, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(4, 1, 30, 30, generator=generator)
    return logits, (torch.rand(4, 1, 30, 30, generator=generator) < 0.3).to(torch.uint8)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_equals_torchmetrics(bins):
    logits, target = drawn(0)
    reference = BinaryCalibrationError(n_bins=bins, norm="l1")
    expected = reference(torch.sigmoid(logits), target.long()).item()
    assert measured((logits, target), bins=bins) == pytest.approx(expected, abs=1e-6)


def test_one_bin_by_hand():
    logits = torch.logit(torch.tensor([0.9, 0.92, 0.9, 0.92])).view(1, 1, 2, 2)
    target = torch.tensor([1, 1, 0, 1], dtype=torch.uint8).view(1, 1, 2, 2)
    assert measured((logits, target), bins=5) == pytest.approx(0.91 - 0.75, abs=1e-7)


def test_saturated_logits_are_in_the_outer_bins():
    logits = torch.tensor([-1e4, -1e4, 1e4, 1e4]).view(1, 1, 2, 2)
    right = torch.tensor([0, 0, 1, 1], dtype=torch.uint8).view(1, 1, 2, 2)
    assert measured((logits, right)) == 0
    assert measured((logits, 1 - right)) == 1


@given(st.floats(-20, 20), st.integers(0, 16))
def test_a_constant_prediction_is_off_by_its_distance_to_the_prevalence(logit, positives):
    logits = torch.full((1, 1, 4, 4), logit)
    target = (torch.arange(16) < positives).to(torch.uint8).view(1, 1, 4, 4)
    expected = abs(1 / (1 + math.exp(-logit)) - positives / 16)
    assert measured((logits, target)) == pytest.approx(expected, abs=1e-6)


def test_batches_add_up_exactly_in_any_order():
    logits, target = drawn(1)
    parts = [(logits[i : i + 1], target[i : i + 1]) for i in (2, 0, 3, 1)]
    assert measured(*parts) == measured((logits, target))


def test_ignored_pixels_do_not_count():
    logits, target = drawn(2)
    expected = measured((logits[:2], target[:2]))
    target[2:] = 255
    assert measured((logits, target)) == expected
    assert math.isnan(measured((logits[2:], target[2:])))


def test_at_least_one_bin():
    with pytest.raises(ValueError, match="bins"):
        ExpectedCalibrationError(bins=0)


def test_what_is_not_a_number_has_no_error():
    logits, target = drawn(3)
    expected = measured((logits, target))
    logits[1, 0, 2, 3] = math.nan
    assert math.isnan(measured((logits[2:], target[2:]), (logits[:2], target[:2])))
    target[1, 0, 2, 3] = IGNORED
    assert measured((logits, target)) == pytest.approx(expected, abs=1e-3)  # a pixel less
