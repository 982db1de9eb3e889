"""Which cells of a table differ, and how sure their means are."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from robustseg.errors import ConfigError
from robustseg.results.tables.by_case import (
    Cases,
    agreed,
    cases_of_some,
    means_of_cases,
    values_of_cases,
)
from robustseg.results.tables.cached_statistics import Numbers, cached
from robustseg.results.tables.image_scores import (
    Images,
    Scores,
    check_alike,
    is_per_image,
    no_means,
)
from robustseg.results.tables.paired_tests import (
    RESAMPLES,
    anova_tukey,
    bootstrap_mean,
    holm,
    signed_rank,
)
from robustseg.results.tables.seed_units import Seed, seed_units
from robustseg.results.tables.table_model import (
    LEVEL,
    Column,
    Comparison,
    Key,
    Sample,
    Table,
    Test,
)
from robustseg.terminal.suggestion import suggestion

MIN_SEEDS = 6  # of Wilcoxon's test: with five pairs no p is below 2/2⁵ = 0.0625
_VERSION = 3  # raise it when a procedure changes, so that what is kept is computed again

_ALL_PAIRS = ("images", "seeds")  # what tests all pairs; Tukey's test does so by itself

Pairs = Sequence[tuple[Key, Key]]
Answers = dict[tuple[Key, Key], list[float]]


def compare(
    table: Table, images: Images, test: str = "images", against: str | None = None
) -> Table:
    """Compare each cell with the best it competes with, or with that of a loss.

    Since the best is picked from the same numbers, p-values are corrected for all pairs that might
    have been compared: of all cells that compete, in all columns together. With equal losses the
    chance of any false mark is then at most .05. What cannot be told from the best is a group with
    it (`Cell.group`).

    Args:
        table: as `make_table` returns it.
        images: of the folder of its runs.
        test: how cells are compared:

            - ``images``: Wilcoxon's signed-rank test over test images, each image's value averaged
              over seeds and reported evaluations, of metrics that are means over images; where
              several test images belong to one case (patient, slide), over the means of cases.
              Holm's correction over all pairs of the table.
            - ``seeds``: the same test over the numbers of runs paired by seed; six or more, and
              so many that a difference can be significant after the correction.
            - ``tukey``: the T-Loss paper's procedure, one-way analysis of variance over the runs of
              each contest, then Tukey's honestly significant differences, which correct within the
              contest only. The corrected p is the larger of the two tests'.
            - ``best``: the former rule: as ``images``, but corrected for the pairs with the best
              only. With equal losses it marks one in .06 to .21 of tables. No groups.
        against: a loss (with ``table.versus`` a value of that label), which is the reference then;
            p-values are corrected for the pairs with it. None: the best.

    Returns:
        The table with comparisons.

    Raises:
        ConfigError: there is no such loss, or too few seeds for a difference to be significant.
        NoImages: an images.csv is missing or damaged.
        UnlikeImages: runs to be compared were tested on different images.
    """
    if test == "best" and against is not None:
        raise ConfigError(f"--test best compares with the best of a column, not with {against}")
    pairs = [pair for pair in _pairs(table, against) if _testable(pair, test)]
    if against is None and test in _ALL_PAIRS:
        found, family = all_pairs(table, images, test), _family(table, test)
    else:
        found, family = _tested(table, pairs, images, test), pairs
    if test == "seeds":
        _check_power([int(n) for _, _, n, _ in found.values()])
    answers = found | {(one, other): numbers for (other, one), numbers in found.items()}
    cells = dict(table.cells)
    grouped = against is None and test != "best"
    for key, reference in pairs:
        p, p_corrected, n, of_cases = answers[key, reference]
        words = table.words(reference[0])
        comparison = Comparison(words, p, p_corrected, int(n), bool(of_cases))
        group = grouped and not comparison.significant
        cells[key] = replace(cells[key], comparison=comparison, group=group)
    return replace(table, cells=cells, test=Test(test, against or _best(table), len(family)))


def _best(table: Table) -> str:
    """What a cell is compared with, in words."""
    if table.versus:
        return f"the best {table.versus} at equal settings"
    largest: dict[Column, int] = {}
    for keys in table.contests:
        column = keys[0][1]
        largest[column] = max(largest.get(column, 0), len(keys))
    there = Counter(column for (_, column), cell in table.cells.items() if cell.n)
    several = any(there[column] > most for column, most in largest.items())
    return "the best of its column on the same data" if several else "the best of its column"


def all_pairs(table: Table, images: Images, test: str = "images") -> Answers:
    """Test all pairs of cells that compete, corrected for all of them.

    Args:
        table: as `make_table` returns it.
        images: of the folder of its runs.
        test: ``images`` or ``seeds``, as for `compare`.

    Returns:
        p, corrected p, how many values were paired and whether they are of cases, by pair.

    Raises:
        ConfigError: too few seeds.
        NoImages: an images.csv is missing or damaged.
        UnlikeImages: runs to be compared were tested on different images.
    """
    return _tested(table, _family(table, test), images, test)


def with_reference(table: Table, images: Images, against: str) -> Answers:
    """Test over images the pairs with a loss, corrected for those; see `all_pairs`."""
    pairs = [pair for pair in _pairs(table, against) if _testable(pair, "images")]
    return _tested(table, pairs, images, "images")


def why_nothing(table: Table, against: str | None) -> str:
    """Why a test over images compares no cells, or none with a loss, in words."""
    if not table.contests:
        return "there is no column with two rows on the same data"
    if against is not None and not _pairs(table, against):
        name = table.versus or "loss"
        return f"no other row agrees with {against} in all labels but the {name}"
    metrics = list(dict.fromkeys(keys[0][1].metric for keys in table.contests))
    return f"{', '.join(metrics)}: {no_means(metrics)}"


def _family(table: Table, test: str) -> Pairs:
    pairs = [pair for contest in table.contests for pair in itertools.combinations(contest, 2)]
    return [pair for pair in pairs if _testable(pair, test)]


def _testable(pair: tuple[Key, Key], test: str) -> bool:
    return test not in ("images", "best") or is_per_image(pair[0][1].metric)


def _tested(table: Table, pairs: Pairs, images: Images, test: str) -> Answers:
    question = [_VERSION, test, [[_runs(table, key, images) for key in pair] for pair in pairs]]
    if test == "tukey":
        question.append([[_runs(table, key, images) for key in keys] for keys in table.contests])
    measure = _MEASURES[test]
    found = cached(question, (len(pairs), 4), lambda: measure(table, pairs, images))
    return dict(zip(pairs, found, strict=True))


def add_intervals(table: Table, images: Images) -> Table:
    """Add 95 % confidence intervals of the means of metrics that are means over images.

    Images are resampled, with all their values (of seeds and evaluations) together, and those of
    one case (patient, slide) together; so they say what other test images of this kind might have
    given, not what other seeds might.

    Raises:
        NoImages: an images.csv is missing or damaged.
        UnlikeImages: runs of one cell were tested on different images.
    """
    keys = [key for key, cell in table.cells.items() if cell.samples and not cell.uneven]
    keys = [key for key in keys if is_per_image(key[1].metric)]
    question = [_VERSION, "intervals", RESAMPLES, [_runs(table, key, images) for key in keys]]
    found = cached(question, (len(keys), 2), lambda: _intervals(table, keys, images))
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
        raise ConfigError(f"no row has {name}={against!r}; {suggestion(against, known)}")
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
    values: dict[Key, tuple[Scores, Cases]] = {}
    for key in dict.fromkeys(key for pair in pairs for key in pair):
        run_ids = [sample.run_id for sample in table.cells[key].samples]
        scores = images.scores(run_ids, key[1].metric)
        values[key] = scores, images.cases(run_ids, scores.ids)
    p, n, of_cases = [], [], []
    for key, reference in pairs:
        (ours, known), (theirs, told) = values[key], values[reference]
        check_alike(ours.run, ours.ids, theirs.run, theirs.ids)
        counts = ours.counts | theirs.counts
        cases = cases_of_some(agreed(known, told), counts)
        differences = means_of_cases((ours.values - theirs.values)[counts], cases)
        p.append(signed_rank(differences, np.zeros_like(differences)))
        n.append(len(differences))
        of_cases.append(cases is not None)
    return _rows(p, n, of_cases)


def _by_seeds(table: Table, pairs: Pairs, images: Images) -> Numbers:
    p, n = [], []
    for key, reference in pairs:
        ours, theirs = (
            {sample.seed: sample.value for sample in table.cells[of].samples}
            for of in (key, reference)
        )
        repeated = any(table.cells[of].repeated for of in (key, reference))
        units = seed_units(ours)
        if ours.keys() != theirs.keys() or len(units) < MIN_SEEDS or repeated:
            seeds = [", ".join(str(seed) for seed, _ in of) for of in (ours, theirs)]
            draws = "" if units else " and noise.seed varies with some seeds only"
            raise ConfigError(
                f"a paired test over seeds needs the same {MIN_SEEDS} seeds or more, each once "
                f"(with fewer no p is below 0.05): {table.words(key[0])} has seeds {seeds[0]} "
                f"and {table.words(reference[0])} has seeds {seeds[1]}{draws}; choose --test images"
            )
        p.append(signed_rank(*([_mean(of, unit) for unit in units] for of in (ours, theirs))))
        n.append(len(units))
    return _rows(p, n, [False] * len(p))


def _check_power(n: Sequence[int]) -> None:
    """Refuse a test that could not tell any pair apart, whose cells would all look alike.

    The smallest p of n seeds is 2/2ⁿ, and Holm's correction multiplies it by the number of pairs.

    Args:
        n: seeds of each pair.
    """
    needed = math.floor(math.log2(2 * len(n) / LEVEL)) + 1 if n else 0
    if max(n, default=0) < needed:
        raise ConfigError(
            f"with {max(n)} seeds no difference of {len(n)} pairs can be significant after "
            f"Holm's correction, which needs {needed} seeds here: compare fewer with --against, "
            "--loss or --metric, or see robustseg claims for intervals over seeds"
        )


def _mean(values: Mapping[Seed, float], unit: Sequence[Seed]) -> float:
    """The mean over the draws of wrong masks of a seed."""
    return sum(values[seed] for seed in unit) / len(unit)


def _rows(p: Sequence[float], n: Sequence[int], of_cases: Sequence[bool]) -> Numbers:
    return [list(row) for row in zip(p, holm(p).tolist(), n, of_cases, strict=True)]


def _by_tukey(table: Table, pairs: Pairs, images: Images) -> Numbers:
    answers = {}
    for contest in table.contests:
        groups = [_of_seeds(table.cells[key].samples) for key in contest]
        few = [key for key, group in zip(contest, groups, strict=True) if len(group) < 2]
        if few:
            raise ConfigError(
                f"Tukey's test needs two seeds or more per cell, and {table.words(few[0][0])} "
                "has one; choose --test images"
            )
        anova, tukey = anova_tukey(groups)
        for at, key in enumerate(contest):
            for to, other in enumerate(contest):
                p, n = float(tukey[at, to]), len(groups[at]) + len(groups[to])
                answers[key, other] = [p, max(p, anova), n, False]
    return [answers[pair] for pair in pairs]


def _of_seeds(samples: Iterable[Sample]) -> list[float]:
    """The values of a cell's seeds, each averaged over its draws of wrong masks."""
    values: dict[Any, list[float]] = {}
    for sample in samples:
        values.setdefault(sample.seed[0], []).append(sample.value)
    return [sum(own) / len(own) for own in values.values()]


_MEASURES: dict[str, Callable[[Table, Pairs, Images], Numbers]] = {
    "images": _by_images,
    "best": _by_images,
    "seeds": _by_seeds,
    "tukey": _by_tukey,
}


def _intervals(table: Table, keys: Sequence[Key], images: Images) -> Numbers:
    alike: dict[int, list[tuple[Key, np.ndarray]]] = {}
    for key in keys:
        run_ids = [sample.run_id for sample in table.cells[key].samples]
        ids, values = images.mean(run_ids, key[1].metric)
        values = values_of_cases(values, images.cases(run_ids, ids))
        alike.setdefault(len(values), []).append((key, values))
    found: dict[Key, list[float]] = {}
    for cells in alike.values():
        ends = bootstrap_mean(np.stack([values for _, values in cells]))
        found |= {key: pair.tolist() for (key, _), pair in zip(cells, ends, strict=True)}
    return [found[key] for key in keys]
