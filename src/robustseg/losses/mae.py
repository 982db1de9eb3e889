"""Mean absolute error of the probability."""

import torch
from torch import Tensor

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.reduction import of_label, pixel_mean


@full_precision
def mae_loss(logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Mean absolute error, 1 - p_y = y (1 - p) + (1 - y) p; |σ(z) - y| for a hard target.

    Source: Ghosh et al., Robust loss functions under label noise for deep neural networks,
    AAAI 2017 (there doubled: the sum over two classes).

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.

    Returns:
        The mean over counted pixels, then over images; in [0, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import mae_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> mae_loss(logits, target)
        tensor(0.3188)
    """
    if logits.shape[1] > 1:
        return pixel_mean(1 - of_label(logits.softmax(dim=1), target), ignore)
    slope = torch.rsub(target, 1, alpha=2)  # 1 - 2y
    return pixel_mean(torch.addcmul(target, slope, logits.sigmoid()), ignore)


class MAELoss(LossModule, function=mae_loss):
    """:func:`mae_loss` as a module."""
