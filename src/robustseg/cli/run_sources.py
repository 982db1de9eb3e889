"""Options that name where runs are read from: an experiment, --runs and --duplicates."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from robustseg.results.sources import DUPLICATES, RUNS, Sources, own_runs
from robustseg.terminal.remarks import tell


def add_runs(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add the experiment, --runs and --duplicates, which `chosen_sources` reads."""
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.set_defaults(resolve_experiment=resolve_experiment)
    add_sources(parser, duplicates)


def add_sources(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add --runs and --duplicates."""
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        action="extend",
        metavar="SOURCE",
        help="folders of runs, and records that `robustseg runs pack` made; where they disagree, "
        "the first is used (default: runs, and experiments/*/record if an experiment is "
        "named or runs has none)",
    )
    if duplicates:
        parser.add_argument(
            "--duplicates",
            choices=DUPLICATES,
            default="first",
            help="if sources disagree on a run: use the first (default), or show all in separate "
            "rows",
        )


def chosen_sources(options: argparse.Namespace) -> Sources:
    """The sources that the options name.

    Without any, those of an experiment may be anywhere. Who names none asks for runs of their own,
    not for all that ever was recorded.
    """
    paths = options.runs
    if paths is None and not experiments_of(options):
        paths = own_runs()
    return Sources(paths, getattr(options, "duplicates", "first"))


def experiments_of(options: argparse.Namespace) -> Sequence[str]:
    """Those that are named."""
    one = getattr(options, "experiment", None)
    return [one] if one else getattr(options, "experiments", ())


def resolve_experiment(options: argparse.Namespace) -> None:
    """Put an experiment that stands behind --runs into its place: argparse takes it for a source.

    Args:
        options: of `add_sources`, and ``experiment``.
    """
    if not experiments_of(options) and options.runs and len(options.runs) > 1:
        last = options.runs[-1]
        if len(last.parts) == 1 and not last.exists():
            options.experiment, options.runs = str(last), options.runs[:-1]


def tell_of_records(options: argparse.Namespace, sources: Sources) -> None:
    """Say that records are shown where runs of one's own were asked for, and there are none."""
    asked = options.runs is not None or experiments_of(options)
    if not asked and any(path != RUNS for path in sources.paths):
        tell([f"{RUNS}/ has no runs: showing the records of experiments/"])
