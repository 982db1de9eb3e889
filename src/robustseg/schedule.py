"""The public T-Loss code's learning-rate schedule: lower the rate when ν stands still."""

from typing import Any

import numpy as np
from torch import optim

_WINDOW = 5  # values in the moving average, as in the public code


class NuPlateau:
    """Multiply the network's learning rate by `factor` whenever ν has reached a plateau.

    Every `every` optimiser steps ν is noted. Once `patience` values are there and the moving
    average over five of them changes by at most `threshold` from one to the next, the rate falls
    (never below `min_lr`) and the count starts again. The loss's own parameters keep their rate.
    With a loss that has no ν the rate stays as it is.

    Source: Digital-Dermatology/t-loss, f132e87 (which smooths its list in place, so that early
    values are smoothed more than once; here each average is taken of the values themselves).

    Args:
        optimizer: its first group holds the network.
        every: optimiser steps between two values of ν, ≥ 1.
        patience: values of ν to see before deciding, ≥ 6.
        threshold: largest change that counts as standing still, in units of ν.
        factor: multiplier, in (0, 1).
        min_lr: floor of the rate.
    """

    def __init__(
        self,
        optimizer: optim.Optimizer,
        every: int = 50,
        patience: int = 10,
        threshold: float = 1e-4,
        factor: float = 0.1,
        min_lr: float = 1e-4,
    ) -> None:
        if every < 1 or patience <= _WINDOW or not 0 < factor < 1:
            raise ValueError(
                f"every={every} must be ≥ 1, patience={patience} > {_WINDOW}, "
                f"factor={factor} in (0, 1)"
            )
        self.optimizer = optimizer
        self.every = every
        self.patience = patience
        self.threshold = threshold
        self.factor = factor
        self.min_lr = min_lr
        self.values: list[float] = []

    def step(self, nu: float) -> None:
        """Note one value of ν and lower the rate if it has stood still."""
        self.values.append(nu)
        if len(self.values) < self.patience:
            return
        average = np.convolve(self.values, np.full(_WINDOW, 1 / _WINDOW), mode="valid")
        if (np.abs(np.diff(average)) <= self.threshold).any():
            network = self.optimizer.param_groups[0]
            rate = network["lr"]
            network["lr"] = min(rate, max(rate * self.factor, self.min_lr))
            self.values = []

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; the rate itself is in the optimiser's state."""
        return {"values": list(self.values)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.values = list(state["values"])
