"""The public T-Loss code's learning-rate schedule: lower the rate when ln ν stands still."""

from typing import Any

import numpy as np
from torch import optim


class NuPlateau:
    """Multiply the network's learning rate by `factor` whenever ln ν has reached a plateau.

    ln ν is noted after the first optimiser step and every `every` steps from there. Once
    `patience` values are there, each look averages them over `window` in place: value i becomes
    the mean of i … i + window - 1, and the last window - 1 stay as they are, so that by the next
    look early values have been averaged several times. If two averages in a row differ by at most
    `threshold`, the rate falls (never below `min_lr`) and the values are forgotten. The loss's own
    parameters keep their rate. With a loss that has no ν the rate stays as it is.

    Source: Digital-Dermatology/t-loss, f132e87, whose averaging in place is kept as it stands.

    Args:
        optimizer: its first group holds the network.
        window: values in the moving average, ≥ 2.
        every: optimiser steps between two looks at ln ν, ≥ 1.
        patience: values to see before deciding, > window.
        threshold: largest change of ln ν that counts as standing still.
        factor: multiplier, in (0, 1).
        min_lr: floor of the rate.

    Raises:
        ValueError: a setting is out of range.
    """

    # `window` has no default: schedules configured before there was one followed another rule.
    def __init__(
        self,
        optimizer: optim.Optimizer,
        window: int,
        every: int = 50,
        patience: int = 10,
        threshold: float = 1e-4,
        factor: float = 0.1,
        min_lr: float = 1e-4,
    ) -> None:
        if every < 1 or window < 2 or patience <= window or not 0 < factor < 1:
            raise ValueError(
                f"scheduler: every={every} must be ≥ 1, window={window} ≥ 2, "
                f"patience={patience} > window, factor={factor} in (0, 1)"
            )
        self.optimizer = optimizer
        self.window = window
        self.every = every
        self.patience = patience
        self.threshold = threshold
        self.factor = factor
        self.min_lr = min_lr
        self.values: list[float] = []

    def looks(self, steps: int) -> bool:
        """Whether ln ν is noted after so many optimiser steps."""
        return (steps - 1) % self.every == 0

    def step(self, log_nu: float) -> None:
        """Note one value of ln ν and lower the rate if it has stood still."""
        self.values.append(log_nu)
        if len(self.values) < self.patience:
            return
        average = np.convolve(self.values, np.full(self.window, 1 / self.window), mode="valid")
        self.values[: len(average)] = average.tolist()
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
