"""The T-Loss by area: scipy's density, its weight at every size, and what holds it at its ends."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import digamma, expit
from scipy.stats import multivariate_t

from robustseg import losses
from robustseg.losses.tloss import squared_residuals

CHOICES = ("pixels", "label", "mean", "ratio")


def log(nu):
    return torch.tensor(math.log(nu), dtype=torch.float64)


def numpy_dimensions(logits, target, dimension, floor=0.01):
    """D_i by the definition, (B,)."""
    labels = target.numpy().reshape(len(target), -1)
    areas = labels.sum(1)
    if dimension == "pixels":
        return np.full(len(labels), float(labels.shape[1]))
    predicted = expit(logits.numpy()).reshape(labels.shape).sum(1)
    if dimension == "ratio":
        return labels.shape[1] * np.clip(areas / predicted, floor, 1 / floor)
    if dimension == "mean":
        areas = (areas + predicted) / 2
    rest = labels.shape[1] - areas
    return np.maximum(np.minimum(areas, rest / floor), floor * labels.shape[1])


def numpy_squares(logits, target):
    return ((target.numpy() - expit(logits.numpy())) ** 2).reshape(len(target), -1).sum(1)


@pytest.mark.parametrize("nu", [0.05, 1.0, 7.0, 300.0])
@pytest.mark.parametrize("log_precision", [0.0, 1.0, -0.5])
@pytest.mark.parametrize("foreground", [1, 4, 8, 9, 15])
def test_is_scipy_s_density_in_as_many_dimensions_as_the_mask_has_pixels(
    nu, log_precision, foreground, draw
):
    logits, _, _ = draw(1, 1, 4, 4)
    target = (torch.arange(16).view(1, 1, 4, 4) < foreground).double()
    # The density depends on the residual only through its norm: one component bears it all.
    point = np.zeros(foreground)
    point[0] = math.sqrt(numpy_squares(logits, target)[0])
    density = multivariate_t(
        np.zeros(foreground), np.eye(foreground) * math.exp(-log_precision), df=nu
    )
    value = losses.area_t_loss(logits, target, log_nu=log(nu), log_precision=log_precision)
    assert value.item() == pytest.approx(-density.logpdf(point), rel=1e-10)


@pytest.mark.parametrize("dimension", CHOICES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_dimensions_are_those_of_the_definition(dimension, dtype, draw):
    logits, hard, soft = draw(3, 1, 16, 16)
    hard[0], hard[1] = 0, 1
    for target in (hard, soft):
        loss = losses.AreaTLoss(dimension=dimension)
        found = loss.dimensions(logits.to(dtype), target.to(dtype))
        np.testing.assert_allclose(
            found.double(),
            numpy_dimensions(logits.to(dtype).double(), target.to(dtype).double(), dimension),
            rtol=1e-6,
        )
        assert not found.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("nu", [0.03, math.e])
def test_pixels_is_the_t_loss_to_the_bit(dtype, nu, draw):
    logits, hard, soft = draw(3, 1, 64, 64)
    ignore = hard.roll(1, 2) > 0
    for target in (hard, soft):
        for mask in (None, ignore):
            found = []
            for loss in (
                losses.TLoss(math.log(nu), log_precision=1.0),
                losses.AreaTLoss(math.log(nu), log_precision=1.0, dimension="pixels"),
            ):
                own = logits.to(dtype).requires_grad_()
                value = loss(own, target.to(dtype), mask)
                value.backward()
                found.append((value.detach(), own.grad, loss.log_nu.grad))
            for ours, theirs in zip(*found, strict=True):
                assert torch.equal(ours, theirs)


@pytest.mark.parametrize("dimension", CHOICES)
@pytest.mark.parametrize("log_precision", [0.0, 1.0])
def test_weight_is_the_gradient_over_the_residual(dimension, log_precision, draw):
    """For "mean" too, whose D_i depends on the prediction and passes no gradient."""
    logits, _, target = draw(3, 1, 4, 5)
    logits.requires_grad_()
    loss = losses.AreaTLoss(0.7, log_precision=log_precision, dimension=dimension).double()
    (3 * loss(logits, target)).backward()  # of each image, not of their mean
    p = logits.detach().sigmoid().flatten(1)
    expected = logits.grad.flatten(1) / (p * (1 - p)) / (p - target.flatten(1))
    weight = loss.weight(
        squared_residuals(logits.detach(), target, None), loss.dimensions(logits, target)
    )
    torch.testing.assert_close(weight.expand(20, 3), expected.T)
    counts = numpy_dimensions(logits.detach(), target, dimension)
    nu = math.exp(0.7)
    by_hand = (nu + counts) / (
        nu * math.exp(-log_precision) + numpy_squares(logits.detach(), target)
    )
    np.testing.assert_allclose(weight, by_hand, rtol=1e-6)


@pytest.mark.parametrize("dimension", CHOICES[1:])
@pytest.mark.parametrize("nu", [0.07, 2.0, 500.0])
def test_gradient_of_log_nu_in_closed_form(dimension, nu, draw):
    logits, _, target = draw(3, 1, 16, 16)
    loss = losses.AreaTLoss(math.log(nu), dimension=dimension).double()
    loss(logits, target).backward()
    nu = loss.nu.item()
    counts = numpy_dimensions(logits, target, dimension)
    squares = numpy_squares(logits, target)
    slope = (
        (digamma(nu / 2) - digamma((nu + counts) / 2) + counts / nu + np.log1p(squares / nu)) / 2
        - (nu + counts) / 2 * squares / (nu * (nu + squares))
    ).mean()
    assert loss.log_nu.grad.item() == pytest.approx(nu * slope, rel=1e-8)


areas = st.floats(100, 1e5)


@given(areas, areas, st.floats(0.01, 3), st.floats(1e-4, 0.1))
def test_the_same_relative_error_has_the_same_weight_at_any_size(one, other, error, nu):
    """Up to ν |1 - r| / (r A), r = S/A; that of the T-Loss goes with 1/A."""
    loss, plain = losses.AreaTLoss(math.log(nu)), losses.TLoss(math.log(nu))
    sizes = torch.tensor([one, other], dtype=torch.float64)
    weights = loss.weight(error * sizes, sizes)
    slack = loss.nu.item() * abs(1 - error) / (error * sizes)
    assert ((weights * error - 1).abs() <= slack * 1.001 + 1e-12).all()
    by_pixels = plain.weight(error * sizes, torch.full((2,), 2e5))
    ratio = (by_pixels[0] / by_pixels[1]).item()
    assert ratio == pytest.approx(other / one, rel=0.2)


def disc(side, radius, shift=0):
    rows, columns = np.mgrid[:side, :side] - side / 2 + 0.5
    return (rows**2 + (columns - shift) ** 2 < radius**2).astype(float)


def weight_of(kind, prediction, label, **options):
    """The weight of an image with a hard prediction."""
    logits, target = (torch.from_numpy(a)[None, None].double() for a in (prediction, label))
    logits = 100 * (logits - 0.5)
    loss = kind(math.log(1e-3), **options)
    squares = squared_residuals(logits, target, None)
    return loss.weight(squares, loss.dimensions(logits, target)).item()


@pytest.mark.parametrize("dimension", ["label", "mean"])
@given(radius=st.floats(20, 39), error=st.sampled_from([0.5, 0.8, 1.2, 1.4]))
def test_a_scaled_image_keeps_its_weight_and_its_t_loss_weight_falls(dimension, radius, error):
    """Masks and predictions twice as large in one frame: four times the area, the same error."""
    pairs = [(disc(256, scale * radius * error), disc(256, scale * radius)) for scale in (1, 2)]
    small, large = (weight_of(losses.AreaTLoss, *pair, dimension=dimension) for pair in pairs)
    assert small == pytest.approx(large, rel=0.1)
    small, large = (weight_of(losses.TLoss, *pair) for pair in pairs)
    assert small / large == pytest.approx(4, rel=0.1)


@given(
    radius=st.floats(20, 39),
    error=st.sampled_from([0.5, 0.8, 1.2, 1.4]),
    floor=st.sampled_from([0.01, 0.1, 0.6, 1.0]),
)
def test_the_ratio_s_weight_is_the_t_loss_s_times_the_change_of_area(radius, error, floor):
    mask, shown = disc(256, radius * error), disc(256, radius)
    found = weight_of(losses.AreaTLoss, shown, mask, dimension="ratio", floor=floor)
    change = min(max(mask.sum() / shown.sum(), floor), 1 / floor)
    assert found == pytest.approx(change * weight_of(losses.TLoss, shown, mask), rel=1e-4)


@given(st.integers(0, 1000))
def test_the_mean_s_weight_is_that_of_dice(seed):
    """For hard masks S = |y △ p|, so A/S = 1 / (2 - 2 Dice), also for wrong sizes."""
    prediction, label = np.random.default_rng(seed).random((2, 32, 32)) > 0.6
    dice = 2 * (prediction & label).sum() / (prediction.sum() + label.sum())
    found = weight_of(
        losses.AreaTLoss, prediction.astype(float), label.astype(float), dimension="mean"
    )
    assert found == pytest.approx(1 / (2 - 2 * dice), rel=1e-4)


@given(st.integers(100, 9900))
def test_a_large_mask_has_its_own_area_until_it_fills_its_image(pixels):
    """κ is .01: from an area of .99 D on, the dimension falls to that of an empty mask."""
    target = torch.zeros(1, 1, 100, 100)
    target.flatten()[:pixels] = 1
    assert losses.AreaTLoss().dimensions(torch.zeros_like(target), target) == pixels
    target.flatten()[: 10000 - pixels // 100] = 1
    found = losses.AreaTLoss().dimensions(torch.zeros_like(target), target)
    assert found == pytest.approx(max(100, min(100 * (pixels // 100), 10000 - pixels // 100)))


def test_a_mask_that_fills_its_image_weighs_no_more_than_an_empty_one():
    """It is learnt to S → 0 by a bias; as D/S its weight would leave the others without any."""
    full, empty = np.ones((32, 32)), np.zeros((32, 32))
    for dimension in ("label", "mean"):
        found = weight_of(losses.AreaTLoss, full, full, dimension=dimension)
        assert found == weight_of(losses.AreaTLoss, empty, empty, dimension=dimension)
        assert found == pytest.approx(0.01 * weight_of(losses.TLoss, full, full), rel=1e-3)


@pytest.mark.parametrize("beta", [0.3, 0.5, 0.7])
def test_dilated_and_eroded_masks_of_one_object(beta):
    """A network that draws the right object: the T-Loss weighs them alike, by area dilated more."""
    clean = np.zeros((100, 100))
    clean.flat[:1000] = 1
    dilated, eroded = np.zeros_like(clean), np.zeros_like(clean)
    dilated.flat[: round(1000 * (1 + beta))] = 1
    eroded.flat[: round(1000 * (1 - beta))] = 1
    for kind, dimension, ratio in (
        (losses.TLoss, None, 1),
        (losses.AreaTLoss, "label", (1 + beta) / (1 - beta)),
        (losses.AreaTLoss, "mean", (2 + beta) / (2 - beta)),
        (losses.AreaTLoss, "ratio", (1 + beta) / (1 - beta)),
    ):
        options = {"dimension": dimension} if dimension else {}
        found = [weight_of(kind, clean, label, **options) for label in (dilated, eroded)]
        assert found[0] / found[1] == pytest.approx(ratio, rel=1e-3)


@pytest.mark.parametrize("dimension", CHOICES[1:])
@given(level=st.floats(-6, 6), weight=st.sampled_from([0.5, 1.0, 3.0]), nu=st.floats(0.01, 50))
def test_an_empty_mask_has_the_gradient_of_the_squared_error(dimension, level, weight, nu):
    """However far foreground has spread, all of it is pushed down, where the imagewise Dice loss
    has next to none; where there is none left, the push ends, unlike the T-Loss's."""
    logits = torch.full((1, 1, 32, 32), level, dtype=torch.float64, requires_grad=True)
    target = torch.zeros_like(logits)
    loss = losses.AreaTLoss(math.log(nu), dimension=dimension, empty_weight=weight).double()
    loss(logits, target).backward()
    p = logits.detach().sigmoid()
    torch.testing.assert_close(logits.grad, weight * p * p * (1 - p))
    assert loss.log_nu.grad == 0
    other = logits.detach().requires_grad_()
    losses.dice_loss(other, target).backward()
    assert logits.grad.sum() > 100 * other.grad.abs().sum()


@pytest.mark.parametrize("dimension", CHOICES[1:])
def test_an_image_is_empty_by_its_counted_pixels(dimension, draw):
    """A batch of one image with foreground, and of the same one where all of that is ignored."""
    logits, _, _ = draw(2, 1, 8, 8)
    target, ignore = torch.zeros_like(logits), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    target[:, :, :4], ignore[1, :, :4] = 1, True
    options = {"log_nu": log(1.0), "dimension": dimension}
    alone = losses.area_t_loss(logits[:1], target[:1], **options)
    rest = squared_residuals(logits[1:, :, 4:], target[1:, :, 4:], None)[0] / 2
    together = losses.area_t_loss(logits, target, ignore, **options)
    torch.testing.assert_close(2 * together, alone + rest)


def test_smoothed_labels_of_an_empty_mask_are_empty_still(draw):
    logits, _, _ = draw(1, 1, 8, 8)
    target = torch.full_like(logits, 0.05)
    value = losses.area_t_loss(logits, target, log_nu=log(1.0))
    torch.testing.assert_close(value, squared_residuals(logits, target, None)[0] / 2)


def test_smoothed_labels_have_half_of_epsilon_of_all_pixels_more():
    """As the page says: a small mask then counts by about ε D / 2 pixels."""
    target = torch.zeros(1, 1, 64, 64)
    target[..., :10, :10] = 1
    smoothed = (1 - 0.1) * target + 0.1 / 2
    (count,) = losses.AreaTLoss().dimensions(target, smoothed).tolist()
    assert count == pytest.approx(0.9 * 100 + 0.1 * 64 * 64 / 2)


@pytest.mark.parametrize("dimension", CHOICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_nu", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_finite_however_far_nu_has_run(dimension, dtype, log_nu, draw):
    """A mask that is learnt to S = 0 makes ν fall without an end."""
    noise, hard, _ = draw(3, 1, 16, 16)
    loss = losses.AreaTLoss(dimension=dimension)
    loss.log_nu.data.fill_(log_nu)
    for label in (hard, torch.zeros_like(hard), torch.ones_like(hard)):
        for shown in (1e4 * (2 * label - 1), 20 * (2 * label - 1), noise, 1e4 * (1 - 2 * label)):
            logits = shown.to(dtype).requires_grad_()
            value = loss(logits, label.to(dtype))
            value.backward()
            assert value.isfinite()
            assert logits.grad.isfinite().all()
            assert loss.log_nu.grad.isfinite()


def test_ignored_pixels_have_no_area(draw):
    logits, target, _ = draw(2, 1, 8, 8)
    ignore = torch.zeros_like(target, dtype=torch.bool)
    ignore[..., 4:] = True
    for dimension in CHOICES:
        loss = losses.AreaTLoss(dimension=dimension)
        torch.testing.assert_close(
            loss.dimensions(logits, target, ignore),
            loss.dimensions(logits[..., :4], target[..., :4]),
        )
        assert (loss.dimensions(logits, target, ignore | True) == 0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"dimension": "area"},
        {"floor": 0.0},
        {"floor": -0.1},
        {"floor": 1.5},
        {"empty_weight": -1.0},
        {"log_nu": math.nan},
    ],
)
def test_wrong_options_are_refused(options, draw):
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"^{name} must "):
        losses.AreaTLoss(**options)
    if name != "log_nu":
        logits, target, _ = draw(1, 1, 4, 4)
        with pytest.raises(ValueError, match=f"^{name} must "):
            losses.area_t_loss(logits, target, log_nu=log(1.0), **options)


def test_nu_is_learnt_and_kept_or_fixed(draw):
    logits, target, _ = draw(2, 1, 8, 8)
    loss = losses.AreaTLoss(log_nu=1.0)
    loss(logits, target).backward()
    torch.optim.SGD(loss.parameters(), lr=0.01).step()
    assert loss.log_nu.item() != 1.0
    losses.TLoss().load_state_dict(loss.state_dict())  # they keep the same
    fixed = losses.AreaTLoss(learn=False)
    fixed(logits.requires_grad_(), target).backward()
    assert fixed.log_nu.grad is None


@pytest.mark.parametrize("dimension", CHOICES[1:])
def test_the_weight_of_a_batch_is_that_of_each_image(dimension, draw):
    """The images beside it change nothing, as they would if their areas normalised the sum."""
    logits, target, _ = draw(4, 1, 8, 8)
    loss = losses.AreaTLoss(dimension=dimension).double()
    together = logits.clone().requires_grad_()
    (4 * loss(together, target)).backward()
    for at in range(4):
        alone = logits[at : at + 1].clone().requires_grad_()
        loss(alone, target[at : at + 1]).backward()
        torch.testing.assert_close(together.grad[at : at + 1], alone.grad)
