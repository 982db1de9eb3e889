"""Rotating a mask without cutting it off, and finding the shift that makes a wanted error."""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

DIRECTIONS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))


class Piece(NamedTuple):
    """A cut-out of an unbounded mask: bool array and the frame's coordinates of its first pixel."""

    pixels: np.ndarray
    top: int
    left: int


class Shift(NamedTuple):
    """A shift of a piece along a direction.

    Attributes:
        rows: Pixels downwards.
        columns: Pixels to the right.
        error: |moved △ clean| / |clean|.
        lost: How many pixels of the piece are outside the frame.
        reached: Whether a shift with the wanted error or a larger one was found.
    """

    rows: int
    columns: int
    error: float
    lost: int
    reached: bool


def rotate(mask: np.ndarray, angle: float) -> Piece:
    """Rotates a mask counter-clockwise about the centre of its foreground's bounding box.

    Bilinear, and foreground where the value is at least one half, so that the area is kept; what
    leaves the frame is kept too, for it may come back with a shift.

    Args:
        mask: uint8 (H, W) with some foreground.
        angle: Degrees.
    """
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    source = np.pad(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    centre = (np.array(source.shape) - 1) / 2
    turn = math.radians(angle)
    # with y down, the pixel at p about the centre comes from R p
    back = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    margin = np.ceil(np.abs(back) @ centre - centre).astype(int)  # the turned box juts out so far
    margin = np.maximum(margin, 0)
    turned = ndimage.affine_transform(
        source.astype(np.float64),
        back,
        centre - back @ (centre + margin),
        output_shape=tuple(source.shape + 2 * margin),
        order=1,
    )
    return Piece(turned >= 0.5, int(rows[0] - 1 - margin[0]), int(columns[0] - 1 - margin[1]))


def place(piece: Piece, shape: tuple[int, int]) -> np.ndarray:
    """The part of a piece that lies in a frame, uint8 (H, W)."""
    frame = np.zeros(shape, np.uint8)
    inside, target = _overlap(piece, shape)
    frame[target] = piece.pixels[inside]
    return frame


def best_shift(piece: Piece, mask: np.ndarray, direction: tuple[int, int], error: float) -> Shift:
    """The smallest shift of a piece along a direction that reaches a wanted error, or one less.

    Of the first shift with |moved △ clean| / |clean| ≥ error and the one before it, the nearer.
    Few shifts are tried: one pixel changes the error by at most D/|clean|, D the pixels in which
    the piece and itself shifted by one pixel differ, so those that cannot reach the wanted error
    yet are skipped. If none reaches it before the piece has left the frame: the nearest one tried.

    Args:
        piece: The rotated mask, some of it in the frame.
        mask: The clean one, uint8 (H, W) with some foreground.
        direction: One of `DIRECTIONS`, as (rows, columns).
        error: The wanted |moved △ clean| / |clean|.
    """
    clean = mask.astype(bool)
    grain = _self_difference(piece.pixels, direction) / np.count_nonzero(clean)
    tried = [_shift(piece, clean, direction, 0, error)]
    step = 0
    while not tried[-1].reached:
        skip = max(1, math.ceil((error - tried[-1].error) / grain))
        following = _shift(piece, clean, direction, step + skip, error)
        if following.lost == np.count_nonzero(piece.pixels):
            return min(tried, key=lambda shift: abs(shift.error - error))
        if following.reached and skip > 1:
            tried.append(_shift(piece, clean, direction, step + skip - 1, error))
        tried.append(following)
        step += skip
    *_, before, after = tried[0], *tried
    nearest = min(after, before, key=lambda shift: abs(shift.error - error))
    return nearest._replace(reached=True)


def _shift(
    piece: Piece, clean: np.ndarray, direction: tuple[int, int], step: int, error: float
) -> Shift:
    """What a shift by some steps comes to."""
    rows, columns = step * direction[0], step * direction[1]
    inside, target = _overlap(shifted(piece, rows, columns), clean.shape)
    pixels = piece.pixels[inside]
    kept, area = int(np.count_nonzero(pixels)), int(np.count_nonzero(clean))
    found = (area + kept - 2 * int(np.count_nonzero(pixels & clean[target]))) / area
    lost = int(np.count_nonzero(piece.pixels)) - kept
    return Shift(rows, columns, found, lost, found >= error)


def shifted(piece: Piece, rows: int, columns: int) -> Piece:
    """The piece elsewhere."""
    return Piece(piece.pixels, piece.top + rows, piece.left + columns)


def _overlap(piece: Piece, shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a piece meets a frame: slices of the piece and of the frame, empty if it does not."""
    inside, target = [], []
    for start, length, extent in zip(piece[1:], piece.pixels.shape, shape, strict=True):
        low, high = max(start, 0), min(start + length, extent)
        high = max(low, high)
        target.append(slice(low, high))
        inside.append(slice(low - start, high - start))
    return tuple(inside), tuple(target)


def _self_difference(pixels: np.ndarray, direction: tuple[int, int]) -> int:
    """In how many pixels a mask and itself shifted by one pixel differ."""
    framed = np.pad(pixels, 1)
    return int(np.count_nonzero(framed != np.roll(framed, direction, axis=(0, 1))))
