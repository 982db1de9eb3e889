"""Options that name where runs are read from: an experiment, --runs and --duplicates."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from robustseg.configuration.own_conf import conf_folder, own_folders
from robustseg.results.sources import DUPLICATES, RUNS, Sources, own_runs
from robustseg.terminal.remarks import tell


def add_runs(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add the experiment, --runs and --duplicates, which `chosen_sources` reads."""
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.set_defaults(resolve_experiment=resolve_experiment)
    add_sources(parser, duplicates)


def add_sources(parser: argparse.ArgumentParser, duplicates: bool = True) -> None:
    """Add --runs and --duplicates."""
    add_places(
        parser,
        "; where they disagree, the first is used (default: runs, and experiments/*/record if an "
        "experiment is named)",
    )
    if duplicates:
        parser.add_argument(
            "--duplicates",
            choices=DUPLICATES,
            default="first",
            help="if sources disagree on a run: use the first (default), or show all in separate "
            "rows",
        )


def add_places(parser: argparse.ArgumentParser, use: str) -> None:
    """Add --runs, with what is said of its use."""
    parser.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        action="extend",
        metavar="SOURCE",
        help=f"folders of runs, and records that `robustseg runs pack` made{use}",
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


def not_trained(options: argparse.Namespace, sources: Sources) -> str | None:
    """What to say of an experiment that has a preset and no run here; None if there is none such.

    Args:
        options: of `add_runs`, or of a command with several experiments.
        sources: that the options name.
    """
    named = [name for name in experiments_of(options) if _has_preset(name)]
    if options.runs is not None or not named:
        return None
    if not sources.missing():
        runs = {one for state in sources.states() for one in state.experiments}
        named = [name for name in named if name not in runs]
    if not named:
        return None
    said = f"{named[0]} has not been trained here: robustseg train +experiment={named[0]}"
    kept = Path("experiments") / named[0] / "results.csv"
    if hasattr(options, "results") and kept.is_file():  # of `robustseg table`
        said += f"; its committed table: robustseg table --from {kept}"
    return said


def _has_preset(experiment: str) -> bool:
    """Whether +experiment=NAME trains runs of the experiment NAME."""
    files = (home / "experiment" / f"{experiment}.yaml" for home in (conf_folder(), *own_folders()))
    line = re.compile(rf"^experiment_name: *{re.escape(experiment)} *(#.*)?$", re.MULTILINE)
    return any(file.is_file() and line.search(file.read_text("utf-8")) for file in files)


def tell_of_records(options: argparse.Namespace, sources: Sources) -> None:
    """Say that records are shown where runs of one's own were asked for, and there are none."""
    asked = options.runs is not None or experiments_of(options)
    if not asked and any(path != RUNS for path in sources.paths):
        tell([f"{RUNS}/ has no runs: showing the records of experiments/"])
