"""The T-Loss against scipy, the public formula and its limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma, expit
from scipy.stats import multivariate_t

from robustseg import losses


def log(nu):
    return torch.tensor(math.log(nu), dtype=torch.float64)


def residuals(logits, target):
    return (target.numpy() - expit(logits.numpy())).reshape(len(logits), -1)


def public_formula(logits, target, log_nu, log_precision, epsilon=1e-8):
    """The formula of the public code, term by term with its ε, in float64."""
    pixels = logits[0].numel()
    nu = torch.exp(log_nu) + epsilon
    log_precisions = torch.full(logits.shape[1:], log_precision, dtype=torch.float64)
    scaled = (logits.sigmoid() - target) ** 2 * torch.exp(log_precisions + epsilon)
    terms = (
        -torch.lgamma((nu + pixels) / 2)
        + torch.lgamma(nu / 2)
        - 0.5 * torch.sum(log_precisions + epsilon)
        + (pixels / 2) * math.log(math.pi)
        + (pixels / 2) * (log_nu + epsilon)
        + ((nu + pixels) / 2) * torch.log(1 + scaled.sum(dim=(1, 2, 3)) / nu)
    )
    return terms.mean()


@pytest.mark.parametrize("nu", [0.05, 1.0, 7.0, 300.0])
@pytest.mark.parametrize("log_precision", [0.0, 1.0, -0.5])
def test_is_the_negative_log_likelihood_of_scipy(nu, log_precision, draw):
    logits, _, soft = draw(4, 1, 2, 3)
    density = multivariate_t(np.zeros(6), np.eye(6) * math.exp(-log_precision), df=nu)
    value = losses.t_loss(logits, soft, log_nu=log(nu), log_precision=log_precision)
    assert value.item() == pytest.approx(-density.logpdf(residuals(logits, soft)).mean(), rel=1e-10)


@pytest.mark.parametrize("nu", [0.05, math.e, 20.0])
@pytest.mark.parametrize("log_precision", [0.0, 1.0])
def test_public_formula_to_a_millionth_in_float32(nu, log_precision, draw):
    logits, target, _ = draw(3, 1, 128, 128)
    expected = public_formula(logits, target, log(nu), log_precision)
    value = losses.t_loss(
        logits.float(), target.float(), log_nu=log(nu).float(), log_precision=log_precision
    )
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)


def test_range_at_256_pixels():
    target = torch.ones(1, 1, 256, 256)
    loss = losses.TLoss()
    assert loss(torch.full_like(target, 1e4), target).item() == pytest.approx(-2.7e5, rel=0.01)
    assert loss(torch.zeros_like(target), target).item() == pytest.approx(4.8e4, rel=0.01)


@pytest.mark.parametrize("log_precision", [0.0, 1.0])
@pytest.mark.parametrize("nu", [0.07, 2.0, 500.0])
def test_gradient_of_log_nu_in_closed_form(nu, log_precision, draw):
    logits, target, _ = draw(3, 1, 16, 16)
    loss = losses.TLoss(log_nu=math.log(nu), log_precision=log_precision).double()
    loss(logits, target).backward()
    nu = loss.nu.item()
    pixels = 256
    squares = (residuals(logits, target) ** 2).sum(1) * math.exp(log_precision)
    slope = (
        (digamma(nu / 2) - digamma((nu + pixels) / 2) + pixels / nu + np.log1p(squares / nu)) / 2
        - (nu + pixels) / 2 * squares / (nu * (nu + squares))
    ).mean()
    assert loss.log_nu.grad.item() == pytest.approx(nu * slope, rel=1e-8)


def gradient_in_the_residual(nu, residual):
    """The gradient of the loss with respect to δ, (D,); the probability is fixed at ½."""
    logits = torch.zeros(1, 1, 1, residual.numel(), dtype=torch.float64, requires_grad=True)
    losses.t_loss(logits, 0.5 + residual.view(1, 1, 1, -1), log_nu=log(nu)).backward()
    return -logits.grad.flatten() / 0.25  # dδ/dz = -p (1 - p)


@pytest.mark.parametrize("log_precision", [0.0, 1.0])
def test_weight_is_the_gradient_over_the_residual(log_precision, draw):
    logits, target, _ = draw(3, 1, 4, 5)
    logits.requires_grad_()
    loss = losses.TLoss(log_nu=0.7, log_precision=log_precision).double()
    (3 * loss(logits, target)).backward()  # of each image, not of their mean
    residual = torch.from_numpy(-residuals(logits.detach(), target))
    p = logits.detach().sigmoid().flatten(1)
    weight = loss.weight((residual**2).sum(1), torch.full((3,), 20))
    expected = (logits.grad.flatten(1) / (p * (1 - p)) / residual).T
    torch.testing.assert_close(weight.expand(20, 3), expected)
    assert not weight.requires_grad


@settings(max_examples=60, deadline=None)
@given(st.floats(-6, 6), st.floats(-4, 8), st.integers(1, 40), st.integers(0, 1000))
def test_gradient_is_bounded_in_the_norm_of_the_residual(log10_nu, log10_norm, pixels, seed):
    nu = 10**log10_nu
    residual = torch.randn(
        pixels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    residual = residual / residual.norm() * 10**log10_norm
    squares = (residual**2).sum()
    gradient = gradient_in_the_residual(nu, residual)
    torch.testing.assert_close(gradient, (nu + pixels) * residual / (nu + squares))
    assert gradient.norm() <= (nu + pixels) / (2 * math.sqrt(nu)) * (1 + 1e-9)


def test_bound_is_reached_at_the_root_of_nu_and_gradient_vanishes_beyond():
    direction = torch.ones(9, dtype=torch.float64) / 3
    nu = 4.0
    at_bound = gradient_in_the_residual(nu, direction * 2).norm().item()
    assert at_bound == pytest.approx((nu + 9) / (2 * 2.0))
    assert gradient_in_the_residual(nu, direction * 1e6).norm() < 1e-4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_large_nu_has_the_gradient_of_the_squared_error(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, 5, 5, generator=generator, dtype=torch.float64).requires_grad_()
    target = torch.rand(2, 1, 5, 5, generator=generator, dtype=torch.float64)
    (student,) = torch.autograd.grad(losses.t_loss(logits, target, log_nu=log(1e10)), logits)
    (squared,) = torch.autograd.grad(losses.mse_loss(logits, target), logits)
    torch.testing.assert_close(student * 2 / 25, squared, rtol=1e-7, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_small_nu_goes_to_log_sse(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, 5, 5, generator=generator, dtype=torch.float64).requires_grad_()
    other = torch.randn(2, 1, 5, 5, generator=generator, dtype=torch.float64)
    target = torch.rand(2, 1, 5, 5, generator=generator, dtype=torch.float64)
    nu = log(1e-9)
    student, limit = losses.t_loss(logits, target, log_nu=nu), losses.log_sse_loss(logits, target)
    torch.testing.assert_close(
        *(torch.autograd.grad(x, logits)[0] for x in (student, limit)), rtol=1e-6, atol=1e-9
    )
    difference = student - losses.t_loss(other, target, log_nu=nu)
    torch.testing.assert_close(difference, limit - losses.log_sse_loss(other, target))


def test_log_sse_of_a_perfect_prediction(draw):
    _, target, _ = draw(2, 1, 8, 8)
    value = losses.log_sse_loss(2e4 * (target - 0.5), target)
    assert value.item() == pytest.approx(math.log(1e-8) / 2 * 64)


def test_nu_is_learnt_and_kept(draw):
    logits, target, _ = draw(2, 1, 8, 8)
    loss = losses.TLoss(log_nu=1.0)
    assert loss.nu.item() == pytest.approx(math.e)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.01)
    loss(logits, target).backward()
    optimizer.step()
    assert loss.log_nu.item() != 1.0
    other = losses.TLoss()
    other.load_state_dict(loss.state_dict())
    assert other.nu == loss.nu


def test_nu_can_be_fixed(draw):
    logits, target, _ = draw(2, 1, 8, 8)
    loss = losses.TLoss(learn=False)
    loss(logits.requires_grad_(), target).backward()
    assert loss.log_nu.grad is None
    assert list(loss.state_dict()) == ["log_nu"]
