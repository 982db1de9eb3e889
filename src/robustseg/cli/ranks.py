"""``robustseg ranks``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_filters import add_filters, selected
from robustseg.cli.run_sources import add_sources, resolve_experiment
from robustseg.errors import ConfigError, NoImages, NoRuns, UnlikeImages
from robustseg.results.tables.render import STYLES
from robustseg.terminal.remarks import tell
from robustseg.terminal.suggestion import suggestion

if TYPE_CHECKING:
    import pandas as pd

    from robustseg.results.ranking.costs import Cost
    from robustseg.results.ranking.make_ranking import Ranking
    from robustseg.results.sources import Sources
    from robustseg.results.tables.table_model import Table


def add_parser(subparsers: Any) -> None:
    """Add the command ``ranks``."""
    parser = subparsers.add_parser(
        "ranks",
        help="mean rank of each loss over noise settings and data sets",
        description="Rank the losses in every noise setting of every data set, and print their "
        "mean ranks with bootstrap intervals over images and seeds, the range with "
        "one setting or data set left out, the probability that one loss beats another, and the "
        "cost of runs on each processor. Grids may be incomplete.",
        epilog="robustseg ranks tloss_isic2017_small tloss_shenzhen_small",
    )
    parser.add_argument("experiments", nargs="*", help="only runs of these experiments, together")
    add_sources(parser)
    add_filters(parser, ordered=False)
    parser.add_argument(
        "--metric", default="dice_image", help="metric to rank by (default: dice_image)"
    )
    parser.add_argument(
        "--format",
        choices=STYLES,
        default="md",
        help="latex needs the package booktabs (default: md)",
    )
    parser.add_argument(
        "--cost",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the cost of runs on each processor (default: yes)",
    )
    parser.add_argument(
        "--figure", type=Path, help="also draw the intervals, to a .png, .svg or .pdf file"
    )
    parser.set_defaults(main=main, resolve_experiment=resolve_experiment, experiment=None)


def main(options: argparse.Namespace) -> int:
    """Print the ranks."""
    from robustseg.results.ranking.ranking_text import render_ranking

    if options.figure and options.figure.suffix not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"--figure {options.figure}: name a .png, .svg or .pdf")
    runs, sources = selected(options)
    _check_experiments(options.experiments, sources)
    table = _table(runs, sources, options.metric)
    ranking, remarks = _ranking(table, sources)
    costs = _costs(table, runs, sources, ranking.names) if options.cost else []
    text = render_ranking(ranking, costs, options.format)
    if options.figure:
        from robustseg.results.figures.ranked import ranks

        options.figure.parent.mkdir(parents=True, exist_ok=True)
        ranks(ranking).savefig(options.figure, dpi=120)
    print(text, end="")
    noted = [*runs.attrs["absent"], *runs.attrs["remarks"], *runs.attrs["unfinished"]]
    tell([*remarks, *noted])
    return 0


def _check_experiments(names: Sequence[str], sources: Sources) -> None:
    """Refuse to rank some of the experiments that are named as if they were all.

    Raises:
        NoRuns: one has no finished run.
    """
    known = {one for row in sources.rows() for one in row["experiments"]}
    for name in names:
        if name not in known:
            raise NoRuns(
                f"no finished run belongs to the experiment {name!r}; {suggestion(name, known)}"
            )


def _table(runs: pd.DataFrame, sources: Sources, metric: str) -> Table:
    from robustseg.results.load import check_metrics
    from robustseg.results.tables.make_table import make_table
    from robustseg.results.tables.order import ordered_by
    from robustseg.results.tables.pooled_folds import pool_folds

    check_metrics(runs, [metric])
    if not ordered_by(metric):
        raise ConfigError(
            f"{metric} has no order from better to worse, so losses cannot be ranked by it"
        )
    return make_table(pool_folds(runs, sources), [metric])


def _ranking(table: Table, sources: Sources) -> tuple[Ranking, list[str]]:
    """The ranking; without intervals where rows of images do not exist, and why."""
    from robustseg.results.ranking.make_ranking import make_ranking
    from robustseg.results.tables.image_scores import Images, is_per_image

    metric = table.columns[0].metric
    if not is_per_image(metric):
        return make_ranking(table, None), [f"No intervals: {metric} is not a mean over images."]
    try:
        return make_ranking(table, Images(sources)), []
    except (NoImages, UnlikeImages) as error:
        return make_ranking(table, None), [f"No intervals: {error}."]


def _costs(table: Table, runs: pd.DataFrame, sources: Sources, ranked: Sequence[str]) -> list[Cost]:
    """The costs of ranked losses; one that is alone in each of its columns has no rank."""
    from robustseg.results.ranking.costs import costs
    from robustseg.results.ranking.ranked_cells import loss_names
    from robustseg.results.tables.image_scores import parts

    of_rows = loss_names(table)
    names = {
        run_id: name
        for (row, _), cell in table.cells.items()
        if (name := of_rows[row]) in ranked
        for sample in cell.samples
        for run_id in parts(sample.run_id)
    }
    chosen = runs[runs["run_id"].isin(list(names))]
    return costs(chosen, [names[run_id] for run_id in chosen["run_id"]], sources)
