"""Where other metrics put the losses of a column in another order than the Dice of images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from robustseg.metrics.catalogue import base_name
from robustseg.results.tables.table_model import EMPTY, Cell, Column, Key, Row, Table, direction

REFERENCE = "dice_image"
# What may contradict it, and how good a value is: masks are best as large as the true ones.
_SCORES: dict[str, Callable[[float], float]] = {
    "dice_pooled": lambda value: value,
    "area_ratio": lambda value: -abs(math.log(value)) if value > 0 else -math.inf,
}
OTHERS = tuple(_SCORES)
DATA = ("dataset", "subset", "data")  # labels of what a run was tested on
_OF_DATA = "dataset."  # begins the names of settings that may choose it
_DECIMALS = 3  # a difference that a table does not show is none


@dataclass(frozen=True)
class Disagreement:
    """Another order in one column.

    Attributes:
        column: of the other metric.
        reversed: pairs of rows that it puts the other way round.
        pairs: of rows on the same data that both metrics distinguish.
        example: the reversed pair that is furthest apart in `REFERENCE`; the row that the other
            metric prefers comes first.
    """

    column: Column
    reversed: int
    pairs: int
    example: tuple[Row, Row]


def disagreements(table: Table) -> list[Disagreement]:
    """The columns of `OTHERS` that rank rows differently from `REFERENCE` at the same noise.

    Means are compared as a table with three decimals shows them; of ``area_ratio`` the nearer to 1
    (as a ratio: ½ is as far as 2) is the better.

    Args:
        table: as `make_table` returns it, or read from results.csv.
    """
    found = []
    for column in table.columns:
        reference = replace(column, metric=REFERENCE)
        if column.metric in OTHERS and reference in table.columns:
            one = _compare(table, reference, column)
            found += [one] if one else []
    return found


def without_agreeing(table: Table) -> Table:
    """A table without those columns of `OTHERS` that order its rows as `REFERENCE` does."""
    told = {one.column for one in disagreements(table)}
    kept = tuple(c for c in table.columns if c.metric not in OTHERS or c in told)
    return replace(
        table,
        columns=kept,
        cells={key: cell for key, cell in table.cells.items() if key[1] in kept},
        contests=tuple(keys for keys in table.contests if keys[0][1] in kept),
    )


def _compare(table: Table, reference: Column, column: Column) -> Disagreement | None:
    scores: dict[Row, tuple[float, float]] = {}
    for row in table.rows:
        ours, theirs = (table.cells.get((row, one), EMPTY) for one in (reference, column))
        if ours.n and theirs.n:
            scores[row] = _score(ours, REFERENCE), _score(theirs, column.metric)
    told, other = [], []
    for a, b in itertools.combinations(scores, 2):
        if tested_on(table, (a, column)) != tested_on(table, (b, column)):
            continue
        by_reference = scores[a][0] - scores[b][0]
        by_other = scores[a][1] - scores[b][1]
        if by_reference * by_other:
            told.append((a, b))
        if by_reference * by_other < 0:
            other.append((abs(by_reference), (a, b) if by_other > 0 else (b, a)))
    if not other:
        return None
    _, example = max(other, key=lambda one: one[0])
    return Disagreement(column, len(other), len(told), example)


def score(value: float, metric: str) -> float:
    """How good a metric's value is, higher is better; of ``area_ratio`` nearer to 1 is.

    Example:
        >>> score(2.0, "area_ratio") == score(0.5, "area_ratio") < score(1.2, "area_ratio")
        True
    """
    return _SCORES["area_ratio"](value) if _is_ratio(metric) else value * direction(metric)


def ordered_by(metric: str) -> bool:
    """Whether one value of a metric is better than another."""
    return bool(_is_ratio(metric) or direction(metric))


def how_ordered(metric: str) -> str:
    """What a reader has to know of the order, behind the metric's name; mostly nothing."""
    return " (nearest to 1 first)" if _is_ratio(metric) else ""


def _is_ratio(metric: str) -> bool:
    return base_name(metric).removesuffix("_tuned") == "area_ratio"


def _score(cell: Cell, metric: str) -> float:
    return _SCORES.get(metric, float)(round(cell.mean, _DECIMALS))


def data_of(table: Table, row: Row) -> tuple[Any, ...]:
    """What the row was tested on; of a table that does not tell, the labels that may choose it."""
    if row in table.data:
        return table.data[row]
    named = zip(table.labels, row, strict=True)
    return tuple(value for name, value in named if name in DATA or name.startswith(_OF_DATA))


def tested_on(table: Table, key: Key) -> tuple[Any, ...]:
    """The data of a cell's row, and the folds of the cell: only such cells can be compared."""
    return (*data_of(table, key[0]), table.cells[key].folds)


def data_labels(table: Table) -> list[str]:
    """The labels that say what a row was tested on, and nothing of how it was trained.

    Those of `DATA`, and settings of the data set that have one value for each data that there are.
    """
    settings = [name for name in table.labels if name.startswith(_OF_DATA)]
    chosen = []
    for name in settings if table.data else ():
        place = table.labels.index(name)
        pairs = {(data_of(table, row), row[place]) for row in table.rows}
        if len(pairs) == len({data for data, _ in pairs}):
            chosen.append(name)
    return [*(name for name in DATA if name in table.labels), *chosen]
