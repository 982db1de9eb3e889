"""Boundary smoothing against spatially varying label smoothing."""

import math

import pytest
import torch
from torch.nn import functional

from robustseg.losses.regularizers import BoundarySmoothing

close = torch.testing.assert_close


def svls(target):
    """Spatially varying label smoothing of the inner pixels: 3 × 3, σ = 1, centre = the rest."""
    rows = torch.tensor([math.exp(-0.5), 1, math.exp(-0.5)], dtype=target.dtype)
    kernel = torch.outer(rows, rows)
    kernel[1, 1] = kernel.sum() - 1
    return functional.conv2d(target, kernel[None, None] / kernel.sum())


class Target(torch.nn.Module):
    """A stand-in for a loss that returns the target it is given."""

    image_scale = False

    def forward(self, logits, target, ignore=None):
        return target


def test_boundary_smoothing_by_a_half_is_svls(draw):
    logits, target, _ = draw(2, 1, 9, 9)
    smooth = BoundarySmoothing(0.5)(Target(), logits, target)
    close(smooth[:, :, 1:-1, 1:-1], svls(target))


def test_boundary_smoothing_changes_only_boundaries(draw):
    logits, target, _ = draw(1, 1, 12, 12)
    target = torch.zeros_like(target)
    target[..., :6] = 1
    smooth = BoundarySmoothing(0.4)(Target(), logits, target)
    assert torch.equal(smooth[..., :5], target[..., :5])
    assert torch.equal(smooth[..., 7:], target[..., 7:])
    assert (smooth[..., 5] < 1).all()
    assert (smooth[..., 6] > 0).all()
    edge = math.exp(-0.5) * (1 + 2 * math.exp(-0.5)) / ((1 + 2 * math.exp(-0.5)) ** 2 - 1)
    close(smooth[0, 0, 5, 6], target.new_tensor(0.4 * edge))


def test_boundary_smoothing_keeps_classes_a_distribution(draw):
    logits, target, _ = draw(2, 4, 9, 9)
    smooth = BoundarySmoothing(0.7, sigma=2.0)(Target(), logits, target)
    close(smooth.sum(1), torch.ones_like(smooth[:, 0]))
    assert smooth.min() >= 0


def test_boundary_smoothing_does_not_read_ignored_pixels(draw):
    logits, target, _ = draw(1, 1, 8, 8)
    ignore = torch.zeros_like(target, dtype=torch.bool)
    ignore[..., 5:] = True
    smoothing = BoundarySmoothing(0.5)
    first = smoothing(Target(), logits, target, ignore)
    second = smoothing(Target(), logits, target.masked_fill(ignore, 1), ignore)
    assert torch.equal(first[..., :5], second[..., :5])
    ignore[:] = True
    ignore[..., 0, 0] = False  # a pixel without neighbours keeps its label
    assert smoothing(Target(), logits, target, ignore)[0, 0, 0, 0] == target[0, 0, 0, 0]


def test_the_narrowest_kernel_is_the_mean_of_four_neighbours(draw):
    _, target, _ = draw(1, 1, 9, 9)
    narrow = BoundarySmoothing(1.0, sigma=0.1)(Target(), target, target)[..., 1:-1, 1:-1]
    four = target[..., :-2, 1:-1] + target[..., 2:, 1:-1]
    four += target[..., 1:-1, :-2] + target[..., 1:-1, 2:]
    close(narrow, four / 4)
    with pytest.raises(ValueError, match=r"^sigma must lie in"):
        BoundarySmoothing(sigma=0.09)
