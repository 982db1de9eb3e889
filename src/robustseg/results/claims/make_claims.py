"""Claims from a table and its runs' values of images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from robustseg.errors import ConfigError, NoRuns
from robustseg.metrics.catalogue import find
from robustseg.results.claims.claim import Claim, Claims, Methods
from robustseg.results.claims.intervals import (
    MARGIN,
    MIN_SEEDS,
    over_images,
    over_seeds,
    seeds_needed,
)
from robustseg.results.tables.by_case import Cases, cases_of_some, values_of_cases
from robustseg.results.tables.cached_statistics import Numbers, cached
from robustseg.results.tables.comparison import (
    Answers,
    all_pairs,
    why_nothing,
    with_reference,
)
from robustseg.results.tables.confounders import confounders
from robustseg.results.tables.grid import column_words
from robustseg.results.tables.image_scores import (
    PER_IMAGE,
    Images,
    Scores,
    check_alike,
    is_per_image,
)
from robustseg.results.tables.seed_units import Seed, seed_units
from robustseg.results.tables.table_model import Key, Table, direction

_VERSION = 3  # raise it when a procedure changes, so that what is kept is computed again
_WIDTH = 16  # of a pair: sign, 4 over images, 10 over seeds (0 where too few), how many images
Pair = tuple[Key, Key]


def make_claims(table: Table, images: Images, against: str | None = None) -> Claims:
    """Compare all pairs of cells that compete, or those with a loss.

    Args:
        table: as `make_table` returns it.
        images: of the folder of its runs.
        against: a loss; None: all pairs.

    Raises:
        ConfigError: there is no such loss, or no metric is a mean over images.
        NoRuns: nothing competes, or all test images belong to one case.
        NoImages: an images.csv is missing or damaged.
        UnlikeImages: runs to be compared were tested on different images.
    """
    metrics = list(dict.fromkeys(column.metric for column in table.columns))
    left_out = tuple(name for name in metrics if not is_per_image(name))
    if len(left_out) == len(metrics):
        raise ConfigError(
            "claims can be made of means over images only, which "
            f"{' and '.join(left_out)} {'is' if len(left_out) == 1 else 'are'} not; "
            f"choose among {', '.join(PER_IMAGE)}"
        )
    tested = all_pairs(table, images) if against is None else with_reference(table, images, against)
    pairs = list(tested)
    if not pairs:
        raise NoRuns(f"{why_nothing(table, against)}: nothing to compare")
    shared = [_shared(table, pair) for pair in pairs]
    question = [_VERSION, "claims", MARGIN, [_identity(table, pair, images) for pair in pairs]]
    found = cached(question, (len(pairs), _WIDTH), lambda: _measure(table, pairs, shared, images))
    claims = [
        _claim(table, pair, numbers, seeds, tested)
        for pair, numbers, seeds in zip(pairs, found, shared, strict=True)
    ]
    order = list(table.columns)
    claims.sort(key=lambda claim: order.index(claim.column))
    return Claims(tuple(claims), len(pairs), left_out, tuple(confounders(table, pairs)))


def _identity(table: Table, pair: Pair, images: Images) -> list:
    return [
        [
            key[1].metric,
            [[*sample.seed, images.identity(sample.run_id)] for sample in table.cells[key].samples],
        ]
        for key in pair
    ]


def _shared(table: Table, pair: Pair) -> list[Seed]:
    """The seeds that both cells have, with those of the noise, if runs can be paired by them."""
    first, second = (table.cells[key] for key in pair)
    if first.repeated or second.repeated:
        return []
    others = {sample.seed for sample in second.samples}
    return [sample.seed for sample in first.samples if sample.seed in others]


def _measure(
    table: Table, pairs: Sequence[Pair], shared: Sequence[list[Seed]], images: Images
) -> Numbers:
    """Numbers of each pair: whether it has to be turned round, then of the better's advantage."""
    values = _Values(table, images)
    cases = [values.cases(pair) for pair in pairs]
    of_images = [values.over_runs(pair) for pair in pairs]
    differences = [values_of_cases(*both) for both in zip(of_images, cases, strict=True)]
    if any(one.size < 2 for one in differences):
        raise NoRuns("claims need two test images or more, of two cases (patients, slides) or more")
    signs = [-1.0 if difference.mean() < 0 else 1.0 for difference in differences]
    found = np.zeros((len(pairs), _WIDTH))
    found[:, 0] = signs
    found[:, -1] = [one.size for one in of_images]
    for places in _alike(range(len(pairs)), lambda at: differences[at].size):
        turned = np.stack([signs[at] * differences[at] for at in places])
        found[places, 1:5] = np.stack(over_images(turned), axis=-1)
    units = [seed_units(seeds) for seeds in shared]
    enough = [at for at in range(len(pairs)) if len(units[at]) >= MIN_SEEDS]
    for places in _alike(enough, lambda at: (len(units[at]), differences[at].size)):
        by_seed = [values.by_seed(pairs[at], units[at]) for at in places]
        advantages = [
            signs[at] * values_of_cases(one, cases[at])
            for at, one in zip(places, by_seed, strict=True)
        ]
        found[places, 5:-1] = _of_methods(np.stack(advantages))
    return [[float(number) for number in row] for row in found]


def _alike(places: Iterable[int], shape: Callable[[int], Any]) -> Iterator[list[int]]:
    """Places of pairs of one shape, which can be computed together."""
    for _, group in groupby(sorted(places, key=shape), key=shape):
        yield list(group)


def _of_methods(differences: np.ndarray) -> np.ndarray:
    """What `Methods` says of (pairs, seeds, images) differences, (pairs, 10)."""
    found = over_seeds(differences)
    seeds, n = differences.shape[-2:]
    parts = np.stack([found.image / n, found.seed / seeds, found.rest / (n * seeds)])
    whole = parts.sum(0)
    shares = np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0)
    needed = [
        seeds_needed(found.image, seed, found.rest, n)
        for seed in (found.seed, found.seed_low, found.seed_high)
    ]
    return np.stack([found.mean, found.low, found.high, found.df, *shares, *needed], axis=-1)


class _Values:
    """Values of images by cell, each made once."""

    def __init__(self, table: Table, images: Images) -> None:
        self.table, self.images = table, images
        self._cells: dict[Key, Scores] = {}
        self._runs: dict[tuple[str, str], np.ndarray] = {}

    def over_runs(self, pair: Pair) -> np.ndarray:
        """Of each image that counts for one of the two cells, averaged over all their runs."""
        ours, theirs = (self._cell(key) for key in pair)
        check_alike(ours.run, ours.ids, theirs.run, theirs.ids)
        differences = direction(pair[0][1].metric) * (ours.values - theirs.values)
        return np.asarray(differences[self._counts(pair)])

    def cases(self, pair: Pair) -> Cases:
        """Which images belong to one case."""
        run_ids = [sample.run_id for key in pair for sample in self._samples(key)]
        cases = self.images.cases(run_ids, self._cell(pair[0]).ids)
        return cases_of_some(cases, self._counts(pair))

    def by_seed(self, pair: Pair, units: Sequence[Sequence[Seed]]) -> np.ndarray:
        """Of each image, averaged over the draws of wrong masks of a seed, (seeds, images)."""
        ours, theirs = (
            np.stack(
                [
                    np.mean([self._run(run_ids[seed], key[1].metric) for seed in unit], axis=0)
                    for unit in units
                ]
            )
            for key in pair
            for run_ids in [{sample.seed: sample.run_id for sample in self._samples(key)}]
        )
        differences = direction(pair[0][1].metric) * (ours - theirs)
        return np.asarray(differences[:, self._counts(pair)])

    def _samples(self, key: Key) -> tuple:
        return self.table.cells[key].samples

    def _cell(self, key: Key) -> Scores:
        if key not in self._cells:
            run_ids = [sample.run_id for sample in self._samples(key)]
            self._cells[key] = self.images.scores(run_ids, key[1].metric)
        return self._cells[key]

    def _counts(self, pair: Pair) -> np.ndarray:
        ours, theirs = (self._cell(key).counts for key in pair)
        return np.asarray(ours | theirs)

    def _run(self, run_id: str, metric: str) -> np.ndarray:
        if (run_id, metric) not in self._runs:
            self._runs[run_id, metric] = self.images.scores([run_id], metric).values
        return self._runs[run_id, metric]


def _claim(
    table: Table, pair: Pair, numbers: list[float], seeds: list[Seed], tested: Answers
) -> Claim:
    sign, difference, low, high, chance, *of_methods, n = numbers
    (first, column), (second, _) = pair if sign > 0 else reversed(pair)
    cells = [table.cells[row, column] for row in (first, second)]
    p, p_corrected, units, of_cases = tested[pair]
    methods = None
    if len(seed_units(seeds)) >= MIN_SEEDS:
        mean, start, end, df, images, of_seeds, rest, *needed = of_methods
        least, fewest, most = map(int, needed)
        shares = images, of_seeds, rest
        known = find(column.metric)
        enough = (least, fewest, most) if known is None or known.unit != "pixels" else None
        methods = Methods(mean, (start, end), df, shares, enough)
    return Claim(
        column=column,
        words=column_words(table, column),
        dataset=_dataset(table, first),
        first=table.words(first),
        second=table.words(second),
        names=(table.shown(first), table.shown(second)),
        images=int(n),
        cases=int(units) if of_cases else None,
        runs=(cells[0].n, cells[1].n),
        difference=difference,
        interval=(low, high),
        chance=chance,
        p=p,
        p_corrected=p_corrected,
        seeds=tuple(seeds),
        repeated=any(cell.repeated for cell in cells),
        methods=methods,
    )


def _dataset(table: Table, row: tuple) -> str:
    if "dataset" in table.labels:
        return str(row[table.labels.index("dataset")])
    return ", ".join(table.datasets)
