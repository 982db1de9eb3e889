"""Symmetric cross-entropy."""

from torch import Tensor, nn

from robustseg.losses.cross_entropy import cross_entropy_loss
from robustseg.losses.inputs import check_range
from robustseg.losses.rce import rce_loss


def sce_loss(
    logits: Tensor, target: Tensor, ignore: Tensor | None = None, *, a: float = 0.1, b: float = 1.0
) -> Tensor:
    """Symmetric cross-entropy a · CE + b · RCE.

    Source: Wang et al., Symmetric cross entropy for robust learning with noisy labels,
    ICCV 2019.

    Args:
        logits: (B, 1, H, W).
        target: like the logits, in [0, 1].
        ignore: like the logits, bool, True where a pixel does not count.
        a: Weight of the cross-entropy, at least 0.
        b: Weight of the reverse cross-entropy, at least 0.

    Returns:
        The mean over counted pixels, then over images; at least 0.
    """
    check_range("a", a, 0)
    check_range("b", b, 0)
    return a * cross_entropy_loss(logits, target, ignore) + b * rce_loss(logits, target, ignore)


class SCELoss(nn.Module):
    """:func:`sce_loss` as a module."""

    image_scale = False

    def __init__(self, a: float = 0.1, b: float = 1.0) -> None:
        super().__init__()
        check_range("a", a, 0)
        check_range("b", b, 0)
        self.a, self.b = a, b

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the loss, a scalar."""
        return sce_loss(logits, target, ignore, a=self.a, b=self.b)

    def extra_repr(self) -> str:
        """Return the weights."""
        return f"a={self.a}, b={self.b}"
