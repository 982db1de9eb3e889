"""Calibration of the predicted probabilities."""

import torch
from torch import Tensor

from robustseg import IGNORED
from robustseg.metrics.pixel_metric import PixelMetric
from robustseg.metrics.segmentation import check_shapes

UNIT = 1 << 24


class ExpectedCalibrationError(PixelMetric):
    """Σ_b n_b/N · |mean probability in b − share of foreground in b| over bins of probability.

    Bins are of equal width, [b/bins, (b+1)/bins), the last one with its upper end; pooled over all
    pixels. p is the probability of foreground, so this is the binary error of Naeini et al. (AAAI
    2015) as in torchmetrics' ``BinaryCalibrationError(norm="l1")``, not that of max(p, 1 − p).

    Probabilities are summed as integers in units of 2⁻²⁴ (float32's precision near 1), so that
    the result is the same for any batches, order and number of processes. ``compute`` returns a
    float in [0, 1]; NaN if there is no pixel, or one whose probability is not a number: as of two
    infinite logits in a softmax.

    Examples:
        >>> import torch
        >>> from robustseg.metrics import ExpectedCalibrationError
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1, 0], [1, 0]]]], dtype=torch.uint8)
        >>> metric = ExpectedCalibrationError(bins=10)
        >>> metric.update(logits, target)
        >>> round(metric.compute(), 4)
        0.38
    """

    higher_is_better = False
    pixels: Tensor
    probability: Tensor
    undefined: Tensor

    def __init__(self, bins: int = 15) -> None:
        super().__init__()
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}")
        self.bins = bins
        # One cell a bin and class; (class, bin) flattened.
        for name in ("pixels", "probability"):
            empty = torch.zeros(2 * bins, dtype=torch.int64)
            self.add_state(name, default=empty, dist_reduce_fx="sum")
        none = torch.zeros((), dtype=torch.int64)
        self.add_state("undefined", default=none, dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            logits: (B, 1, H, W), any float dtype.
            target: (B, 1, H, W) uint8; 1 foreground, 0 background, 255 ignored.

        Raises:
            ValueError: the shapes differ or are not (B, 1, H, W), or the target is not of integers.
        """
        check_shapes(logits, target)
        self.note_unknown(target)
        probability = torch.sigmoid(logits.float()).flatten()
        known = (target != IGNORED).flatten().long()
        self.undefined += (probability.isnan() * known).sum()
        probability = probability.nan_to_num(0.0)  # which has no integer
        cells = (probability * self.bins).long().clamp(0, self.bins - 1)
        cells += self.bins * (target == 1).flatten()
        self.pixels.scatter_add_(0, cells, known)
        units = (probability * UNIT).round().long()
        self.probability.scatter_add_(0, cells, units * known)

    def compute(self) -> float:
        """Return the error over all pixels of all processes.

        Raises:
            ValueError: a target held a value that is no class.
        """
        self.refuse_unknown()
        if self.undefined.item():
            return torch.nan
        pixels = self.pixels.cpu().view(2, self.bins)
        probability = self.probability.cpu().view(2, self.bins).sum(dim=0).double() / UNIT
        # n_b·|mean p − share of foreground| = |Σp − foreground pixels|
        gap = (probability - pixels[1]).abs().sum()
        return (gap / pixels.sum()).item()
