"""What metrics over the pixels of masks have in common."""

import torch
from torch import Tensor
from torchmetrics import Metric

from robustseg import IGNORED


class PixelMetric(Metric):
    """A metric that refuses masks whose values are no class.

    `update` only counts such pixels, so that a GPU need not wait; `compute` raises.
    """

    full_state_update = False
    is_differentiable = False
    unknown: Tensor

    def __init__(self) -> None:
        super().__init__()
        none = torch.zeros((), dtype=torch.int64)
        self.add_state("unknown", default=none, dist_reduce_fx="sum")

    def note_unknown(self, target: Tensor, classes: int = 2) -> None:
        """Count the pixels of a batch whose value is neither a class nor 255."""
        known = ((target >= 0) & (target < classes)) | (target == IGNORED)
        self.unknown += target.numel() - known.sum()

    def refuse_unknown(self) -> None:
        """Raise ValueError if there were any."""
        count = int(self.unknown.cpu().numpy())
        if count:
            raise ValueError(
                f"{count} pixels of the targets are neither a class nor 255 (ignored): "
                "binary masks hold 0 and 1, label maps of K classes 0 to K - 1"
            )
