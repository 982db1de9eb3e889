"""Which cells of a table differ, and how sure their means are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from robustseg.results.tables.cached_statistics import Numbers, remembered
from robustseg.results.tables.image_scores import PER_IMAGE, Images, check_alike
from robustseg.results.tables.model import Comparison, Key, Table, Test
from robustseg.results.tables.statistics import (
    RESAMPLES,
    anova_tukey,
    bootstrap_mean,
    holm,
    signed_rank,
)
from robustseg.terminal.suggestion import suggestion

MIN_SEEDS = 6  # of Wilcoxon's test: with five pairs no p is below 2/2⁵ = 0.0625
_VERSION = 1  # raise it when a procedure changes, so that what is kept is computed again

Pairs = Sequence[tuple[Key, Key]]


def compare(
    table: Table, images: Images, test: str = "images", against: str | None = None
) -> Table:
    """Compare each cell with the best it competes with, or with that of a loss.

    Args:
        table: as `make_table` returns it.
        images: of the folder of its runs.
        test: how cells are compared:

            - ``images``: Wilcoxon's signed-rank test over test images, each image's value averaged
              over seeds and reported evaluations, of metrics that are means over images; Holm's
              correction over all comparisons of the table.
            - ``seeds``: the same test over the numbers of runs paired by seed; six or more.
            - ``tukey``: the T-Loss paper's procedure, one-way analysis of variance over the runs of
              each contest, then Tukey's honestly significant differences, which correct within the
              contest only. The corrected p is the larger of the two tests'.
        against: a loss (with ``table.versus`` a value of that label); None: the best.

    Returns:
        The table with comparisons.

    Raises:
        ValueError: there is no such loss, or too few seeds.
        NoImages: an images.csv is missing or damaged.
        UnlikeImages: runs to be compared were tested on different images.
    """
    pairs = _pairs(table, against)
    if test == "images":
        pairs = [pair for pair in pairs if pair[0][1].metric in PER_IMAGE]
    question = [_VERSION, test, [[_runs(table, key, images) for key in pair] for pair in pairs]]
    if test == "tukey":
        question.append([[_runs(table, key, images) for key in keys] for keys in table.contests])
    measure = _MEASURES[test]
    found = remembered(question, (len(pairs), 3), lambda: measure(table, pairs, images))
    cells = dict(table.cells)
    for (key, reference), (p, p_corrected, n) in zip(pairs, found, strict=True):
        comparison = Comparison(table.words(reference[0]), p, p_corrected, int(n))
        cells[key] = replace(cells[key], comparison=comparison)
    best = (
        f"the best {table.versus} at equal settings" if table.versus else "the best of its column"
    )
    said = against or best
    return replace(table, cells=cells, test=Test(test, said, len(pairs)))


def add_intervals(table: Table, images: Images) -> Table:
    """Add 95 % confidence intervals of the means of metrics that are means over images.

    Images are resampled, with all their values (of seeds and evaluations) together; so they tell
    what other test images of the kind might have given, not what other seeds might.

    Raises:
        NoImages: an images.csv is missing or damaged.
        UnlikeImages: runs of one cell were tested on different images.
    """
    keys = [key for key, cell in table.cells.items() if cell.samples]
    keys = [key for key in keys if key[1].metric in PER_IMAGE]
    question = [_VERSION, "intervals", RESAMPLES, [_runs(table, key, images) for key in keys]]
    found = remembered(question, (len(keys), 2), lambda: _intervals(table, keys, images))
    cells = dict(table.cells)
    for key, (low, high) in zip(keys, found, strict=True):
        interval = None if math.isnan(low) else (low, high)  # of a single image
        cells[key] = replace(cells[key], interval=interval)
    return replace(table, cells=cells)


def _pairs(table: Table, against: str | None) -> Pairs:
    """The cells to compare, each with its reference."""
    name = table.versus or "loss"
    place = table.labels.index(name)
    known = {str(row[place]) for row in table.rows}
    if against is not None and against not in known:
        raise ValueError(f"no row has {name}={against!r}; {suggestion(against, known)}")
    pairs = []
    for contest in table.contests:
        if against is None:
            chosen = [key for key in contest if table.cells[key].best][:1]
        else:
            chosen = [key for key in contest if str(key[0][place]) == against]
        for key in contest:
            reference = _reference(key, chosen, place)
            if reference is not None and key not in chosen:
                pairs.append((key, reference))
    return pairs


def _reference(key: Key, chosen: Sequence[Key], place: int) -> Key | None:
    """Of several possible references the one that agrees in all other labels."""
    if len(chosen) == 1:
        return chosen[0]
    others = [value for at, value in enumerate(key[0]) if at != place]
    alike = [c for c in chosen if [v for at, v in enumerate(c[0]) if at != place] == others]
    return alike[0] if alike else None


def _runs(table: Table, key: Key, images: Images) -> list:
    samples = table.cells[key].samples
    return [key[1].metric, [images.identity(sample.run_id) for sample in samples]]


def _by_images(table: Table, pairs: Pairs, images: Images) -> Numbers:
    p, n = [], []
    for key, reference in pairs:
        (first, ids, ours), (second, others, theirs) = (
            (samples[0].run_id, *images.mean([s.run_id for s in samples], of[1].metric))
            for of in (key, reference)
            for samples in [table.cells[of].samples]
        )
        check_alike(first, ids, second, others)
        p.append(signed_rank(ours, theirs))
        n.append(len(ids))
    return [list(row) for row in zip(p, holm(p), n, strict=True)]


def _by_seeds(table: Table, pairs: Pairs, images: Images) -> Numbers:
    p, n = [], []
    for key, reference in pairs:
        ours, theirs = (
            {sample.seed: sample.value for sample in table.cells[of].samples}
            for of in (key, reference)
        )
        repeated = any(table.cells[of].repeated for of in (key, reference))
        if ours.keys() != theirs.keys() or len(ours) < MIN_SEEDS or repeated:
            seeds = [", ".join(str(seed) for seed, _ in of) for of in (ours, theirs)]
            raise ValueError(
                f"a paired test over seeds needs the same {MIN_SEEDS} seeds or more, each once "
                f"(with fewer no p is below 0.05): {table.words(key[0])} has {seeds[0]} and "
                f"{table.words(reference[0])} has {seeds[1]}; choose --test images"
            )
        p.append(signed_rank([ours[seed] for seed in ours], [theirs[seed] for seed in ours]))
        n.append(len(ours))
    return [list(row) for row in zip(p, holm(p), n, strict=True)]


def _by_tukey(table: Table, pairs: Pairs, images: Images) -> Numbers:
    answers = {}
    for contest in table.contests:
        groups = [[sample.value for sample in table.cells[key].samples] for key in contest]
        few = [key for key, group in zip(contest, groups, strict=True) if len(group) < 2]
        if few:
            raise ValueError(
                f"Tukey's test needs two seeds or more a cell, and {table.words(few[0][0])} has "
                "one; choose --test images"
            )
        anova, tukey = anova_tukey(groups)
        for at, key in enumerate(contest):
            for to, other in enumerate(contest):
                p, n = float(tukey[at, to]), len(groups[at]) + len(groups[to])
                answers[key, other] = [p, max(p, anova), n]
    return [answers[pair] for pair in pairs]


_MEASURES: dict[str, Callable[[Table, Pairs, Images], Numbers]] = {
    "images": _by_images,
    "seeds": _by_seeds,
    "tukey": _by_tukey,
}
TESTS = tuple(_MEASURES)


def _intervals(table: Table, keys: Sequence[Key], images: Images) -> Numbers:
    alike: dict[tuple[str, ...], list[tuple[Key, np.ndarray]]] = {}
    for key in keys:
        run_ids = [sample.run_id for sample in table.cells[key].samples]
        ids, values = images.mean(run_ids, key[1].metric)
        alike.setdefault(tuple(ids), []).append((key, values))
    found: dict[Key, list[float]] = {}
    for cells in alike.values():
        ends = bootstrap_mean(np.stack([values for _, values in cells]))
        found |= {key: pair.tolist() for (key, _), pair in zip(cells, ends, strict=True)}
    return [found[key] for key in keys]
