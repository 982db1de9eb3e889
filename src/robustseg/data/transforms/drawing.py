"""How batchgenerators draws a factor."""

import random
from collections.abc import Sequence


def check_factors(name: str, factors: Sequence[float]) -> tuple[float, float]:
    """The pair (low, high) of factors with 0 < low ≤ 1 ≤ high.

    Raises:
        ValueError: it is not such a pair.
    """
    if len(factors) != 2 or not 0 < factors[0] <= 1 <= factors[1]:
        raise ValueError(f"{name}={list(factors)} must be [low, high] with 0 < low ≤ 1 ≤ high")
    return factors[0], factors[1]


def two_sided(factors: tuple[float, float], stream: random.Random) -> float:
    """A factor that is uniform in [low, 1] or in [1, high], either with probability ½."""
    low, high = factors
    return stream.uniform(low, 1) if stream.random() < 0.5 else stream.uniform(1, high)
