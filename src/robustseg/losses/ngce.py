"""Normalised generalised cross-entropy."""

import torch
from torch import Tensor

from robustseg.losses.gce import Exponent, powers
from robustseg.losses.inputs import check_binary, full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.reduction import pixel_mean


@full_precision
def ngce_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, q: Exponent = 0.1
) -> Tensor:
    """Normalised generalised cross-entropy (1 - p_y^q) / (2 - p^q - (1 - p)^q).

    Computed as ½ + (½ - y) (p^q - (1 - p)^q) / (2 - p^q - (1 - p)^q).
    Source: Ma et al., Normalized loss functions for deep learning with noisy labels, ICML 2020,
    applied to the GCE.

    Args:
        logits: (B, 1, H, W).
        target: like the logits, in [0, 1].
        ignore: like the logits, bool, True where a pixel does not count.
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
    check_binary(logits)
    if_positive, if_negative = powers(logits, q)
    asymmetry = (if_positive - if_negative) / (2 - if_positive - if_negative)
    half = logits.new_full((), 0.5)
    return pixel_mean(torch.addcmul(half, half - target, asymmetry), ignore)


class NGCELoss(LossModule, function=ngce_loss):
    """:func:`ngce_loss` as a module."""
