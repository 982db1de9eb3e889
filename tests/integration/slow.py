"""Losses whose epochs take their time, so that a sweep can be watched at it."""

import os
import time
from pathlib import Path

from torch import Tensor

from robustseg.losses import MAELoss, TLoss
from robustseg.runs.lock import JOB

STEP_S = 0.05
HELD = "ROBUSTSEG_HELD"  # environment variable: a folder with a file for each job that waits
STEPS = 12  # that a job does before it waits


class SlowTLoss(TLoss):
    """The T-Loss, but no step is over before 50 ms."""

    def forward(self, *arguments: Tensor | None) -> Tensor:
        """Wait, then the loss."""
        time.sleep(STEP_S)
        return super().forward(*arguments)


class HeldTLoss(TLoss):
    """The T-Loss of a run that waits in its 13th step, for as long as a file says so.

    The file is named by the number of the job, or "alone" if the run is not one of a sweep.
    """

    steps = 0

    def forward(self, *arguments: Tensor | None) -> Tensor:
        """Wait, then the loss."""
        self.steps += 1
        job = os.environ.get(JOB, ":alone").rpartition(":")[2]
        while self.steps > STEPS and HELD in os.environ and Path(os.environ[HELD], job).exists():
            time.sleep(0.02)
        return super().forward(*arguments)


class Silent(MAELoss):
    """A loss that fails without a word."""

    def forward(self, *arguments: Tensor | None) -> Tensor:
        """Fail."""
        raise ValueError
