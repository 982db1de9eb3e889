"""``robustseg table``."""

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from robustseg.results.published import (
    Published,
    experiments_folder,
    load_published,
    plain_value,
)
from robustseg.results.render import STYLES, render
from robustseg.results.runs import NoRuns, count_reasons, load_runs, metric_names, suggestion
from robustseg.results.table import make_table


def add_parser(subparsers: Any) -> None:
    """Add the command ``table``; its ``main`` is in the options it parses to."""
    parser = subparsers.add_parser(
        "table",
        help="losses × noise settings, mean(std) over seeds",
        description="Print a table of the finished runs: losses × noise settings, mean(std) over "
        "seeds in the papers' notation, beside published values where there are any.",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder (default: runs)")
    parser.add_argument("--dataset", help="only runs on this dataset")
    parser.add_argument("--loss", nargs="+", default=[], help="only these losses, in this order")
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
        default=["dice_image"],
        help="numbers of metrics.json, side by side (default: dice_image)",
    )
    parser.add_argument("--format", choices=STYLES, default="md", help="(default: md)")
    parser.add_argument("--decimals", type=int, default=3, help="of means (default: 3)")
    parser.add_argument(
        "--published",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the paper's values where there are any (default: yes)",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print the table.

    Returns:
        0; 1 if there is nothing to show; 2 if the question cannot be answered.
    """
    options.metric = _split(options.metric)
    options.loss = _split(options.loss)
    try:
        runs = load_runs(options.runs, **_filters(options))
        _check_metrics(runs, options.metric)
        published = _published(runs, options) if options.published else None
        losses = options.loss or (published.losses if published else [])
        table = make_table(runs, options.metric, published, losses)
    except NoRuns as error:
        print(f"robustseg table: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"robustseg table: {error}", file=sys.stderr)
        return 2
    print(render(table, options.format, options.decimals), end="")
    if runs.attrs["left_out"]:
        reasons = count_reasons(runs.attrs["left_out"])
        print(f"Left out of {options.runs}: {reasons}.", file=sys.stderr)
    return 0


def _split(words: list[str]) -> list[str]:
    """Separate words that were joined by commas, as they are in Hydra's sweeps."""
    return [part for word in words for part in word.split(",")]


def _filters(options: argparse.Namespace) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    for text in options.where:
        name, equals, values = text.partition("=")
        if not equals:
            raise ValueError(f"--where takes KEY=VALUE, got {text!r}")
        filters[name] = [plain_value(value) for value in values.split(",")]
    for name in ("experiment", "dataset", "loss"):
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
