"""The logarithm of the sum of squared errors, the T-Loss' limit for a small ν."""

from torch import Tensor

from robustseg.losses.inputs import full_precision
from robustseg.losses.module import LossModule
from robustseg.losses.tloss import count_values, squared_residuals

FLOOR = 1e-8  # added to S, so that a perfect prediction has a value


@full_precision
def log_sse_loss(logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
    """Log of squared errors (D/2) ln(S + 1e-8), S = Σ (y - p)² over D counted values.

    The T-Loss less a constant in the logits goes to it for ν → 0. The gradient in the residual δ
    is D δ / S, which that of the T-Loss differs from by the factor (1 + ν/D) / (1 + ν/S), next to
    1 for every ν of training: S is tens to hundreds of pixels. A perfect prediction has the value
    -9.21 D, an image whose pixels are all ignored 0.

    Args:
        logits: (B, 1, H, W), p by sigmoid; or (B, C, H, W), p by softmax.
        target: like the logits, in [0, 1]; of several classes it sums to 1 at each pixel.
        ignore: (B, 1, H, W), bool, True where a pixel does not count.

    Returns:
        The mean over images; in [-9.21 D, (D/2) ln D].

    Examples:
        >>> import torch
        >>> from robustseg.losses import log_sse_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> log_sse_loss(logits, target)
        tensor(-0.7322)
    """
    squares = squared_residuals(logits, target, ignore).double()
    values = count_values(logits, ignore).double()
    return (values / 2 * (squares + FLOOR).log()).mean().to(logits.dtype)


class LogSSELoss(LossModule, function=log_sse_loss):
    """:func:`log_sse_loss` as a module."""

    image_scale = True
