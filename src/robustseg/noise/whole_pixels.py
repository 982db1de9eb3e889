"""The rotation of the public T-Loss code: bilinear, then cut down to the pixels of value 1."""

import math

import numpy as np


def rotate_whole(mask: np.ndarray, angle: float) -> np.ndarray:
    """The pixels that are still 1 after a bilinear rotation about the centre of the frame.

    Equal to `skimage.transform.rotate(mask.astype(float), angle).astype(np.uint8)` to the last
    pixel: coordinates and weights are computed by the same operations in the same order, because
    which pixels are 1 hangs on their last bits.

    Args:
        mask: uint8 (H, W), 0 and 1.
        angle: Degrees, counter-clockwise.
    """
    height, width = mask.shape
    rows, columns = _source(height, width, angle)
    turned = np.zeros_like(mask)
    if not mask.any():
        return turned
    first, last = (np.flatnonzero(mask.any(axis=1))[i] for i in (0, -1))
    leftmost, rightmost = (np.flatnonzero(mask.any(axis=0))[i] for i in (0, -1))
    near = (rows > first - 1) & (rows < last + 1)
    near &= (columns > leftmost - 1) & (columns < rightmost + 1)
    rows, columns = rows[near], columns[near]
    top, left, bottom, right = (
        edge.astype(np.intp) for edge in (*np.floor((rows, columns)), *np.ceil((rows, columns)))
    )
    down, across = rows - top, columns - left
    framed = np.pad(mask, 1).ravel()
    top, bottom = (top + 1) * (width + 2) + 1, (bottom + 1) * (width + 2) + 1
    upper = (1 - across) * framed[top + left] + across * framed[top + right]
    lower = (1 - across) * framed[bottom + left] + across * framed[bottom + right]
    turned = np.zeros_like(mask)
    value = (1 - down) * upper + down * lower
    turned[near] = value >= 1
    if mask.all() and near.all() and (value > 0).all():
        turned[:] = 1  # skimage clips to the range of the input, [1, 1], unless it left some 0
    return turned


def _source(height: int, width: int, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """The row and column of the clean mask that each pixel of the rotated one comes from."""
    turn = np.deg2rad(angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    x, y = width / 2.0 - 0.5, height / 2.0 - 0.5
    from_centre = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])
    rotation = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    to_centre = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    back = to_centre @ (rotation @ from_centre)
    column, row = np.arange(width)[None, :], np.arange(height)[:, None]
    rows = back[1, 0] * column + back[1, 1] * row + back[1, 2]
    columns = back[0, 0] * column + back[0, 1] * row + back[0, 2]
    return rows, columns
