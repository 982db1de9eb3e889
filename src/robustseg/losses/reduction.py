"""From values at pixels to one number."""

import torch
from torch import Tensor


def pixel_mean(values: Tensor, ignore: Tensor | None) -> Tensor:
    """Mean over the batch of each image's mean over its counted pixels.

    An image whose pixels are all ignored has the value 0.

    Args:
        values: (B, 1, H, W).
        ignore: (B, 1, H, W), bool, True where a pixel does not count; or None.
    """
    if ignore is None:
        return values.mean()
    counted = count_pixels(values, ignore).clamp(min=1)
    return (values.masked_fill(ignore, 0).sum(dim=(1, 2, 3)) / counted).mean()


def of_label(values: Tensor, target: Tensor) -> Tensor:
    """Σ_c t_c v_c at each pixel: the value of the labelled class, weighted where labels are soft.

    Args:
        values: (B, C, H, W).
        target: like the values, in [0, 1], the sum over classes 1.

    Returns:
        (B, 1, H, W).
    """
    return torch.linalg.vecdot(values, target, dim=1).unsqueeze(1)


def pixel_sum(values: Tensor, ignore: Tensor | None) -> Tensor:
    """Mean over the batch of each image's sum over its counted pixels; arguments as above."""
    if ignore is not None:
        values = values.masked_fill(ignore, 0)
    return values.sum() / values.shape[0]


def count_pixels(values: Tensor, ignore: Tensor | None) -> Tensor:
    """Number of counted pixels of each image, (B,), in the values' dtype."""
    if ignore is None:
        return values.new_full((values.shape[0],), values[0, 0].numel())
    return torch.sum(~ignore, dim=(1, 2, 3), dtype=values.dtype)
