"""Ranks of losses over noise settings and data sets, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustseg.errors import NoRuns
from robustseg.results.tables.cached_statistics import remembered
from robustseg.results.tables.image_scores import PER_IMAGE, Images, check_alike
from robustseg.results.tables.model import LEVEL, Column, Key, Row, Table, direction
from robustseg.results.tables.order import DATA, data_of

RESAMPLES = 2000
_VERSION = 1  # raise it when the procedure changes, so that what is kept is computed again
_BLOCK = 100  # resamples at a time

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """A column in which losses are ranked.

    Attributes:
        data: data set and subset, as far as the runs differ in them.
        column: noise setting and metric.
        words: the two, for people.
    """

    data: tuple[Any, ...]
    column: Column
    words: str


@dataclass(frozen=True)
class Ranking:
    """Mean ranks, the best first.

    Attributes:
        metric: by which losses are ranked.
        names: of the losses, with what else tells rows apart.
        places: the columns over which ranks are averaged.
        mean: (K,) mean rank, 1 the best, K the worst.
        interval: (K, 2) of the mean rank, over images and seeds; None without rows of images.
        win: (K, K) probability that the loss of the row beats that of the column; NaN where the two
            never meet; None without rows of images.
        without: (K, 2) lowest and highest mean rank if one place is left out, or the places of one
            data set; NaN with nothing to leave out.
        first_without: what is left out, in words, and the loss that is then first.
        counts: (K,) in how many places a loss is.
        seeds: the smallest and the largest number of seeds of a cell.
        missing: cells that there are not, in words.
        alone: places that are left out because fewer than two losses are there, in words.
        groups: of losses that are compared with one another, directly or through others; those of
            different groups are not, and their ranks say nothing of each other.
    """

    metric: str
    names: tuple[str, ...]
    places: tuple[Place, ...]
    mean: Array
    interval: Array | None
    win: Array | None
    without: Array
    first_without: tuple[tuple[str, str], ...]
    counts: NDArray[np.int64]
    seeds: tuple[int, int]
    missing: tuple[str, ...]
    alone: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]


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
    better = _wins(values).sum(axis=-3)  # by how many each is beaten
    count = there.sum(axis=-2, keepdims=True)
    # Each value ties with itself, which counts as half a win and no rank.
    scale = (rows - 1) / np.maximum(count - 1, 1)
    ranks = 1 + (better - 0.5) * scale
    return np.where(there & (count > 1), ranks, np.nan)


def _wins(values: Array) -> Array:
    """(…, K, K, C): 1 where the first row beats the second, ½ where they are equal, else 0."""
    first, second = values[..., :, None, :], values[..., None, :, :]
    return (first > second) + 0.5 * (first == second)


def mean_ranks(values: Array) -> Array:
    """Means of `rank_in_columns` over the columns that a row is in, (…, K)."""
    return np.nanmean(rank_in_columns(values), axis=-1)


def make_ranking(table: Table, images: Images | None) -> Ranking:
    """Rank the losses of a table.

    Means over seeds are compared. The intervals are of a bootstrap over images and seeds: test
    images are drawn anew, the same for all losses and noise settings of a data set, and so are
    seeds; a run's deviation from the mean over the S seeds of its cell is first made √(S/(S−1))
    larger, without which S seeds vary too little. Places are not drawn; that another choice of
    them might give another order is what ``without`` shows.

    Args:
        table: as `make_table` returns it, of one metric.
        images: of its runs; None: no intervals.

    Raises:
        ValueError: there are not two losses in any column.
        NoImages: rows of images are missing or damaged.
        UnlikeImages: runs on the same data were tested on different images.
    """
    grid = _Grid(table)
    values = grid.means()
    ranks = rank_in_columns(values)
    mean = mean_ranks(values)
    order = np.argsort(mean, kind="stable")
    names = [grid.names[at] for at in order]
    interval = win = None
    metric = table.columns[0].metric
    if images is not None and metric in PER_IMAGE:
        found = np.array(_kept_bootstrap(grid, images), float)[order]
        interval, win = found[:, :2], found[:, 2:][:, order]
        win[~grid.meet()[order][:, order]] = np.nan
    left = {words: part[order] for words, part in _leave_out(ranks, grid.places).items()}
    each = np.stack([*left.values()], axis=1) if left else np.full((len(names), 1), np.nan)
    seeds = [len(table.cells[key].samples) for row in grid.keys for key in row if key]
    return Ranking(
        metric,
        tuple(names),
        tuple(grid.places),
        mean[order],
        interval,
        win,
        np.stack([np.fmin.reduce(each, axis=1), np.fmax.reduce(each, axis=1)], axis=1),
        tuple((words, names[int(np.nanargmin(part.round(9)))]) for words, part in left.items()),
        (~np.isnan(ranks[order])).sum(axis=1),
        (min(seeds), max(seeds)),
        tuple(grid.missing()),
        tuple(grid.alone),
        _groups(names, grid.meet()[order][:, order]),
    )


def _groups(names: Sequence[str], meet: NDArray[np.bool_]) -> tuple[tuple[str, ...], ...]:
    from scipy.sparse.csgraph import connected_components

    count, of = connected_components(meet, directed=False)
    return tuple(
        tuple(name for name, own in zip(names, of, strict=True) if own == group)
        for group in range(count)
    )


def _leave_out(ranks: Array, places: Sequence[Place]) -> dict[str, Array]:
    """(K,) mean ranks without each place, and without each data set of several places."""
    left = {place.words: [at] for at, place in enumerate(places)}
    data = dict.fromkeys(place.data for place in places)
    for one in data if len(data) > 1 else ():
        own = [at for at, place in enumerate(places) if place.data == one]
        left |= {" ".join(map(str, one)): own} if len(own) > 1 else {}
    found = {words: np.delete(ranks, at, axis=1) for words, at in left.items()}
    return {words: _nanmean(part) for words, part in found.items() if part.size}


def _nanmean(ranks: Array) -> Array:
    there = ~np.isnan(ranks)
    count = there.sum(axis=-1)
    total = np.where(there, ranks, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def loss_words(table: Table, row: Row) -> str:
    """A row's labels in words, without what its data are."""
    labels = zip(table.labels, row, strict=True)
    return table.words(tuple(value for name, value in labels if name not in DATA))


class _Grid:
    """The cells of a table as losses × places.

    Attributes:
        names: of the losses.
        places: in which two losses or more have a number.
        alone: other places, in words.
        keys: of the cells, (K, C); None where there is no number.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        parts = {row: (data_of(table, row), loss_words(table, row)) for row in table.rows}
        data = dict.fromkeys(at for at, _ in parts.values())
        found = {
            (name, at, column): (row, column)
            for row, (at, name) in parts.items()
            for column in table.columns
            if (row, column) in table.cells and table.cells[row, column].n
        }
        self.names = list(dict.fromkeys(name for _, name in parts.values()))
        self.places, self.alone = [], []
        for at in data:
            for column in table.columns:
                words = " ".join([*map(str, at), table.noise_words(column)])
                present = [name for name in self.names if (name, at, column) in found]
                if len(present) > 1:
                    self.places.append(Place(at, column, words))
                elif present:
                    self.alone.append(f"{words} ({present[0]})")
        ranked = {name for name, at, column in found
                  if any((at, column) == (p.data, p.column) for p in self.places)}  # fmt: skip
        self.names = [name for name in self.names if name in ranked]
        if not self.places:
            raise NoRuns("no column has two losses to rank; choose more runs")
        self.keys = [
            [found.get((name, place.data, place.column)) for place in self.places]
            for name in self.names
        ]

    def means(self) -> Array:
        """(K, C), higher is better; NaN where there is none."""
        return np.array(
            [
                [
                    self.table.cells[key].mean * direction(key[1].metric) if key else np.nan
                    for key in row
                ]
                for row in self.keys
            ]
        )

    def meet(self) -> NDArray[np.bool_]:
        """(K, K): whether two losses are in the same place anywhere."""
        there = np.array([[key is not None for key in row] for row in self.keys], int)
        return np.asarray(there @ there.T > 0)

    def missing(self) -> list[str]:
        """The cells that there are not."""
        return [
            f"{name} at {place.words}"
            for name, row in zip(self.names, self.keys, strict=True)
            for place, key in zip(self.places, row, strict=True)
            if key is None
        ]


def _kept_bootstrap(grid: _Grid, images: Images) -> list[list[float]]:
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
    return remembered(question, shape, lambda: _bootstrap(grid, images).tolist())


def _bootstrap(grid: _Grid, images: Images) -> Array:
    draws = _draws(grid, images)  # (resamples, K, C)
    count = len(grid.names)
    ranks, wins = [], np.zeros((count, count, len(grid.places)))
    for start in range(0, RESAMPLES, _BLOCK):
        part = draws[start : start + _BLOCK]
        ranks.append(mean_ranks(part))
        wins += _wins(part).sum(axis=0)
    tail = LEVEL / 2
    ends = np.quantile(np.concatenate(ranks), [tail, 1 - tail], axis=0).T
    there = np.array([[key is not None for key in row] for row in grid.keys])
    together = (there[:, None] & there[None]).sum(axis=-1)
    win = wins.sum(axis=-1) / (RESAMPLES * np.maximum(together, 1))
    return np.concatenate([ends, win], axis=1)


def _draws(grid: _Grid, images: Images) -> Array:
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
        first, ids = next((run, ids) for run, ids, _, _ in values.values())
        for run, others, _, _ in values.values():
            check_alike(first, ids, run, others)
        pictures = rng.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), RESAMPLES) / len(ids)
        known = sorted({seed for *_, seeds, _ in values.values() for seed in seeds}, key=str)
        times = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), RESAMPLES)
        for (row, at), (_, _, seeds, scores) in values.items():
            weights = times[:, [known.index(seed) for seed in seeds]].astype(float)
            # A cell of which no seed was drawn keeps them all.
            weights[weights.sum(axis=1) == 0] = 1
            weights /= weights.sum(axis=1, keepdims=True)
            means = pictures @ _inflated(scores).T
            sign = direction(grid.places[at].column.metric)
            drawn[:, row, at] = sign * (weights * means).sum(axis=1)
    return drawn


def _inflated(scores: Array) -> Array:
    """(S, images) with deviations from the mean over S seeds times √(S/(S−1))."""
    count, mean = len(scores), scores.mean(axis=0)
    return mean + np.sqrt(count / (count - 1)) * (scores - mean) if count > 1 else scores


def _values(table: Table, key: Key, images: Images) -> tuple[str, list[str], Sequence[Any], Array]:
    """A run, its images, the seeds of the cell and each one's values of them, (S, images)."""
    samples = table.cells[key].samples
    read = [images.mean([sample.run_id], key[1].metric) for sample in samples]
    first = samples[0].run_id
    for sample, (ids, _) in zip(samples, read, strict=True):
        check_alike(first, read[0][0], sample.run_id, ids)
    seeds = [str(sample.seed[0]) for sample in samples]  # clean masks have no seed of noise
    return first, read[0][0], seeds, np.stack([values for _, values in read])
