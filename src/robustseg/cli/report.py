"""`robustseg report`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_filters import add_filters, selected, split
from robustseg.cli.run_sources import add_runs
from robustseg.cli.table_options import add_images, add_published
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.terminal.count import count
from robustseg.terminal.remarks import tell

if TYPE_CHECKING:
    import pandas as pd

METRICS = tuple(metric.name for metric in CATALOGUE.values() if metric.in_report)


def add_parser(subparsers: Any) -> None:
    """Add the command ``report``."""
    parser = subparsers.add_parser(
        "report",
        help="tables, figures and runs on one page",
        description="Write one HTML file with the tables, the figures and the runs of an "
        "experiment that works offline and contains no paths or host names.",
        epilog="robustseg report demo -o report.html",
    )
    add_runs(parser, duplicates=False)
    add_filters(parser)
    parser.add_argument(
        "--metric",
        nargs="+",
        action="extend",
        default=[],
        help="metrics, one table each (default: Dice, pooled Dice and other main ones)",
    )
    add_published(parser)
    add_images(parser, None, "all for data sets with dataset.public=true, none for others")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), help="(default: report.html)"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Write the page."""
    from robustseg.results.load import by_class, check_metrics, of_label_maps
    from robustseg.results.report.page import Question, write_page
    from robustseg.runs.files import write_text
    from robustseg.runs.selection import select

    runs, sources = selected(options)
    states = select(sources.states(), options.experiment, _where(options))
    metrics = list(dict.fromkeys(split(options.metric)))
    check_metrics(runs, metrics)
    usual = [metric for metric in METRICS if metric in runs and runs[metric].notna().any()]
    if of_label_maps(runs).any():
        usual[:1] = by_class(runs, usual[:1])  # of the first, Dice, a table per class
    question = Question(
        options.experiment,
        metrics or usual,
        _again(options, runs, metrics or usual),
        options.published,
        options.images,
        split(options.loss),
    )
    page = write_page(question, states, runs, sources)
    write_text(options.output, page)
    tell([*runs.attrs["absent"], *runs.attrs["remarks"]])
    print(
        f"{options.output}: {len(runs)} finished of {count(len(states), 'run')}, "
        f"{len(page) / 1e6:.1f} MB"
    )
    return 0


def _where(options: argparse.Namespace) -> list[str]:
    """The options as filters of runs that need not be finished."""
    named = {"dataset": options.dataset, "loss": options.loss, "seed": options.seeds}
    return [
        *options.where,
        *(f"{name}={','.join(words)}" for name, words in named.items() if words),
    ]


def _place(path: Path) -> str:
    """A source as it was given; of one elsewhere its name only: the page shows no paths."""
    plain = not path.is_absolute() and ".." not in path.parts and path.parts[:1] != ("~",)
    return str(path) if plain else f"…/{path.name}"


def _again(options: argparse.Namespace, runs: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """The commands that show the same again, for a shell.

    It has a table of its own, with its own tests, of each data set and metric, and figures of each
    data set and noise model.
    """
    name = [options.experiment] if options.experiment else []
    chosen = ["--dataset", *options.dataset] if options.dataset else []
    narrower = ["--loss", *options.loss] if options.loss else []
    narrower += ["--seeds", *options.seeds] if options.seeds else []
    narrower += ["--where", *options.where] if options.where else []
    tables = [] if options.published else ["--no-published"]
    if options.runs:
        narrower += ["--runs", *map(_place, options.runs)]
    images = ["--images", options.images] if options.images else []
    found = []
    datasets = sorted(runs["dataset"].unique())
    for dataset in datasets:
        own = ["--dataset", dataset] if len(datasets) > 1 else chosen
        found.append(_for_each(metrics, ["table", *name, *own, *narrower, *tables]))
        noise = runs.loc[runs["dataset"] == dataset, "noise"]
        kinds = sorted(noise.dropna().unique())
        for kind in kinds if len(kinds) > 1 else [None]:
            place = "-".join([dataset] * (len(datasets) > 1) + [kind] * (kind is not None))
            of_kind = ["--noise", kind] if kind is not None else []
            of_kind += ["-o", f"figures/{place}"] if place else []
            found.append(_command(["figures", *name, *own, *narrower, *images, *of_kind]))
    asked = ["--metric", *options.metric] if options.metric else []
    words = ["report", *name, *chosen, *narrower, *asked, *tables, *images, "-o", "report.html"]
    return [*found, _command(words)]


def _command(words: Sequence[str]) -> str:
    return shlex.join(["robustseg", *words])


def _for_each(metrics: Sequence[str], words: Sequence[str]) -> str:
    """A command once for each metric, in a line."""
    if len(metrics) == 1:
        return _command([*words, "--metric", *metrics])
    return f"for metric in {shlex.join(metrics)}; do {_command(words)} --metric $metric; done"
