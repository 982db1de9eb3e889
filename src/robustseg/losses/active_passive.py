"""Active-passive losses: a · active + b · passive.

Source: Ma et al., Normalized loss functions for deep learning with noisy labels, ICML 2020.
An active loss raises the probability of the labelled class only; a passive one also lowers the
others. In each function a and b are weights, at least 0, the tensors are as in
:func:`robustseg.losses.nce_loss`, and the result is the mean over counted pixels, then images.
"""

from torch import Tensor, nn

from robustseg.losses.gce import SMALLEST_Q
from robustseg.losses.inputs import check_range
from robustseg.losses.mae import mae_loss
from robustseg.losses.nce import nce_loss
from robustseg.losses.ngce import ngce_loss
from robustseg.losses.rce import rce_loss


def nce_rce_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, a: float = 1.0, b: float = 1.0
) -> Tensor:
    """Return a · NCE + b · RCE, in [0, a + 9.2103 b]."""
    _check_weights(a, b)
    return a * nce_loss(logits, target, ignore) + b * rce_loss(logits, target, ignore)


def ngce_mae_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    a: float = 1.0,
    b: float = 1.0,
    q: float = 0.1,
) -> Tensor:
    """Return a · NGCE(q) + b · MAE, in [0, a + b]; q in [0.01, 1]."""
    _check_weights(a, b)
    return a * ngce_loss(logits, target, ignore, q=q) + b * mae_loss(logits, target, ignore)


def ngce_rce_loss(
    logits: Tensor,
    target: Tensor,
    ignore: Tensor | None = None,
    *,
    a: float = 1.0,
    b: float = 1.0,
    q: float = 0.1,
) -> Tensor:
    """Return a · NGCE(q) + b · RCE, in [0, a + 9.2103 b]; q in [0.01, 1]."""
    _check_weights(a, b)
    return a * ngce_loss(logits, target, ignore, q=q) + b * rce_loss(logits, target, ignore)


class NCERCELoss(nn.Module):
    """:func:`nce_rce_loss` as a module."""

    image_scale = False

    def __init__(self, a: float = 1.0, b: float = 1.0) -> None:
        super().__init__()
        _check_weights(a, b)
        self.a, self.b = a, b

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return nce_rce_loss(logits, target, ignore, a=self.a, b=self.b)

    def extra_repr(self) -> str:
        """Return the weights."""
        return f"a={self.a}, b={self.b}"


class NGCEMAELoss(nn.Module):
    """:func:`ngce_mae_loss` as a module."""

    image_scale = False

    def __init__(self, a: float = 1.0, b: float = 1.0, q: float = 0.1) -> None:
        super().__init__()
        _check_weights(a, b)
        check_range("q", q, SMALLEST_Q, 1)
        self.a, self.b, self.q = a, b, q

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return ngce_mae_loss(logits, target, ignore, a=self.a, b=self.b, q=self.q)

    def extra_repr(self) -> str:
        """Return the weights and the exponent."""
        return f"a={self.a}, b={self.b}, q={self.q}"


class NGCERCELoss(nn.Module):
    """:func:`ngce_rce_loss` as a module."""

    image_scale = False

    def __init__(self, a: float = 1.0, b: float = 1.0, q: float = 0.1) -> None:
        super().__init__()
        _check_weights(a, b)
        check_range("q", q, SMALLEST_Q, 1)
        self.a, self.b, self.q = a, b, q

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return ngce_rce_loss(logits, target, ignore, a=self.a, b=self.b, q=self.q)

    def extra_repr(self) -> str:
        """Return the weights and the exponent."""
        return f"a={self.a}, b={self.b}, q={self.q}"


def _check_weights(a: float, b: float) -> None:
    check_range("a", a, 0)
    check_range("b", b, 0)
