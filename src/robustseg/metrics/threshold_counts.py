"""Per-image counts at many probability thresholds in one pass."""

import math

import numpy as np
import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from robustseg import IGNORED
from robustseg.metrics.pixel_metric import PixelMetric
from robustseg.metrics.segmentation import check_shapes
from robustseg.metrics.tuning import THRESHOLDS


class ThresholdCounts(PixelMetric):
    """True and false positives and negatives of each image at every one of ``THRESHOLDS``.

    A pixel is predicted foreground where its probability σ(logit) is above the threshold t, that
    is where its logit is above ln(t / (1 − t)). At ½ the counts are those of
    ``SegmentationMetrics``. Pixels are sorted once into the intervals between the thresholds; the
    counts are sums of that histogram.

    Examples:
        >>> import torch
        >>> from robustseg.metrics import ThresholdCounts, THRESHOLDS
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1, 0], [1, 0]]]], dtype=torch.uint8)
        >>> metric = ThresholdCounts()
        >>> metric.update(logits, target)
        >>> metric.compute()["fp"][0, THRESHOLDS.index(0.5)].item()
        1
        >>> metric.compute()["fp"][0, THRESHOLDS.index(0.7)].item()
        0
    """

    histograms: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("histograms", default=[], dist_reduce_fx="cat")

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
        bins = len(THRESHOLDS) + 1
        edges = torch.tensor([math.log(t / (1 - t)) for t in THRESHOLDS], device=logits.device)
        # Interval k holds the logits above the first k edges, so those predicted at k thresholds.
        # NaN, which is above nothing, would be put last.
        values = logits.float().nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        interval = torch.bucketize(values, edges, out_int32=True)
        cells = interval + bins * (target == 1).int()
        first = torch.arange(len(logits), device=logits.device, dtype=torch.int32) * 2 * bins
        cells = (cells.flatten(1) + first[:, None]).flatten().long()
        counts = torch.zeros(len(logits) * 2 * bins, dtype=torch.int32, device=logits.device)
        # Ignored pixels add 0: to select the others would make the device wait for a size.
        counts.scatter_add_(0, cells, (target != IGNORED).flatten().int())
        self.histograms.append(counts.view(-1, 2, bins))

    def compute(self) -> dict[str, np.ndarray]:
        """Return ``tp``, ``fp``, ``fn``, ``tn``, each (images, thresholds) int64.

        Raises:
            ValueError: a target held a value that is no class.
        """
        self.refuse_unknown()
        histogram = dim_zero_cat(self.histograms).cpu().numpy().astype(np.int64)
        # From the right: at threshold k all pixels of the intervals above k are predicted.
        predicted = histogram[:, :, ::-1].cumsum(axis=2)[:, :, -2::-1]
        total = histogram.sum(axis=2, keepdims=True)
        (fp, tp), (tn, fn) = predicted.swapaxes(0, 1), (total - predicted).swapaxes(0, 1)
        return {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
