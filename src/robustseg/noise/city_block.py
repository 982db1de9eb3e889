"""Dilation and erosion by any number of 4-neighbour steps, from one distance transform.

k steps of the 4-neighbour cross reach exactly the pixels within city-block distance k, so the areas
after every number of steps are the cumulative histogram of one distance transform, and the mask
after k steps is a threshold on it: bit-identical to stepping. What lies outside the frame is
background. The transform is taken in a window around the mask, no larger than the steps reach.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage


class Rings(NamedTuple):
    """A mask and what k steps make of it.

    Attributes:
        distance: int (h, w), the steps after which a pixel of the window changes; 0 where it
            never does.
        areas: int (K + 1,), the foreground after 0 … K steps. After the last one that is worth
            looking at the mask fills the frame (grown; or it is as large as asked for) or is empty
            (shrunk).
        window: Where in the frame `distance` lies; outside it nothing changes within K steps.
        shape: (H, W) of the frame.
    """

    distance: np.ndarray
    areas: np.ndarray
    window: tuple[slice, slice]
    shape: tuple[int, ...]


def dilation_rings(mask: np.ndarray, area: float = math.inf) -> Rings:
    """The dilations of a mask, all or as many as it takes to make it as large as asked for.

    Args:
        mask: uint8 (H, W) with some foreground.
        area: Pixels; the rings end with the first step that makes this area, or fills the frame.
    """
    height, width = mask.shape
    # k steps add at least as much as (√A + k√2)² − A, but for what leaves the frame
    reach = (math.sqrt(area) - math.sqrt(np.count_nonzero(mask))) / math.sqrt(2)
    for steps in (math.ceil(min(max(reach, 1), height + width)), height + width):
        window = _window(mask, steps)
        distance = ndimage.distance_transform_cdt(mask[window] == 0, metric="taxicab")
        areas = np.cumsum(np.bincount(distance.ravel())[: steps + 1])
        if areas[-1] >= area:
            break
    return Rings(distance, areas, window, mask.shape)


def erosion_rings(mask: np.ndarray) -> Rings:
    """All erosions of a mask, uint8 (H, W) with some foreground."""
    window = _window(mask, 0)
    framed = np.pad(mask[window], 1)
    distance = ndimage.distance_transform_cdt(framed, metric="taxicab")[1:-1, 1:-1]
    lost = np.bincount(distance.ravel())
    lost[0] = 0
    return Rings(distance, np.count_nonzero(mask) - np.cumsum(lost), window, mask.shape)


def dilate(rings: Rings, steps: int) -> np.ndarray:
    """The mask after some dilations, at most K of `rings`; uint8 (H, W)."""
    frame = np.zeros(rings.shape, np.uint8)
    frame[rings.window] = rings.distance <= steps
    return frame


def erode(rings: Rings, steps: int) -> np.ndarray:
    """The mask after some erosions, uint8 (H, W)."""
    frame = np.zeros(rings.shape, np.uint8)
    frame[rings.window] = rings.distance > steps
    return frame


def _window(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The part of the frame within some pixels of the foreground's bounding box."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )
