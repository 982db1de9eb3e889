"""``robustseg table``."""

import argparse
from pathlib import Path
from typing import Any

from robustseg.cli.run_filters import selected, split
from robustseg.cli.run_sources import resolve_experiment
from robustseg.cli.table_options import add_table, question
from robustseg.errors import ConfigError
from robustseg.results.tables.query import answer, answer_selection, default_metrics, versus
from robustseg.results.tables.render import STYLES, render
from robustseg.results.tables.rules import RULES, check_rules
from robustseg.results.tables.table_model import Table
from robustseg.terminal.remarks import tell

# Options that choose among runs or test them; a table from a file has them behind it.
_OF_RUNS = ("runs", "dataset", "seeds", "where", "test", "against", "select", "by")


def add_parser(subparsers: Any) -> None:
    """Add the command ``table``; its ``main`` is in the options it parses to."""
    parser = subparsers.add_parser(
        "table",
        help="losses × noise settings, mean(std) over seeds",
        description="Print a table of the finished runs: losses × noise settings, mean(std) over "
        "seeds in the papers' notation, beside published values where there are any, "
        "with marks for values that differ significantly from the best.",
        epilog="robustseg table tloss_isic2017 --published-only",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    add_table(parser)
    parser.add_argument(
        "--select",
        nargs="+",
        action="extend",
        default=[],
        metavar="RULE",
        help="test Dice at the evaluation at which a rule stops training, from epochs.csv: "
        f"{', '.join(RULES)}",
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
    parser.add_argument(
        "--format",
        choices=STYLES,
        default="md",
        help="latex needs the package booktabs (default: md)",
    )
    parser.set_defaults(main=main, resolve_experiment=resolve_experiment)


def main(options: argparse.Namespace) -> int:
    """Print the table."""
    rules = check_rules(split(options.select))
    remarks: list[str] = []
    if options.published_only or options.results:
        table = _from_file(options)
        if options.ci and not any(cell.interval for cell in table.cells.values()):
            remarks.append(f"No intervals: {options.results} holds none.")
    else:
        runs, sources = selected(options)
        asked = question(options)
        if rules:
            table, remarks = answer_selection(runs, sources, asked, rules)
        else:
            table, remarks = answer(runs, sources, asked, options.format in ("csv", "json"))
    print(render(table, options.format, options.decimals, options.layout, options.ci), end="")
    tell(remarks)
    return 0


def _from_file(options: argparse.Namespace) -> Table:
    """The table of a file that needs no runs."""
    from robustseg.results.tables.results_file import read_results

    refused = [name for name in _OF_RUNS if getattr(options, name)]
    if options.results:
        refused += [name for name in ("experiment", "loss", "metric") if getattr(options, name)]
    refused += ["duplicates"] if options.duplicates != "first" else []
    refused += [] if options.published else ["no-published"]
    refused += ["ci"] if options.ci and options.published_only else []
    if refused:
        source = "--from" if options.results else "--published-only"
        raise ConfigError(f"{source} shows what the file holds: leave out {', '.join(refused)}")
    return read_results(options.results) if options.results else _of_paper(options)


def _of_paper(options: argparse.Namespace) -> Table:
    from robustseg.results.tables.published import experiments_folder, read_published
    from robustseg.results.tables.published_table import published_table
    from robustseg.terminal.suggestion import suggestion

    if not options.experiment:
        raise ConfigError("--published-only: name the experiment, such as tloss_isic2017")
    folder = experiments_folder()
    known = sorted(path.parent.name for path in folder.glob("*/published.csv")) if folder else []
    if folder is None or options.experiment not in known:
        sought = options.experiment
        raise ConfigError(f"no published.csv for {sought!r}; {suggestion(sought, known)}")
    wanted = default_metrics(options.layout) if options.layout == "domain" else ()
    metrics, losses = split(options.metric) or wanted, split(options.loss)
    published = read_published(folder / options.experiment / "published.csv")
    return published_table(published, metrics, losses, versus(options.layout))
