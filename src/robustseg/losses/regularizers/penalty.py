"""Adding a penalty to a loss, on the loss' scale."""

from typing import cast

from torch import Tensor, nn

from robustseg.losses.reduction import pixel_mean, pixel_sum


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
        loss: The loss; its `image_scale` says how to reduce the penalty.
        logits: (B, C, H, W).
        target: like the logits.
        ignore: (B, 1, H, W), bool, True where a pixel does not count; or None.
        penalty: (B, 1, H, W), values at pixels: their mean is added beside a loss on the scale
            of a pixel, their sum over an image beside one on the scale of an image.
        epsilon: ε.
    """
    reduce = pixel_sum if loss.image_scale else pixel_mean
    return cast(Tensor, loss(logits, target, ignore)) + epsilon * reduce(penalty, ignore)
