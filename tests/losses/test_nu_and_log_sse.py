"""At the sizes of images and masks ν hardly matters: the T-Loss has the gradient of `log_sse`.

Their weights of an image are (ν + D)/(ν + S) and D/S, and S, the sum of squared residuals, is in
the tens to hundreds of pixels, where ν is 0.015 to e.
"""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from robustseg import losses
from robustseg.noise.morphological import Morphological

SIDE, BETA = 64, 0.7
PIXELS = SIDE**2
START, SETTLED = (
    (math.e, 1.0, 0.3),
    (0.1, 0.05, 0.015),
)  # ν of the codes' starts, and after training


def batch(softness):
    """Logits and masks of 16 ellipses, of which 70 % are dilated, eroded or moved by β.

    The network draws the right outline, that soft in pixels, whatever mask it is given: it has
    learnt no wrong mask by heart, as in the better part of training.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    logits, masks = [], []
    for number in range(16):
        radius = math.sqrt(rng.uniform(200, 900) / math.pi)
        (row, column), stretch = rng.uniform(24, 40, 2), rng.uniform(0.7, 1.4)
        distances = ((rows - row) * stretch) ** 2 + ((columns - column) / stretch) ** 2
        clean = (distances < radius**2).astype(np.uint8)
        inside, outside = (ndimage.distance_transform_edt(clean == side) for side in (1, 0))
        logits.append(np.clip((inside - outside) / softness, -6, 6))
        wrong = number % 10 < 7
        masks.append(Morphological().corrupt(clean, BETA, rng, None).mask if wrong else clean)
    return tuple(torch.tensor(np.array(each)[:, None]).double() for each in (logits, masks))


def gradients(logits, target, nu):
    """Of the T-Loss and of log_sse in the logits."""
    logits = logits.clone().requires_grad_()
    values = (
        losses.t_loss(logits, target, log_nu=torch.tensor(math.log(nu), dtype=torch.float64)),
        losses.log_sse_loss(logits, target),
    )
    return [torch.autograd.grad(value, logits)[0] for value in values]


def cosine(logits, target, nu):
    student, limit = gradients(logits, target, nu)
    return ((student * limit).sum() / (student.norm() * limit.norm())).item()


@pytest.mark.parametrize("softness", [4.0, 8.0])
@pytest.mark.parametrize("nu", [*START, *SETTLED])
def test_with_soft_outlines_no_nu_turns_the_gradient_of_a_batch(softness, nu):
    assert cosine(*batch(softness), nu) > 0.9999


@pytest.mark.parametrize("softness", [0.7, 1.0, 2.0])
def test_with_sharp_outlines_neither_does_the_nu_that_training_settles_at(softness):
    """A right mask is fit to 5 pixels here. A ν of e would be noticed, hardly: 0.995."""
    logits, target = batch(softness)
    assert min(cosine(logits, target, nu) for nu in SETTLED) > 0.9999
    assert cosine(logits, target, math.e) > 0.99


@pytest.mark.parametrize("softness", [0.7, 2.0, 8.0])
@pytest.mark.parametrize("nu", [*START, *SETTLED])
def test_an_image_s_gradients_differ_by_the_ratio_of_the_weights(softness, nu):
    logits, target = batch(softness)
    squares = ((logits.sigmoid() - target) ** 2).sum(dim=(1, 2, 3))
    student, limit = gradients(logits, target, nu)
    assert squares.min() < 300  # tens to hundreds of pixels
    assert squares.median() > 100
    ratio = ((nu + PIXELS) / (nu + squares)) / (PIXELS / squares)
    torch.testing.assert_close(student, limit * ratio.view(-1, 1, 1, 1), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(student.flatten(1).norm(dim=1) / limit.flatten(1).norm(dim=1), ratio)
