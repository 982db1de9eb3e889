"""``robustseg status``."""

import argparse
import sys
import time
from typing import Any

from robustseg.cli.run_filters import add_state_filters, check_once, in_state
from robustseg.cli.run_sources import (
    add_sources,
    chosen_sources,
    resolve_experiment,
    tell_of_records,
)
from robustseg.errors import ConfigError, NoRuns
from robustseg.terminal.remarks import tell


def add_parser(subparsers: Any) -> None:
    """Add the command ``status``; its ``main`` is in the options it parses to."""
    parser = subparsers.add_parser(
        "status",
        help="which runs are done, running, interrupted or failed",
        description="Count the runs of a folder by state, and show a grid of losses × noise "
        "settings with a mark per seed, the epochs of running ones, and why runs "
        "failed.",
        epilog="robustseg status demo --state failed",
    )
    parser.add_argument(
        "named", nargs="?", metavar="experiment", help="only runs of this experiment"
    )
    add_sources(parser, duplicates=False)
    add_state_filters(parser)
    parser.add_argument("--watch", action="store_true", help="refresh every 5 s until Ctrl-C")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main, resolve_experiment=_resolve_experiment)


def _resolve_experiment(options: argparse.Namespace) -> None:
    """An experiment may stand as in other commands, or behind --experiment."""
    if not options.experiment:
        options.experiment, options.named = options.named, None
    resolve_experiment(options)


def main(options: argparse.Namespace) -> int:
    """Print the status; 1 if there is nothing to show."""
    from robustseg.results.status import as_json, as_text

    if options.named:
        raise ConfigError(
            f"two experiments, {options.named} and {options.experiment}: leave one out"
        )
    check_once(options)
    try:
        while True:
            chosen = chosen_sources(options)  # read again: they change
            runs = in_state(chosen.states(), options)
            filtered = bool(options.experiment or options.state or options.where)
            text = as_json(runs) if options.format == "json" else as_text(runs, chosen, filtered)
            if not options.watch:
                tell_of_records(options, chosen)
                tell(f"{options.prog}: not used: {damage}" for damage in chosen.damages())
                print(text)
                return 0 if runs else 1
            print(f"\033[2J\033[H{text}" if sys.stdout.isatty() else text, flush=True)
            time.sleep(5)
    except KeyboardInterrupt:
        if options.watch:
            return 0
        raise
    except FileNotFoundError as error:
        raise NoRuns(f"no such directory: {error.filename}") from error
