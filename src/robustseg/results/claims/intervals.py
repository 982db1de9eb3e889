"""Intervals and chances of paired differences; numpy and scipy alone, many pairs at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robustseg.results.tables.table_model import LEVEL

MIN_SEEDS = 3  # of an interval over seeds: with two it has one degree of freedom
MARGIN = 0.01  # half-width that `seeds_needed` aims at
MOST_SEEDS = 1000  # more are not counted
_DIGITS = 12  # to which two means over seeds are taken to be equal

Floats = NDArray[np.float64]


class OverImages(NamedTuple):
    """Of pairs of networks, on images such as these; arrays of shape (...).

    Attributes:
        mean: Δ, the mean difference.
        low: lower end of its 95 % interval.
        high: upper end.
        chance: that the difference of means over all such images is below 0.
    """

    mean: Floats
    low: Floats
    high: Floats
    chance: Floats


class OverSeeds(NamedTuple):
    """Of pairs of methods, over seeds and images; arrays of shape (...).

    Attributes:
        mean: Δ, the mean difference.
        low: lower end of its 95 % interval.
        high: upper end.
        df: Satterthwaite's effective degrees of freedom of the variance of the mean.
        image: variance of a_i, what is the image's; 0 where its estimate is below.
        seed: variance of b_s, what is the seed's; likewise.
        rest: variance of e_is.
        seed_low: lower end of the 95 % interval of ``seed``.
        seed_high: upper end.
    """

    mean: Floats
    low: Floats
    high: Floats
    df: Floats
    image: Floats
    seed: Floats
    rest: Floats
    seed_low: Floats
    seed_high: Floats


def over_images(differences: ArrayLike) -> OverImages:
    """Difference of means over images, with its interval and the chance of the opposite sign.

    With Δ the mean and s the standard deviation of n paired differences, the interval is
    Δ ± t_{n−1} s / √n and the chance F_{n−1}(−√n Δ / s), the posterior of a paired t-test with a
    flat prior, which is also its one-sided p. Without variation the chance is 0, ½ or 1.

    Args:
        differences: (..., n) of images, averaged over seeds; n ≥ 2, positive where the first is
            better. They count as equal to within 1e-12.

    Raises:
        ValueError: there are fewer than two images.

    Example:
        >>> float(over_images([0.1, 0.2, 0.3]).chance.round(3))
        0.037
    """
    from scipy import stats

    values = np.round(np.asarray(differences, float), _DIGITS)
    n = values.shape[-1]
    if n < 2:
        raise ValueError(f"an interval over images needs two images or more, got {n}")
    mean = values.mean(-1)
    error = np.where(np.ptp(values, axis=-1) > 0, values.std(-1, ddof=1), 0) / n**0.5
    half = stats.t.ppf(1 - LEVEL / 2, n - 1) * error
    sure = (1 - np.sign(mean)) / 2
    ratio = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
    chance = np.where(error > 0, stats.t.cdf(-ratio, n - 1), sure)
    return OverImages(mean, mean - half, mean + half, chance)


def over_seeds(differences: ArrayLike) -> OverSeeds:
    """Difference of means over seeds and images, with its interval and what makes it vary.

    The model is d_is = Δ + a_i + b_s + e_is. Its variances follow from the mean squares of images,
    seeds and rest, and the variance of the mean is σ_a²/n + σ_b²/S + σ_e²/(nS). The interval is
    Δ ± h with h² = t²_{n−1} (σ_a²/n + σ_e²/(nS)) + t²_{S−1} σ_b²/S: each part has the quantile of
    its own degrees of freedom (Howe 1974). A single t on Satterthwaite's effective degrees of
    freedom covers .92 where three seeds are what varies most; this one .95 or more.

    Args:
        differences: (..., S, n), of S ≥ 3 seeds and n ≥ 2 images.

    Raises:
        ValueError: there are fewer.

    Example:
        >>> found = over_seeds([[0.1, 0.2], [0.0, 0.1], [0.2, 0.3]])
        >>> round(float(found.seed), 4), round(float(found.rest), 4)
        (0.01, 0.0)
    """
    from scipy import stats

    values = np.round(np.asarray(differences, float), _DIGITS)
    seeds, n = values.shape[-2:]
    if seeds < MIN_SEEDS or n < 2:
        raise ValueError(
            f"an interval over seeds needs {MIN_SEEDS} seeds and two images or more, got {seeds} "
            f"and {n}"
        )
    of_images, of_seeds, of_rest = _mean_squares(values)
    image = np.maximum(of_images - of_rest, 0) / seeds
    seed = np.maximum(of_seeds - of_rest, 0) / n
    half = _half_width(image, seed, of_rest, n, seeds)
    mean = values.mean((-2, -1))
    variance = image / n + seed / seeds + of_rest / (n * seeds)
    parts = of_images**2 / (n - 1) + of_seeds**2 / (seeds - 1)
    parts = (parts + of_rest**2 / ((n - 1) * (seeds - 1))) / (n * seeds) ** 2
    df = np.divide(variance**2, parts, out=np.full_like(mean, n - 1.0), where=parts > 0)
    chi = stats.chi2.ppf([1 - LEVEL / 2, LEVEL / 2], seeds - 1)
    seed_low, seed_high = (
        np.maximum(of_seeds * (seeds - 1) / quantile - of_rest, 0) / n for quantile in chi
    )
    return OverSeeds(mean, mean - half, mean + half, df, image, seed, of_rest, seed_low, seed_high)


def seeds_needed(image: Floats, seed: Floats, rest: Floats, n: int) -> Floats:
    """The fewest seeds whose interval is expected to have a half-width of at most `MARGIN`.

    Args:
        image: variance of what is the image's, (...), as `over_seeds` gives it.
        seed: of what is the seed's.
        rest: of the rest.
        n: how many images there are.

    Returns:
        3 to 1000 seeds; `MOST_SEEDS` + 1 if it takes more; 0 if no number of seeds will do, since
        the image part alone is wider.
    """
    from scipy import stats

    image, seed, rest = (np.asarray(part, float)[..., None] for part in (image, seed, rest))
    counts = np.arange(MIN_SEEDS, MOST_SEEDS + 1)
    enough = _half_width(image, seed, rest, n, counts) <= MARGIN
    found = np.where(enough.any(-1), counts[enough.argmax(-1)], MOST_SEEDS + 1)
    limit = stats.t.ppf(1 - LEVEL / 2, n - 1) * np.sqrt(image[..., 0] / n)
    return np.where(limit > MARGIN, 0, found).astype(float)


def _half_width(
    image: Floats, seed: Floats, rest: Floats, n: int, seeds: int | NDArray[np.int_]
) -> Floats:
    from scipy import stats

    of_images, of_seeds = (stats.t.ppf(1 - LEVEL / 2, df) for df in (n - 1, np.asarray(seeds) - 1))
    squared = of_images**2 * (image / n + rest / (n * seeds)) + of_seeds**2 * seed / seeds
    return np.asarray(np.sqrt(squared))


def _mean_squares(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Of images, seeds and rest, of (..., S, n) values, a two-way layout without repetition."""
    seeds, n = values.shape[-2:]
    mean = values.mean((-2, -1), keepdims=True)
    images, rows = values.mean(-2, keepdims=True), values.mean(-1, keepdims=True)
    rest = values - images - rows + mean
    return (
        seeds * ((images - mean) ** 2).sum((-2, -1)) / (n - 1),
        n * ((rows - mean) ** 2).sum((-2, -1)) / (seeds - 1),
        (rest**2).sum((-2, -1)) / ((n - 1) * (seeds - 1)),
    )
