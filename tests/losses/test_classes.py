"""Losses of several classes against definitions, libraries, and the binary forms."""

import math

import hypothesis.strategies as st
import monai.losses
import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from hypothesis import given, settings
from scipy.stats import multivariate_t
from torch.nn import functional

from robustseg import losses

close = torch.testing.assert_close
exact = {"rtol": 1e-10, "atol": 1e-12}
CLASSES = [getattr(losses, name) for name in losses.__all__ if name.endswith("Loss")]
every_loss = pytest.mark.parametrize("kind", CLASSES, ids=lambda k: k.__name__)
REGION = [
    losses.DiceLoss,
    losses.JaccardLoss,
    losses.TverskyLoss,
    losses.FocalTverskyLoss,
    losses.NoiseRobustDiceLoss,
    losses.JaccardMetricLoss,
]
# Those that are the binary form with two classes; the others are derived below.
SAME = [
    losses.CrossEntropyLoss,
    losses.FocalLoss,
    losses.GCELoss,
    losses.MAELoss,
    losses.RCELoss,
    losses.SCELoss,
    losses.NCELoss,
    losses.NGCELoss,
    losses.NCERCELoss,
    losses.NGCEMAELoss,
    losses.NGCERCELoss,
    losses.MSELoss,
    losses.DiceCELoss,
    *REGION,
]


def definitions(p, y):
    """Losses at a pixel, by the definition: probabilities and a hard label, (pixels, K)."""
    own, classes = (p * y).sum(1), p.shape[1]
    q, few = 0.7, 0.1
    clamped = np.log(np.clip(y, 1e-4, 1))
    rce = -(p * clamped).sum(1)
    mae = np.abs(p - y).sum(1) / 2
    nce = np.log(own) / np.log(p).sum(1)
    ngce = (1 - own**few) / (classes - (p**few).sum(1))
    return {
        losses.CrossEntropyLoss: -np.log(own),
        losses.FocalLoss: -((1 - own) ** 2) * np.log(own),
        losses.GCELoss: (1 - own**q) / q,
        losses.MAELoss: mae,
        losses.RCELoss: rce,
        losses.SCELoss: -0.1 * np.log(own) + rce,
        losses.NCELoss: nce,
        losses.NGCELoss: ngce,
        losses.NCERCELoss: nce + rce,
        losses.NGCEMAELoss: ngce + mae,
        losses.NGCERCELoss: ngce + rce,
        losses.MSELoss: ((p - y) ** 2).sum(1) / classes,
    }


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_pixel_losses_equal_their_definitions(classes, draw):
    logits, hard, _ = draw(2, classes, 4, 5)
    flat = [x.movedim(1, -1).reshape(-1, classes).numpy() for x in (logits.softmax(1), hard)]
    for kind, values in definitions(*flat).items():
        assert float(kind()(logits, hard)) == pytest.approx(values.mean(), rel=1e-10), kind


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 30), st.booleans())
@pytest.mark.parametrize("kind", SAME, ids=lambda k: k.__name__)
def test_two_classes_are_the_binary_form(kind, seed, scale, soft):
    generator = torch.Generator().manual_seed(seed)
    pair = scale * torch.randn(2, 2, 3, 4, generator=generator, dtype=torch.float64)
    positive = torch.rand(2, 1, 3, 4, generator=generator, dtype=torch.float64)
    if not soft:
        positive = positive.round()
    elif kind is losses.MSELoss or kind is losses.RCELoss:
        positive = positive.round()
    ignore = torch.rand(2, 1, 3, 4, generator=generator) < 0.2
    target = torch.cat([1 - positive, positive], dim=1)
    loss = kind()
    binary = loss(pair[:, 1:] - pair[:, :1], positive, ignore)
    close(loss(pair, target, ignore), binary, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("nu", [0.1, 1.0, 7.0])
def test_t_loss_of_two_classes_has_twice_the_gradient_at_half_the_nu(nu, draw):
    pair, target, _ = draw(3, 2, 4, 5)
    pair.requires_grad_()
    losses.t_loss(pair, target, log_nu=torch.tensor(math.log(nu))).backward()
    alone = (pair[:, 1:] - pair[:, :1]).detach().requires_grad_()
    half = torch.tensor(math.log(nu / 2), dtype=torch.float64)
    losses.t_loss(alone, target[:, 1:], log_nu=half).backward()
    close(pair.grad[:, 1:], 2 * alone.grad, rtol=1e-6, atol=1e-9)


def test_log_sse_of_two_classes_is_twice_the_binary_value_and_a_constant(draw):
    pair, target, _ = draw(3, 2, 4, 5)
    binary = losses.log_sse_loss(pair[:, 1:] - pair[:, :1], target[:, 1:])
    close(losses.log_sse_loss(pair, target), 2 * binary + 20 * math.log(2), rtol=1e-7, atol=1e-7)


def test_t_loss_is_the_likelihood_of_all_channels(draw):
    logits, target, _ = draw(2, 3, 2, 3)
    residuals = (target - logits.softmax(1)).flatten(1).numpy()
    expected = -multivariate_t(shape=np.eye(18), df=2.5).logpdf(residuals).mean()
    value = losses.t_loss(logits, target, log_nu=torch.tensor(math.log(2.5), dtype=torch.float64))
    assert float(value) == pytest.approx(expected, rel=1e-9)


def test_dimensions_of_the_area_are_those_of_the_foreground(draw):
    logits, target, _ = draw(3, 4, 5, 6)
    foreground = target[:, 1:].sum(dim=(1, 2, 3))
    assert ((foreground > 1) & (foreground < 29)).all()
    close(losses.AreaTLoss().dimensions(logits, target), 4 * foreground)
    two = target[:, 1:].sum(1, keepdim=True)
    binary = losses.AreaTLoss().dimensions(logits[:, :1], two)
    pair = torch.cat([1 - two, two], dim=1)
    close(losses.AreaTLoss().dimensions(logits[:, :2], pair), 2 * binary)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("domain, batch", [("image", False), ("batch", True)])
def test_tversky_of_classes_equals_monai(domain, batch, background, draw):
    logits, hard, _ = draw(3, 4, 8, 8)
    peer = monai.losses.TverskyLoss(
        softmax=True, alpha=0.3, beta=0.7, smooth_nr=1e-5, smooth_dr=1e-5, batch=batch,
        include_background=background,
    )  # fmt: skip
    loss = losses.TverskyLoss(0.3, 0.7, domain=domain, include_background=background)
    close(loss(logits, hard), peer(logits, hard), **exact)


def test_focal_of_classes_equals_monai(draw):
    logits, hard, _ = draw(3, 4, 8, 8)
    peer = monai.losses.FocalLoss(gamma=2.0, use_softmax=True, include_background=True)
    # MONAI, in float32, has the mean over classes too, of which only the labelled one is not 0.
    close(losses.FocalLoss()(logits.float(), hard.float()), 4 * peer(logits, hard))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0])
def test_focal_is_finite_where_its_power_has_no_slope(gamma, draw):
    _, hard, _ = draw(2, 3, 4, 4)
    for sign in (1, -1):
        logits = (sign * 1e4 * (2 * hard - 1)).requires_grad_()
        losses.FocalLoss(gamma)(logits, hard).backward()
        assert logits.grad.isfinite().all()


def test_cross_entropy_of_classes_equals_torch(draw):
    logits, hard, soft = draw(3, 4, 8, 8)
    close(losses.CrossEntropyLoss()(logits, soft), functional.cross_entropy(logits, soft))
    close(losses.CrossEntropyLoss()(logits, hard), functional.cross_entropy(logits, hard.argmax(1)))


@pytest.mark.parametrize("domain, per_image", [("image", True), ("batch", False)])
def test_lovasz_of_classes_equals_smp(domain, per_image, draw):
    logits, hard, _ = draw(3, 4, 8, 8)
    hard[0, 2] += hard[0, 1]  # a class that one image lacks
    hard[0, 1] = 0
    peer = smp.losses.LovaszLoss("multiclass", per_image=per_image)
    logits = logits.float()  # which smp asks for
    close(losses.LovaszHingeLoss(domain=domain)(logits, hard), peer(logits, hard.argmax(1)))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e4, 100.0, 20.0, 0.0])
def test_finite_for_extreme_logits(kind, dtype, size, draw):
    noise, hard, soft = draw(3, 4, 6, 6)
    absent = torch.zeros_like(hard)
    absent[:, 0] = 1
    for label in (hard, soft, absent):
        for sign in (noise.sign(), 2 * hard - 1, 1 - 2 * hard):
            logits = (size * sign).to(dtype).requires_grad_()
            value = kind()(logits, label.to(dtype))
            value.backward()
            assert value.isfinite()
            assert logits.grad.isfinite().all()


@every_loss
def test_autocast_changes_nothing(kind, draw):
    logits, target, _ = draw(2, 4, 64, 64)
    logits = logits.bfloat16().requires_grad_()
    expected = kind()(logits.float(), target.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = kind()(logits, target.bfloat16())
    value.backward()
    assert value.dtype == torch.float32
    assert value == expected
    assert logits.grad.isfinite().all()


@every_loss
def test_ignored_pixels_are_as_if_cut_off(kind, draw):
    logits, target, _ = draw(2, 3, 6, 8)
    expected = kind()(logits[..., :5], target[..., :5])
    ignore = torch.zeros(2, 1, 6, 8, dtype=torch.bool)
    ignore[..., 5:] = True
    logits.requires_grad_()
    value = kind()(logits, target, ignore)
    close(value, expected, **exact)
    value.backward()
    assert (logits.grad[..., 5:] == 0).all()
    assert (logits.grad[..., :5] != 0).any()
    assert kind()(logits, target, torch.ones_like(ignore)).isfinite()


@every_loss
def test_gradients_are_those_of_finite_differences(kind, draw):
    logits, _, soft = draw(2, 3, 2, 3, scale=1.0)
    assert torch.autograd.gradcheck(
        lambda z: kind()(z, soft), logits.requires_grad_(), atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("kind", REGION, ids=lambda k: k.__name__)
def test_the_background_does_not_count(kind, draw):
    logits, hard, _ = draw(2, 3, 6, 6)
    smoothed = kind()(logits, hard)
    with_background = kind(include_background=True)(logits, hard)
    assert smoothed != with_background
    swapped = kind()(logits[:, [0, 2, 1]], hard[:, [0, 2, 1]])
    close(swapped, smoothed)  # the others are alike
