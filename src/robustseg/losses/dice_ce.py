"""Dice loss and cross-entropy together."""

from torch import Tensor

from robustseg.losses.cross_entropy import cross_entropy_loss
from robustseg.losses.dice import dice_loss
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative, checked
from robustseg.losses.overlap import Classes, Domain, SoftTarget


@checked
def dice_ce_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    ce_weight: NonNegative = 1.0,
    smooth: NonNegative = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "macro",
    include_background: bool = False,
) -> Tensor:
    """Dice loss + w · cross-entropy, the loss of nnU-Net (w = 1).

    Source: Isensee et al., nnU-Net, Nature Methods 2021.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        ce_weight: w, at least 0.
        smooth: δ of the Dice loss, in pixels, at least 0.
        domain: "image" or "batch", of the Dice loss; the cross-entropy is a mean over images.
        soft_target: "product" or "l1", of the Dice loss.
        classes: "macro" or "pooled", of the Dice loss.
        include_background: of the Dice loss; the cross-entropy always has the background.

    Returns:
        A scalar, at least 0.

    Examples:
        >>> import torch
        >>> from robustseg.losses import dice_ce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> dice_ce_loss(logits, target)
        tensor(0.7553)
        >>> dice_ce_loss(logits, target, ce_weight=0.0)  # the Dice loss
        tensor(0.2646)
    """
    dice = dice_loss(
        logits,
        target,
        ignore,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
        include_background=include_background,
    )
    return dice + ce_weight * cross_entropy_loss(logits, target, ignore)


class DiceCELoss(LossModule, function=dice_ce_loss):
    """:func:`dice_ce_loss` as a module."""
