"""No regulariser."""

from typing import cast

from torch import Tensor, nn


class NoRegularizer(nn.Module):
    """The loss as it is.

    Args:
        epsilon: Not used; there so that a sweep over epsilon and regularisers composes.
    """

    def __init__(self, epsilon: float = 0.0) -> None:
        super().__init__()

    def forward(
        self, loss: nn.Module, logits: Tensor, target: Tensor, ignore: Tensor | None = None
    ) -> Tensor:
        """Return loss(logits, target, ignore)."""
        return cast(Tensor, loss(logits, target, ignore))
