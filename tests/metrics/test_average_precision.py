import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from robustseg.metrics import AveragePrecision


def measured(logits, target):
    metric = AveragePrecision()
    metric.update(logits.view(1, 1, 1, -1), target.view(1, 1, 1, -1).to(torch.uint8))
    return metric.compute()


def exact(logits, target):
    return average_precision_score(target.numpy(), logits.double().numpy())


def drawn(background, foreground, scale, share=0.1, size=200_000):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(size, generator=generator) < share
    noise = scale * torch.randn(size, generator=generator)
    return torch.where(target, foreground, background) + noise, target


@pytest.mark.parametrize(
    "background, foreground, scale, bound",
    [
        (-6, 4, 5, 1e-3),
        (-3, 1, 2, 1e-3),
        (0, 0.001, 0.001, 1e-3),
        (-8, -5, 2, 1e-3),
        (-200, 200, 300, 1e-3),  # where the sigmoid is 0 or 1 in float32
        (-4.6, -4.59, 0.01, 5e-2),  # an untrained network
    ],
)
def test_the_error_against_scikit_learn_is_as_stated(background, foreground, scale, bound):
    logits, target = drawn(background, foreground, scale)
    assert measured(logits, target) == pytest.approx(exact(logits, target), abs=bound)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_exact_for_half_precision(dtype):
    logits, target = drawn(-3, 1, 2)
    logits = logits.to(dtype)
    assert measured(logits, target) == pytest.approx(exact(logits, target), abs=1e-12)


half = st.floats(width=16, allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(half, st.booleans()), min_size=1, max_size=40))
def test_equals_scikit_learn_with_ties_signs_and_subnormals(pixels):
    logits, target = (torch.tensor(column) for column in zip(*pixels, strict=True))
    value = measured(logits.float(), target)
    if target.any():
        assert value == pytest.approx(exact(logits, target), abs=1e-12)
    else:
        assert math.isnan(value)


def test_infinite_logits_rank_first_and_last_and_a_nan_makes_nan():
    target = torch.tensor([1, 1, 0, 0])
    assert measured(torch.tensor([math.inf, 3e38, -3e38, -math.inf]), target) == 1
    for nan in (math.nan, -math.nan):
        assert math.isnan(measured(torch.tensor([1.0, nan, 0.0, 0.0]), target))


def test_a_constant_prediction_scores_the_prevalence():
    target = torch.tensor([1, 0, 0, 0])
    assert measured(torch.zeros(4), target) == 0.25


def test_batches_add_up_and_ignored_pixels_do_not_count():
    logits, target = drawn(-3, 1, 2, size=4000)
    target = target.to(torch.uint8)
    target[::7] = 255
    known = target != 255
    metric = AveragePrecision()
    for part in (slice(0, 1000), slice(1000, 4000)):
        metric.update(logits[part].view(-1, 1, 10, 10), target[part].view(-1, 1, 10, 10))
    assert metric.compute() == measured(logits[known], target[known])
    assert metric.compute() == pytest.approx(exact(logits[known], target[known]), abs=1e-3)


def test_the_state_does_not_grow():
    metric = AveragePrecision()
    sizes = set()
    for seed in range(3):
        torch.manual_seed(seed)
        metric.update(torch.randn(2, 1, 8, 8), torch.ones(2, 1, 8, 8, dtype=torch.uint8))
        sizes.add(metric.histogram.numel())
    assert sizes == {2 * 2**19}
    assert np.isclose(metric.compute(), 1)
