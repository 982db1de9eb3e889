"""The slides' claims about the Tversky index as theorems, by enumeration of vertices."""

import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from robustseg import losses
from robustseg.losses.tversky import tversky_index

CERTAIN = 1e4  # logits of a probability of exactly 0 or 1
weights = st.floats(0.05, 3.0)
smoothing = st.one_of(st.just(0.0), st.floats(0.01, 20.0))
thorough = settings(max_examples=100, deadline=None)


def index(probability, target, alpha, beta, smooth, soft_target="product", classes="pooled"):
    """T of each row: probability (N, M) and target (M,) or (N, M), float64."""
    logits = probability.logit().clamp(-CERTAIN, CERTAIN)
    target = target.expand_as(probability)
    return tversky_index(
        logits[:, None, None, :], target[:, None, None, :], None,
        alpha=alpha, beta=beta, smooth=smooth,
        domain="image", soft_target=soft_target, classes=classes, include_background=True,
    )  # fmt: skip


def vertices(pixels):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=pixels)), dtype=torch.float64)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


targets = st.lists(st.floats(0, 1), min_size=1, max_size=8).map(tensor)
hard_pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30).map(tensor)


# 1. Hard masks, range, permutations
@thorough
@given(hard_pairs, weights, weights, smoothing)
def test_hard_masks_have_the_index_of_their_counts(pairs, alpha, beta, smooth):
    p, y = pairs.T
    tp, fp, fn = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    value = index(p[None], y, alpha, beta, smooth)
    denominator = tp + alpha * fp + beta * fn + smooth
    expected = (tp + smooth) / denominator if denominator else tensor(1.0)
    torch.testing.assert_close(value[0], expected)
    assert index(y[None], y, alpha, beta, smooth) == 1
    if denominator and not smooth:
        assert index(p[None], y, 0.5, 0.5, 0.0).item() == pytest.approx(
            (2 * tp / (p.sum() + y.sum())).item()
        )
        assert index(p[None], y, 1.0, 1.0, 0.0).item() == pytest.approx(
            (tp / (tp + fp + fn)).item()
        )


@thorough
@given(targets, weights, weights, smoothing, st.integers(0, 999))
def test_range_and_invariance_to_the_order_of_pixels(target, alpha, beta, smooth, seed):
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(1, len(target), generator=generator, dtype=torch.float64)
    value = index(p, target, alpha, beta, smooth)
    assert 0 <= value <= 1
    order = torch.randperm(len(target), generator=generator)
    torch.testing.assert_close(value, index(p[:, order], target[order], alpha, beta, smooth))


# 2. Which weight is which
@thorough
@given(weights, weights, weights)
def test_alpha_weighs_false_positives_and_beta_false_negatives(alpha, beta, other):
    assume(abs(alpha - other) > 1e-3 and abs(beta - other) > 1e-3)
    y = tensor([1.0, 1.0, 0.0, 0.0])
    false_positive, false_negative = tensor([[1.0, 1, 1, 0]]), tensor([[1.0, 0, 0, 0]])
    assert index(false_positive, y, alpha, beta, 0.0) == index(false_positive, y, alpha, other, 0.0)
    assert index(false_negative, y, alpha, beta, 0.0) == index(false_negative, y, other, beta, 0.0)
    torch.testing.assert_close(index(false_positive, y, alpha, beta, 0.0)[0], 2 / tensor(2 + alpha))
    torch.testing.assert_close(index(false_negative, y, alpha, beta, 0.0)[0], 1 / tensor(1 + beta))


# 3. Image and batch
def random_batch(seed, images):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, 1, 3, 4, generator=generator, dtype=torch.float64)
    target = torch.rand(images, 1, 3, 4, generator=generator, dtype=torch.float64)
    return logits, target * torch.rand(images, 1, 1, 1, generator=generator, dtype=torch.float64)


@thorough
@given(st.integers(0, 999), st.integers(1, 5), weights, weights, smoothing)
@pytest.mark.parametrize("soft_target", ["product", "l1"])
def test_batch_domain_is_the_weighted_mean_of_images(soft_target, seed, n, alpha, beta, smooth):
    """T_batch(δ) = Σ D_b T_b(δ/B) / Σ D_b, D_b the denominator of image b with δ/B."""
    logits, target = random_batch(seed, n)
    options = {"alpha": alpha, "beta": beta, "soft_target": soft_target}
    p = logits.sigmoid()
    common = p * target if soft_target == "product" else torch.minimum(p, target)
    sums = (common + alpha * (p - common) + beta * (target - common)).sum((1, 2, 3)) + smooth / n
    single = torch.stack([
        losses.tversky_loss(z[None], t[None], smooth=smooth / n, **options)
        for z, t in zip(logits, target, strict=True)
    ])  # fmt: skip
    batch = losses.tversky_loss(logits, target, smooth=smooth, domain="batch", **options)
    torch.testing.assert_close(1 - batch, (sums * (1 - single)).sum() / sums.sum())
    image = losses.tversky_loss(logits, target, smooth=smooth / n, **options)
    torch.testing.assert_close(image, single.mean())
    if n == 1:
        assert image == batch


# 4. Equality with MONAI: test_region_losses.py


# 5. The threshold theorem
@thorough
@given(targets, weights, weights, smoothing, st.integers(0, 999))
def test_the_maximum_is_a_threshold_of_the_target(target, alpha, beta, smooth, seed):
    assume(target.sum() + smooth > 1e-6)
    corners = vertices(len(target))
    values = index(corners, target, alpha, beta, smooth)
    best = values.max()
    theta = alpha * best / (1 - (1 - alpha - beta) * best)
    assert theta <= alpha / (alpha + beta) + 1e-12
    assume((target - theta).abs().min() > 1e-9)
    assert torch.equal(corners[values.argmax()], (target > theta).double())
    generator = torch.Generator().manual_seed(seed)
    inside = torch.rand(200, len(target), generator=generator, dtype=torch.float64)
    assert (index(inside, target, alpha, beta, smooth) <= best + 1e-12).all()


@thorough
@given(targets, weights, weights, smoothing, st.integers(0, 999))
def test_the_gradient_has_the_sign_of_target_less_threshold(target, alpha, beta, smooth, seed):
    assume(target.sum() + smooth > 1e-6)
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(1, len(target), generator=generator, dtype=torch.float64).clamp(0.01, 0.99)
    p.requires_grad_()
    (gradient,) = torch.autograd.grad(index(p, target, alpha, beta, smooth), p)
    p = p.detach()
    common, predicted, labelled = (p * target).sum(), p.sum(), target.sum()
    theta = (
        alpha * (common + smooth)
        / (alpha * predicted + beta * labelled + (alpha + beta) * smooth)
    )  # fmt: skip
    clear = (target - theta).abs() > 1e-9
    assert torch.equal(gradient[0].sign()[clear], (target - theta).sign()[clear])


# 6. Claim 1: test_claim_1.py


# 7. The L1 form
@thorough
@given(hard_pairs, weights, weights, smoothing, st.integers(0, 999))
def test_l1_is_the_product_form_for_hard_targets(pairs, alpha, beta, smooth, seed):
    y = pairs[:, 0]
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(1, len(y), generator=generator, dtype=torch.float64)
    l1 = index(p, y, alpha, beta, smooth, "l1")
    torch.testing.assert_close(l1, index(p, y, alpha, beta, smooth))


@thorough
@given(targets, weights, weights, smoothing, st.integers(0, 999))
def test_l1_is_best_at_the_target_itself(target, alpha, beta, smooth, seed):
    generator = torch.Generator().manual_seed(seed)
    near = target + 0.1 * torch.randn(100, len(target), generator=generator, dtype=torch.float64)
    far = torch.rand(100, len(target), generator=generator, dtype=torch.float64)
    others = torch.cat([near.clamp(0, 1), far, vertices(len(target))])
    assert index(target[None], target, alpha, beta, smooth, "l1").item() == pytest.approx(1)
    assert (index(others, target, alpha, beta, smooth, "l1") <= 1 + 1e-12).all()


# 8. Claim 2: test_regularizers.py


# 9. Empty tiles
@thorough
@given(st.integers(1, 64), weights, weights, st.floats(1e-3, 100.0), st.integers(0, 999))
def test_gradient_of_an_empty_tile(pixels, alpha, beta, smooth, seed):
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(1, pixels, generator=generator, dtype=torch.float64).clamp(1e-3, 1 - 1e-3)
    p.requires_grad_()
    loss = 1 - index(p, torch.zeros(pixels, dtype=torch.float64), alpha, beta, smooth)
    (gradient,) = torch.autograd.grad(loss, p)
    expected = alpha * smooth / (alpha * p.detach().sum() + smooth) ** 2
    torch.testing.assert_close(gradient, expected.expand_as(gradient))


def test_image_domain_hardly_sees_a_negative_tile_and_batch_domain_does():
    logits = torch.zeros(2, 1, 256, 256, dtype=torch.float64)
    target = torch.zeros_like(logits)
    target[1].view(-1)[: 65536 // 10] = 1  # the second tile is a tenth foreground
    pull = {}
    for domain in ("image", "batch"):
        z = logits.clone().requires_grad_()
        losses.dice_loss(z, target, smooth=1.0, domain=domain).backward()
        pull[domain] = z.grad[0].abs().sum()
        negatives = z.grad[1][target[1] == 0]
        ratio = z.grad[0].abs().mean() / negatives.abs().mean()
        assert (ratio < 1e-3) if domain == "image" else (ratio == pytest.approx(1))
    assert pull["batch"] > 1000 * pull["image"]


# 10. Autocast and processes: test_every_loss.py and test_distributed.py
