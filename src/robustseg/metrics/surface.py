"""The 95th percentile of the distance between two outlines."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

NORMALIZATIONS = ("diagonal", "side", "none")


def hd95(pred: ArrayLike, target: ArrayLike, normalize: str = "diagonal") -> float:
    """Return the Hausdorff distance between two masks with its maxima as 95th percentiles.

    The larger of the two directed distances, each the 95th percentile (interpolated linearly) of
    the Euclidean distances from the outline of one mask to the nearest pixel of the other's. The
    outline is a mask's pixels with a background pixel among their 4 neighbours; outside the frame
    is background, so a mask's pixels on the frame are of it. This is MONAI's
    ``HausdorffDistanceMetric(percentile=95)``, which is NaN as soon as a mask is empty.

    Two empty masks are at distance 0. If one is empty, the distance is the largest there is when
    normalised: 1; and NaN in pixels, where there is no largest.

    Args:
        pred: (H, W); foreground where nonzero.
        target: (H, W); foreground where nonzero.
        normalize: "diagonal" divides by √(H² + W²), "side" by max(H, W), "none" leaves pixels.

    Returns:
        The distance; in [0, 1] for "diagonal", in pixels for "none".

    Raises:
        ValueError: the masks are not two-dimensional, differ in shape, or ``normalize`` is unknown.

    Examples:
        >>> import numpy as np
        >>> from robustseg.metrics import hd95
        >>> target = np.zeros((8, 8))
        >>> target[2:5, 2:5] = 1
        >>> hd95(np.roll(target, 2, axis=1), target, normalize="none")
        2.0
        >>> round(hd95(np.roll(target, 2, axis=1), target), 4)
        0.1768
        >>> hd95(np.zeros((8, 8)), target)
        1.0
    """
    pred, target = np.asarray(pred, dtype=bool), np.asarray(target, dtype=bool)
    if pred.ndim != 2 or pred.shape != target.shape:
        raise ValueError(
            f"the masks must have one shape (H, W), got {pred.shape} and {target.shape}"
        )
    if normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize must be one of {', '.join(NORMALIZATIONS)}, got {normalize!r}")
    union = pred | target
    if not union.any():
        return 0.0
    if not pred.any() or not target.any():
        return math.nan if normalize == "none" else 1.0
    # Both outlines lie in the union's box, and so does all a distance between them depends on.
    box = _bounding_box(union)
    outlines = _outline(pred[box]), _outline(target[box])
    distance = max(_directed(*outlines), _directed(*outlines[::-1]))
    if normalize == "diagonal":
        return distance / math.hypot(*pred.shape)
    return distance / max(pred.shape) if normalize == "side" else distance


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return mask & ~inner


def _directed(start: NDArray[np.bool_], goal: NDArray[np.bool_]) -> float:
    return float(np.percentile(distance_transform_edt(~goal)[start], 95))
