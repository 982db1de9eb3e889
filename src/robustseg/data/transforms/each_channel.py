"""Transforms of single channels."""

from collections.abc import Sequence
from typing import Any

import albumentations as A
import numpy as np


class EachChannel(A.BaseCompose):
    """Apply transforms to each channel separately, each with a draw of its own.

    Args:
        transforms: of images (H, W, 1).
        p_channel: probability that a channel is transformed.
        p: probability that any is.

    Examples:
        >>> import albumentations as A, numpy as np
        >>> from robustseg.data.transforms.each_channel import EachChannel
        >>> darker = EachChannel([A.RandomGamma(gamma_limit=(200, 200), p=1.0)], p=1.0)
        >>> darker(image=np.full((1, 1, 3), 128, np.uint8))["image"].ravel().tolist()
        [64, 64, 64]
    """

    def __init__(
        self, transforms: Sequence[A.BasicTransform], p_channel: float = 1.0, p: float = 0.5
    ) -> None:
        super().__init__(list(transforms), p)
        self.p_channel = p_channel

    def __call__(self, *args: Any, force_apply: bool = False, **data: Any) -> dict[str, Any]:
        """Transform `image` (H, W, C); whatever else is there stays as it is."""
        if not (force_apply or self.py_random.random() < self.p):
            return data
        image = data["image"].copy()
        for channel in range(image.shape[2]):
            if self.py_random.random() < self.p_channel:
                part = np.ascontiguousarray(image[:, :, channel : channel + 1])
                for transform in self.transforms:
                    part = transform(image=part)["image"]
                image[:, :, channel] = part.reshape(image.shape[:2])
        return {**data, "image": image}
