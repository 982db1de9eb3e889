"""Per-image counts of true and false positives and negatives, and what derives from them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from robustseg import IGNORED
from robustseg.metrics.by_class import derived
from robustseg.metrics.counts import COUNTS
from robustseg.metrics.pixel_metric import PixelMetric
from robustseg.metrics.summary import summarise
from robustseg.metrics.surface import hd95


class SegmentationMetrics(PixelMetric):
    """Dice, Jaccard, balanced accuracy and their like from per-image integer counts.

    Nothing is averaged over batches: the state is one row of counts an image, gathered over
    processes, and every number derives from the rows by ``summarise``, which says what each of
    them is and what it is on empty masks. ``update`` leaves the counts on the device.

    With ``distances``, every image also gets its ``hd95``, as a share of the image's diagonal;
    that is computed on the processor, some milliseconds an image. Ignored pixels count there as
    background in both masks. A NaN logit counts as background, so refuse a network that gives
    one, as ``robustseg.metrics.evaluation`` does.

    Args:
        distances: whether to compute ``hd95``.
        classes: names of the foreground classes of label maps, without the background; none for
            binary masks. Logits then have a channel a class, the background's first, the largest
            says the class, and a column per class ends in its name: ``tp/heart``.

    Examples:
        >>> import torch
        >>> from robustseg.metrics import SegmentationMetrics
        >>> logits = torch.tensor([[[[2.0, 0.5], [-1.0, -3.0]]]])
        >>> target = torch.tensor([[[[1, 0], [1, 0]]]], dtype=torch.uint8)
        >>> metric = SegmentationMetrics()
        >>> metric.update(logits, target)
        >>> metric.compute()["dice_image"]
        0.5
        >>> metric.rows()["tp"].tolist(), metric.rows()["fp"].tolist()
        ([1], [1])
    """

    images: list[Tensor]
    hd95: list[Tensor]

    def __init__(self, distances: bool = False, classes: Sequence[str] = ()) -> None:
        super().__init__()
        self.distances = distances
        self.classes = tuple(classes)
        self.add_state("images", default=[], dist_reduce_fx="cat")
        self.add_state("hd95", default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, target: Tensor, index: Tensor | None = None) -> None:
        """Count a batch.

        Args:
            logits: (B, 1, H, W), any float dtype; foreground where above 0 (probability ½). With
                K − 1 classes (B, K, H, W).
            target: (B, 1, H, W) uint8; 1 foreground, 0 background, 255 ignored, so divide the
                pixels of a 0 and 255 image by 255 first. With classes k the k-th.
            index: (B,) integers ≥ 0, the positions of the images in the test set. With it, rows
                come in that order and an image that a distributed sampler repeats counts once;
                without it, rows come in the order of arrival, process after process.

        Raises:
            ValueError: the shapes are others, or the target is not of integers.
        """
        masks = _masks(logits, target, len(self.classes))
        self.note_unknown(target, len(self.classes) + 1 if self.classes else 2)
        counts = torch.cat([_counts(*one) for one in masks], dim=1)
        if index is None:
            index = torch.full((len(counts),), -1, device=counts.device)
        self.images.append(torch.cat([index.to(counts)[:, None], counts], dim=1))
        if self.distances:
            self.hd95.append(torch.stack([_distances(*one) for one in masks], dim=1))

    def compute(self) -> dict[str, float]:
        """Return the numbers of ``summarise`` over all images of all processes.

        Raises:
            ValueError: there are no images, or a target held a value that is no class.
        """
        return summarise(self._columns())

    def rows(self) -> dict[str, np.ndarray]:
        """Return the columns of ``images.csv``: index, tp, fp, fn, tn, dice, jaccard (, hd95).

        With classes the counts and distances of each, and dice, jaccard and hd95 over them.

        Every process must call it: rows of all of them are gathered.

        Raises:
            ValueError: a target held a value that is no class.
        """
        with self.sync_context(dist_sync_fn=self.dist_sync_fn):
            columns = self._columns()
        return columns | derived(columns)

    def _columns(self) -> dict[str, np.ndarray]:
        self.refuse_unknown()
        rows = dim_zero_cat(self.images).cpu().numpy()
        if (rows[:, 0] < 0).any():
            rows[:, 0] = np.arange(len(rows))
        _, first = np.unique(rows[:, 0], return_index=True)
        of = [f"/{name}" for name in self.classes] or [""]
        names = ["index", *(f"{count}{one}" for one in of for count in COUNTS)]
        columns = dict(zip(names, rows[first].T, strict=True))
        if self.distances:
            distances = dim_zero_cat(self.hd95).cpu().numpy()[first]
            columns |= {f"hd95{one}": distances[:, at] for at, one in enumerate(of)}
        return columns


def confusion(logits: Tensor, target: Tensor) -> Tensor:
    """Count tp, fp, fn, tn of every image.

    Args:
        logits: (B, 1, H, W); foreground where above 0.
        target: (B, 1, H, W) uint8; 255 is ignored.

    Returns:
        (B, 4) int64 on the logits' device.

    Raises:
        ValueError: the shapes differ or are not (B, 1, H, W).
    """
    ((predicted, foreground, known),) = _masks(logits, target, 0)
    return _counts(predicted, foreground, known)


def predicted_labels(logits: Tensor) -> Tensor:
    """Return the label map (B, H, W) uint8 that logits say.

    Args:
        logits: (B, 1, H, W), 1 where above 0; or (B, K, H, W), the class of the largest.
    """
    if logits.shape[1] == 1:
        return (logits[:, 0] > 0).to(torch.uint8)
    return logits.argmax(dim=1).to(torch.uint8)


def _masks(logits: Tensor, target: Tensor, classes: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """For each foreground class what is predicted, what is true, and which pixels count."""
    if not classes:
        check_shapes(logits, target)
        known = target != IGNORED
        return [((logits > 0) & known, target == 1, known)]
    check_label_shapes(logits, target, classes + 1)
    known, labels = target != IGNORED, predicted_labels(logits).unsqueeze(1)
    return [((labels == k) & known, target == k, known) for k in range(1, classes + 1)]


def _counts(predicted: Tensor, foreground: Tensor, known: Tensor) -> Tensor:
    tp, predictions, positives, pixels = (
        mask.flatten(1).sum(dim=1)
        for mask in (predicted & foreground, predicted, foreground, known)
    )
    fp, fn = predictions - tp, positives - tp
    return torch.stack([tp, fp, fn, pixels - tp - fp - fn], dim=1)


def _distances(predicted: Tensor, foreground: Tensor, known: Tensor) -> Tensor:
    pairs = zip(*(mask.squeeze(1).cpu().numpy() for mask in (predicted, foreground)), strict=True)
    return torch.tensor([hd95(pred, true) for pred, true in pairs], device=known.device)


def check_shapes(logits: Tensor, target: Tensor) -> None:
    """Raise ValueError unless both have the same shape (B, 1, H, W), the target of integers."""
    if logits.ndim != 4 or logits.shape[1] != 1 or logits.shape != target.shape:
        raise ValueError(
            "logits and target must both be (B, 1, H, W), "
            f"got {tuple(logits.shape)} and {tuple(target.shape)}"
        )
    _check_integers(target)


def check_label_shapes(logits: Tensor, target: Tensor, channels: int) -> None:
    """Raise ValueError unless logits are (B, channels, H, W), the target (B, 1, H, W) integers."""
    wanted = (target.shape[0], channels, *target.shape[2:])
    if target.ndim != 4 or target.shape[1] != 1 or tuple(logits.shape) != wanted:
        raise ValueError(
            f"logits must be (B, {channels}, H, W) and target (B, 1, H, W), "
            f"got {tuple(logits.shape)} and {tuple(target.shape)}"
        )
    _check_integers(target)


def _check_integers(target: Tensor) -> None:
    if target.is_floating_point():
        raise ValueError(f"the target must hold integers, such as uint8, not {target.dtype}")
