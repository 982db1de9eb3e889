"""Predictions of a network over a set of images, and the rows that its scores derive from.

torchmetrics, whose import takes seconds, is loaded by what measures: predicting does without.
"""

from collections.abc import Iterator, Sequence
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from robustseg.errors import NaNPredicted
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.metrics.summary import means_over_classes

if TYPE_CHECKING:
    from torchmetrics import Metric

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def predict_logits(
    module: nn.Module, images: np.ndarray, *, batch_size: int, precision: str
) -> Iterator[tuple[slice, Tensor]]:
    """Logits of one batch after another, in eval mode, without augmentation.

    Args:
        module: uint8 images (B, H, W, C) → logits (B, 1, H, W).
        images: (N, H, W, C) uint8.
        batch_size: images per batch.
        precision: as the trainer's; mixed ones compute under autocast.

    Yields:
        The batch's place among the images, and its logits (B, 1, H, W) on the module's device.
    """
    device = next(module.parameters()).device
    dtype = _AUTOCAST.get(precision)
    training = module.training
    module.eval()
    try:
        for start in range(0, len(images), batch_size):
            place = slice(start, min(start + batch_size, len(images)))
            batch = torch.from_numpy(np.array(images[place])).to(device, non_blocking=True)
            with torch.inference_mode(), torch.autocast(device.type, dtype, dtype is not None):
                logits = module(batch)
            yield place, logits
    finally:
        module.train(training)


def evaluate(
    module: nn.Module,
    images: np.ndarray,
    masks: Sequence[np.ndarray],
    *,
    batch_size: int,
    precision: str,
    also: Sequence[tuple["Metric", np.ndarray]] = (),
    classes: Sequence[str] = (),
) -> list[dict[str, np.ndarray]]:
    """Per-image counts and scores against one or more masks of the same images, in one pass.

    Args:
        module: uint8 images (B, H, W, C) → logits (B, 1, H, W); with K − 1 classes (B, K, H, W).
        images: (N, H, W, C) uint8.
        masks: each (N, H, W) uint8: 0 background, 1 foreground, 255 ignored; with classes k the
            k-th.
        batch_size: images per batch.
        precision: as the trainer's.
        also: further metrics to update in the same pass, each with its masks.
        classes: names of the foreground classes of label maps; none for binary masks.

    Returns:
        For each of the masks the columns of ``images.csv``, N entries each.

    Raises:
        NaNPredicted: a logit is NaN.
    """
    from robustseg.metrics import SegmentationMetrics

    metrics = [SegmentationMetrics(classes=classes) for _ in masks]
    everything = [*zip(metrics, masks, strict=True), *also]
    update_metrics(module, images, everything, batch_size=batch_size, precision=precision)
    return [metric.rows() for metric in metrics]


def evaluate_fully(
    module: nn.Module,
    images: np.ndarray,
    masks: np.ndarray,
    *,
    batch_size: int,
    precision: str,
    hd95: bool = False,
    also: Sequence[tuple["Metric", np.ndarray]] = (),
    classes: Sequence[str] = (),
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """As `evaluate` for one mask, with what no single image has.

    Args:
        module: as for `evaluate`.
        images: as for `evaluate`.
        masks: (N, H, W) uint8.
        batch_size: images per batch.
        precision: as the trainer's.
        hd95: whether to add the HD95 column (share of the image diagonal).
        also: as for `evaluate`.
        classes: as for `evaluate`.

    Returns:
        The columns of ``images.csv``, and the metrics over all pixels that they do not give; of
        several classes each against the rest, and their mean.

    Raises:
        NaNPredicted: a logit is NaN.
    """
    from robustseg.metrics import OneAgainstRest, SegmentationMetrics

    rows = SegmentationMetrics(distances=hd95, classes=classes)
    pooled: dict[str, Metric] = {}
    for known in CATALOGUE.values():
        if known.measure and (classes or not known.of_label_maps):
            make = resolve_name(known.measure)
            against = classes and not known.of_label_maps
            pooled[known.name] = OneAgainstRest(make, classes) if against else make()
    everything = [*((metric, masks) for metric in (rows, *pooled.values())), *also]
    update_metrics(module, images, everything, batch_size=batch_size, precision=precision)
    numbers: dict[str, float] = {}
    for name, metric in pooled.items():
        value = metric.compute()
        if isinstance(value, dict):
            each = {f"{name}/{of}": one for of, one in value.items()}
            numbers |= means_over_classes(each, classes)
        else:
            numbers[name] = float(value)
    return rows.rows(), numbers


def update_metrics(
    module: nn.Module,
    images: np.ndarray,
    metrics: Sequence[tuple["Metric", np.ndarray]],
    *,
    batch_size: int,
    precision: str,
) -> None:
    """Update metrics with a network's logits over a set of images, in one pass.

    Args:
        module: uint8 images (B, H, W, C) → logits (B, 1, H, W).
        images: (N, H, W, C) uint8.
        metrics: each with the masks (N, H, W) uint8 that it compares the logits with.
        batch_size: images per batch.
        precision: as the trainer's.

    Raises:
        NaNPredicted: a logit is NaN.
    """
    device = next(module.parameters()).device
    for metric, _ in metrics:
        metric.to(device)
    # NaN would pass for background and give plausible scores. Infinite logits are counted: a
    # saturated one (float16 ends at 65504) still says which class, with probability 0 or 1, and
    # what overflows further inside comes out of the next normalisation or sum as NaN.
    broken: list[Tensor] = []
    for place, logits in predict_logits(module, images, batch_size=batch_size, precision=precision):
        for metric, masks in metrics:
            target = torch.from_numpy(np.array(masks[place])).to(device, non_blocking=True)
            metric.update(logits, target.unsqueeze(1))
        broken.append(logits.isnan().flatten(1).any(dim=1))
    count = int(np.count_nonzero(torch.cat(broken).cpu().numpy()))  # fetched once
    if count:
        raise NaNPredicted(f"the network's output is NaN on {count} of {len(images)} images")
