"""Quarters of the images by the size of their object; numpy only."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

QUARTERS = ("smallest", "second", "third", "largest")


def quarters(areas: ArrayLike) -> NDArray[np.str_]:
    """Return the quarter of each image by its true area, among the images with foreground.

    Images of one area are in one quarter, so the four may differ in size, and one may be empty.

    Args:
        areas: pixels of the true mask of each image.

    Returns:
        One of `QUARTERS` each; empty for an image without foreground (or of an unknown area, NaN).

    Examples:
        >>> from robustseg.metrics.size_quarters import quarters
        >>> quarters([40, 0, 10, 20, 30]).tolist()
        ['largest', '', 'smallest', 'second', 'third']
    """
    areas = np.asarray(areas, dtype=np.float64)
    positive = areas > 0
    names = np.full(areas.shape, "", dtype=f"<U{max(map(len, QUARTERS))}")
    if positive.any():
        bounds = np.quantile(areas[positive], [0.25, 0.5, 0.75], method="inverted_cdf")
        names[positive] = np.array(QUARTERS)[np.searchsorted(bounds, areas[positive])]
    return names
