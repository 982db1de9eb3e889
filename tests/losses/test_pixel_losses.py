"""The pixel losses against the formulas for K classes, and against other libraries."""

import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from robustseg import losses


def two_classes(logits, target):
    """Probabilities and one-hot labels of K = 2 classes, (2, pixels); p of one channel."""
    z = logits.numpy().ravel()
    y = target.numpy().ravel()
    return softmax(np.stack([np.zeros_like(z), z]), axis=0), np.stack([1 - y, y])


# The K-class columns of the active-passive losses, written as there.
def cross_entropy(p, y):
    return -(y * np.log(p)).sum(0)


def mean_absolute(p, y):
    return np.abs(p - y).sum(0) / 2


def reverse(p, y):
    return -(p * np.log(np.clip(y, 1e-4, 1))).sum(0)


def generalised(p, y, q=0.7):
    return (1 - (p * y).sum(0) ** q) / q


def normalised(p, y):
    return -(y * np.log(p)).sum(0) / -np.log(p).sum(0)


def normalised_generalised(p, y, q=0.1):
    return (1 - (p * y).sum(0) ** q) / (2 - (p**q).sum(0))


def squared(p, y):
    return ((p - y) ** 2).sum(0) / 2


def focal(p, y):
    p_y = (p * y).sum(0)
    return -((1 - p_y) ** 2) * np.log(p_y)


FORMULAS = [
    (losses.cross_entropy_loss, cross_entropy),
    (losses.mse_loss, squared),
    (losses.mae_loss, mean_absolute),
    (losses.rce_loss, reverse),
    (losses.sce_loss, lambda p, y: 0.1 * cross_entropy(p, y) + reverse(p, y)),
    (losses.gce_loss, generalised),
    (losses.nce_loss, normalised),
    (losses.ngce_loss, normalised_generalised),
    (losses.nce_rce_loss, lambda p, y: normalised(p, y) + reverse(p, y)),
    (losses.ngce_mae_loss, lambda p, y: normalised_generalised(p, y) + mean_absolute(p, y)),
    (losses.ngce_rce_loss, lambda p, y: normalised_generalised(p, y) + reverse(p, y)),
    (losses.focal_loss, focal),
]
LOSSES = [loss for loss, _ in FORMULAS]


@pytest.mark.parametrize("loss, formula", FORMULAS, ids=lambda f: f.__name__)
def test_equals_the_formula_for_two_classes(loss, formula, draw):
    logits, target, _ = draw(2, 1, 7, 5)
    expected = formula(*two_classes(logits, target)).mean()
    assert loss(logits, target).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
def test_soft_target_weighs_both_labels(loss, draw):
    logits, _, soft = draw(1, 1, 5, 4)
    value = loss(logits, soft)
    if loss is losses.mse_loss:
        value = value + (soft * (1 - soft)).mean()
    expected = 0.0
    for z, y in zip(logits.flatten(), soft.flatten(), strict=True):
        pixel = z.view(1, 1, 1, 1)
        expected += y * loss(pixel, torch.ones_like(pixel))
        expected += (1 - y) * loss(pixel, torch.zeros_like(pixel))
    torch.testing.assert_close(value, expected / soft.numel())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
def test_classes_are_treated_alike(loss, draw):
    logits, _, soft = draw(2, 1, 5, 4)
    torch.testing.assert_close(loss(logits, soft), loss(-logits, 1 - soft))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda f: f.__name__)
def test_float32_is_precise_far_from_the_boundary(loss):
    sizes = torch.tensor([2.0, 8.0, 15.0, 30.0, 80.0])
    for size in sizes:
        for right in (1, -1):
            logits = (right * size).view(1, 1, 1, 1)
            exact = loss(logits.double(), torch.ones(1, 1, 1, 1).double())
            assert loss(logits, torch.ones(1, 1, 1, 1)).item() == pytest.approx(
                exact.item(), rel=1e-5, abs=1e-6
            )


def test_rce_is_a_multiple_of_mae(draw):
    logits, _, soft = draw(2, 1, 6, 6)
    factor = losses.rce_loss(logits, soft) / losses.mae_loss(logits, soft)
    assert factor.item() == pytest.approx(9.2103, abs=5e-5)
    assert factor.item() == pytest.approx(-math.log(1e-4), rel=1e-12)


def test_gce_lies_between_cross_entropy_and_mae(draw):
    logits, target, _ = draw(2, 1, 6, 6, scale=1.0)
    torch.testing.assert_close(
        losses.gce_loss(logits, target, q=1.0), losses.mae_loss(logits, target)
    )
    torch.testing.assert_close(
        losses.gce_loss(logits, target, q=0.01),
        losses.cross_entropy_loss(logits, target),
        rtol=0.02,
        atol=0,
    )


def test_active_passive_weights(draw):
    logits, target, _ = draw(2, 1, 4, 4)
    a, b, q = 0.3, 0.7, 0.4
    nce, rce, mae = (f(logits, target) for f in (losses.nce_loss, losses.rce_loss, losses.mae_loss))
    ngce = losses.ngce_loss(logits, target, q=q)
    close = torch.testing.assert_close
    close(losses.nce_rce_loss(logits, target, a=a, b=b), a * nce + b * rce)
    close(losses.ngce_mae_loss(logits, target, a=a, b=b, q=q), a * ngce + b * mae)
    close(losses.ngce_rce_loss(logits, target, a=a, b=b, q=q), a * ngce + b * rce)


def test_cross_entropy_against_torch(draw):
    logits, _, soft = draw(3, 1, 4, 4)
    torch.testing.assert_close(
        losses.cross_entropy_loss(logits, soft),
        functional.binary_cross_entropy_with_logits(logits, soft),
    )
    logits, hard, soft = draw(3, 5, 4, 4)
    torch.testing.assert_close(
        losses.cross_entropy_loss(logits, soft), functional.cross_entropy(logits, soft)
    )
    ignore = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    ignore[:, :, 0] = True  # as many in each image, so that torch's mean is ours
    label = hard.argmax(1).masked_fill(ignore[:, 0], -100)
    torch.testing.assert_close(
        losses.cross_entropy_loss(logits, hard, ignore), functional.cross_entropy(logits, label)
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_against_torchvision(gamma, draw):
    logits, target, _ = draw(3, 1, 4, 4)
    expected = sigmoid_focal_loss(logits, target, alpha=-1, gamma=gamma, reduction="mean")
    torch.testing.assert_close(losses.focal_loss(logits, target, gamma=gamma), expected)


def test_ignored_pixels_weigh_images_alike(draw):
    logits, target, _ = draw(2, 1, 2, 4)
    ignore = torch.zeros_like(target, dtype=torch.bool)
    ignore[0, :, 0] = True
    first = losses.mae_loss(logits[:1, :, 1:], target[:1, :, 1:])
    second = losses.mae_loss(logits[1:], target[1:])
    torch.testing.assert_close(losses.mae_loss(logits, target, ignore), (first + second) / 2)
