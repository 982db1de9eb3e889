"""The focal Tversky loss."""

from typing import Annotated

from torch import Tensor

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative, Range
from robustseg.losses.overlap import Classes, Domain, SoftTarget
from robustseg.losses.tversky import tversky_index

SMALLEST_LOSS = 1e-12  # 1 - T below it counts as 0: the power's slope there is infinite


@full_precision
def focal_tversky_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    alpha: NonNegative = 0.3,
    beta: NonNegative = 0.7,
    gamma: Annotated[float, Range(1)] = 4 / 3,
    smooth: NonNegative = 1e-5,
    domain: Domain = "image",
    soft_target: SoftTarget = "product",
    classes: Classes = "macro",
    include_background: bool = False,
) -> Tensor:
    """Focal Tversky loss, the mean over reduction domains of (1 - T)^(1/γ).

    T is the Tversky index of :func:`robustseg.losses.tversky_loss`, whose values at empty and
    full targets follow. Source: Abraham and Khan, A novel focal Tversky loss function with
    improved attention U-Net for lesion segmentation, ISBI 2019; its α = 0.7 weighs false
    negatives and is our beta.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        alpha: α, weight of false positives, at least 0.
        beta: β, weight of false negatives, at least 0.
        gamma: γ, at least 1; at 1 this is the Tversky loss.
        smooth: δ, in pixels, at least 0.
        domain: "image" or "batch", as for the Tversky loss.
        soft_target: "product" or "l1", as for the Tversky loss.
        classes: "macro" or "pooled", as for the Tversky loss.
        include_background: as for the Tversky loss.

    Returns:
        A scalar in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import focal_tversky_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> focal_tversky_loss(logits, target)
        tensor(0.4356)
        >>> focal_tversky_loss(logits, target, gamma=1.0)  # the Tversky loss
        tensor(0.3302)
    """
    index = tversky_index(
        logits,
        target,
        ignore,
        alpha=alpha,
        beta=beta,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
        include_background=include_background,
    )
    loss = 1 - index
    perfect = loss < SMALLEST_LOSS
    return loss.masked_fill(perfect, 1).pow(1 / gamma).masked_fill(perfect, 0).mean()


class FocalTverskyLoss(LossModule, function=focal_tversky_loss):
    """:func:`focal_tversky_loss` as a module."""
