"""Claim 1 of the slides: with a smoothed target the best prediction is the hard mask.

For one sigmoid channel that holds under a condition only, for a softmax pooled over classes
always, for the mean over classes not.
"""

import itertools
import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from robustseg import losses
from robustseg.losses.regularizers import smooth_labels
from robustseg.losses.tversky import tversky_index

CERTAIN = 1e4  # logits of a probability of exactly 0 or 1
weights = st.floats(0.05, 3.0)
smoothing = st.one_of(st.just(0.0), st.floats(0.01, 20.0))


def index(masks, target, alpha, beta, smooth):
    """T of each row of masks, (N, M), against a target, (M,), in float64."""
    logits, target = CERTAIN * (2 * masks - 1), target.expand_as(masks)
    return tversky_index(
        logits[:, None, None, :], target[:, None, None, :], None,
        alpha=alpha, beta=beta, smooth=smooth,
        domain="image", soft_target="product", classes="pooled", include_background=True,
    )  # fmt: skip


def claim_1_holds(positive, negative, epsilon, alpha, beta, smooth):
    """The condition lo < θ_y < hi, without the bound of a class that is absent; and its margin."""
    high, low = 1 - epsilon / 2, epsilon / 2
    labelled = high * positive + low * negative
    theta = (
        alpha * (high * positive + smooth)
        / (alpha * positive + beta * labelled + (alpha + beta) * smooth)
    )  # fmt: skip
    margins = [theta - low] * (negative > 0) + [high - theta] * (positive > 0)
    return min(margins) > 0, min(map(abs, margins))


def mask(positive, negative):
    return torch.cat([torch.ones(positive), torch.zeros(negative)]).double()


def index_by_counts(positive, negative, epsilon, alpha, beta, smooth):
    """T of every number of positive and of negative pixels called foreground, smoothed target."""
    y = mask(positive, negative)
    target = smooth_labels(y[None, None, None], epsilon)[0, 0, 0]
    rows = [
        torch.cat([mask(i, positive - i), mask(j, negative - j)])
        for i in range(positive + 1)
        for j in range(negative + 1)
    ]
    values = index(torch.stack(rows), target, alpha, beta, smooth)
    return values.view(positive + 1, negative + 1)


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 6), st.integers(0, 30), st.floats(0.01, 0.95), weights, weights, smoothing
)  # fmt: skip
def test_claim_1_for_one_channel_holds_just_under_its_condition(n1, n0, epsilon, a, b, smooth):
    assume(n1 + n0 > 0)
    holds, margin = claim_1_holds(n1, n0, epsilon, a, b, smooth)
    assume(margin > 1e-9)
    values = index_by_counts(n1, n0, epsilon, a, b, smooth)
    at_mask = values[n1, 0].item()
    values[n1, 0] = -1
    assert (at_mask > values.max().item()) == holds


CRITICAL = {  # positive fraction, in percent, below which all ones is best at δ = 0
    (0.5, 0.5): {0.05: 0.07, 0.1: 0.29, 0.2: 1.39, 0.3: 3.8},
    (0.3, 0.7): {0.05: 0.16, 0.1: 0.73, 0.2: 3.8, 0.3: 11.5},
    (0.7, 0.3): {0.05: 0.03, 0.1: 0.12, 0.2: 0.56, 0.3: 1.5},
}


@pytest.mark.parametrize("alpha, beta", CRITICAL)
@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.2, 0.3])
def test_claim_1_fails_for_sparse_masks_and_all_ones_wins(alpha, beta, epsilon):
    high, low = 1 - epsilon / 2, epsilon / 2
    ratio = (alpha * high - alpha * low - beta * high * low) / (beta * low**2)
    assert 100 / (1 + ratio) == pytest.approx(CRITICAL[alpha, beta][epsilon], rel=0.08)
    pixels = 100_000
    critical = pixels / (1 + ratio)
    for positive, holds in ((math.ceil(critical) + 1, True), (math.floor(critical) - 1, False)):
        y = mask(positive, pixels - positive)
        target = smooth_labels(y[None, None, None], epsilon)[0, 0, 0]
        at_mask, at_ones = index(torch.stack([y, torch.ones_like(y)]), target, alpha, beta, 0.0)
        assert (at_mask > at_ones) == holds


def test_claim_1_fails_on_an_empty_mask_unless_smooth_is_large():
    target = torch.full((256 * 256,), 0.05, dtype=torch.float64)  # ε = .1
    both = torch.stack([torch.zeros_like(target), torch.ones_like(target)])
    for smooth, empty_wins in ((1e-5, False), (1.0, False), (181.9, False), (182.2, True)):
        at_zeros, at_ones = index(both, target, 0.5, 0.5, smooth)
        assert (at_zeros > at_ones) == empty_wins
    alpha, low = 0.5, 0.05
    threshold = 0.5 * low**2 * 65536 / (alpha - 1.0 * low)
    assert 181.9 < threshold < 182.2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
    st.floats(0, 0.99), weights, weights, smoothing,
)  # fmt: skip
def test_claim_1_holds_for_a_softmax_pooled_over_classes(labels, epsilon, alpha, beta, smooth):
    corners = torch.tensor(list(itertools.product(range(3), repeat=len(labels))))
    one_hot = torch.nn.functional.one_hot(corners, 3).movedim(-1, 1).double()[:, :, None, :]
    label = torch.nn.functional.one_hot(torch.tensor(labels), 3).T.double()[None, :, None, :]
    target = smooth_labels(label, epsilon).expand_as(one_hot)
    values = tversky_index(
        CERTAIN * (one_hot - 0.5), target, None, alpha=alpha, beta=beta, smooth=smooth,
        domain="image", soft_target="product", classes="pooled", include_background=True,
    )  # fmt: skip
    at_label = (corners == torch.tensor(labels)).all(1)
    others = values[~at_label]
    assert values[at_label] > others.max()


def test_claim_1_fails_for_the_mean_over_classes():
    counts, epsilon = (800, 4, 196), 0.3
    label = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    better = label.clone()
    better[:60] = 1  # 60 pixels of the first class given to the rare one
    values = []
    for prediction in (label, better):
        one_hot = torch.nn.functional.one_hot(prediction, 3).T.double()[None, :, None, :]
        target = torch.nn.functional.one_hot(label, 3).T.double()[None, :, None, :]
        logits = CERTAIN * (one_hot - 0.5)
        target = smooth_labels(target, epsilon)
        loss = losses.dice_loss(logits, target, smooth=0.0, include_background=True)
        values.append(1 - loss.item())
    assert values == pytest.approx([0.5535, 0.5600], abs=5e-5)
