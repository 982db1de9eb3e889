"""The command `robustseg`."""

import argparse
import errno
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from robustseg import __version__
from robustseg.errors import NotInstalled, UserError
from robustseg.terminal.output import close_quietly, print_anything
from robustseg.terminal.printable import printable
from robustseg.terminal.suggestion import suggestion

# In the order of --help; only the one that is called is imported.
_RESULTS = ("table", "claims", "ranks", "status", "runs", "figures", "results", "report")
_MODELS = ("data", "noise", "predict", "evaluate", "export", "suspects", "wandb")
_COMMANDS = ("init", "train", *_RESULTS, *_MODELS)

# What an installation for results only leaves out.
_LEFT_OUT = {"hydra", "omegaconf", "torch", "pytorch_lightning"}
_INSTALL = "this installation is for results only: install robustseg without --no-deps"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; errors that the user can fix are reported in one line.

    Returns:
        Exit code.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    print_anything()
    try:
        if arguments[:1] == ["train"]:
            return _command("train").main(arguments[1:])
        if arguments[:1] == ["-sc"]:
            return _command("train").complete(arguments, _COMMANDS)
        return _run(arguments)
    except ModuleNotFoundError as error:
        if error.name not in _LEFT_OUT:
            raise
        command = " ".join(["robustseg", *arguments[:1]])
        print(f"{command}: {error.name} is not installed; {_INSTALL}", file=sys.stderr)
        return NotInstalled.exit_code


def _run(arguments: Sequence[str]) -> int:
    parser = _Parser(
        prog="robustseg", description="Find out which segmentation loss survives bad masks."
    )
    parser.add_argument("--version", action="version", version=f"robustseg {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    named = [name for name in _COMMANDS if name in arguments[:1]]
    for name in named or _COMMANDS:  # all of them for --help, and for what is none
        _command(name).add_parser(subparsers)
    try:
        options, rest = parser.parse_known_args(arguments)
    except SystemExit:  # --help
        _flush()
        raise
    # Overrides may stand behind an option, where argparse leaves them over.
    if any(word.startswith("-") for word in rest) or (rest and not hasattr(options, "overrides")):
        options.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.overrides += rest
    if hasattr(options, "resolve_experiment"):
        options.resolve_experiment(options)
    try:
        code = int(options.main(options))
        _flush()
        return code
    except BrokenPipeError:  # the reader, such as head, has seen enough
        close_quietly()
        return 0
    except KeyboardInterrupt:
        print(f"\n{options.prog}: interrupted", file=sys.stderr)
        return 130
    except UserError as error:
        return _told(options, error)
    except OSError as error:
        message = _of_file(error)
        if message is None:
            raise
        return _told(options, UserError(message))
    except Exception as error:
        from robustseg.configuration.messages import explain

        explained = explain(error)
        if explained is None:
            raise
        return _told(options, explained)


def _command(name: str) -> Any:
    return import_module(f"robustseg.cli.{name}")


def _flush() -> None:
    """Print what is left while an error can still be caught."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        close_quietly()


class _Parser(argparse.ArgumentParser):
    """Notes which command was called, such as "robustseg data check", and its parser."""

    def parse_known_args(self, *arguments: Any, **named: Any) -> Any:
        options, rest = super().parse_known_args(*arguments, **named)
        if not hasattr(options, "prog"):  # the innermost parser is the first to end
            options.prog, options.parser = self.prog, self
        return options, rest

    def error(self, message: str) -> NoReturn:
        """Name the command that was meant, where argparse lists them all."""
        found = re.match(r"argument COMMAND: invalid choice: '(.*)' \(choose from (.*)\)", message)
        if found:
            known = suggestion(found[1], re.findall(r"[\w-]+", found[2]))
            message = f"there is no command {found[1]!r}; {known}"
        super().error(message)


def _told(options: argparse.Namespace, error: UserError) -> int:
    print(printable(f"{options.prog}: {error}", keep="\n"), file=sys.stderr)
    return error.exit_code


def _of_file(error: OSError) -> str | None:
    """What the system says of a file, or a command of one that is there; None if neither does."""
    if error.errno is None:
        return str(error) if isinstance(error, FileExistsError) else None
    # Only creating a folder fails because a file is in its place.
    reason = "not a directory" if error.errno == errno.EEXIST else error.strerror
    return f"{error.filename or 'a file'} cannot be read or written ({reason})"


if __name__ == "__main__":
    sys.exit(main())
