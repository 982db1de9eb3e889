"""The options that ask for a table, and the table they ask for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from robustseg.results.load import load_runs, metric_names
from robustseg.results.sources import Sources, chosen_sources
from robustseg.results.sources import add_options as add_source_options
from robustseg.results.tables.grid import LAYOUTS, SLIDES
from robustseg.results.tables.model import Table
from robustseg.results.tables.published import (
    Published,
    experiments_folder,
    load_published,
    plain_value,
)
from robustseg.results.tables.rules import metric_of, regret_of
from robustseg.terminal.suggestion import suggestion

if TYPE_CHECKING:
    import pandas as pd

    from robustseg.results.tables.image_scores import Images

_TESTS = ("images", "seeds", "tukey", "best", "none")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose runs and numbers, and how many decimals these have."""
    add_source_options(parser)
    parser.add_argument("--dataset", help="only runs on this dataset")
    parser.add_argument("--loss", nargs="+", default=[], help="only these losses, in this order")
    parser.add_argument("--seeds", nargs="+", default=[], help="only these seeds: 0,1")
    parser.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="KEY=VALUE[,VALUE]",
        help="only runs with this label or setting: alpha=0.3,0.5 optimizer.lr=0.001",
    )
    parser.add_argument(
        "--metric",
        nargs="+",
        default=[],
        help="numbers of metrics.json, side by side (default: dice_image, with dice_pooled and "
        "area_ratio where they order losses otherwise; or the layout's)",
    )
    parser.add_argument("--decimals", type=_decimals, default=3, help="of means (default: 3)")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `answer` reads."""
    add_common(parser)
    parser.add_argument(
        "--layout",
        choices=tuple(LAYOUTS),
        default="noise",
        help="losses × noise settings (default), or metrics × batch sizes and loss domains",
    )
    parser.add_argument(
        "--test",
        choices=_TESTS,
        help="which cells differ: by Wilcoxon's test over test images (default, where it can be "
        "made) or over six or more seeds, Holm's correction over all pairs of all columns; by the "
        "T-Loss paper's ANOVA and Tukey's test; or best, the former rule, which corrects for the "
        "pairs with the best only and marks too much",
    )
    parser.add_argument(
        "--against",
        metavar="LOSS",
        help="compare with this loss (layout domain: this domain) instead of the best",
    )
    parser.add_argument(
        "--ci", action="store_true", help="show 95 %% intervals (csv and json always have them)"
    )
    parser.add_argument(
        "--published",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the paper's values where there are any (default: yes)",
    )


def _decimals(text: str) -> int:
    if text not in map(str, range(1, 16)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 15")
    return int(text)


def selected(options: argparse.Namespace) -> tuple[pd.DataFrame, Sources]:
    """The runs that the options choose, and where they are read from.

    Args:
        options: of `add_options`, and ``experiment``.

    Raises:
        NoRuns: there is none.
        ValueError: a filter has no meaning.
    """
    sources = chosen_sources(options)
    return load_runs(sources, **_filters(options)), sources


def answer(
    runs: pd.DataFrame, sources: Sources, options: argparse.Namespace, intervals: bool
) -> tuple[Table, list[str]]:
    """Make the table that the options ask for.

    Args:
        runs: as `selected` gives them.
        sources: of the runs.
        options: of `add_options`, and ``experiment``.
        intervals: whether to compute confidence intervals.

    Returns:
        The table, and remarks for the error channel.

    Raises:
        ValueError: the question cannot be answered.
    """
    from robustseg.results.tables.image_scores import Images

    table, remarks = judged(
        table_of(runs, sources, options),
        Images(sources),
        options.test,
        options.against,
        intervals,
        options.ci,
    )
    return table, [*remarks, *runs.attrs["absent"], *runs.attrs["remarks"], *sources.unfinished()]


def table_of(runs: pd.DataFrame, sources: Sources, options: argparse.Namespace) -> Table:
    """The table that the options ask for, with nothing tested.

    Args:
        runs: as `selected` gives them.
        sources: of the runs.
        options: as for `answer`; of those that are no filters, ``layout`` and ``published``.

    Raises:
        ValueError: no run has such a number, or the runs do not differ in what is compared.
    """
    from robustseg.results.tables.build import make_table
    from robustseg.results.tables.folds import pool_folds
    from robustseg.results.tables.order import OTHERS, REFERENCE, without_agreeing

    metrics = split(options.metric) or list(default_metrics(options.layout))
    _check_metrics(runs, metrics)
    if not options.metric:
        others = OTHERS if metrics == [REFERENCE] else ()
        metrics += [name for name in others if name in runs]
    published = _published(runs, options) if options.published else None
    losses = split(options.loss) or (published.losses if published else [])
    pooled = pool_folds(runs, sources)
    table = make_table(pooled, metrics, published, losses, versus(options.layout))
    return table if options.metric else without_agreeing(table)


def answer_selection(
    runs: pd.DataFrame, sources: Sources, options: argparse.Namespace, rules: list[str]
) -> tuple[Table, list[str]]:
    """Make the table of the test Dice where rules stop training.

    Args:
        runs: as `selected` gives them.
        sources: of the runs.
        options: of `add_options`.
        rules: some of `RULES`.

    Returns:
        The table, without tests and intervals, and remarks for the error channel.

    Raises:
        ValueError: an option has no meaning here, or an epochs.csv cannot be read.
    """
    from robustseg.results.tables.build import make_table
    from robustseg.results.tables.folds import pool_folds
    from robustseg.results.tables.stopping import add_selected, read_curves

    refused = [name for name in ("metric", "test", "against", "ci") if getattr(options, name)]
    refused += ["layout domain"] if options.layout == "domain" else []
    if refused:
        raise ValueError(
            f"--select shows the test Dice at single evaluations, untested: leave out "
            f"{', '.join(refused)}"
        )
    metrics = [*map(metric_of, rules), *map(regret_of, rules)]
    chosen = add_selected(runs, read_curves(runs, sources), rules)
    table = make_table(pool_folds(chosen, sources), metrics, None, split(options.loss))
    return table, [*runs.attrs["absent"], *chosen.attrs["remarks"], *sources.unfinished()]


def judged(
    table: Table,
    images: Images,
    test: str | None = None,
    against: str | None = None,
    intervals: bool = True,
    must: bool = False,
) -> tuple[Table, list[str]]:
    """A table with the differences tested, and with intervals.

    Args:
        table: as `make_table` makes it.
        images: of its runs.
        test: as the option --test; None: over images, where that can be done.
        against: as the option --against.
        intervals: whether to compute them.
        must: whether it is an error if there can be none.

    Returns:
        The table, and why something is missing.
    """
    from robustseg.errors import NoImages, UnlikeImages
    from robustseg.results.tables.comparison import add_intervals, compare

    remarks = []
    try:
        if test != "none":
            table = compare(table, images, test or "images", against)
    except (NoImages, UnlikeImages) as error:
        if test:
            raise
        remarks.append(f"No test over images: {error}.")
    try:
        if intervals:
            table = add_intervals(table, images)
    except (NoImages, UnlikeImages) as error:
        if must:
            raise
        remarks.append(f"No intervals: {error}.")
    return table, remarks


def default_metrics(layout: str) -> tuple[str, ...]:
    """What a layout shows where nothing is asked for."""
    return SLIDES if layout == "domain" else ("dice_image",)


def versus(layout: str) -> str | None:
    """The label whose values a layout compares; None: whole rows."""
    return "domain" if layout == "domain" else None


def split(words: list[str]) -> list[str]:
    """Separate words that were joined by commas, as they are in Hydra's sweeps."""
    return [part for word in words for part in word.split(",")]


def _filters(options: argparse.Namespace) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for text in options.where:
        name, equals, values = text.partition("=")
        if not equals:
            raise ValueError(f"--where takes KEY=VALUE, got {text!r}")
        filters[name] = [plain_value(value) for value in values.split(",")]
    if options.seeds:
        filters["seed"] = [plain_value(seed) for seed in split(options.seeds)]
    if options.loss:
        filters["loss"] = split(options.loss)
    for name in ("experiment", "dataset"):
        if getattr(options, name):
            filters[name] = getattr(options, name)
    return filters


def _check_metrics(runs: pd.DataFrame, metrics: list[str]) -> None:
    known = metric_names(runs)
    for metric in metrics:
        if metric not in known:
            raise ValueError(f"no run has a number {metric!r}; {suggestion(metric, known)}")


def _published(runs: pd.DataFrame, options: argparse.Namespace) -> Published | None:
    datasets = runs["dataset"].unique()
    if len(datasets) > 1:
        return None
    return load_published(options.experiment, datasets[0], experiments_folder())
