"""Cases (patients, slides) with several test images: what is drawn together, counts together."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustseg.errors import UnlikeImages

Cases = NDArray[np.int64] | None  # (n,) the number of each image's case; None: each is its own


def agreed(first: Cases, second: Cases) -> Cases:
    """The cases of the images of two runs; where one has none, those of the other.

    Raises:
        UnlikeImages: they disagree.
    """
    if first is None or second is None:
        return second if first is None else first
    if not np.array_equal(first, second):
        raise UnlikeImages(
            "runs to be compared group their test images into different cases (patients, slides): "
            "choose runs on the same data with --where, or --test none"
        )
    return first


def cases_of_some(cases: Cases, chosen: NDArray[np.bool_]) -> Cases:
    """The cases of some of the images, numbered in the order in which they occur.

    Args:
        cases: of all of them.
        chosen: (n,), which.

    Example:
        >>> cases_of_some(np.array([0, 1, 0, 2, 2]), np.array([False, True, True, True, True]))
        array([0, 1, 2, 2])
    """
    if cases is None:
        return None
    _, first, numbers = np.unique(cases[chosen], return_index=True, return_inverse=True)
    if len(first) == len(numbers):
        return None
    return np.asarray(np.argsort(np.argsort(first))[numbers], np.int64)


def means_of_cases(values: ArrayLike, cases: Cases) -> NDArray[np.float64]:
    """The mean over the images of each case.

    Args:
        values: (..., n), of images.
        cases: of them.

    Returns:
        (..., C), by the number of the case.

    Example:
        >>> means_of_cases([0.1, 0.3, 0.8], np.array([0, 0, 1])).round(3).tolist()
        [0.2, 0.8]
    """
    values = np.asarray(values, float)
    if cases is None:
        return values
    sizes = np.bincount(cases)
    together = values[..., np.argsort(cases, kind="stable")]
    return np.add.reduceat(together, np.cumsum(sizes) - sizes, axis=-1) / sizes


def values_of_cases(values: ArrayLike, cases: Cases) -> NDArray[np.float64]:
    """A value for each case, such that their mean is that of the images, and varies as it does.

    With m the mean over n images, and m_c that over the n_c images of one of C cases, it is
    m + (C n_c / n) (m_c − m). The mean of these is m, and their variance over C is the
    cluster-robust variance of m, C/(C−1) Σ_c (Σ_{i in c} (x_i − m))² / n². Where each image is a
    case, they are the images' values.

    Args:
        values: (..., n), of images.
        cases: of them.

    Returns:
        (..., C), by the number of the case.

    Example:
        >>> values_of_cases([0.1, 0.3, 0.8], np.array([0, 0, 1])).round(3).tolist()
        [0.133, 0.667]
    """
    values = np.asarray(values, float)
    if cases is None:
        return values
    mean = values.mean(-1, keepdims=True)
    sizes = np.bincount(cases)
    return mean + len(sizes) * sizes / len(cases) * (means_of_cases(values, cases) - mean)
