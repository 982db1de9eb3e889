"""Symmetric cross-entropy."""

from torch import Tensor

from robustseg.losses.cross_entropy import cross_entropy_loss
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative, checked
from robustseg.losses.rce import rce_loss


@checked
def sce_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    a: NonNegative = 0.1,
    b: NonNegative = 1.0,
) -> Tensor:
    """Symmetric cross-entropy a · CE + b · RCE.

    Source: Wang et al., Symmetric cross entropy for robust learning with noisy labels,
    ICCV 2019.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        a: Weight of the cross-entropy, at least 0.
        b: Weight of the reverse cross-entropy, at least 0.

    Returns:
        The mean over counted pixels, then over images; at least 0.

    Examples:
        >>> import torch
        >>> from robustseg.losses import sce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> sce_loss(logits, target)
        tensor(2.9854)
    """
    return a * cross_entropy_loss(logits, target, ignore) + b * rce_loss(logits, target, ignore)


class SCELoss(LossModule, function=sce_loss):
    """:func:`sce_loss` as a module."""
