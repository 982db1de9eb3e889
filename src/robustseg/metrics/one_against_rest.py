"""Metrics of a foreground probability for several classes, each against the rest."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from robustseg import IGNORED
from robustseg.metrics.calibration import ExpectedCalibrationError
from robustseg.metrics.segmentation import check_label_shapes, predicted_labels


class OneAgainstRest(WrapperMetric):
    """A metric of binary masks, once for each foreground class against all others.

    A class's logit is that of its softmax probability p: ln p − ln(1 − p).

    Args:
        make: makes the metric of binary masks.
        classes: names of the foreground classes.

    Examples:
        >>> import torch
        >>> from robustseg.metrics import AveragePrecision
        >>> from robustseg.metrics.one_against_rest import OneAgainstRest
        >>> metric = OneAgainstRest(AveragePrecision, ["left", "right"])
        >>> logits = torch.tensor([[0.0, 2.0, 1.0], [0.0, 1.0, 2.0]]).T.view(1, 3, 1, 2)
        >>> metric.update(logits, torch.tensor([[[[1, 2]]]], dtype=torch.uint8))
        >>> metric.compute()
        {'left': 1.0, 'right': 1.0}
    """

    def __init__(self, make: Callable[[], Metric], classes: Sequence[str]) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.parts: dict[str, Metric] = {name: make() for name in self.classes}
        for at, part in enumerate(self.parts.values()):  # so that they move between devices
            self.add_module(f"part_{at}", part)

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            logits: (B, K, H, W), the background's channel first.
            target: (B, 1, H, W) uint8; k the k-th class, 0 background, 255 ignored.

        Raises:
            ValueError: the shapes are others, or the target is not of integers.
        """
        for part, logit, truth in self._of_parts(logits, target):
            part.update(logit, truth)

    def compute(self) -> dict[str, float]:
        """Return the metric of each class by its name."""
        return {name: float(part.compute()) for name, part in self.parts.items()}

    def forward(self, logits: Tensor, target: Tensor) -> dict[str, float]:
        """Count a batch, and return the metric of each class for this batch alone."""
        values = [part(logit, truth) for part, logit, truth in self._of_parts(logits, target)]
        return {name: float(value) for name, value in zip(self.classes, values, strict=True)}

    def reset(self) -> None:
        """Forget all batches."""
        for part in self.parts.values():
            part.reset()
        super().reset()

    def _of_parts(self, logits: Tensor, target: Tensor) -> list[tuple[Metric, Tensor, Tensor]]:
        """The metric of each class, with what it counts of a batch."""
        channels = len(self.classes) + 1
        check_label_shapes(logits, target, channels)
        known = target < channels  # others, ignored or no class, stay as they are
        return [
            (
                part,
                against_rest(logits, k),
                torch.where(known, (target == k).to(target.dtype), target),
            )
            for k, part in enumerate(self.parts.values(), 1)
        ]


class TopLabelCalibrationError(ExpectedCalibrationError):
    """Σ_b n_b/N · |mean confidence in b − share of right labels in b| over bins of confidence.

    The confidence of a pixel is the largest of its softmax probabilities, and its label is right if
    that class is the true one: the calibration error of Guo et al. (ICML 2017), torchmetrics'
    ``MulticlassCalibrationError(norm="l1")``.

    Examples:
        >>> import torch
        >>> from robustseg.metrics import TopLabelCalibrationError
        >>> logits = torch.tensor([0.7, 0.2, 0.1]).log().view(1, 3, 1, 1)
        >>> metric = TopLabelCalibrationError()
        >>> metric.update(logits, torch.tensor([[[[0]]]], dtype=torch.uint8))
        >>> round(metric.compute(), 4)
        0.3
    """

    def update(self, logits: Tensor, target: Tensor) -> None:
        """Count a batch.

        Args:
            logits: (B, K, H, W).
            target: (B, 1, H, W) uint8; k the k-th class, 0 background, 255 ignored.

        Raises:
            ValueError: the shapes are others.
        """
        check_label_shapes(logits, target, logits.shape[1])
        self.note_unknown(target, logits.shape[1])
        labels = predicted_labels(logits).unsqueeze(1)
        right = (labels == target).to(target.dtype).masked_fill(target == IGNORED, IGNORED)
        margins = torch.cat([against_rest(logits, k) for k in range(logits.shape[1])], dim=1)
        super().update(margins.gather(1, labels.long()), right)


def against_rest(logits: Tensor, k: int) -> Tensor:
    """Return the logit (B, 1, H, W) of the softmax probability of class k, in float32."""
    logits = logits.float()
    rest = torch.cat([logits[:, :k], logits[:, k + 1 :]], dim=1)
    return logits[:, k : k + 1] - rest.logsumexp(dim=1, keepdim=True)
