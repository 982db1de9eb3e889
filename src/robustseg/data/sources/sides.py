"""Which lung is the left one: by connected components and the midline of the image."""

from __future__ import annotations

import numpy as np

from robustseg import IGNORED

_INSIDE = 0.8  # of a component's pixels lie on its side of the midline
_LUNG = 0.25  # of all lung pixels: a larger component is a lung, not a piece of one


def sides_of(mask: np.ndarray, left: int, right: int) -> np.ndarray:
    """The label map (H, W) uint8 of a mask of both lungs.

    In a film seen from the front the patient's left lung is on the right of the image. A connected
    component of which less than 0.8 lies on one side of the image's midline, such as lungs that
    touch, is undecided, and so are two lungs on one side; undecided pixels become 255, ignored.

    Args:
        mask: (H, W) uint8, 1 inside the lungs.
        left: label of the patient's left lung.
        right: label of the right one.

    Examples:
        >>> sides_of(np.array([[0, 1, 1, 0, 0, 1, 1, 0]], np.uint8), 1, 2).tolist()
        [[0, 2, 2, 0, 0, 1, 1, 0]]
        >>> sides_of(np.array([[0, 1, 1, 1, 1, 1, 1, 0]], np.uint8), 1, 2).tolist()
        [[0, 255, 255, 255, 255, 255, 255, 0]]
    """
    import cv2

    lungs = (mask == 1).astype(np.uint8)
    count, pieces = cv2.connectedComponents(lungs, connectivity=8)
    pixels = np.bincount(pieces.ravel(), minlength=count)
    # A pixel of the middle column of an odd width is half on either side.
    half = mask.shape[1] // 2
    on_left = np.bincount(pieces[:, :half].ravel(), minlength=count).astype(float)
    if mask.shape[1] % 2:
        on_left += np.bincount(pieces[:, half], minlength=count) / 2
    share = on_left / np.maximum(pixels, 1)
    value = np.full(count, IGNORED, np.uint8)
    for label, there in ((right, share >= _INSIDE), (left, 1 - share >= _INSIDE)):
        there[0] = False
        lungs_there = there & (pixels >= _LUNG * pixels[1:].sum())
        if lungs_there.sum() < 2:
            value[there] = label
    value[0] = 0
    return np.where(mask == IGNORED, IGNORED, value[pieces]).astype(np.uint8)
