"""What a reader of a table has to know, in sentences below it."""

from collections.abc import Sequence

from robustseg.metrics.catalogue import find
from robustseg.results.names import loss_name
from robustseg.results.tables.confounders import confounders
from robustseg.results.tables.grid import COLLAPSED, DIFFERS, STAR
from robustseg.results.tables.image_scores import is_per_image, no_means
from robustseg.results.tables.meaning import meanings
from robustseg.results.tables.order import REFERENCE, disagreements, how_ordered
from robustseg.results.tables.rules import rule_notes
from robustseg.results.tables.table_model import LEVEL, Cell, Table
from robustseg.terminal.count import count


def notes(table: Table, intervals: bool, place: str = "column") -> list[str]:
    """The sentences: what is shown, marks in use, and what was tested with how many.

    Args:
        table: that is shown.
        intervals: whether confidence intervals are.
        place: what holds the cells that compete, in words.
    """
    cells = [cell for cell in table.cells.values() if cell.n]
    found = [_shown(table), *_contradicted(table)]
    found += confounders(table, [*table.contests, *([key] for key in table.cells)])
    found += rule_notes(table)
    if table.has_runs:  # of published numbers, the paper says what they mean
        found += meanings(column.metric for column in table.columns)
    if any(cell.n < table.n and not cell.without for cell in cells):
        found.append("[n]: over n runs only.")
    found += _of_folds(table, cells)
    there = [cell for cell in table.cells.values() if cell.n or cell.without]
    if any(cell.without for cell in there):
        found.append("[n of m]: m − n of the m finished runs have no such number.")
    if there and len(there) < len(table.rows) * len(table.columns):
        found.append("–: no run.")
    collapsed = sum(bool(cell.collapsed) for cell in cells)
    if collapsed:
        found.append(
            f"{COLLAPSED}: collapsed, in one run at least the network predicts (nearly) only "
            f"background or only foreground ({collapsed} of {count(len(cells), 'cell')})."
        )
    if table.test:
        found += _tested(table, cells, place)
    if table.tested_unlike:
        found.append("No marks, since the tables that are joined here were tested differently.")
    if intervals and any(cell.interval for cell in cells):
        found.append(
            f"{{a, b}}: {1 - LEVEL:.0%} bootstrap interval of the mean over test images "
            "(percentile; all values of an image together, and images of one case together)."
        )
    if any(cell.published and cell.published.starred for cell in table.cells.values()):
        found.append(f"{STAR}: significant according to the paper.")
    places = ((row, column) for (row, column), cell in table.cells.items() if cell.repeated)
    repeated = len({(row, column.setting) for row, column in places})
    if repeated:
        found.append(
            f"In {count(repeated, 'cell')} a seed occurs more than once with equal settings; all "
            "its runs are averaged."
        )
    return found


def _shown(table: Table) -> str:
    metrics = ", ".join(dict.fromkeys(column.metric for column in table.columns))
    where = f" on {', '.join(table.datasets)}" if table.datasets else ""
    if not table.n:
        told = ["no run has such a number"] if table.has_runs else []
        spread = any(cell.published and cell.published.std >= 0 for cell in table.cells.values())
        told += [f"as published{', mean(std)' if spread else ''}"] if table.has_published else []
        return f"{metrics}{where}: {'; '.join(told)}."
    if any(cell.folds for cell in table.cells.values()):
        each = f"mean(std) over {table.n} seeds" if table.n > 1 else "one seed per cell"
        return f"{metrics}{where}: {each}, {_together(table)}."
    return f"{metrics}{where}: " + (
        f"mean(std) over {table.n} runs." if table.n > 1 else "one run per cell."
    )


def _together(table: Table) -> str:
    """What is made of the folds of a seed."""
    kinds = {cell.folds.same_images for cell in table.cells.values() if cell.folds}
    once = "the folds of a seed together"
    mean = "the mean of the folds of a seed, which have the same test images"
    if True in kinds:
        return mean if False not in kinds else f"{once}, or {mean}"
    return f"{once}: each test image once" if False in kinds else once


def _of_folds(table: Table, cells: list[Cell]) -> list[str]:
    """What cells of folds lack, and which numbers do not cover all images together."""
    folds = [cell.folds for cell in cells if cell.folds]
    if not folds:
        return []
    found = []
    kinds = {one.same_images for one in folds}
    if any(one.missing for one in folds):
        apart = False in kinds and True not in kinds
        images = ", so the images of the others only" if apart else ""
        found.append(
            f"[k of m folds]: runs of m − k folds are missing{images}; compared with cells of the "
            "same folds only."
        )
    if True in kinds and False not in kinds:  # every number is a mean of folds
        return found
    metrics = dict.fromkeys(column.metric for column in table.columns)
    means = [name for name in metrics if (known := find(name)) is None or not known.formula]
    if means:
        found.append(f"Mean of the folds, weighted by their test images: {', '.join(means)}.")
    return found


def _contradicted(table: Table) -> list[str]:
    """A sentence for each metric that ranks the rows of a column differently from the Dice."""
    by_metric: dict[str, list[str]] = {}
    for one in disagreements(table):
        first, second = map(table.shown, one.example)
        pairs = count(one.pairs, "pair")
        by_metric.setdefault(one.column.metric, []).append(
            f"{table.noise_words(one.column)}: {one.reversed} of {pairs}, such as "
            f"{first} before {second}"
        )
    return [
        f"{metric}{how_ordered(metric)} ranks rows differently from {REFERENCE}: {'; '.join(told)}."
        for metric, told in by_metric.items()
    ]


def _tested(table: Table, cells: list[Cell], place: str) -> list[str]:
    """What the marks say, of what, and which metrics have none."""
    test = table.test
    compared = [cell.comparison for cell in cells if cell.comparison]
    if test is None or not compared:
        return []
    counts = sorted({comparison.n for comparison in compared})
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    pairs = f"all {test.family} pairs of the table's {place}s"
    of_best = test.against.startswith("the best ")
    if test.kind == "best" or not of_best:
        pairs = f"the table's {test.family} comparisons"
    holm = f"Holm's correction over {pairs}" if test.family > 1 else "the only comparison"
    units = f"{n} test images, each averaged over seeds and reported evaluations"
    if any(one.of_cases for one in compared):
        units = f"{n} cases (patients, slides), each averaged over its test images and over seeds"
    images = f"Wilcoxon's signed-rank test over {units}; {holm}"
    how = {
        "images": images,
        "best": f"{images} (the former rule: pairs among the others are not corrected for)",
        "seeds": f"Wilcoxon's signed-rank test over {n} seeds; {holm}",
        "tukey": f"the T-Loss paper's procedure: analysis of variance, then Tukey's test over {n} "
        f"runs per pair, which corrects within a {place} only; {count(test.family, 'comparison')}",
    }[test.kind]
    whose = "of these networks" if test.kind in ("images", "best") else "of methods"
    none = "" if any(one.significant for one in compared) else "; none does"
    # A loss may be called anything, so words are replaced in those of the best only.
    best = test.against.replace("its column", f"its {place}")
    against = best if of_best else loss_name(test.against)
    said = [f"{DIFFERS}: differs from {against}, {whose} (p < {LEVEL}{none}): {how}."]
    if any(cell.group for cell in cells):
        said.append(f"Bold: {best}, and values not distinguishable from it.")
    elif of_best:
        said.append(f"Bold: {best}.")
    metrics = dict.fromkeys(column.metric for column in table.columns)
    over_images = test.kind in ("images", "best")
    left_out = [name for name in metrics if over_images and not is_per_image(name)]
    if left_out:
        said.append(f"Not tested, because {no_means(left_out)}: {', '.join(left_out)}.")
    told = {column.metric for (_, column), cell in table.cells.items() if cell.comparison}
    competing = dict.fromkeys(keys[0][1].metric for keys in table.contests)
    untested = [name for name in competing if of_best and name not in told and name not in left_out]
    if untested:
        said.append(f"Not tested: {', '.join(untested)}.")
    return said if of_best else [*said, *_without_reference(table, test.against, left_out)]


def _without_reference(table: Table, against: str, left_out: Sequence[str]) -> list[str]:
    """Which values were not compared with a loss, so that they have no mark whatever they are.

    Args:
        table: that was tested.
        against: the loss, or another value of ``table.versus``.
        left_out: metrics that are not tested at all.
    """
    at = table.labels.index(table.versus or "loss")
    several = len({column.metric for column in table.columns}) > 1
    found = []
    for column in table.columns:
        others = [
            cell.comparison
            for (row, own), cell in table.cells.items()
            if own == column and cell.n and str(row[at]) != against
        ]
        lacking = sum(comparison is None for comparison in others)
        if lacking and column.metric not in left_out:
            words = f"{column.metric}, " * several + table.noise_words(column)
            found.append(
                words if lacking == len(others) else f"{words} ({lacking} of {len(others)})"
            )
    if not found:
        return []
    return [
        f"Not compared with {loss_name(against)}, which has no run there that is alike in all "
        f"else, or several: {'; '.join(found)}."
    ]
