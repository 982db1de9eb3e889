"""Tests and intervals; scipy, imported where it is needed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 5000
_DIGITS = 12  # to which two means over seeds are taken to be equal


def signed_rank(first: ArrayLike, second: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test of paired values.

    Pairs that do not differ keep their ranks and are then left out (Pratt 1959), so that many
    equal pairs speak for equality; tied differences share their mean rank. Differences below
    1e-12 count as none. The distribution is exact for few pairs without zeros or ties, else normal.

    Args:
        first: (n,) values, of images or of seeds.
        second: (n,), in the same order.

    Returns:
        p in (0, 1]; 1 if all pairs are equal.
    """
    differences = np.round(np.asarray(first, float) - np.asarray(second, float), _DIGITS)
    if not differences.any():
        return 1.0
    from scipy import stats

    return float(stats.wilcoxon(differences, zero_method="pratt").pvalue)


def holm(p: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values for their number by Holm's step-down procedure (1979).

    Args:
        p: (..., m), families of m tests each.

    Returns:
        (..., m), in the same order.
    """
    p = np.asarray(p, float)
    order = p.argsort(-1)
    steps = np.arange(p.shape[-1], 0, -1) * np.take_along_axis(p, order, -1)
    corrected = np.empty_like(p)
    rising = np.minimum(np.maximum.accumulate(steps, -1), 1)
    np.put_along_axis(corrected, order, rising, -1)
    return corrected


def bootstrap_mean(values: NDArray[np.float64], level: float = 0.95) -> NDArray[np.float64]:
    """Percentile bootstrap intervals of means over images, each with the same resamples.

    Args:
        values: (cells, images); what belongs to one image is resampled together.
        level: of confidence.

    Returns:
        (cells, 2), lower and upper end; NaN with fewer than two images. The same on every call.
    """
    if values.shape[1] < 2:
        return np.full((len(values), 2), np.nan)
    from scipy import stats

    interval = stats.bootstrap(
        (values,),
        np.mean,
        axis=-1,
        n_resamples=RESAMPLES,
        batch=max(1, 10_000_000 // values.size),  # 80 MB at a time
        confidence_level=level,
        method="percentile",
        rng=0,
    ).confidence_interval
    return np.stack([interval.low, interval.high], axis=-1)


def anova_tukey(groups: Sequence[ArrayLike]) -> tuple[float, NDArray[np.float64]]:
    """One-way analysis of variance and Tukey's honestly significant differences.

    Args:
        groups: two or more, each with two or more values; of different lengths by the
            Tukey-Kramer method.

    Returns:
        p of the analysis of variance, and p of each pair, (groups, groups). Where no group varies
        within itself: 1 of equal groups and 0 of others, the limit of ever smaller deviations.
    """
    from scipy import stats

    arrays = [np.asarray(group, float) for group in groups]
    if all(np.ptp(array) == 0 for array in arrays):
        means = np.array([array[0] for array in arrays])
        equal = (means[:, None] == means).astype(float)
        return float(equal.all()), equal
    anova = float(stats.f_oneway(*groups).pvalue)
    return anova, np.asarray(stats.tukey_hsd(*groups).pvalue)
