"""Regularisers: Claim 2 with its constants, gradients, scales."""

import math
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch.nn import functional

from robustseg import losses
from robustseg.losses import regularizers as reg

CONF = Path(__file__).parents[2] / "conf" / "regularizer"
KINDS = [
    reg.NoRegularizer,
    reg.LabelSmoothing,
    reg.LabelNoisePenalty,
    reg.ConfidencePenalty,
    reg.BoundarySmoothing,
]
close = torch.testing.assert_close
thorough = settings(max_examples=60, deadline=None)
cases = given(st.sampled_from([1, 2, 3, 7]), st.floats(0, 0.99), st.integers(0, 999))


def batch(channels, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, channels, 3, 4, generator=generator, dtype=torch.float64)
    label = torch.randint(max(2, channels), (2, 3, 4), generator=generator)
    if channels == 1:
        return logits, label[:, None].double(), label
    return logits, functional.one_hot(label, channels).movedim(-1, 1).double(), label


def class_probabilities(logits):
    """(B, C, H, W) log-probabilities, of two classes for one channel."""
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    return logits.log_softmax(1)


# Claim 2
@thorough
@cases
def test_smoothed_cross_entropy_is_torchs(channels, epsilon, seed):
    logits, target, label = batch(channels, seed)
    loss = reg.Regularized(losses.CrossEntropyLoss(), reg.LabelSmoothing(epsilon))
    expected = functional.nll_loss(class_probabilities(logits), label)  # checks the classes below
    close(losses.cross_entropy_loss(logits, target), expected)
    as_classes = logits if channels > 1 else torch.cat([torch.zeros_like(logits), logits], 1)
    close(
        loss(logits, target),
        functional.cross_entropy(as_classes, label, label_smoothing=epsilon),
        rtol=1e-12, atol=1e-12,
    )  # fmt: skip


@thorough
@cases
def test_label_smoothing_is_the_label_noise_penalty_for_cross_entropy(channels, epsilon, seed):
    logits, target, _ = batch(channels, seed)
    classes = max(2, channels)
    smoothed = reg.Regularized(losses.CrossEntropyLoss(), reg.LabelSmoothing(epsilon))
    cross_entropy = losses.cross_entropy_loss(logits, target)
    penalty = reg.uniform_cross_entropy(logits).mean()
    value = smoothed(logits, target)
    close(value, (1 - epsilon) * cross_entropy + epsilon / classes * penalty)
    # and so, up to the factor 1 - ε, the penalty by ε / (C (1 - ε))
    noise = reg.LabelNoisePenalty(epsilon / (classes * (1 - epsilon)))
    penalised = reg.Regularized(losses.CrossEntropyLoss(), noise)(logits, target)
    close(value, (1 - epsilon) * penalised)


@thorough
@cases
def test_penalties_are_divergences_from_the_uniform_distribution(channels, epsilon, seed):
    logits, target, _ = batch(channels, seed)
    log_p = class_probabilities(logits)
    classes = log_p.shape[1]
    uniform = torch.full_like(log_p, 1 / classes)
    forward = (uniform * (uniform.log() - log_p)).sum(1, keepdim=True)  # KL(u‖p)
    backward = (log_p.exp() * (log_p - uniform.log())).sum(1, keepdim=True)  # KL(p‖u)
    offset = math.log(classes)
    close(reg.uniform_cross_entropy(logits), classes * forward + classes * offset)
    close(reg.negative_entropy(logits), backward - offset)
    base = losses.cross_entropy_loss(logits, target)
    for penalty, values in (
        (reg.LabelNoisePenalty, classes * (forward + offset)),
        (reg.ConfidencePenalty, backward - offset),
    ):
        loss = reg.Regularized(losses.CrossEntropyLoss(), penalty(epsilon))
        close(loss(logits, target), base + epsilon * values.mean())


def test_the_slides_constant_has_another_optimum():
    """CE + ε KL(u‖p) is best at (1 + ε/C)/(1 + ε), label smoothing at 1 - ε + ε/C."""
    epsilon = 0.2
    p = torch.linspace(0.5, 0.999, 4991, dtype=torch.float64)
    logits = p.logit().view(-1, 1, 1, 1)
    label = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    smoothed = [
        losses.cross_entropy_loss(z[None], reg.smooth_labels(label, epsilon)) for z in logits
    ]
    assert p[torch.stack(smoothed).argmin()].item() == pytest.approx(1 - epsilon / 2, abs=1e-4)
    kl = reg.uniform_cross_entropy(logits).flatten() / 2 - math.log(2)
    slides = -p.log() + epsilon * kl
    best = (1 + epsilon / 2) / (1 + epsilon)
    assert p[slides.argmin()].item() == pytest.approx(best, abs=1e-4)


def test_gradients_of_the_binary_penalties():
    z = torch.linspace(-30, 30, 121, dtype=torch.float64).view(1, 1, 1, -1).requires_grad_()
    p = z.sigmoid()
    (noise,) = torch.autograd.grad(reg.uniform_cross_entropy(z).sum(), z)
    (confidence,) = torch.autograd.grad(reg.negative_entropy(z).sum(), z)
    close(noise, 2 * p - 1)
    close(confidence, p * (1 - p) * z, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("penalty", [reg.uniform_cross_entropy, reg.negative_entropy])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_penalties_are_finite_for_extreme_logits(penalty, channels, dtype):
    sizes = torch.tensor([-1e4, -200, -20, 0, 20, 200, 1e4]).repeat(channels, 1)
    sizes[1:] = sizes[1:].flip(1)
    z = sizes.view(1, channels, 1, -1).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = penalty(z)
    assert values.dtype == torch.float32
    values.sum().backward()
    assert values.isfinite().all()
    assert z.grad.isfinite().all()


def test_bounds_of_the_binary_penalties():
    z = torch.linspace(-200, 200, 4001).view(1, 1, 1, -1)
    noise, confidence = reg.uniform_cross_entropy(z), reg.negative_entropy(z)
    assert noise.min().item() == pytest.approx(2 * math.log(2))
    assert confidence.min().item() == pytest.approx(-math.log(2))
    assert confidence.max() <= 0


# Strength beside a region loss (predicted in the small-ε limit)
def optimum(regularizer, share=0.1, pixels=1000):
    """Probabilities of foreground and background where the regularised Dice loss is least."""
    target = torch.zeros(1, 1, 1, pixels, dtype=torch.float64)
    target[..., : int(share * pixels)] = 1
    loss = reg.Regularized(losses.DiceLoss(smooth=0.0), regularizer)
    two = torch.tensor([3.0, -3.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([two], max_iter=200, line_search_fn="strong_wolfe")

    def step():
        optimizer.zero_grad()
        value = loss(torch.where(target > 0, two[0], two[1]), target)
        value.backward()
        return value

    optimizer.step(step)
    return two.detach()


def test_label_noise_penalty_calibrates_a_dice_loss():
    foreground, background = optimum(reg.LabelNoisePenalty(0.1)).sigmoid()
    assert 1 - foreground.item() == pytest.approx(0.0195, abs=5e-4)
    assert background.item() == pytest.approx(0.0240, abs=5e-4)


def test_confidence_penalty_is_nearly_inert_beside_a_dice_loss():
    foreground, background = optimum(reg.ConfidencePenalty(0.3))
    assert foreground > 10
    assert background < -10


# All regularisers
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
@pytest.mark.parametrize(
    "loss", [losses.TverskyLoss, losses.DiceCELoss, losses.GCELoss, losses.TLoss]
)
def test_usable_with_any_loss(kind, loss, draw):
    logits, target, _ = draw(2, 1, 6, 6)
    ignore = torch.zeros_like(target, dtype=torch.bool)
    ignore[..., 4:] = True
    module = reg.Regularized(loss(), kind())
    logits.requires_grad_()
    value = module(logits, target, ignore)
    value.backward()
    assert value.isfinite()
    assert (logits.grad[..., 4:] == 0).all()
    assert (logits.grad[..., :4] != 0).all()
    close(value.detach(), module(logits[..., :4], target[..., :4]).detach())


@thorough
@given(
    st.sampled_from(["MAE", "RCE", "NCE", "NGCE", "NCERCE", "NGCEMAE", "NGCERCE"]),
    st.sampled_from([1, 3]),
    st.floats(0, 0.9),
    st.integers(0, 999),
)
def test_smoothed_labels_scale_the_gradient_of_losses_that_are_linear_in_them(
    name, channels, epsilon, seed
):
    logits, target, _ = batch(channels, seed)
    logits.requires_grad_()
    loss = getattr(losses, f"{name}Loss")()
    (plain,) = torch.autograd.grad(loss(logits, target), logits)
    smoothed = reg.LabelSmoothing(epsilon)(loss, logits, target)
    (scaled,) = torch.autograd.grad(smoothed, logits)
    close(scaled, (1 - epsilon) * plain, rtol=1e-9, atol=1e-12)


def test_none_is_the_loss_itself(draw):
    logits, target, _ = draw(2, 1, 6, 6)
    module = reg.Regularized(losses.DiceLoss(), reg.NoRegularizer(epsilon=0.3))
    assert module(logits, target) == losses.dice_loss(logits, target)
    assert list(module.parameters()) == []


@pytest.mark.parametrize("kind", [reg.LabelNoisePenalty, reg.ConfidencePenalty])
@pytest.mark.parametrize("loss", [losses.TLoss, losses.LogSSELoss])
def test_penalty_is_summed_over_pixels_on_the_scale_of_an_image(kind, loss, draw):
    logits, target, _ = draw(2, 1, 8, 8)
    ignore = torch.zeros_like(target, dtype=torch.bool)
    ignore[1, :, 3:] = True
    base = loss()
    mean = reg.Regularized(losses.MAELoss(), kind(0.1))(logits, target)
    total = reg.Regularized(base, kind(0.1))(logits, target)
    close(total - base(logits, target), 64 * (mean - losses.mae_loss(logits, target)))
    masked = reg.Regularized(base, kind(0.1))(logits, target, ignore) - base(logits, target, ignore)
    first, second = logits[:1], logits[1:, :, :3]
    images = [
        reg.Regularized(base, kind(0.1))(z, torch.ones_like(z)) - base(z, torch.ones_like(z))
        for z in (first, second)
    ]
    close(masked, sum(images) / 2)


@pytest.mark.parametrize("kind", [reg.LabelNoisePenalty, reg.ConfidencePenalty])
@pytest.mark.parametrize("dimension", ["pixels", "label", "mean", "ratio"])
def test_a_penalty_beside_the_t_loss_by_area_is_as_large_as_its_area(kind, dimension, draw):
    """D_i of its D pixels count, so that is the share of the sum, once regularised or twice."""
    logits, target, _ = draw(2, 1, 8, 8)
    target[0, :, 2:], target[1, :, 5:] = 0, 0
    base = losses.AreaTLoss(dimension=dimension)
    means = torch.stack(
        [
            reg.Regularized(losses.MAELoss(), kind(0.1))(z, y) - losses.mae_loss(z, y)
            for z, y in zip(logits.split(1), target.split(1), strict=True)
        ]
    )
    expected = (base.dimensions(logits, target) * means).mean()
    once = reg.Regularized(base, kind(0.1))
    close(once(logits, target) - base(logits, target), expected)
    twice = reg.Regularized(once, kind(0.1))
    close(twice(logits, target) - base(logits, target), 2 * expected)


def test_parameters_of_the_loss_are_kept():
    module = reg.Regularized(losses.TLoss(log_nu=1.0), reg.LabelNoisePenalty())
    assert [name for name, _ in module.named_parameters()] == ["loss.log_nu"]
    assert module.image_scale


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_configuration(path):
    config = OmegaConf.to_container(OmegaConf.load(path))
    assert config.pop("name") == path.stem
    built, default = instantiate(config), None
    default = type(built)()
    assert repr(built) == repr(default)
    assert "epsilon" in config


def test_every_regularizer_has_a_configuration():
    stems = {path.stem for path in CONF.glob("*.yaml")}
    assert stems == {"none", "label_smoothing", "label_noise", "confidence", "boundary_smoothing"}


@pytest.mark.parametrize("kind", KINDS[1:], ids=lambda k: k.__name__)
def test_wrong_epsilon_is_refused(kind):
    with pytest.raises(ValueError, match="epsilon"):
        kind(epsilon=-0.1)
