"""From pixels to what a network sees."""

from torch import Tensor


def normalise(images: Tensor) -> Tensor:
    """Float images (B, C, H, W) of uint8 ones (B, H, W, C).

    Colour images are scaled to [-1, 1] and grey ones to [0, 1], as in the T-Loss code.
    """
    pixels = images.permute(0, 3, 1, 2).float()
    return pixels / 127.5 - 1 if images.shape[-1] == 3 else pixels / 255
