"""Dilation and erosion by any number of 4-neighbour steps, from one distance transform.

k steps of the 4-neighbour cross reach exactly the pixels within city-block distance k, so the areas
after every number of steps are the cumulative histogram of one distance transform, and the mask
after k steps is a threshold on it: bit-identical to stepping. What lies outside the frame is
background.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage


class Rings(NamedTuple):
    """A mask and what k steps make of it.

    Attributes:
        distance: int (H, W), the steps after which a pixel changes; 0 where it never does.
        areas: int (K + 1,), the foreground after 0 … K steps; K is the last step that changes
            anything, after which the mask fills the frame (grown) or is empty (shrunk).
    """

    distance: np.ndarray
    areas: np.ndarray


def dilation_rings(mask: np.ndarray) -> Rings:
    """All dilations of a mask with foreground."""
    distance = ndimage.distance_transform_cdt(mask == 0, metric="taxicab")
    return Rings(distance, np.cumsum(np.bincount(distance.ravel())))


def erosion_rings(mask: np.ndarray) -> Rings:
    """All erosions of a mask."""
    framed = np.pad(mask, 1)
    distance = ndimage.distance_transform_cdt(framed, metric="taxicab")[1:-1, 1:-1]
    lost = np.bincount(distance.ravel())
    lost[0] = 0
    return Rings(distance, np.count_nonzero(mask) - np.cumsum(lost))


def dilate(rings: Rings, steps: int) -> np.ndarray:
    """The mask after some dilations, uint8 (H, W)."""
    return (rings.distance <= steps).astype(np.uint8)


def erode(rings: Rings, steps: int) -> np.ndarray:
    """The mask after some erosions, uint8 (H, W)."""
    return (rings.distance > steps).astype(np.uint8)
