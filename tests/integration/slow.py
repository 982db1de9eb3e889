"""A loss whose epochs take their time, so that a sweep can be watched at it."""

import time

from torch import Tensor

from robustseg.losses import TLoss

STEP_S = 0.05


class SlowTLoss(TLoss):
    """The T-Loss, but no step is over before 50 ms."""

    def forward(self, *arguments: Tensor | None) -> Tensor:
        """Wait, then the loss."""
        time.sleep(STEP_S)
        return super().forward(*arguments)
