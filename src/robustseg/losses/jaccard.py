"""The Jaccard loss."""

from torch import Tensor

from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative, checked
from robustseg.losses.overlap import Classes, Domain, SoftTarget
from robustseg.losses.tversky import tversky_loss


@checked
def jaccard_loss(
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
    """Soft Jaccard loss 1 - (A + δ) / (P + Y - A + δ), A = Σ t p, P = Σ p, Y = Σ t.

    It is the Tversky loss at α = β = 1, with its values at empty and full targets. Source:
    Rahman and Wang, Optimizing intersection-over-union in deep neural networks for image
    segmentation, ISVC 2016.

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
        >>> from robustseg.losses import jaccard_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> jaccard_loss(logits, target)
        tensor(0.4185)
    """
    return tversky_loss(
        logits,
        target,
        ignore,
        alpha=1.0,
        beta=1.0,
        smooth=smooth,
        domain=domain,
        soft_target=soft_target,
        classes=classes,
        include_background=include_background,
    )


class JaccardLoss(LossModule, function=jaccard_loss):
    """:func:`jaccard_loss` as a module."""
