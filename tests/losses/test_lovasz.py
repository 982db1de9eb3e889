"""The Lovász hinge against its definition and smp."""

import itertools

import pytest
import segmentation_models_pytorch as smp
import torch

from robustseg.losses import lovasz_hinge_loss


def jaccard_loss_of_mistakes(label, mistakes):
    """Jaccard loss of the segmentation that is wrong exactly at `mistakes`."""
    predicted = label ^ mistakes
    union = (predicted | label).sum()
    return 1 - (predicted & label).sum() / union if union else torch.tensor(0.0)


@pytest.mark.parametrize("label", list(itertools.product([0, 1], repeat=4)))
def test_extends_the_jaccard_loss_of_sets(label):
    """Where the hinges are 0 or 1 the extension is the set function itself."""
    label = torch.tensor(label, dtype=torch.bool)
    for mistakes in itertools.product([0, 1], repeat=4):
        wrong = torch.tensor(mistakes, dtype=torch.bool)
        margin = (~wrong).double()  # hinge 1 - margin
        logits = torch.where(label, margin, -margin).view(1, 1, 1, 4)
        value = lovasz_hinge_loss(logits, label.double().view(1, 1, 1, 4))
        assert value.item() == pytest.approx(jaccard_loss_of_mistakes(label, wrong).item())


@pytest.mark.parametrize("domain, per_image", [("image", True), ("batch", False)])
def test_equals_smp(domain, per_image, draw):
    logits, target, _ = (tensor.float() for tensor in draw(3, 1, 16, 16))
    expected = smp.losses.LovaszLoss("binary", per_image=per_image)(logits, target)
    torch.testing.assert_close(lovasz_hinge_loss(logits, target, domain=domain), expected)


def test_is_convex_in_the_logits(draw):
    first, target, _ = draw(1, 1, 6, 6)
    second, _, _ = draw(1, 1, 6, 6, seed=1)
    ends = (lovasz_hinge_loss(first, target) + lovasz_hinge_loss(second, target)) / 2
    assert lovasz_hinge_loss((first + second) / 2, target) <= ends


def test_empty_target_is_the_largest_hinge(draw):
    logits, target, _ = draw(1, 1, 6, 6)
    value = lovasz_hinge_loss(logits, torch.zeros_like(target))
    torch.testing.assert_close(value, 1 + logits.max())


def test_full_target_is_the_mean_hinge(draw):
    logits, target, _ = draw(1, 1, 6, 6)
    value = lovasz_hinge_loss(logits, torch.ones_like(target))
    torch.testing.assert_close(value, (1 - logits).clamp(min=0).mean())


def test_soft_target_is_cut_at_one_half(draw):
    logits, _, soft = draw(2, 1, 6, 6)
    expected = lovasz_hinge_loss(logits, (soft > 0.5).double())
    assert lovasz_hinge_loss(logits, soft) == expected


def test_float32_keeps_its_digits_in_a_batch_of_a_million_pixels(draw):
    logits, target, _ = draw(16, 1, 256, 256)
    wide = logits.requires_grad_()
    narrow = logits.detach().float().requires_grad_()
    lovasz_hinge_loss(wide, target, domain="batch").backward()
    lovasz_hinge_loss(narrow, target.float(), domain="batch").backward()
    # a step is near 1e-6; a sum over ranks moves by one where float32 ties two hinges
    torch.testing.assert_close(narrow.grad.double(), wide.grad, rtol=1e-3, atol=1e-9)
