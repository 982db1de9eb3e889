"""Ranks of losses over noise settings and data sets, and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robustseg.results.ranking.bootstrap import kept_bootstrap
from robustseg.results.ranking.columns import Array, mean_ranks, rank_in_columns
from robustseg.results.ranking.ranked_cells import Place, RankedCells
from robustseg.results.tables.confounders import confounders
from robustseg.results.tables.image_scores import Images, is_per_image
from robustseg.results.tables.table_model import Table


@dataclass(frozen=True)
class Ranking:
    """Mean ranks, the best first.

    Attributes:
        metric: by which losses are ranked.
        names: of the losses, with what else distinguishes rows.
        titles: the same for readers, by name.
        places: the columns over which ranks are averaged.
        mean: (K,) mean rank, 1 the best, K the worst.
        interval: (K, 2) of the mean rank, over images and seeds; None without rows of images.
        win: (K, K) probability that the loss of the row beats that of the column; NaN where the two
            never meet; None without rows of images.
        without: (K, 2) lowest and highest mean rank if one place is left out, or the places of one
            data set; NaN with nothing to leave out.
        first_without: what is left out, in words, and the loss that is then first; None where the
            first of all settings has no other.
        counts: (K,) in how many places a loss is.
        seeds: the smallest and the largest number of seeds of a cell.
        missing: cells that there are not, in words.
        alone: places that are left out because fewer than two losses are there, in words.
        groups: of losses that are compared with one another, directly or through others; those of
            different groups are not, and their ranks say nothing of each other.
        confounders: in what else runs that are compared differ, in sentences.
    """

    metric: str
    names: tuple[str, ...]
    titles: Mapping[str, str]
    places: tuple[Place, ...]
    mean: Array
    interval: Array | None
    win: Array | None
    without: Array
    first_without: tuple[tuple[str, str | None], ...]
    counts: NDArray[np.int64]
    seeds: tuple[int, int]
    missing: tuple[str, ...]
    alone: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    confounders: tuple[str, ...]


def make_ranking(table: Table, images: Images | None) -> Ranking:
    """Rank the losses of a table.

    Means over seeds are compared. The intervals are of a bootstrap over images and seeds: test
    images are resampled, the same for all losses and noise settings of a data set, and so are
    seeds; a run's deviation from the mean over the S seeds of its cell is first made √(S/(S−1))
    larger, without which S seeds vary too little. Places are not resampled; that another choice of
    them might give another order is what ``without`` shows.

    Args:
        table: as `make_table` returns it, of one metric.
        images: of its runs; None: no intervals.

    Raises:
        ValueError: there are not two losses in any column.
        NoImages: rows of images are missing or damaged.
        UnlikeImages: runs on the same data were tested on different images.
    """
    grid = RankedCells(table)
    values = grid.means()
    ranks = rank_in_columns(values)
    mean = mean_ranks(values)
    order = np.argsort(mean, kind="stable")
    names = [grid.names[at] for at in order]
    interval = win = None
    metric = table.columns[0].metric
    if images is not None and is_per_image(metric):
        found = np.array(kept_bootstrap(grid, images), float)[order]
        interval, win = found[:, :2], found[:, 2:][:, order]
        win[~grid.meet()[order][:, order]] = np.nan
    left = {words: part[order] for words, part in _leave_out(ranks, grid.places).items()}
    each = np.stack([*left.values()], axis=1) if left else np.full((len(names), 1), np.nan)
    samples = [table.cells[key].samples for row in grid.keys for key in row if key]
    seeds = [len({sample.seed[0] for sample in own}) for own in samples]
    return Ranking(
        metric,
        tuple(names),
        grid.titles,
        tuple(grid.places),
        mean[order],
        interval,
        win,
        np.stack([np.fmin.reduce(each, axis=1), np.fmax.reduce(each, axis=1)], axis=1),
        tuple((words, _first(names, part)) for words, part in left.items()),
        (~np.isnan(ranks[order])).sum(axis=1),
        (min(seeds), max(seeds)),
        tuple(grid.missing()),
        tuple(grid.alone),
        _groups(names, grid.meet()[order][:, order]),
        tuple(confounders(table, grid.together())),
    )


def _first(names: Sequence[str], ranks: Array) -> str | None:
    return None if np.isnan(ranks[0]) else names[int(np.nanargmin(ranks.round(9)))]


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
    data = dict.fromkeys(place.data_words for place in places)
    for words in data if len(data) > 1 else ():
        own = [at for at, place in enumerate(places) if place.data_words == words]
        left |= {words: own} if len(own) > 1 else {}
    found = {words: np.delete(ranks, at, axis=1) for words, at in left.items()}
    return {words: _nanmean(part) for words, part in found.items() if part.size}


def _nanmean(ranks: Array) -> Array:
    there = ~np.isnan(ranks)
    count = there.sum(axis=-1)
    total = np.where(there, ranks, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
