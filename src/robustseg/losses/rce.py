"""Reverse cross-entropy."""

import math

from torch import Tensor

from robustseg.losses.mae import mae_loss
from robustseg.losses.module import LossModule

LOG_OF_ZERO = math.log(1e-4)  # what stands for ln 0 in the label, as in the public code


def rce_loss(logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Reverse cross-entropy -Σ_k p_k ln(clamp(y_k, 1e-4, 1)) = 9.2103 (1 - p_y) for hard labels.

    A soft label weighs the values of both of its hard ones: 9.2103 (1 - Σ_k y_k p_k). For hard
    labels it is 9.2103 times the mean absolute error, so that under Adam the two differ by
    rounding only. Source: Wang et al., Symmetric cross entropy for robust
    learning with noisy labels, ICCV 2019.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.

    Returns:
        The mean over counted pixels, then over images; in [0, 9.2103].

    Examples:
        >>> import torch
        >>> from robustseg.losses import rce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> rce_loss(logits, target)
        tensor(2.9363)
    """
    return -LOG_OF_ZERO * mae_loss(logits, target, ignore)


class RCELoss(LossModule, function=rce_loss):
    """:func:`rce_loss` as a module."""
