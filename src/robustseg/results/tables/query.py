"""Questions that a table answers, and the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from robustseg.errors import ConfigError, NoImages, UnlikeImages
from robustseg.results.load import by_class, check_metrics, of_label_maps
from robustseg.results.sources import Sources
from robustseg.results.tables.grid import SLIDES
from robustseg.results.tables.image_scores import Images, is_per_image, no_means
from robustseg.results.tables.published import (
    Published,
    experiments_folder,
    load_published,
)
from robustseg.results.tables.rules import metric_of, regret_of
from robustseg.results.tables.table_model import Table, of_metrics

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TableQuestion:
    """What a table is to show of some runs.

    Attributes:
        experiment: of the runs, whose published values are shown; None: any.
        metrics: numbers of metrics.json; none: the layout's.
        losses: those that come first, in this order; none: the paper's order.
        layout: one of `LAYOUTS`.
        test: images, seeds, tukey, best or none; None: over images, where that can be done.
        against: what each cell is compared with; None: the best.
        intervals: whether they are shown, so that it is an error if there can be none.
        published: whether the paper's values are shown.
        by: class: each metric is followed by that of each class; size: by those of the quarters
            of `by_size`; None: by neither.
    """

    experiment: str | None = None
    metrics: Sequence[str] = ()
    losses: Sequence[str] = ()
    layout: str = "noise"
    test: str | None = None
    against: str | None = None
    intervals: bool = False
    published: bool = True
    by: str | None = None


def answer(
    runs: pd.DataFrame, sources: Sources, asked: TableQuestion, intervals: bool
) -> tuple[Table, list[str]]:
    """Make a table.

    Args:
        runs: as `load_runs` gives them.
        sources: of the runs.
        asked: what is asked for.
        intervals: whether to compute confidence intervals, shown or not.

    Returns:
        The table, and remarks for the error channel.

    Raises:
        ConfigError: the question cannot be answered.
    """
    table, remarks = with_tests(
        table_of(runs, sources, asked),
        Images(sources),
        asked.test,
        asked.against,
        intervals or asked.intervals,
        asked.intervals,
    )
    noted = (runs.attrs[kind] for kind in ("absent", "remarks", "unfinished"))
    return table, [*remarks, *(one for of in noted for one in of)]


def table_of(runs: pd.DataFrame, sources: Sources, asked: TableQuestion) -> Table:
    """The table that is asked for, with nothing tested.

    Args:
        runs: as `load_runs` gives them.
        sources: of the runs.
        asked: what is asked for.

    Raises:
        ConfigError: no run has such a number, or the runs do not differ in what is compared.
    """
    from robustseg.results.tables.by_size import by_size
    from robustseg.results.tables.make_table import make_table
    from robustseg.results.tables.order import OTHERS, REFERENCE, without_agreeing
    from robustseg.results.tables.pooled_folds import pool_folds

    metrics = list(dict.fromkeys(asked.metrics or default_metrics(asked.layout)))
    check_metrics(runs, metrics)
    others = OTHERS if not asked.metrics and metrics == [REFERENCE] else ()
    if asked.by == "class":
        metrics = by_class(runs, metrics)
    metrics += [name for name in others if name in runs]
    published = _published(runs, asked.experiment) if asked.published else None
    losses = asked.losses or (published.losses if published else [])
    pooled = pool_folds(runs, sources)
    if asked.by == "size":
        pooled, metrics = by_size(pooled, sources, metrics)
    table = make_table(pooled, metrics, published, losses, versus(asked.layout))
    return table if asked.metrics else without_agreeing(table)


def answer_selection(
    runs: pd.DataFrame, sources: Sources, asked: TableQuestion, rules: list[str]
) -> tuple[Table, list[str]]:
    """Make the table of the test Dice where rules stop training.

    Args:
        runs: as `load_runs` gives them.
        sources: of the runs.
        asked: what is asked for beside; only losses can be.
        rules: some of `RULES`.

    Returns:
        The table, without tests and intervals, and remarks for the error channel.

    Raises:
        ConfigError: an option has no meaning here.
        DataError: an epochs.csv cannot be read.
    """
    from robustseg.results.tables.make_table import make_table
    from robustseg.results.tables.pooled_folds import pool_folds
    from robustseg.results.tables.stopping import add_selected, read_curves

    given = {
        "metric": asked.metrics,
        "test": asked.test,
        "against": asked.against,
        "ci": asked.intervals,
        "layout domain": asked.layout == "domain",
        f"by {asked.by}": asked.by is not None,
    }
    refused = [name for name, value in given.items() if value]
    if refused:
        raise ConfigError(
            f"--select shows the test Dice at single evaluations, untested: leave out "
            f"{', '.join(refused)}"
        )
    metrics = [*map(metric_of, rules), *map(regret_of, rules)]
    chosen = add_selected(runs, read_curves(runs, sources), rules)
    table = make_table(pool_folds(chosen, sources), metrics, None, asked.losses)
    unfinished = runs.attrs["unfinished"]
    return table, [*runs.attrs["absent"], *chosen.attrs["remarks"], *unfinished]


def with_tests(
    table: Table,
    images: Images,
    test: str | None = None,
    against: str | None = None,
    intervals: bool = True,
    must: bool = False,
) -> tuple[Table, list[str]]:
    """A table with the differences tested, and with intervals, of the metrics that have them.

    Args:
        table: as `make_table` makes it.
        images: of its runs.
        test: as the option --test; None: over images, where that can be done.
        against: as the option --against.
        intervals: whether to compute them.
        must: whether it is an error if there can be none.

    Returns:
        The table, and why something is missing.

    Raises:
        ConfigError: there is no such test, or nothing to compare with.
    """
    from robustseg.results.tables.comparison import add_intervals, compare, why_nothing

    if test == "none" and against is not None:
        raise ConfigError(f"--test none compares nothing: leave out --against {against}")
    metrics = list(dict.fromkeys(column.metric for column in table.columns))
    remarks = []
    if test != "none":
        table, told = _where_possible(
            table, lambda of: compare(of, images, test or "images", against), bool(test)
        )
        remarks += [f"No test over images{why}." for why in told]
        if against and not told and not any(cell.comparison for cell in table.cells.values()):
            remarks.append(f"Nothing is compared: {why_nothing(table, against)}.")
    if intervals:
        table, told = _where_possible(table, lambda of: add_intervals(of, images), must)
        remarks += [f"No intervals{why}." for why in told]
    if must and not any(map(is_per_image, metrics)):
        remarks.append(f"No intervals of {', '.join(metrics)}: {no_means(metrics)}.")
    return table, remarks


def _where_possible(
    table: Table, judge: Callable[[Table], Table], must: bool
) -> tuple[Table, list[str]]:
    """A table with its tests, without the metrics of which the images cannot be read or compared.

    Args:
        table: to be tested.
        judge: does it.
        must: whether it is an error if one cannot be.

    Returns:
        The table, and which metrics are not tested and why.
    """
    try:
        return judge(table), []
    except (NoImages, UnlikeImages) as error:
        if must:
            raise
        last = error
    metrics = list(dict.fromkeys(column.metric for column in table.columns))
    whole: list[str] = []
    refused: dict[str, list[str]] = {}
    for metric in metrics if len(metrics) > 1 else []:
        try:
            judge(of_metrics(table, [metric]))
        except (NoImages, UnlikeImages) as error:
            refused.setdefault(str(error), []).append(metric)
        else:
            whole.append(metric)
    if not any(map(is_per_image, whole)):
        return table, [f": {last}"]
    tested = judge(of_metrics(table, whole))
    table = replace(table, cells=table.cells | tested.cells, test=tested.test)
    return table, [f" of {', '.join(of)}: {why}" for why, of in refused.items()]


def default_metrics(layout: str) -> tuple[str, ...]:
    """What a layout shows where nothing is asked for."""
    return SLIDES if layout == "domain" else ("dice_image",)


def versus(layout: str) -> str | None:
    """The label whose values a layout compares; None: whole rows."""
    return "domain" if layout == "domain" else None


def _published(runs: pd.DataFrame, experiment: str | None) -> Published | None:
    datasets = runs["dataset"].unique()
    if len(datasets) > 1 or of_label_maps(runs).any():  # what is published is of binary masks
        return None
    return load_published(experiment, datasets[0], experiments_folder())
