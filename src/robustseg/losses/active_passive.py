"""Active-passive losses: a · active + b · passive.

Source: Ma et al., Normalized loss functions for deep learning with noisy labels, ICML 2020.
An active loss raises the probability of the labelled class only; a passive one also lowers the
others. In each function a and b are weights, at least 0, the tensors are as in
:func:`robustseg.losses.nce_loss`, and the result is the mean over counted pixels, then images.
"""

from torch import Tensor

from robustseg.losses.gce import Exponent
from robustseg.losses.mae import mae_loss
from robustseg.losses.module import LossModule
from robustseg.losses.nce import nce_loss
from robustseg.losses.ngce import ngce_loss
from robustseg.losses.options import NonNegative, checked
from robustseg.losses.rce import rce_loss


@checked
def nce_rce_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    a: NonNegative = 1.0,
    b: NonNegative = 1.0,
) -> Tensor:
    """Return a · NCE + b · RCE, in [0, a + 9.2103 b].

    Examples:
        >>> import torch
        >>> from robustseg.losses import nce_rce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> nce_rce_loss(logits, target)
        tensor(3.2380)
    """
    return a * nce_loss(logits, target, ignore) + b * rce_loss(logits, target, ignore)


@checked
def ngce_mae_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    a: NonNegative = 1.0,
    b: NonNegative = 1.0,
    q: Exponent = 0.1,
) -> Tensor:
    """Return a · NGCE(q) + b · MAE, in [0, a + b]; q in [0.01, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import ngce_mae_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> ngce_mae_loss(logits, target)
        tensor(0.6219)
    """
    return a * ngce_loss(logits, target, ignore, q=q) + b * mae_loss(logits, target, ignore)


@checked
def ngce_rce_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    a: NonNegative = 1.0,
    b: NonNegative = 1.0,
    q: Exponent = 0.1,
) -> Tensor:
    """Return a · NGCE(q) + b · RCE, in [0, a + 9.2103 b]; q in [0.01, 1].

    Examples:
        >>> import torch
        >>> from robustseg.losses import ngce_rce_loss
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
        >>> ngce_rce_loss(logits, target)
        tensor(3.2394)
    """
    return a * ngce_loss(logits, target, ignore, q=q) + b * rce_loss(logits, target, ignore)


class NCERCELoss(LossModule, function=nce_rce_loss):
    """:func:`nce_rce_loss` as a module."""


class NGCEMAELoss(LossModule, function=ngce_mae_loss):
    """:func:`ngce_mae_loss` as a module."""


class NGCERCELoss(LossModule, function=ngce_rce_loss):
    """:func:`ngce_rce_loss` as a module."""
