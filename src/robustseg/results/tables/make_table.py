"""A table from runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from robustseg.errors import ConfigError
from robustseg.results.tables.confounders import settings_of_rows
from robustseg.results.tables.distinct import distinguished, plain
from robustseg.results.tables.order import DATA
from robustseg.results.tables.pooled_folds import folds_of
from robustseg.results.tables.published import NOISE_SETTINGS, Published
from robustseg.results.tables.table_model import (
    Cell,
    Column,
    Folds,
    Key,
    Row,
    Sample,
    Table,
    direction,
    listed,
)
from robustseg.runs.labels import LABELS

if TYPE_CHECKING:
    import pandas as pd

_SETTING = ("noise", "alpha", "beta")
Groups = dict[tuple[Row, tuple[Any, ...]], "pd.DataFrame"]


def make_table(
    runs: pd.DataFrame,
    metrics: Sequence[str],
    published: Published | None = None,
    losses: Sequence[str] = (),
    versus: str | None = None,
) -> Table:
    """Group finished runs by what distinguishes them and average over their seeds.

    A row is a loss, and, where that leaves runs of different settings together, also the label
    or setting in which they differ: nothing but seeds is ever averaged. A column is a noise
    setting, all of it: networks that saw other masks never compete.

    Args:
        runs: as `load_runs` returns them, and `pool_folds` where they have folds.
        metrics: names of numbers.
        published: the paper's numbers.
        losses: the losses that come first, in this order; the rest follows by name.
        versus: a label, such as ``domain``: only rows that differ in nothing else compete for
            the best of a column. None: all rows on the same data do.

    Raises:
        ConfigError: the runs do not differ in ``versus``.
    """
    runs, labels, of_noise = distinguished(runs)
    if versus is not None and versus not in labels:
        raise ConfigError(f"the runs do not differ in {versus}; they do in {', '.join(labels)}")
    groups = _groups(runs, labels, of_noise, metrics)
    settings = sorted({setting for _, setting in groups}, key=_setting_order)
    rows = sorted({row for row, _ in groups}, key=row_order(labels, losses))
    columns = [
        Column(noise, alpha, beta, metric, own)
        for noise, alpha, beta, own in settings
        for metric in metrics
    ]
    contests = _contests(groups, rows, columns, None if versus is None else labels.index(versus))
    return Table(
        labels=tuple(labels),
        rows=tuple(rows),
        columns=tuple(columns),
        cells=_cells(groups, rows, columns, _best(groups, contests), published, _of_kinds(runs)),
        datasets=tuple(sorted(runs["dataset"].unique())),
        contests=contests,
        versus=versus,
        data={row: _data_of(group) for (row, _), group in groups.items()},
        settings=settings_of_rows(runs, labels),
        processors=dict(zip(runs["run_id"], runs["processors"], strict=True)),
    )


def _groups(
    runs: pd.DataFrame, labels: Sequence[str], of_noise: Sequence[str], metrics: Sequence[str]
) -> Groups:
    """The runs of every row and noise setting that has any, without what no table needs."""
    folds = ["folds"] if "folds" in runs else []
    others = [*LABELS, "data", "run_id", "collapsed", *folds, *metrics]
    needed = dict.fromkeys([*labels, *of_noise, *others])
    groups: Groups = {}
    names = [*labels, *_SETTING, *of_noise]
    finite = {metric: runs[metric].where(runs[metric].abs() < math.inf) for metric in metrics}
    for key, group in runs[list(needed)].assign(**finite).groupby(names, dropna=False, sort=False):
        values = dict(zip(names, map(plain, key), strict=True))
        own = tuple((name, values[name]) for name in of_noise if values[name] is not None)
        setting = (*(values[name] for name in _SETTING), own)
        groups[tuple(values[name] for name in labels), setting] = group
    return groups


def _cells(
    groups: Groups,
    rows: Sequence[Row],
    columns: Sequence[Column],
    best: set[Key],
    published: Published | None,
    kinds: Mapping[str, Mapping[str, Any]],
) -> dict[Key, Cell]:
    of_row = {row: group.iloc[0].to_dict() for (row, _), group in groups.items()}
    cells = {}
    for row, column in itertools.product(rows, columns):
        value = None
        if published:
            # What the runs of the row have in common, at the noise of the column.
            first = {str(name): plain(item) for name, item in of_row[row].items()}
            noise = {"noise": column.noise, "alpha": column.alpha, "beta": column.beta}
            own = {**kinds.get(str(column.noise), {}), **dict(column.settings)}
            value = published.find(column.metric, {**first, **noise}, own)
        group = groups.get((row, column.setting))
        if group is not None:
            cells[row, column] = _cell(group, column.metric, (row, column) in best, value)
        elif value:
            cells[row, column] = Cell(math.nan, math.nan, 0, False, value)
    return cells


def _of_kinds(runs: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """By noise model, what papers fix of its settings, where all runs have the same."""
    found: dict[str, dict[str, Any]] = {}
    for kind, group in runs[runs["alpha"] > 0].groupby("noise"):
        for name in NOISE_SETTINGS:
            values = {str(own[name]): own[name] for own in group["settings"] if name in own}
            if len(values) == 1:
                (value,) = values.values()
                own = found.setdefault(str(kind), {})
                own[name] = listed(value) if isinstance(value, list) else value
    return found


def _cell(group: pd.DataFrame, metric: str, best: bool, published: Any) -> Cell:
    numbers = group[metric]
    seeds = zip(*(map(plain, group[name]) for name in ("seed", "noise_seed")), strict=True)
    everything = zip(group["run_id"], seeds, numbers.astype(float), strict=True)
    samples = tuple(Sample(*one) for one in everything if not math.isnan(one[2]))
    return Cell(
        mean=float(numbers.mean()),
        std=float(numbers.std()),
        n=int(numbers.count()),
        best=best,
        published=published,
        collapsed=int(group["collapsed"][numbers.notna()].notna().sum()),
        repeated=len({sample.seed for sample in samples}) < len(samples),
        samples=samples,
        without=int(numbers.isna().sum()),
        folds=_folds(group),
    )


def _folds(group: pd.DataFrame) -> Folds | None:
    return folds_of(group["folds"]) if "folds" in group else None


def _contests(
    groups: Groups, rows: Sequence[Row], columns: Sequence[Column], versus: int | None
) -> tuple[tuple[Key, ...], ...]:
    """Cells of a column with a number, on the same data; and alike but for one label, if any.

    Of folds, those that have the same ones.
    """
    contests: dict[tuple, list[Key]] = {}
    for column, row in itertools.product(columns, rows):
        group = groups.get((row, column.setting))
        if group is None or not direction(column.metric) or not group[column.metric].notna().any():
            continue
        folds = _folds(group)
        if folds and folds.which is None:
            continue  # its seeds have been tested on different images
        others = () if versus is None else row[:versus] + row[versus + 1 :]
        place = column, _data_of(group), folds, others
        contests.setdefault(place, []).append((row, column))
    return tuple(tuple(keys) for keys in contests.values() if len(keys) > 1)


def _data_of(group: pd.DataFrame) -> tuple[Any, ...]:
    """What runs of one row were tested on: `distinguished` leaves no two such things together."""
    first = group.iloc[0]
    return tuple(plain(first[name]) for name in DATA)


def _best(groups: Groups, contests: Sequence[Sequence[Key]]) -> set[Key]:
    """The keys of the best cells, one per contest except for ties."""
    best = set()
    for contest in contests:
        scores = {
            (row, column): direction(column.metric)
            * groups[row, column.setting][column.metric].mean()
            for row, column in contest
        }
        best |= {key for key, score in scores.items() if score == max(scores.values())}
    return best


def row_order(labels: Sequence[str], losses: Sequence[str]) -> Callable[[Row], tuple]:
    """A key by which rows are sorted: some losses first, then by name.

    Args:
        labels: of the rows.
        losses: that come first, in this order.
    """

    def order(row: Row) -> tuple:
        loss = row[labels.index("loss")]
        place = losses.index(loss) if loss in losses else len(losses)
        return place, *(_sortable(value) for value in row)

    return order


def _setting_order(setting: tuple[Any, ...]) -> list[Any]:
    *numbers, own = setting
    return [*map(_sortable, numbers), [(name, _sortable(value)) for name, value in own]]


def _sortable(value: Any) -> tuple:
    """None before numbers before text, so that clean comes first."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))
