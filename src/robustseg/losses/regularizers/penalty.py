"""A penalty of logits beside a loss, on the loss' scale."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from robustseg.losses.options import Range
from robustseg.losses.reduction import count_pixels, pixel_mean, pixel_sum


class Penalty(nn.Module):
    """The loss plus ε times a penalty at each pixel.

    The mean of the penalty over pixels is added beside a loss on the scale of a pixel, its sum over
    an image beside one on the scale of an image (`image_scale`), and D_i / D of that beside one
    that counts D_i of an image's D values (`dimensions`).

    Args:
        epsilon: ε, at least 0.
    """

    at_pixels: Callable[[Tensor], Tensor]  # of logits (B, C, H, W): (B, 1, H, W)

    def __init__(self, epsilon: float = 0.1) -> None:
        super().__init__()
        Range(0).check("epsilon", epsilon)
        self.epsilon = epsilon

    def forward(
        self, loss: nn.Module, logits: Tensor, target: Tensor, ignore: Tensor | None = None
    ) -> Tensor:
        """Return loss(logits, target, ignore) + ε · penalty."""
        penalty = self.at_pixels(logits)
        if loss.image_scale:
            reduced = pixel_sum(penalty * _share(loss, logits, target, ignore), ignore)
        else:
            reduced = pixel_mean(penalty, ignore)
        return cast(Tensor, loss(logits, target, ignore)) + self.epsilon * reduced

    def extra_repr(self) -> str:
        """Return ε."""
        return f"epsilon={self.epsilon}"


def _share(loss: nn.Module, logits: Tensor, target: Tensor, ignore: Tensor | None) -> Tensor:
    """D_i / D, by which the T-Loss by area is smaller than the T-Loss, (B, 1, 1, 1); else 1."""
    dimensions = getattr(loss, "dimensions", None)
    if dimensions is None:
        return logits.new_ones(1)
    values = logits.shape[1] * count_pixels(logits.double(), ignore).clamp(min=1)
    share = dimensions(logits, target, ignore).double() / values
    return cast(
        Tensor, share.to(torch.promote_types(logits.dtype, torch.float32)).view(-1, 1, 1, 1)
    )
