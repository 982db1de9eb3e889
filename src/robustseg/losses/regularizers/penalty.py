"""Adding a penalty to a loss, on the loss' scale."""

from typing import cast

import torch
from torch import Tensor, nn

from robustseg.losses.reduction import count_pixels, pixel_mean, pixel_sum


def add_penalty(
    loss: nn.Module,
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None,
    penalty: Tensor,
    epsilon: float,
) -> Tensor:
    """Return loss(logits, target, ignore) + ε · penalty.

    Args:
        loss: The loss; its `image_scale` says how to reduce the penalty, and its `dimensions`, if
            it has them, how many values of an image it counts.
        logits: (B, C, H, W).
        target: like the logits.
        ignore: (B, 1, H, W), bool, True where a pixel does not count; or None.
        penalty: (B, 1, H, W), values at pixels: their mean is added beside a loss on the scale
            of a pixel, their sum over an image beside one on the scale of an image, and D_i / D of
            that beside one that counts D_i of its D values.
        epsilon: ε.
    """
    if loss.image_scale:
        reduced = pixel_sum(penalty * _share(loss, logits, target, ignore), ignore)
    else:
        reduced = pixel_mean(penalty, ignore)
    return cast(Tensor, loss(logits, target, ignore)) + epsilon * reduced


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
