"""Mean squared error of the probability."""

from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.overlap import probabilities
from robustseg.losses.reduction import pixel_mean


@full_precision
def mse_loss(logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Mean squared error (σ(z) - y)², the Brier score; of several classes Σ_c (p_c - y_c)² / C.

    The T-Loss has its gradient, times D/2, in the limit ν → ∞. For a soft target it is
    y (1 - p)² + (1 - y) p² less the constant y (1 - y).

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.

    Returns:
        The mean over counted pixels, then over images; in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import mse_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> mse_loss(logits, target)
        tensor(0.1734)
    """
    probability = probabilities(logits)
    if ignore is None:
        return functional.mse_loss(probability, target)
    squares = functional.mse_loss(probability, target, reduction="none")
    return pixel_mean(squares.mean(dim=1, keepdim=True), ignore)


class MSELoss(LossModule, function=mse_loss):
    """:func:`mse_loss` as a module."""
