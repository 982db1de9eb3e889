"""Predictions of a network over a set of images, and the rows that its scores derive from."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from robustseg.metrics import SegmentationMetrics

_AUTOCAST = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def predict_logits(
    module: nn.Module, images: np.ndarray, *, batch_size: int, precision: str
) -> Iterator[tuple[slice, Tensor]]:
    """Logits of one batch after another, in eval mode, without augmentation.

    Args:
        module: uint8 images (B, H, W, C) → logits (B, 1, H, W).
        images: (N, H, W, C) uint8.
        batch_size: images a batch.
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
    hd95: bool = False,
) -> list[dict[str, np.ndarray]]:
    """Per-image counts and scores against one or more masks of the same images, in one pass.

    Args:
        module: uint8 images (B, H, W, C) → logits (B, 1, H, W).
        images: (N, H, W, C) uint8.
        masks: each (N, H, W) uint8: 0 background, 1 foreground, 255 ignored.
        batch_size: images a batch.
        precision: as the trainer's.
        hd95: whether to add the HD95 column (share of the image diagonal).

    Returns:
        For each of the masks the columns of ``images.csv``, N entries each.
    """
    metrics = [SegmentationMetrics() for _ in masks]
    distances: list[list[float]] = [[] for _ in masks]
    for place, logits in predict_logits(module, images, batch_size=batch_size, precision=precision):
        for metric, distance, mask in zip(metrics, distances, masks, strict=True):
            target = np.array(mask[place])
            metric.update(logits, torch.from_numpy(target).to(logits.device).unsqueeze(1))
            if hd95:
                distance.extend(_distances(logits, target))
    columns = [metric.rows() for metric in metrics]
    if hd95:
        for column, distance in zip(columns, distances, strict=True):
            column["hd95"] = np.array(distance)
    return columns


def _distances(logits: Tensor, masks: np.ndarray) -> list[float]:
    from robustseg.metrics.surface import hd95

    predicted = (logits[:, 0] > 0).cpu().numpy() & (masks != 255)
    return [hd95(one, mask == 1) for one, mask in zip(predicted, masks, strict=True)]
