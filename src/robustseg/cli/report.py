"""`robustseg report`."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from robustseg.results.figures.shown import IMAGES
from robustseg.results.sources import add_options, chosen_sources, settle

METRICS = (
    "dice_image",
    "dice_image_tuned",
    "dice_pooled",
    "area_ratio",
    "dice_image_pos",
    "jaccard_image",
    "balanced_accuracy",
    "average_precision",
    "hd95",
    "calibration_error",
    "train_dice_noisy",
    "train_dice_clean",
)


def add_parser(subparsers: Any) -> None:
    """Add the command ``report``."""
    parser = subparsers.add_parser(
        "report",
        help="tables, figures and runs on one page",
        description="Write one HTML file with the tables, the figures and the runs of an "
        "experiment, which needs no network and tells neither paths nor hosts.",
        epilog="robustseg report demo -o report.html",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    add_options(parser, duplicates=False)
    parser.add_argument("--dataset", help="only runs on this dataset")
    parser.add_argument("--loss", nargs="+", default=[], help="only these losses")
    parser.add_argument(
        "--where",
        nargs="+",
        default=[],
        metavar="KEY=VALUE[,VALUE]",
        help="only runs with this label: alpha=0.3,0.5 seed=0",
    )
    parser.add_argument(
        "--metric",
        nargs="+",
        default=[],
        help="numbers of metrics.json, a table each (default: the usual)",
    )
    parser.add_argument(
        "--published",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the paper's values where there are any (default: yes)",
    )
    parser.add_argument(
        "--images",
        choices=IMAGES,
        help="figures with images of the data sets: none, those of training images only, or all; "
        "the licence of images and masks says which may be passed on (default: all of data sets "
        "with dataset.public=true, none of others)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), help="(default: report.html)"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Write the page.

    Returns:
        0; 1 if there is nothing to show; 2 if the question cannot be answered.
    """
    from robustseg.results.load import NoRuns, load_runs, metric_names, suggestion
    from robustseg.results.report.page import Question, write_page
    from robustseg.results.tables.query import split
    from robustseg.runs.files import write_text
    from robustseg.runs.selection import select

    settle(options)
    sources = chosen_sources(options)
    try:
        filters = _filters(options)
        runs = load_runs(sources)
        states = select(sources.states(), filters)
        runs = runs[runs["run_id"].isin([state.run_id for state in states])]
        if runs.empty:
            raise NoRuns(f"no finished run in {sources} passes the filters")
        known = metric_names(runs)
        metrics = split(options.metric)
        for metric in metrics:
            if metric not in known:
                raise ValueError(f"no run has a number {metric!r}; {suggestion(metric, known)}")
        usual = [metric for metric in METRICS if metric in known and runs[metric].notna().any()]
        question = Question(
            options.experiment,
            metrics or usual,
            _again(options),
            options.published,
            options.images,
        )
        page = write_page(question, states, runs.reset_index(drop=True), sources)
        write_text(options.output, page)
    except NoRuns as error:
        print(f"robustseg report: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"robustseg report: {error}", file=sys.stderr)
        return 2
    for remark in sources.remarks(runs["run_id"]):
        print(f"robustseg report: {remark}", file=sys.stderr)
    print(f"{options.output}: {len(runs)} finished of {len(states)} runs, {len(page) / 1e6:.1f} MB")
    return 0


def _filters(options: argparse.Namespace) -> argparse.Namespace:
    """The options as `select` takes them.

    Raises:
        ValueError: a filter names no label.
    """
    from robustseg.results.load import LABELS, suggestion

    where = [*options.where]
    where += [f"dataset={options.dataset}"] if options.dataset else []
    where += [f"loss={','.join(options.loss)}"] if options.loss else []
    for text in where:
        name = text.partition("=")[0]
        if "=" in text and name not in LABELS:
            raise ValueError(f"no run has a label {name!r}; {suggestion(name, LABELS)}")
    return argparse.Namespace(state=[], experiment=options.experiment, where=where)


def _again(options: argparse.Namespace) -> list[str]:
    """The commands that show the same again, for a shell; figures where it has the filters."""
    name = [options.experiment] if options.experiment else []
    dataset = ["--dataset", options.dataset] if options.dataset else []
    narrower = ["--loss", *options.loss] if options.loss else []
    narrower += ["--where", *options.where] if options.where else []
    tables = ["--metric", *options.metric] if options.metric else []
    tables += [] if options.published else ["--no-published"]
    images = ["--images", options.images] if options.images else []
    commands = [["table", *name, *dataset, *narrower, *tables]]
    if not narrower:
        commands.append(["figures", *name, *dataset, *images])
    report = ["report", *name, *dataset, *narrower, *tables, *images, "-o", "report.html"]
    commands.append(report)
    return [shlex.join(["robustseg", *words]) for words in commands]
