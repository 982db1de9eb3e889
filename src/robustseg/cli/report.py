"""`robustseg report`."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from robustseg.cli.run_filters import add_filters, selected, split
from robustseg.cli.run_sources import add_runs
from robustseg.cli.table_options import add_images, add_published
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.terminal.count import count
from robustseg.terminal.remarks import tell

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
        _again(options),
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


def _again(options: argparse.Namespace) -> list[str]:
    """The commands that show the same again, for a shell."""
    name = [options.experiment] if options.experiment else []
    narrower = ["--dataset", *options.dataset] if options.dataset else []
    narrower += ["--loss", *options.loss] if options.loss else []
    narrower += ["--seeds", *options.seeds] if options.seeds else []
    narrower += ["--where", *options.where] if options.where else []
    tables = ["--metric", *options.metric] if options.metric else []
    tables += [] if options.published else ["--no-published"]
    if options.runs:
        narrower += ["--runs", *map(_place, options.runs)]
    images = ["--images", options.images] if options.images else []
    commands = [
        ["table", *name, *narrower, *tables],
        ["figures", *name, *narrower, *images],
        ["report", *name, *narrower, *tables, *images, "-o", "report.html"],
    ]
    return [shlex.join(["robustseg", *words]) for words in commands]
