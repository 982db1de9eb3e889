"""The focal loss."""

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.options import NonNegative
from robustseg.losses.reduction import of_label, pixel_mean


@full_precision
def focal_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, gamma: NonNegative = 2.0
) -> Tensor:
    """Focal loss -(1 - p_y)^γ ln p_y; the cross-entropy at γ = 0.

    A soft target weighs the values of both classes. Source: Lin et al., Focal loss for dense
    object detection, ICCV 2017 (here without class weights).

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        gamma: γ, at least 0.

    Returns:
        The mean over counted pixels, then over images; at least 0.

    Examples:
        >>> import torch
        >>> from robustseg.losses import focal_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> focal_loss(logits, target)
        tensor(0.1928)
        >>> focal_loss(logits, target, gamma=0.0)  # the cross-entropy
        tensor(0.4907)
    """
    if logits.shape[1] > 1:
        log_p = logits.log_softmax(dim=1)
        others = -log_p.expm1()  # 1 - p
        if gamma < 1:  # the power's slope at 0 is infinite
            others = others.clamp(min=torch.finfo(log_p.dtype).tiny)
        return -pixel_mean(of_label(others.pow(gamma) * log_p, target), ignore)
    log_p = functional.logsigmoid(logits)
    log_n = log_p - logits  # ln(1 - p)
    if_positive = (gamma * log_n).exp_() * log_p
    if_negative = (gamma * log_p).exp_() * log_n
    return -pixel_mean(torch.lerp(if_negative, if_positive, target), ignore)


class FocalLoss(LossModule, function=focal_loss):
    """:func:`focal_loss` as a module."""
