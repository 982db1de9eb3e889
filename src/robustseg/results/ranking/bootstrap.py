"""How mean ranks vary over test images and seeds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robustseg.results.ranking.columns import Array, mean_ranks, wins_of
from robustseg.results.ranking.ranked_cells import RankedCells
from robustseg.results.tables.by_case import Cases, agreed, cases_of_some
from robustseg.results.tables.cached_statistics import cached
from robustseg.results.tables.image_scores import Images, check_alike
from robustseg.results.tables.table_model import LEVEL, Key, Table, direction

RESAMPLES = 2000
_VERSION = 3  # raise it when the procedure changes, so that what is kept is computed again
_BLOCK = 100  # resamples at a time


def kept_bootstrap(grid: RankedCells, images: Images) -> list[list[float]]:
    """(K, 2 + K): interval of the mean rank and P(win) against each; kept for the next time."""

    def runs(key: Key | None) -> list[Any]:
        samples = cells[key].samples if key else ()
        return [[images.identity(sample.run_id), sample.seed[0]] for sample in samples]

    cells, metric = grid.table.cells, grid.table.columns[0].metric
    question = [
        *(_VERSION, "ranks", RESAMPLES, metric),
        [[runs(key) for key in row] for row in grid.keys],
        [list(place.data) for place in grid.places],
    ]
    shape = len(grid.names), 2 + len(grid.names)
    return cached(question, shape, lambda: _bootstrap(grid, images).tolist())


def _bootstrap(grid: RankedCells, images: Images) -> Array:
    draws = _draws(grid, images)  # (resamples, K, C)
    count = len(grid.names)
    ranks, wins = [], np.zeros((count, count, len(grid.places)))
    for start in range(0, RESAMPLES, _BLOCK):
        part = draws[start : start + _BLOCK]
        ranks.append(mean_ranks(part))
        wins += wins_of(part).sum(axis=0)
    tail = LEVEL / 2
    ends = np.quantile(np.concatenate(ranks), [tail, 1 - tail], axis=0).T
    there = np.array([[key is not None for key in row] for row in grid.keys])
    together = (there[:, None] & there[None]).sum(axis=-1)
    win = wins.sum(axis=-1) / (RESAMPLES * np.maximum(together, 1))
    return np.concatenate([ends, win], axis=1)


def _draws(grid: RankedCells, images: Images) -> Array:
    """(resamples, K, C): means over drawn images and seeds, higher is better."""
    rng = np.random.default_rng(0)
    drawn = np.full((RESAMPLES, len(grid.names), len(grid.places)), np.nan)
    for data in dict.fromkeys(place.data for place in grid.places):
        cells = {
            (row, at): key
            for row, keys in enumerate(grid.keys)
            for at, (place, key) in enumerate(zip(grid.places, keys, strict=True))
            if place.data == data and key is not None
        }
        values = {place: _values(grid.table, key, images) for place, key in cells.items()}
        first, *_ = values.values()
        cases: Cases = None
        counts = np.zeros(len(first.ids), bool)
        for one in values.values():
            check_alike(first.run, first.ids, one.run, one.ids)
            cases, counts = agreed(cases, one.cases), counts | one.counts
        cases = cases_of_some(cases, counts)
        pictures = _drawn_images(rng, np.arange(counts.sum()) if cases is None else cases)
        known = sorted({seed for one in values.values() for seed in one.seeds}, key=str)
        times = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), RESAMPLES)
        for (row, at), one in values.items():
            own = times[:, [known.index(seed) for seed in one.seeds]]
            sign = direction(grid.places[at].column.metric)
            drawn[:, row, at] = sign * drawn_means(one.scores[:, counts], pictures, own)
    return drawn


def _drawn_images(rng: np.random.Generator, cases: NDArray[np.int64]) -> Array:
    """(resamples, images): weights that add up to 1, where as many cases are drawn as there are."""
    count = int(cases.max()) + 1
    times = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)[:, cases]
    weights: Array = times / times.sum(axis=1, keepdims=True)
    return weights


def drawn_means(scores: Array, pictures: Array, times: NDArray[np.int64]) -> Array:
    """Means of a cell over drawn images and seeds.

    Args:
        scores: (seeds, images).
        pictures: (resamples, images), weights that add up to 1.
        times: (resamples, seeds), how often each is drawn; where none is, all of them count.

    Returns:
        (resamples,).
    """
    weights = times.astype(float)
    weights[weights.sum(axis=1) == 0] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    means: Array = (weights * (pictures @ _inflated(scores).T)).sum(axis=1)
    return means


def _inflated(scores: Array) -> Array:
    """(S, images) with deviations from the mean over S seeds times √(S/(S−1))."""
    count, mean = len(scores), scores.mean(axis=0)
    return mean + np.sqrt(count / (count - 1)) * (scores - mean) if count > 1 else scores


class _Values(NamedTuple):
    """Of a cell a run, its images, which count, their cases, seeds and values (S, images).

    Draws of wrong masks with one seed are averaged: they are no seeds.
    """

    run: str
    ids: list[str]
    counts: NDArray[np.bool_]
    cases: Cases
    seeds: list[str]
    scores: Array


def _values(table: Table, key: Key, images: Images) -> _Values:
    samples = table.cells[key].samples
    run_ids = [sample.run_id for sample in samples]
    run, ids, _, counts = images.scores(run_ids, key[1].metric)
    by_seed: dict[str, list[Array]] = {}  # clean masks have no seed of noise
    for sample in samples:
        values = images.scores([sample.run_id], key[1].metric).values
        by_seed.setdefault(str(sample.seed[0]), []).append(values)
    scores = np.stack([np.mean(own, axis=0) for own in by_seed.values()])
    return _Values(run, ids, counts, images.cases(run_ids, ids), [*by_seed], scores)
