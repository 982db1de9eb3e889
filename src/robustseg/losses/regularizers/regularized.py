"""A loss with a regulariser."""

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn


class Regularized(nn.Module):
    """A loss and a regulariser as one loss.

    Args:
        loss: Any of robustseg.losses; its parameters (ln ν of the T-Loss) stay its own.
        regularizer: Any of this package.
    """

    def __init__(self, loss: nn.Module, regularizer: nn.Module) -> None:
        super().__init__()
        self.loss = loss
        self.regularizer = regularizer

    @property
    def image_scale(self) -> bool:
        """Return whether the loss is on the scale of an image."""
        return cast(bool, self.loss.image_scale)

    @property
    def dimensions(self) -> Callable[..., Tensor] | None:
        """Return how many values of an image the loss counts, as a function, if it says so."""
        return getattr(self.loss, "dimensions", None)

    def forward(self, logits: Tensor, target: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Return the regularised loss, a scalar; arguments as the loss'."""
        return cast(Tensor, self.regularizer(self.loss, logits, target, ignore))
