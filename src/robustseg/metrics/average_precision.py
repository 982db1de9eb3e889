"""Average precision over the pixels of a test set, in bounded memory."""

import torch
from torch import Tensor

from robustseg import IGNORED
from robustseg.metrics.pixel_metric import PixelMetric
from robustseg.metrics.segmentation import check_shapes

KEPT_BITS = 19
BINS = 1 << KEPT_BITS


class AveragePrecision(PixelMetric):
    """Σ (R_n − R_{n−1})·P_n over thresholds, pooled over all pixels, ranked on logits.

    Recall R_n and precision P_n are those of scikit-learn's ``average_precision_score``. Pixels
    are counted in a histogram with one bin for each float32 of 19 bits: sign, exponent and 10 bits
    of mantissa, TF32's precision (8 MB in all, however large the test set). Pixels of one bin are
    ties. So the result is exact for float16 and bfloat16 logits; on float32 logits it is off by
    less than 1e-3, typically 1e-4, unless they differ among themselves by less than about 1 % of
    their size (an untrained network: some 1e-2; and logits computed in bfloat16 have lost the
    order of such pixels already, so evaluate in 32-true where a network hardly moves). Logits are
    ranked, not probabilities, since the sigmoid makes ties of large ones.

    ``compute`` returns a float in [0, 1]; NaN without any foreground pixel (libraries return 0),
    and NaN if a logit is NaN.

    Examples:
        >>> import torch
        >>> from robustseg.metrics import AveragePrecision
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1, 0], [1, 0]]]], dtype=torch.uint8)
        >>> metric = AveragePrecision()
        >>> metric.update(logits, target)
        >>> round(metric.compute(), 4)
        0.8333
    """

    higher_is_better = True
    histogram: Tensor

    def __init__(self) -> None:
        super().__init__()
        empty = torch.zeros(2 * BINS, dtype=torch.int64)
        self.add_state("histogram", default=empty, dist_reduce_fx="sum")

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            logits: (B, 1, H, W), any float dtype (float64 is rounded to float32).
            target: (B, 1, H, W) uint8; 1 foreground, 0 background, 255 ignored.

        Raises:
            ValueError: the shapes differ or are not (B, 1, H, W), or the target is not of integers.
        """
        check_shapes(logits, target)
        self.note_unknown(target)
        cells = (_rank(logits) + BINS * (target == 1)).flatten()
        # Ignored pixels add 0: to select the others would make the device wait for a size.
        self.histogram.scatter_add_(0, cells, (target != IGNORED).flatten().long())

    def compute(self) -> float:
        """Return the average precision of all pixels of all processes.

        Raises:
            ValueError: a target held a value that is no class.
        """
        self.refuse_unknown()
        negatives, positives = self.histogram.cpu().view(2, BINS).flip(1)
        infinity = _rank(torch.tensor([torch.inf, -torch.inf]))
        highest, lowest = (BINS - 1 - infinity).tolist()
        pixels = negatives + positives
        if pixels[:highest].any() or pixels[lowest + 1 :].any() or not positives.any():
            return torch.nan
        true, predicted = positives.cumsum(0), pixels.cumsum(0)
        precision = true / predicted.double().clamp(min=1)
        return ((positives * precision).sum() / true[-1]).item()


def _rank(logits: Tensor) -> Tensor:
    """Number the bins of logits in increasing order, from 0 to BINS − 1."""
    # Adding 0 makes −0 a 0, which it equals.
    bits = (logits.float() + 0.0).view(torch.int32)
    # A float's bits are ordered as its magnitude is; for negative ones that has to be turned round.
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ordered >> (32 - KEPT_BITS)).long() + BINS // 2
