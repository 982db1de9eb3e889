"""The region losses against MONAI, smp and counts, and their values where nothing is found."""

import monai.losses
import pytest
import segmentation_models_pytorch as smp
import torch

from robustseg import losses

close = torch.testing.assert_close
both_domains = pytest.mark.parametrize("domain, batch", [("image", False), ("batch", True)])
WEIGHTS = [(0.5, 0.5), (1.0, 1.0), (0.3, 0.7), (0.8, 0.1)]
REGION = [
    losses.DiceLoss,
    losses.JaccardLoss,
    losses.TverskyLoss,
    losses.FocalTverskyLoss,
    losses.NoiseRobustDiceLoss,
    losses.JaccardMetricLoss,
]


@both_domains
@pytest.mark.parametrize("alpha, beta", WEIGHTS)
@pytest.mark.parametrize("smooth", [1e-5, 1.0])
def test_tversky_equals_monai(domain, batch, alpha, beta, smooth, draw):
    logits, hard, soft = draw(3, 1, 8, 8)
    peer = monai.losses.TverskyLoss(
        sigmoid=True, alpha=alpha, beta=beta, smooth_nr=smooth, smooth_dr=smooth, batch=batch
    )
    loss = losses.TverskyLoss(alpha, beta, smooth, domain)
    close(loss(logits, hard), peer(logits, hard), rtol=1e-12, atol=1e-12)
    close(loss(logits, soft), peer(logits, soft), rtol=1e-12, atol=1e-12)


@both_domains
@pytest.mark.parametrize("soft_target, soft_label", [("product", False), ("l1", True)])
@pytest.mark.parametrize(
    "kind, jaccard", [(losses.DiceLoss, False), (losses.JaccardLoss, True)], ids=["dice", "jaccard"]
)
def test_dice_and_jaccard_equal_monai(domain, batch, soft_target, soft_label, kind, jaccard, draw):
    logits, _, soft = draw(3, 1, 8, 8)
    # MONAI has s in (2A + s) / (P + Y + s), and twice both sums for Jaccard: s = 2δ
    peer = monai.losses.DiceLoss(
        sigmoid=True, jaccard=jaccard, smooth_nr=2.0, smooth_dr=2.0, batch=batch,
        soft_label=soft_label,
    )  # fmt: skip
    close(kind(1.0, domain, soft_target)(logits, soft), peer(logits, soft))


@both_domains
def test_macro_classes_equal_monai(domain, batch, draw):
    logits, hard, _ = draw(3, 4, 8, 8)
    for background in (False, True):
        peer = monai.losses.DiceLoss(
            softmax=True, smooth_nr=2e-5, smooth_dr=2e-5, batch=batch, include_background=background
        )
        loss = losses.DiceLoss(domain=domain, include_background=background)
        close(loss(logits, hard), peer(logits, hard))


@both_domains
@pytest.mark.parametrize("channels", [1, 4])
def test_pooled_classes_equal_generalised_dice_with_uniform_weights(domain, batch, channels, draw):
    logits, hard, _ = draw(3, channels, 8, 8)
    peer = monai.losses.GeneralizedDiceLoss(
        sigmoid=channels == 1, softmax=channels > 1, w_type="uniform", batch=batch,
        smooth_nr=2e-5, smooth_dr=2e-5,
    )  # fmt: skip
    loss = losses.DiceLoss(domain=domain, classes="pooled", include_background=True)
    close(loss(logits, hard), peer(logits, hard))


def test_one_class_equals_generalised_dice_whose_weights_cancel(draw):
    logits, hard, _ = draw(3, 1, 8, 8)
    peer = monai.losses.GeneralizedDiceLoss(sigmoid=True, smooth_nr=0, smooth_dr=0, batch=True)
    close(losses.DiceLoss(smooth=0.0, domain="batch")(logits, hard), peer(logits, hard))


@pytest.mark.parametrize("alpha, beta", WEIGHTS)
def test_tversky_equals_smp_in_the_batch_domain(alpha, beta, draw):
    logits, hard, _ = draw(3, 1, 8, 8)
    peer = smp.losses.TverskyLoss("binary", alpha=alpha, beta=beta, smooth=0.5, eps=0)
    close(losses.TverskyLoss(alpha, beta, 0.5, "batch")(logits, hard), peer(logits, hard))


def test_dice_ce_equals_monai(draw):
    logits, hard, _ = draw(3, 1, 8, 8)
    peer = monai.losses.DiceCELoss(sigmoid=True, smooth_nr=2e-5, smooth_dr=2e-5, lambda_ce=0.4)
    close(losses.DiceCELoss(ce_weight=0.4)(logits, hard), peer(logits, hard))


def test_dice_ce_of_classes(draw):
    logits, hard, _ = draw(3, 4, 8, 8)
    expected = losses.dice_loss(logits, hard) + losses.cross_entropy_loss(logits, hard)
    close(losses.dice_ce_loss(logits, hard), expected)


@both_domains
def test_focal_tversky_is_a_mean_of_powers(domain, batch, draw):
    logits, hard, _ = draw(3, 1, 8, 8)
    images = [[0, 1, 2]] if batch else [[0], [1], [2]]
    expected = [
        losses.tversky_loss(logits[i], hard[i], alpha=0.3, beta=0.7, domain="batch") ** 0.75
        for i in images
    ]
    close(losses.focal_tversky_loss(logits, hard, domain=domain), torch.stack(expected).mean())
    one = losses.focal_tversky_loss(logits, hard, gamma=1.0, domain=domain)
    close(one, losses.tversky_loss(logits, hard, alpha=0.3, beta=0.7, domain=domain))


@pytest.mark.parametrize("gamma", [1.0, 1.3, 1.5, 2.0])
def test_noise_robust_dice_is_its_formula(gamma, draw):
    logits, _, soft = draw(3, 1, 8, 8)
    p = logits.sigmoid()
    errors = ((p - soft).abs() ** gamma).sum((1, 2, 3))
    expected = (errors / (p.sum((1, 2, 3)) + soft.sum((1, 2, 3)) + 2e-5)).mean()
    close(losses.noise_robust_dice_loss(logits, soft, gamma=gamma), expected)


@both_domains
def test_noise_robust_dice_at_one_is_the_l1_dice_loss(domain, batch, draw):
    logits, _, soft = draw(3, 1, 8, 8)
    value = losses.noise_robust_dice_loss(logits, soft, gamma=1.0, smooth=0.5, domain=domain)
    close(value, losses.dice_loss(logits, soft, smooth=0.5, domain=domain, soft_target="l1"))


@both_domains
def test_jaccard_metric_is_the_jaccard_loss_of_a_hard_target(domain, batch, draw):
    logits, hard, _ = draw(3, 1, 8, 8)
    close(
        losses.jaccard_metric_loss(logits, hard, domain=domain, smooth=0.3),
        losses.jaccard_loss(logits, hard, domain=domain, smooth=0.3),
    )


def test_jaccard_metric_is_a_metric():
    generator = torch.Generator().manual_seed(0)
    a, b, c = torch.rand(3, 500, 1, 1, 7, generator=generator, dtype=torch.float64) ** 3

    def distance(x, y):
        pairs = zip(x.logit(), y, strict=True)
        return torch.stack(
            [losses.jaccard_metric_loss(z[None], t[None], smooth=0) for z, t in pairs]
        )

    assert (distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12).all()
    close(distance(a, b), distance(b, a))
    close(distance(a, a), torch.zeros(500, dtype=torch.float64))


@pytest.mark.parametrize("kind", REGION, ids=lambda k: k.__name__)
def test_ignored_pixels_of_classes(kind, draw):
    logits, hard, _ = draw(2, 3, 6, 8)
    ignore = torch.zeros(2, 1, 6, 8, dtype=torch.bool)
    ignore[..., 5:] = True
    for classes in ("pooled", "macro"):
        loss = kind(classes=classes)
        close(loss(logits, hard, ignore), loss(logits[..., :5], hard[..., :5]))


def test_values_at_an_empty_target(draw):
    logits, target, _ = draw(1, 1, 6, 6)
    empty = torch.zeros_like(target)
    predicted = logits.sigmoid().sum()
    alpha, smooth = 0.3, 2.0
    value = losses.tversky_loss(logits, empty, alpha=alpha, beta=0.7, smooth=smooth)
    close(value, alpha * predicted / (alpha * predicted + smooth))
    assert losses.tversky_loss(logits, empty, smooth=0.0) == 1
    nothing = torch.full_like(logits, -1e4)
    for kind in REGION:
        assert kind(smooth=0.0)(nothing, empty) == 0
        assert kind(smooth=1.0)(nothing, empty) == 0


def test_values_at_a_full_target(draw):
    logits, target, _ = draw(1, 1, 6, 6)
    predicted, beta, smooth = logits.sigmoid().sum(), 0.7, 2.0
    value = losses.tversky_loss(
        logits, torch.ones_like(target), alpha=0.3, beta=beta, smooth=smooth
    )
    close(value, 1 - (predicted + smooth) / (predicted + beta * (36 - predicted) + smooth))


@pytest.mark.parametrize("kind", REGION, ids=lambda k: k.__name__)
def test_an_absent_class_is_no_nan(kind, draw):
    logits, hard, _ = draw(2, 3, 6, 6)
    hard[:, 0] += hard[:, 2]
    hard[:, 2] = 0
    logits.requires_grad_()
    loss = kind(smooth=0.0, classes="macro")
    value = loss(logits, hard)
    value.backward()
    assert 0 < value < 1
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("soft_target", ["product", "l1"])
def test_one_foreground_pixel_in_a_batch_keeps_its_digits_in_float32(soft_target):
    logits = torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(0)) - 4
    target = torch.zeros_like(logits)
    target[0, 0, 5, 5] = 1
    loss = losses.DiceLoss(domain="batch", soft_target=soft_target)
    gradients = []
    for dtype in (torch.float32, torch.float64):
        z = logits.to(dtype).requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(z, target.to(dtype)), z)
        gradients.append(gradient.double())
    single, double = gradients
    assert (single - double).norm() < 1e-5 * double.norm()
    assert (single - double)[1:].norm() < 1e-4 * double[1:].norm()
