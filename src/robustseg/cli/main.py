"""The command `robustseg`: everything but training."""

import argparse
import errno
import os
import sys
from collections.abc import Sequence

from hydra.errors import InstantiationException

from robustseg.cli import (
    data,
    evaluate,
    export,
    figures,
    noise,
    predict,
    ranks,
    report,
    results,
    runs,
    suspects,
    table,
    wandb,
)
from robustseg.configuration.checks import ConfigError
from robustseg.configuration.compose import conf_folder
from robustseg.data.sources.source import DataError
from robustseg.results import status

_RESULTS = (table, ranks, status, runs, figures, results, report)
_COMMANDS = (*_RESULTS, data, noise, predict, evaluate, export, suspects, wandb)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; errors of the user's making are told in one line.

    Returns:
        Exit code.
    """
    parser = argparse.ArgumentParser(
        prog="robustseg", description="Results and data of robustseg; training is train.py."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    options, rest = parser.parse_known_args(arguments)
    # Overrides may stand behind an option, where argparse leaves them over.
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(options, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides += rest
    try:
        code = int(options.main(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (DataError, ConfigError) as error:
        print(f"robustseg: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        message = _of_file(error)
        if message is None:
            raise
        print(f"robustseg: {message}", file=sys.stderr)
        return 1
    except InstantiationException as error:
        from robustseg.configuration.messages import explain

        message = explain(error, conf_folder())
        if message is None:
            raise
        print(f"robustseg: {message}", file=sys.stderr)
        return 1


def _of_file(error: OSError) -> str | None:
    """What the system says of a file, or a command of one that is there; None if neither does."""
    if error.errno is None:
        return str(error) if isinstance(error, FileExistsError) else None
    # Only a folder that shall be made meets a file in its place.
    reason = "it is no folder" if error.errno == errno.EEXIST else error.strerror
    return f"{error.filename or 'a file'} cannot be read or written ({reason})"


if __name__ == "__main__":
    sys.exit(main())
