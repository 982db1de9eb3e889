"""Generalised cross-entropy."""

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.options import Range
from robustseg.losses.reduction import of_label, pixel_mean

Exponent = Annotated[float, Range(0.01, 1)]  # below it 1 - p^q loses its digits in float32


@full_precision
def gce_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, q: Exponent = 0.7
) -> Tensor:
    """Generalised cross-entropy (1 - p_y^q) / q.

    It goes to the cross-entropy for q → 0 and is the mean absolute error at q = 1. A soft
    target weighs the values of both classes. Source: Zhang and Sabuncu, Generalized cross
    entropy loss for training deep neural networks with noisy labels, NeurIPS 2018.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        q: Exponent, in [0.01, 1].

    Returns:
        The mean over counted pixels, then over images; in [0, 1/q].

    Examples:
        >>> import torch
        >>> from robustseg.losses import gce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> gce_loss(logits, target)
        tensor(0.3579)
        >>> gce_loss(logits, target, q=1.0)  # the mean absolute error
        tensor(0.3188)
    """
    if logits.shape[1] > 1:
        powers_of_label = of_label((q * logits.log_softmax(dim=1)).exp_(), target)
        return pixel_mean(1 - powers_of_label, ignore) / q
    if_positive, if_negative = powers(logits, q)
    values = torch.lerp(if_negative, if_positive, target).neg_().add_(1)
    return pixel_mean(values, ignore) / q


def powers(logits: Tensor, q: float) -> tuple[Tensor, Tensor]:
    """Return p^q and (1 - p)^q for p = σ(z)."""
    log_p = functional.logsigmoid(logits)
    return (q * log_p).exp_(), (log_p - logits).mul_(q).exp_()


class GCELoss(LossModule, function=gce_loss):
    """:func:`gce_loss` as a module."""
