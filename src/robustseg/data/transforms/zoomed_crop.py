"""A centre crop that sometimes shows less and larger."""

from collections.abc import Sequence
from typing import Any

import albumentations as A
import numpy as np
from scipy import ndimage

from robustseg import IGNORED
from robustseg.data.transforms.drawing import check_factors, two_sided


class ZoomedCrop(A.DualTransform):
    """The centre of an image, `size` × `size` pixels, sometimes from a field of another size.

    With probability `p_zoom` pixel i of the crop, counted from its centre, is taken at
    `⌊side/2⌉ + u·i`, with u below or above 1 with equal probability and uniform on either side: a
    field of u·`size` pixels, also from outside of the unzoomed crop. Images are interpolated by
    cubic splines, masks linearly and cut at ½; where three classes or more of a label map meet,
    and none has ½, the largest counts. As in the public T-Loss code the centre then is half
    a pixel to the lower right of that of an unzoomed crop, and with `zoom=[low, 1]` half of the
    draws are u = 1, which do no more than this.

    Args:
        size: side of the crop in pixels.
        zoom: [low, high] of u with 0 < low ≤ 1 ≤ high.
        p_zoom: probability that it is drawn at all.
        p: probability of the crop itself.

    Raises:
        ValueError: a range is impossible, or an image is smaller than the crop.
    """

    _targets = (A.core.type_definitions.Targets.IMAGE, A.core.type_definitions.Targets.MASK)

    def __init__(
        self, size: int, zoom: Sequence[float] = (0.85, 1.0), p_zoom: float = 0.2, p: float = 1.0
    ) -> None:
        super().__init__(p=p)
        self.size = size
        self.zoom = check_factors("ZoomedCrop: zoom", zoom)
        self.p_zoom = p_zoom

    def get_params(self) -> dict[str, Any]:
        """The factor u; None for a plain crop."""
        zoomed = self.py_random.random() < self.p_zoom
        return {"u": two_sided(self.zoom, self.py_random) if zoomed else None}

    def apply(self, img: np.ndarray, u: float | None = None, **params: Any) -> np.ndarray:
        """Crop image (H, W, C), uint8."""
        if u is None:
            return self._plain(img)
        channels = [self._sampled(img[..., c], u, order=3) for c in range(img.shape[2])]
        return np.clip(np.rint(np.stack(channels, -1)), 0, 255).astype(np.uint8)

    def apply_to_mask(self, mask: np.ndarray, u: float | None = None, **params: Any) -> np.ndarray:
        """Crop mask (H, W); each of its values is a label."""
        if u is None:
            return self._plain(mask)
        labels = np.unique(mask)
        shares = np.stack([self._sampled(mask == label, u, order=1) for label in labels])
        cropped = np.zeros((self.size, self.size), mask.dtype)
        for label, share in zip(labels, shares, strict=True):
            cropped[share >= 0.5] = label
        if not set(labels.tolist()) <= {0, 1, IGNORED}:  # binary masks stay as they always were
            meeting = shares.max(axis=0) < 0.5
            cropped[meeting] = labels[shares.argmax(axis=0)][meeting]
        return cropped

    def _plain(self, img: np.ndarray) -> np.ndarray:
        self._check(img)
        top, left = ((side - self.size) // 2 for side in img.shape[:2])
        return np.ascontiguousarray(img[top : top + self.size, left : left + self.size])

    def _sampled(self, plane: np.ndarray, u: float, order: int) -> np.ndarray:
        self._check(plane)
        start = [round(side / 2) - u * (self.size - 1) / 2 for side in plane.shape]
        return ndimage.affine_transform(
            plane.astype(float),
            [u, u],
            start,
            output_shape=(self.size, self.size),
            order=order,
            mode="nearest",
        )

    def _check(self, img: np.ndarray) -> None:
        if min(img.shape[:2]) < self.size:
            raise ValueError(
                f"ZoomedCrop: a crop of {self.size} pixels does not fit in an image of "
                f"{img.shape[0]}×{img.shape[1]}: set dataset.image_size to {self.size} or more, "
                "or take another augmentation"
            )
