"""``robustseg table``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from robustseg.errors import NoRuns
from robustseg.results.sources import settle
from robustseg.results.tables import query as question
from robustseg.results.tables.model import Table
from robustseg.results.tables.published import experiments_folder, read_published
from robustseg.results.tables.published_table import published_table
from robustseg.results.tables.render import STYLES, render
from robustseg.results.tables.results_file import read_results
from robustseg.results.tables.rules import RULES, check_rules
from robustseg.terminal.suggestion import suggestion

# Options that choose among runs or test them; a table from a file has them behind it.
_OF_RUNS = ("dataset", "seeds", "where", "test", "against", "select")


def add_parser(subparsers: Any) -> None:
    """Add the command ``table``; its ``main`` is in the options it parses to."""
    parser = subparsers.add_parser(
        "table",
        help="losses × noise settings, mean(std) over seeds",
        description="Print a table of the finished runs: losses × noise settings, mean(std) over "
        "seeds in the papers' notation, beside published values where there are any, with marks "
        "for what differs significantly from the best.",
        epilog="robustseg table tloss_isic2017 --published-only",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    question.add_options(parser)
    parser.add_argument(
        "--select",
        nargs="+",
        default=[],
        metavar="RULE",
        help="test Dice at the evaluation at which a rule stops training, and what it lacks to the "
        f"best one, from epochs.csv: {', '.join(RULES)}",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--published-only", action="store_true", help="the paper's own table; needs no runs"
    )
    source.add_argument(
        "--from",
        dest="results",
        type=Path,
        metavar="FILE",
        help="the table of a results.csv, which --format csv wrote; needs no runs",
    )
    parser.add_argument("--format", choices=STYLES, default="md", help="(default: md)")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print the table.

    Returns:
        0; 1 if there is nothing to show; 2 if the question cannot be answered.
    """
    settle(options)
    remarks: list[str] = []
    try:
        rules = check_rules(question.split(options.select))
        if options.published_only or options.results:
            table = _from_file(options)
        else:
            intervals = options.ci or options.format in ("csv", "json")
            runs, sources = question.selected(options)
            if rules:
                table, remarks = question.answer_selection(runs, sources, options, rules)
            else:
                table, remarks = question.answer(runs, sources, options, intervals)
        text = render(table, options.format, options.decimals, options.layout, options.ci)
    except NoRuns as error:
        print(f"robustseg table: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"robustseg table: {error}", file=sys.stderr)
        return 2
    print(text, end="")
    for remark in remarks:
        print(remark, file=sys.stderr)
    return 0


def _from_file(options: argparse.Namespace) -> Table:
    """The table of a file that needs no runs."""
    refused = [name for name in _OF_RUNS if getattr(options, name)]
    if options.results:
        refused += [name for name in ("experiment", "loss", "metric") if getattr(options, name)]
    refused += [] if options.published else ["no-published"]
    refused += ["ci"] if options.ci and options.published_only else []
    if refused:
        source = "--from" if options.results else "--published-only"
        raise ValueError(f"{source} shows what the file holds: leave out {', '.join(refused)}")
    if options.results:
        return read_results(options.results)
    folder = experiments_folder()
    known = sorted(path.parent.name for path in folder.glob("*/published.csv")) if folder else []
    if folder is None or options.experiment not in known:
        sought = options.experiment or ""
        raise ValueError(f"no published.csv for {sought!r}; {suggestion(sought, known)}")
    wanted = question.default_metrics(options.layout) if options.layout == "domain" else ()
    metrics, losses = question.split(options.metric) or wanted, question.split(options.loss)
    published = read_published(folder / options.experiment / "published.csv")
    return published_table(published, metrics, losses, question.versus(options.layout))
