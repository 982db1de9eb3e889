"""Normalised cross-entropy."""

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.reduction import of_label, pixel_mean


@full_precision
def nce_loss(logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Normalised cross-entropy ln p_y / Σ_c ln p_c.

    With one channel it is ln p_y / (ln p + ln(1 - p)), computed as ½ + (½ - y) z / S with
    S = -ln p - ln(1 - p) = softplus(z) + softplus(-z), which needs one transcendental function.
    Source: Ma et al., Normalized loss functions for deep learning with noisy labels, ICML 2020.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.

    Returns:
        The mean over counted pixels, then over images; in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import nce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> nce_loss(logits, target)
        tensor(0.3017)
    """
    if logits.shape[1] > 1:
        log_p = logits.log_softmax(dim=1)
        return pixel_mean(of_label(log_p, target) / log_p.sum(dim=1, keepdim=True), ignore)
    both_classes = torch.sub(logits, functional.logsigmoid(logits), alpha=2)
    half = logits.new_full((), 0.5)
    return pixel_mean(torch.addcmul(half, half - target, logits / both_classes), ignore)


class NCELoss(LossModule, function=nce_loss):
    """:func:`nce_loss` as a module."""
