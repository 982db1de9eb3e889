"""Cross-entropy."""

from torch import Tensor
from torch.nn import functional

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.reduction import pixel_mean


@full_precision
def cross_entropy_loss(logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Cross-entropy, -y ln p - (1 - y) ln(1 - p), or -Σ_c y_c ln p_c with several classes.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1].
        ignore: (B, 1, H, W), bool, True where a pixel does not count.

    Returns:
        The mean over counted pixels, then over images; at least 0.

    Examples:
        >>> import torch
        >>> from robustseg.losses import cross_entropy_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> cross_entropy_loss(logits, target)
        tensor(0.4907)
    """
    if logits.shape[1] > 1 and ignore is None:
        return functional.cross_entropy(logits, target)
    if logits.shape[1] > 1:
        values = functional.cross_entropy(logits, target, reduction="none").unsqueeze(1)
        return pixel_mean(values, ignore)
    if ignore is None:
        return functional.binary_cross_entropy_with_logits(logits, target)
    values = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return pixel_mean(values, ignore)


class CrossEntropyLoss(LossModule, function=cross_entropy_loss):
    """:func:`cross_entropy_loss` as a module."""
