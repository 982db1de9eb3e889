"""The Dice loss."""

from torch import Tensor

from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative, checked
from robustseg.losses.overlap import Classes, Domain, SoftTarget
from robustseg.losses.tversky import tversky_loss


@checked
def dice_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    smooth: NonNegative = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "macro",
    include_background: bool = False,
) -> Tensor:
    """Soft Dice loss 1 - (2A + 2δ) / (P + Y + 2δ), A = Σ t p, P = Σ p, Y = Σ t.

    It is the Tversky loss at α = β = ½, with its values at empty and full targets; soft_target
    "l1" makes it the Dice semimetric loss. Sources: Milletari et al., V-Net, 3DV 2016; Wang et
    al., Dice semimetric losses, MICCAI 2023.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        smooth: δ, in pixels, at least 0.
        domain: "image" or "batch", as for the Tversky loss.
        soft_target: "product" or "l1", as for the Tversky loss.
        classes: "macro" or "pooled", as for the Tversky loss.
        include_background: as for the Tversky loss.

    Returns:
        A scalar in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import dice_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> dice_loss(logits, target)
        tensor(0.2646)
        >>> dice_loss(logits, target, ignore=logits < -2)
        tensor(0.2573)
    """
    return tversky_loss(
        logits,
        target,
        ignore,
        alpha=0.5,
        beta=0.5,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
        include_background=include_background,
    )


class DiceLoss(LossModule, function=dice_loss):
    """:func:`dice_loss` as a module."""
