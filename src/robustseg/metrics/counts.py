"""Formulas of the four counts of pixels, elementwise; numpy only."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

COUNTS = ("tp", "fp", "fn", "tn")


def dice(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """Return 2·tp / (2·tp + fp + fn), elementwise; 1 where target and prediction are empty."""
    tp, fp, fn = (np.asarray(count) for count in (tp, fp, fn))
    return ratio(2 * tp, 2 * tp + fp + fn, undefined=1.0)


def jaccard(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """Return tp / (tp + fp + fn), elementwise; 1 where target and prediction are empty."""
    tp, fp, fn = (np.asarray(count) for count in (tp, fp, fn))
    return ratio(tp, tp + fp + fn, undefined=1.0)


def balanced_accuracy(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike
) -> NDArray[np.float64]:
    """Return (tp / (tp + fn) + tn / (tn + fp)) / 2, elementwise; NaN where a class is absent."""
    tp, fp, fn, tn = (np.asarray(count) for count in (tp, fp, fn, tn))
    return (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2


def ratio(
    numerator: ArrayLike, denominator: ArrayLike, undefined: float = math.nan
) -> NDArray[np.float64]:
    """Return numerator / denominator, elementwise; `undefined` where the latter is 0."""
    numerator, denominator = np.asarray(numerator), np.asarray(denominator)
    result = np.full(numerator.shape, undefined)
    return np.divide(numerator, denominator, out=result, where=denominator != 0)
