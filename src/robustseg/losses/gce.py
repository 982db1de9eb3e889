"""Generalised cross-entropy."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from robustseg.losses.inputs import check_binary, check_range, full_precision
from robustseg.losses.reduction import pixel_mean

SMALLEST_Q = 0.01  # below it 1 - p^q loses its digits in float32


@full_precision
def gce_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, q: float = 0.7
) -> Tensor:
    """Generalised cross-entropy (1 - p_y^q) / q.

    It goes to the cross-entropy for q → 0 and is the mean absolute error at q = 1. A soft
    target weighs the values of both classes. Source: Zhang and Sabuncu, Generalized cross
    entropy loss for training deep neural networks with noisy labels, NeurIPS 2018.

    Args:
        logits: (B, 1, H, W).
        target: like the logits, in [0, 1].
        ignore: like the logits, bool, True where a pixel does not count.
        q: Exponent, in [0.01, 1].

    Returns:
        The mean over counted pixels, then over images; in [0, 1/q].
    """
    check_binary(logits)
    check_range("q", q, SMALLEST_Q, 1)
    if_positive, if_negative = powers(logits, q)
    values = torch.lerp(if_negative, if_positive, target).neg_().add_(1)
    return pixel_mean(values, ignore) / q


def powers(logits: Tensor, q: float) -> tuple[Tensor, Tensor]:
    """Return p^q and (1 - p)^q for p = σ(z)."""
    log_p = functional.logsigmoid(logits)
    return (q * log_p).exp_(), (log_p - logits).mul_(q).exp_()


class GCELoss(nn.Module):
    """:func:`gce_loss` as a module."""

    image_scale = False

    def __init__(self, q: float = 0.7) -> None:
        super().__init__()
        check_range("q", q, SMALLEST_Q, 1)
        self.q = q

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return gce_loss(logits, target, ignore, q=self.q)

    def extra_repr(self) -> str:
        """Return the exponent."""
        return f"q={self.q}"
