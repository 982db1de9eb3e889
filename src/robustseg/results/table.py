"""A table as values: what its rows, columns and cells are, before any format."""

import itertools
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


Groups = dict[tuple[tuple, Column], pd.DataFrame]


@dataclass(frozen=True)
class Cell:
    """A metric of the runs of one row and column.

    Attributes:
        mean: over runs; NaN without one.
        std: sample standard deviation over runs (n − 1); NaN for one run.
        n: how many runs have the number.
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
        cells: those that have runs or a published value, by row and column.
        datasets: what the runs were trained on.
        notes: what a reader has to know.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    columns: tuple[Column, ...]
    cells: dict[tuple[tuple[Any, ...], Column], Cell]
    datasets: tuple[str, ...]
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
    groups = _groups(runs, labels, metrics)
    rows = sorted({row for row, _ in groups}, key=_row_order(labels, losses))
    columns = sorted({column for _, column in groups}, key=_column_order(metrics))
    repeated = sum(
        bool(group.duplicated(["seed", "noise_seed"]).any())
        for (_, column), group in groups.items()
        if column.metric == metrics[0]
    )
    note = (
        f"In {repeated} cells a seed occurs more than once with equal settings (on other data?); "
        "all its runs are averaged."
    )
    return Table(
        labels=tuple(labels),
        rows=tuple(rows),
        columns=tuple(columns),
        cells=_cells(groups, rows, columns, published),
        datasets=tuple(sorted(runs["dataset"].unique())),
        notes=(note,) if repeated else (),
    )


def direction(metric: str) -> int:
    """Return 1 if higher is better, −1 if lower is, 0 if neither."""
    if metric.startswith(_HIGHER):
        return 1
    return -1 if metric.startswith(_LOWER) else 0


def _groups(runs: pd.DataFrame, labels: Sequence[str], metrics: Sequence[str]) -> Groups:
    """The runs of every row and column that has any."""
    setting = ["noise", "alpha", "beta"]
    groups = {}
    for _, group in runs.groupby([*labels, *setting], dropna=False, sort=False):
        first = group.iloc[0]
        row = tuple(plain(first[name]) for name in labels)
        noise, alpha, beta = (plain(first[name]) for name in setting)
        for metric in metrics:
            groups[row, Column(noise, alpha, beta, metric)] = group
    return groups


def _cells(
    groups: Groups, rows: Sequence[tuple], columns: Sequence[Column], published: Published | None
) -> dict[tuple[tuple, Column], Cell]:
    best = _best(groups)
    of_row = {row: group for (row, _), group in groups.items()}
    cells = {}
    for row, column in itertools.product(rows, columns):
        group = groups.get((row, column), of_row[row][:0])
        value = None
        if published:
            # What the runs of the row have in common, at the noise of the column.
            first = {str(name): plain(item) for name, item in of_row[row].iloc[0].items()}
            noise = {"noise": column.noise, "alpha": column.alpha, "beta": column.beta}
            value = published.find(column.metric, {**first, **noise})
        if len(group) or value:
            numbers = group[column.metric]
            mean, std, n = float(numbers.mean()), float(numbers.std()), int(numbers.count())
            cells[row, column] = Cell(mean, std, n, (row, column) in best, value)
    return cells


def _best(groups: Groups) -> set[tuple[tuple, Column]]:
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
