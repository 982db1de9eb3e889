"""``robustseg ranks``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.results.load import NoRuns, load_runs, metric_names, suggestion
from robustseg.results.sources import Sources, add_options, chosen_sources, settle
from robustseg.results.tables.render import STYLES

if TYPE_CHECKING:
    import pandas as pd

    from robustseg.results.ranks import Ranking
    from robustseg.results.tables.model import Table


def add_parser(subparsers: Any) -> None:
    """Add the command ``ranks``."""
    parser = subparsers.add_parser(
        "ranks",
        help="mean rank of each loss over noise settings and data sets",
        description="Rank the losses in every noise setting of every data set, and print their "
        "mean ranks with bootstrap intervals over images and seeds, the range with one setting "
        "left out, the probability that one loss beats another, and what runs cost on each "
        "processor. Grids may be incomplete.",
        epilog="robustseg ranks tloss_isic2017_small tloss_shenzhen_small",
    )
    parser.add_argument("experiments", nargs="*", help="only runs of these experiments, together")
    add_options(parser)
    parser.add_argument("--dataset", nargs="+", help="only runs on these data sets")
    parser.add_argument("--loss", nargs="+", help="only these losses")
    parser.add_argument("--metric", default="dice_image", help="to rank by (default: dice_image)")
    parser.add_argument("--format", choices=STYLES, default="md", help="(default: md)")
    parser.add_argument("--figure", type=Path, help="also draw the intervals: a .png, .svg or .pdf")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print the ranks.

    Returns:
        0; 1 if there is nothing to show; 2 if the question cannot be answered.
    """
    from robustseg.results.ranks_text import render_ranking

    _settle(options)
    sources = chosen_sources(options)
    try:
        runs = load_runs(sources, **_filters(options))
        table = _table(runs, sources, options.metric)
        ranking, remarks = _ranking(table, sources)
        costs = _costs(table, runs, sources)
        text = render_ranking(ranking, costs, options.format)
        if options.figure:
            _draw(ranking, options.figure)
    except NoRuns as error:
        print(f"robustseg ranks: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"robustseg ranks: {error}", file=sys.stderr)
        return 2
    print(text, end="")
    noted = [*remarks, *runs.attrs["absent"], *runs.attrs["remarks"], *sources.unfinished()]
    for remark in noted:
        print(remark, file=sys.stderr)
    return 0


def _settle(options: argparse.Namespace) -> None:
    """Take an experiment that stands behind --runs for one."""
    options.experiment = None
    if not options.experiments:
        settle(options)
        options.experiments = [options.experiment] if options.experiment else []


def _filters(options: argparse.Namespace) -> dict[str, Any]:
    chosen = {
        "experiment": options.experiments,
        "dataset": options.dataset,
        "loss": [part for word in options.loss or () for part in word.split(",")],
    }
    return {name: values for name, values in chosen.items() if values}


def _table(runs: pd.DataFrame, sources: Sources, metric: str) -> Table:
    from robustseg.results.tables.build import make_table
    from robustseg.results.tables.folds import pool_folds
    from robustseg.results.tables.model import direction

    known = metric_names(runs)
    if metric not in known:
        raise ValueError(f"no run has a number {metric!r}; {suggestion(metric, known)}")
    if not direction(metric):
        raise ValueError(f"{metric} has no better and no worse, so nothing can be ranked by it")
    return make_table(pool_folds(runs, sources), [metric])


def _ranking(table: Table, sources: Sources) -> tuple[Ranking, list[str]]:
    """The ranking; without intervals where rows of images do not exist, and why."""
    from robustseg.results.ranks import make_ranking
    from robustseg.results.tables.image_scores import PER_IMAGE, Images, NoImages, UnlikeImages

    metric = table.columns[0].metric
    if metric not in PER_IMAGE:
        return make_ranking(table, None), [f"No intervals: {metric} is no mean over images."]
    try:
        return make_ranking(table, Images(sources)), []
    except (NoImages, UnlikeImages) as error:
        return make_ranking(table, None), [f"No intervals: {error}."]


def _costs(table: Table, runs: pd.DataFrame, sources: Sources) -> list[Any]:
    from robustseg.results.costs import costs
    from robustseg.results.ranks import loss_words
    from robustseg.results.tables.image_scores import parts

    names = {
        run_id: loss_words(table, row)
        for (row, _), cell in table.cells.items()
        for sample in cell.samples
        for run_id in parts(sample.run_id)
    }
    ranked = runs[runs["run_id"].isin(list(names))]
    return costs(ranked, [names[run_id] for run_id in ranked["run_id"]], sources)


def _draw(ranking: Ranking, file: Path) -> None:
    from robustseg.results.figures.ranks import ranks

    if file.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--figure {file}: name a .png, .svg or .pdf")
    file.parent.mkdir(parents=True, exist_ok=True)
    ranks(ranking).savefig(file, dpi=120)
