"""Probability thresholds: scores at each, and the choice of one; numpy only."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustseg.metrics.counts import COUNTS, dice, jaccard

THRESHOLDS = tuple(k / 20 for k in range(1, 20))  # .05, .10 … .95


def best_threshold(scores: ArrayLike) -> int:
    """Return the position in ``THRESHOLDS`` of the best score.

    Ties go to the threshold nearest ½, and of two equally near to the lower one.

    Args:
        scores: one finite score a threshold; higher is better.

    Raises:
        ValueError: there is not one finite score for each threshold.

    Examples:
        >>> import numpy as np
        >>> from robustseg.metrics import THRESHOLDS, best_threshold
        >>> scores = np.zeros(19)
        >>> scores[[3, 11]] = 0.8
        >>> THRESHOLDS[best_threshold(scores)]
        0.6
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != (len(THRESHOLDS),) or not np.isfinite(scores).all():
        raise ValueError(f"needs {len(THRESHOLDS)} finite scores, got {scores}")
    middle = len(THRESHOLDS) // 2
    best = np.flatnonzero(scores == scores.max())
    return int(min(best, key=lambda at: (abs(at - middle), at)))


def score_thresholds(counts: Mapping[str, NDArray[np.int64]]) -> dict[str, list[float]]:
    """Return the mean scores of a set of images, one per threshold.

    As in ``summarise``, an image whose pixels are all ignored is left out, and means are correctly
    rounded.

    Args:
        counts: ``tp``, ``fp``, ``fn``, ``tn``, each (images, thresholds), of ``ThresholdCounts``.

    Returns:
        ``dice_image``, ``jaccard_image``, ``dice_pooled``, each in [0, 1].

    Raises:
        ValueError: no image has a counted pixel.

    Examples:
        >>> import numpy as np
        >>> from robustseg.metrics import THRESHOLDS, score_thresholds
        >>> high = np.array(THRESHOLDS) > 0.5
        >>> tp = np.where(high, 3, 4)[None]  # one image with 4 pixels of foreground
        >>> fp = np.where(high, 0, 2)[None]
        >>> scores = score_thresholds({"tp": tp, "fp": fp, "fn": 4 - tp, "tn": 12 - fp})
        >>> [round(scores["dice_image"][THRESHOLDS.index(t)], 4) for t in (0.5, 0.55)]
        [0.8, 0.8571]
    """
    counted = np.sum([counts[name][:, 0] for name in COUNTS], axis=0) > 0
    if not counted.any():
        raise ValueError("no image has a pixel that counts")
    outcome = [counts[name][counted] for name in ("tp", "fp", "fn")]
    pooled = dice(*(count.sum(axis=0) for count in outcome))
    return {
        "dice_image": [_mean(column) for column in dice(*outcome).T],
        "jaccard_image": [_mean(column) for column in jaccard(*outcome).T],
        "dice_pooled": pooled.tolist(),
    }


def _mean(values: NDArray[np.float64]) -> float:
    return math.fsum(values.tolist()) / len(values)
