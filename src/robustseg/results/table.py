"""A table as values: what its rows, columns and cells are, before any format."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from robustseg.results.distinct import plain, row_labels
from robustseg.results.published import Published, Value

_LOWER = ("hd95", "false_positive", "missed_rate", "expected_calibration_error", "test_loss")
_HIGHER = ("dice", "jaccard", "balanced_accuracy", "average_precision", "train_dice_clean")


@dataclass(frozen=True)
class Column:
    """A metric at a noise setting; without noise ``noise`` and ``beta`` are None and α is 0."""

    noise: str | None
    alpha: float
    beta: float | None
    metric: str


@dataclass(frozen=True)
class Cell:
    """A metric of the runs of one row and column.

    Attributes:
        mean: over runs.
        std: sample standard deviation over runs (n − 1); NaN for one run.
        n: how many runs.
        best: whether no other row of the column is better, with the same data.
        published: the paper's value, if there is one.
    """

    mean: float
    std: float
    n: int
    best: bool
    published: Value | None


@dataclass(frozen=True)
class Table:
    """Rows × columns of cells.

    Attributes:
        labels: names of what tells the rows apart; the loss is always among them.
        rows: a value for each of ``labels``; None where not applicable.
        columns: noise settings, each with the metrics asked for.
        cells: those that have runs, by row and column.
        notes: what a reader has to know.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    columns: tuple[Column, ...]
    cells: dict[tuple[tuple[Any, ...], Column], Cell]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """The largest number of runs in a cell."""
        return max(cell.n for cell in self.cells.values())


def make_table(
    runs: pd.DataFrame,
    metrics: Sequence[str],
    published: Published | None = None,
    losses: Sequence[str] = (),
) -> Table:
    """Group finished runs by what tells them apart and average over their seeds.

    A row is a loss, and, where that leaves runs of different settings together, also the label
    or setting in which they differ: nothing but seeds is ever averaged.

    Args:
        runs: as `load_runs` returns them.
        metrics: names of numbers.
        published: the paper's numbers.
        losses: the losses that come first, in this order; the rest follows by name.
    """
    runs, labels = row_labels(runs)
    setting = ["noise", "alpha", "beta"]
    groups = {}
    repeated = 0
    for _, group in runs.groupby([*labels, *setting], dropna=False, sort=False):
        first = group.iloc[0]
        row = tuple(plain(first[name]) for name in labels)
        repeated += bool(group.duplicated(["seed", "noise_seed"]).any())
        for metric in metrics:
            noise, alpha, beta = (plain(first[name]) for name in setting)
            groups[row, Column(noise, alpha, beta, metric)] = group
    rows = sorted({row for row, _ in groups}, key=_row_order(labels, losses))
    columns = sorted({column for _, column in groups}, key=_column_order(metrics))
    best = _best(groups, labels)
    cells = {key: _cell(group, key[1], key in best, published) for key, group in groups.items()}
    notes = []
    if repeated:
        notes.append(
            f"In {repeated} cells a seed occurs more than once with equal settings (on other "
            "data?); all its runs are averaged."
        )
    return Table(tuple(labels), tuple(rows), tuple(columns), cells, tuple(notes))


def direction(metric: str) -> int:
    """Return 1 if higher is better, −1 if lower is, 0 if neither."""
    if metric.startswith(_HIGHER):
        return 1
    return -1 if metric.startswith(_LOWER) else 0


def _cell(group: pd.DataFrame, column: Column, best: bool, published: Published | None) -> Cell:
    values = group[column.metric]
    value = None
    if published:
        of = {str(name): plain(item) for name, item in group.iloc[0].items()}
        value = published.find(column.metric, of)
    return Cell(float(values.mean()), float(values.std()), int(values.count()), best, value)


def _best(groups: dict, labels: Sequence[str]) -> set:
    """The keys of the best cells, of the columns in which there are several to choose from."""
    contests: dict[tuple, list] = {}
    for (row, column), group in groups.items():
        score = direction(column.metric) * group[column.metric].mean()
        if direction(column.metric) and not math.isnan(score):
            first = group.iloc[0]
            data = plain(first["dataset"]), plain(first["subset"])
            contests.setdefault((column, data), []).append((score, (row, column)))
    return {
        key
        for contest in contests.values()
        for score, key in contest
        if len(contest) > 1 and score == max(contest)[0]
    }


def _row_order(labels: Sequence[str], losses: Sequence[str]) -> Callable[[tuple], tuple]:
    def order(row: tuple) -> tuple:
        loss = row[labels.index("loss")]
        place = losses.index(loss) if loss in losses else len(losses)
        return place, *(_sortable(value) for value in row)

    return order


def _column_order(metrics: Sequence[str]) -> Callable[[Column], tuple]:
    def order(column: Column) -> tuple:
        setting = (column.noise, column.alpha, column.beta)
        return *(_sortable(value) for value in setting), metrics.index(column.metric)

    return order


def _sortable(value: Any) -> tuple:
    """None before numbers before text, so that clean comes first."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))
