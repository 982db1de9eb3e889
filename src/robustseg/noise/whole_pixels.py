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
    near = (rows > -1) & (rows < height) & (columns > -1) & (columns < width)
    top, left = (np.floor(part[near]) for part in (rows, columns))
    bottom, right = (np.ceil(part[near]) for part in (rows, columns))
    down, across = rows[near] - top, columns[near] - left
    framed = np.pad(mask, 1).astype(np.float64)

    def pixel(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return framed[row.astype(np.intp) + 1, column.astype(np.intp) + 1]

    upper = (1 - across) * pixel(top, left) + across * pixel(top, right)
    lower = (1 - across) * pixel(bottom, left) + across * pixel(bottom, right)
    turned = np.zeros_like(mask)
    turned[near] = (1 - down) * upper + down * lower >= 1
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
