"""The command `robustseg`: everything but training."""

import argparse
import sys
from collections.abc import Sequence

from robustseg.data.source import DataError
from robustseg.results import cli as table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; errors of the user's making are told in one line.

    Returns:
        Exit code.
    """
    parser = argparse.ArgumentParser(
        prog="robustseg", description="Results and data of robustseg; training is train.py."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    table.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        return int(options.main(options))
    except DataError as error:
        print(f"robustseg: {error}", file=sys.stderr)
        return 1
