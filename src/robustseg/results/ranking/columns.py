"""Ranks within columns, and their means."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rank_in_columns(values: Array) -> Array:
    """Ranks within columns, on the common scale from 1 to K.

    The best of a column has rank 1; equal values share the mean of their ranks. Where only k of the
    K rows have a value, rank r becomes 1 + (r − 1)(K − 1)/(k − 1): the best of any number is at 1
    and the worst at K, so that a column with few rows favours nobody.

    Args:
        values: (…, K, C), higher is better; NaN where there is none.

    Returns:
        (…, K, C); NaN where there is no value, or no other in the column.

    Example:
        >>> rank_in_columns(np.array([[0.7, 0.9], [0.8, np.nan], [0.6, 0.8]])).tolist()
        [[2.0, 1.0], [1.0, nan], [3.0, 3.0]]
    """
    rows, there = values.shape[-2], ~np.isnan(values)
    better = wins_of(values).sum(axis=-3)  # by how many each is beaten
    count = there.sum(axis=-2, keepdims=True)
    # Each value ties with itself, which counts as half a win and no rank.
    scale = (rows - 1) / np.maximum(count - 1, 1)
    ranks = 1 + (better - 0.5) * scale
    return np.where(there & (count > 1), ranks, np.nan)


def wins_of(values: Array) -> Array:
    """(…, K, K, C): 1 where the first row beats the second, ½ where they are equal, else 0."""
    first, second = values[..., :, None, :], values[..., None, :, :]
    return (first > second) + 0.5 * (first == second)


def mean_ranks(values: Array) -> Array:
    """Means of `rank_in_columns` over the columns that a row is in, (…, K)."""
    return np.nanmean(rank_in_columns(values), axis=-1)
