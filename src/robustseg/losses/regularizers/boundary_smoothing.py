"""Boundary smoothing: labels are softened near boundaries only."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustseg.losses.options import Range


class BoundarySmoothing(nn.Module):
    """The loss of a target mixed with its neighbours', ỹ = (1 - ε) y + ε G(y).

    G(y) is the Gaussian mean of y over the neighbours of a pixel, itself left out, that lie in
    the image and are not ignored; ε is so the share of a pixel's label that its neighbours
    have. Away from boundaries the target does not change, and the classes' labels still add up
    to 1. ε = ½ and σ = 1 (3 × 3 pixels) are spatially varying label smoothing: Islam and
    Glocker, Spatially varying label smoothing, IPMI 2021. Region losses need soft_target="l1"
    for it, as for any soft label.

    Args:
        epsilon: ε, in [0, 1].
        sigma: σ of the Gaussian in pixels, in [0.1, 50]; it is cut off at ⌈σ⌉ pixels.
    """

    kernel: Tensor

    def __init__(self, epsilon: float = 0.5, sigma: float = 1.0) -> None:
        super().__init__()
        Range(0, 1).check("epsilon", epsilon)
        Range(0.1, 50).check("sigma", sigma)  # float32 holds no weight of a smaller one
        self.epsilon = epsilon
        self.register_buffer("kernel", neighbour_weights(sigma), persistent=False)

    def forward(
        self, loss: nn.Module, logits: Tensor, target: Tensor, ignore: Tensor | None = None
    ) -> Tensor:
        """Return loss(logits, ỹ, ignore)."""
        with torch.autocast(device_type=target.device.type, enabled=False):
            smooth = torch.lerp(target, self.neighbours(target, ignore), self.epsilon)
        return cast(Tensor, loss(logits, smooth, ignore))

    def neighbours(self, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return G(y), like the target; y itself where a pixel has no neighbour that counts."""
        kernel = self.kernel.to(target.dtype)
        counted = torch.ones_like(target[:1, :1]) if ignore is None else (~ignore).to(target.dtype)
        weight = functional.conv2d(counted, kernel, padding="same")
        single_channels = (target * counted).flatten(0, 1).unsqueeze(1)
        total = functional.conv2d(single_channels, kernel, padding="same").view_as(target)
        alone = weight == 0
        return torch.where(alone, target, total / weight.masked_fill(alone, 1))

    def extra_repr(self) -> str:
        """Return ε and the size of the kernel."""
        return f"epsilon={self.epsilon}, kernel={tuple(self.kernel.shape[2:])}"


def neighbour_weights(sigma: float) -> Tensor:
    """Return Gaussian weights of a pixel's neighbours, 0 for itself, as a (1, 1, k, k) kernel."""
    radius = math.ceil(sigma)
    offset = torch.arange(-radius, radius + 1).float()
    row = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = torch.outer(row, row)
    kernel[radius, radius] = 0
    return kernel[None, None]
