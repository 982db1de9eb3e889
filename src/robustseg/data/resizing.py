"""Images and masks at the size that networks are trained at."""

from __future__ import annotations

import numpy as np
from PIL import Image


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Image (size, size, C) of an image (H, W, C), uint8, averaged down (bilinear, antialiased).

    The proportions of an image that is not square are not kept.
    """
    if image.shape[:2] == (size, size):
        return image
    pillow = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    small = np.asarray(pillow.resize((size, size), Image.Resampling.BILINEAR))
    return small.reshape(size, size, -1)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Mask (size, size) of a mask (H, W), uint8; each pixel takes the nearest."""
    if mask.shape == (size, size):
        return mask
    return np.asarray(Image.fromarray(mask).resize((size, size), Image.Resampling.NEAREST))
