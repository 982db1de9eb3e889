"""How often marks and intervals are wrong where the truth is known.

    python experiments/simulated_claims.py [--tables 2000] [--draws 20000]

Prints the chance of any false † in a table of equal losses, by the former rule (corrected for the
pairs with the best) and by that of `robustseg table` (for all pairs); and how often the intervals
of `robustseg claims` hold the true difference, over images and over seeds and images; and those of
`robustseg ranks` the true mean rank. Some minutes.
"""

import argparse
import itertools

import numpy as np
from scipy import stats

from robustseg.results.claims.intervals import over_images, over_seeds
from robustseg.results.ranking.bootstrap import drawn_means
from robustseg.results.ranking.columns import mean_ranks
from robustseg.results.tables.paired_tests import holm
from robustseg.results.tables.table_model import LEVEL

GRIDS = ((3, 1), (4, 1), (10, 1), (3, 7), (4, 7), (10, 7))  # losses, columns
PARTS = (0, 0.3, 1, 3, 10)  # of the seeds in the variance of a difference, of images 1


def false_marks(
    losses: int, columns: int, tables: int, images: int = 100, seed: int = 0
) -> tuple[float, float]:
    """Shares of tables of equal losses with a false †, by the former rule and by the present one.

    Args:
        losses: K, of each column.
        columns: of each table, on networks of their own and the same images.
        tables: how many are drawn.
        images: n, of each; 51 or more.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(losses), 2)))
    marks = np.zeros(2)
    for size in _parts(tables, 5_000_000 // (columns * len(pairs) * images)):
        shape = size, columns, losses, images
        # How hard an image is counts for all losses; the rest is as skew as Dice is.
        dice = rng.beta(5, 2, (size, 1, 1, images)) - rng.beta(1, 9, shape)
        differences = dice[:, :, pairs[:, 0]] - dice[:, :, pairs[:, 1]]
        p = stats.wilcoxon(differences, axis=-1, zero_method="pratt").pvalue
        best = dice.mean(-1).argmax(-1)[..., None]
        with_best = ((pairs[:, 0] == best) | (pairs[:, 1] == best)).reshape(size, -1)
        p = p.reshape(size, -1)
        former = holm(p[with_best].reshape(size, -1)).min(-1) < LEVEL
        present = np.where(with_best, holm(p), 1).min(-1) < LEVEL
        marks += former.sum(), present.sum()
    former, present = marks / tables
    return float(former), float(present)


def coverage_of_networks(images: int, draws: int, skew: bool, seed: int = 0) -> float:
    """How often the interval over images holds the true difference.

    Args:
        images: n.
        draws: of differences.
        skew: whether they are of a skew distribution, 2 per image of 100 being far off.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    held = 0
    for size in _parts(draws, 5_000_000 // images):
        values = rng.normal(size=(size, images))
        if skew:
            values += (rng.random((size, images)) < 0.02) * rng.exponential(8, (size, images))
            values -= 0.02 * 8
        found = over_images(values)
        held += int(((found.low <= 0) & (found.high >= 0)).sum())
    return held / draws


def coverage_of_methods(
    seeds: int, images: int, part: float, draws: int, seed: int = 0
) -> tuple[float, float]:
    """How often the interval over seeds and images holds the true difference.

    Args:
        seeds: S.
        images: n.
        part: of the seeds in the variance of the mean difference, where that of images is 1.
        draws: of differences.
        seed: of the draws.

    Returns:
        The share, and that of a single t on Satterthwaite's degrees of freedom.
    """
    rng = np.random.default_rng(seed)
    held = np.zeros(2)
    for size in _parts(draws, 5_000_000 // (seeds * images)):
        values = rng.normal(size=(size, seeds, images)) + rng.normal(size=(size, 1, images))
        values += rng.normal(size=(size, seeds, 1)) * (part * seeds / images) ** 0.5
        found = over_seeds(values)
        error = np.sqrt(found.image / images + found.seed / seeds + found.rest / (images * seeds))
        single = np.abs(found.mean) <= stats.t.ppf(1 - LEVEL / 2, found.df) * error
        held += ((found.low <= 0) & (found.high >= 0)).sum(), single.sum()
    ours, satterthwaite = held / draws
    return float(ours), float(satterthwaite)


def coverage_of_ranks(
    seeds: int,
    gap: float,
    draws: int,
    *,
    losses: int = 5,
    columns: int = 4,
    images: int = 200,
    resamples: int = 500,
    seed: int = 0,
) -> float:
    """How often the intervals of `robustseg ranks` hold the true mean rank, over all losses.

    The standard deviation of an image's Dice is .15 in common, .05 for each of loss, column and
    run; that of a seed's mean .01.

    Args:
        seeds: S, of a cell.
        gap: between the true means of neighbours in rank, which vary by as much over columns.
        draws: of tables.
        losses: K.
        columns: noise settings.
        images: n.
        resamples: of the bootstrap.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    held = 0.0
    for _ in range(draws):
        true = gap * (np.arange(losses)[:, None] + rng.normal(size=(losses, columns)))
        scores = true[..., None, None] + rng.normal(0, 0.15, images)
        scores = scores + rng.normal(0, 0.05, (losses, 1, 1, images))
        scores = scores + rng.normal(0, 0.05, (losses, columns, 1, images))
        scores = scores + rng.normal(0, 0.05, (losses, columns, seeds, images))
        scores += rng.normal(0, 0.01, (losses, columns, seeds, 1))
        pictures = rng.multinomial(images, np.full(images, 1 / images), resamples) / images
        times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), resamples)
        means = np.array([[drawn_means(cell, pictures, times) for cell in row] for row in scores])
        ranks = mean_ranks(means.transpose(2, 0, 1))
        low, high = np.quantile(ranks, [LEVEL / 2, 1 - LEVEL / 2], axis=0).round(9)
        truth = mean_ranks(true[None])[0].round(9)
        held += float(((low <= truth) & (truth <= high)).mean())
    return held / draws


def _parts(count: int, largest: int) -> list[int]:
    """A count in parts that fit into memory."""
    largest = max(1, largest)
    return [min(largest, count - at) for at in range(0, count, largest)]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=2000, help="for each grid (default: 2000)")
    parser.add_argument("--draws", type=int, default=20000, help="for coverage (default: 20000)")
    options = parser.parse_args()
    print("| losses | columns | any false †, former rule | present rule |\n|--:|--:|--:|--:|")
    for losses, columns in GRIDS:
        former, present = false_marks(losses, columns, options.tables)
        print(f"| {losses} | {columns} | {former:.3f} | {present:.3f} |", flush=True)
    print("\n| images | differences | 95% interval over images holds |\n|--:|---|--:|")
    for images, skew in itertools.product((30, 100, 600), (False, True)):
        held = coverage_of_networks(images, options.draws, skew)
        print(f"| {images} | {'skew' if skew else 'normal'} | {held:.3f} |", flush=True)
    print("\n| seeds | part of seeds : of images | over seeds and images | Satterthwaite |")
    print("|--:|--:|--:|--:|")
    for seeds, part in itertools.product((3, 5, 10), PARTS):
        ours, other = coverage_of_methods(seeds, 100, part, options.draws)
        print(f"| {seeds} | {part:g} | {ours:.3f} | {other:.3f} |", flush=True)
    print("\n| seeds | gap | interval of the mean rank |\n|--:|--:|--:|")
    for seeds, gap in itertools.product((1, 3, 10), (0.005, 0.01, 0.02)):
        held = coverage_of_ranks(seeds, gap, max(1, options.draws // 100))
        print(f"| {seeds} | {gap:g} | {held:.3f} |", flush=True)


if __name__ == "__main__":
    main()
