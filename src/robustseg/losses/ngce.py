"""Normalised generalised cross-entropy."""

import torch
from torch import Tensor

from robustseg.losses.gce import Exponent, powers
from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.reduction import of_label, pixel_mean


@full_precision
def ngce_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, q: Exponent = 0.1
) -> Tensor:
    """Normalised generalised cross-entropy (1 - p_y^q) / (C - Σ_c p_c^q).

    With one channel it is (1 - p_y^q) / (2 - p^q - (1 - p)^q), computed as
    ½ + (½ - y) (p^q - (1 - p)^q) / (2 - p^q - (1 - p)^q). Source: Ma et al., Normalized loss
    functions for deep learning with noisy labels, ICML 2020, applied to the GCE.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.
        q: Exponent, in [0.01, 1].

    Returns:
        The mean over counted pixels, then over images; in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import ngce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> ngce_loss(logits, target)
        tensor(0.3031)
    """
    if logits.shape[1] > 1:
        raised = (q * logits.log_softmax(dim=1)).exp_()
        both = logits.shape[1] - raised.sum(dim=1, keepdim=True)
        return pixel_mean((1 - of_label(raised, target)) / both, ignore)
    if_positive, if_negative = powers(logits, q)
    asymmetry = (if_positive - if_negative) / (2 - if_positive - if_negative)
    half = logits.new_full((), 0.5)
    return pixel_mean(torch.addcmul(half, half - target, asymmetry), ignore)


class NGCELoss(LossModule, function=ngce_loss):
    """:func:`ngce_loss` as a module."""
