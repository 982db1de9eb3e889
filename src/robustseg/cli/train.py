"""`robustseg train`, which train.py also calls: one run, or with -m a sweep of them."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from robustseg.cli.overrides import add_config_dir
from robustseg.configuration.own_conf import conf_folder, import_from_here
from robustseg.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


_TRAIN = ("-m", "--multirun")  # flags of a call that trains
_SCRIPT = re.compile(r"(?:un)?install=(?:bash|fish|zsh)|query=(?:bash|fish|zsh)")  # behind -sc
_OPTIONS = {  # long ones, which argparse would also take shortened
    *("--help", "--hydra-help", "--version", "--cfg", "--resolve", "--package", "--run"),
    *("--multirun", "--shell-completion", "--config-path", "--config-name", "--config-dir"),
    *("--experimental-rerun", "--info"),
}
_SHOW = ("--cfg", "-c", "--info", "-i")  # of one that shows the settings of a run


def add_parser(subparsers: Any) -> None:
    """List the command; Hydra reads its arguments."""
    subparsers.add_parser(
        "train", help="train one run, or with -m a sweep of them", add_help=False
    ).set_defaults(main=main)


def job(cfg: "DictConfig") -> None:
    """One run; heavy imports wait until there is something to train."""
    from robustseg.sweeps.sweep import is_alone
    from robustseg.training.run import run

    try:
        run(cfg)
    except Exception as error:
        if is_alone():
            raise _Failed from error
        raise


class _Failed(BaseException):
    """Why the only run of a call failed; of an Exception, Hydra prints a line of its own."""


def main(arguments: Sequence[str], program: str = "robustseg train") -> int:
    """Run Hydra's main and turn what it raises into a message and an exit code.

    Args:
        arguments: of the command line.
        program: its name, for messages.

    Returns:
        Exit code.
    """
    from robustseg.sweeps import interrupts

    try:
        with interrupts.listening():
            return _call(arguments, program)
    except KeyboardInterrupt:  # before there was anything to resume, or again in the summary
        print("\nInterrupted.", file=sys.stderr)
        return 130


def _call(arguments: Sequence[str], program: str) -> int:
    from robustseg.sweeps import limit, sweep_summary  # first: the clock of the limit starts
    from robustseg.terminal.output import print_anything
    from robustseg.terminal.printable import printable

    print_anything()
    if all(not word.startswith("-") or word in _TRAIN for word in arguments):
        print(f"{program}: reading the settings", file=sys.stderr, flush=True)
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # let errors through; they are explained here
    code, interrupted = 0, False
    try:
        try:
            # The script for Tab calls what it completes by its first word.
            name = program.split()[0] if "-sc" in arguments else program
            sys.argv = [name, *_for_hydra(arguments)]
            import_from_here()
            import hydra

            conf = str(conf_folder())
            hydra.main(version_base="1.3", config_path=conf, config_name="train")(job)()
            sys.stdout.flush()
        finally:
            limit.disarm()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        from robustseg.terminal.output import close_quietly

        close_quietly()
    except (Exception, _Failed) as raised:
        from robustseg.configuration.messages import explain

        error = raised.__cause__ if isinstance(raised, _Failed) and raised.__cause__ else raised
        explained = explain(error, conf_folder(), arguments)
        if explained is None:
            raise error from None
        if sweep_summary.tells(error):
            code = 1  # also where no outcome could be kept for the summary
        else:
            print(printable(f"{program}: {explained}", keep="\n"), file=sys.stderr)
            code = explained.exit_code
    except KeyboardInterrupt:
        interrupted = True
        if not limit.is_over():
            how = _how_to_resume(arguments, " from the last checkpoint")
            print(f"\nInterrupted. {how}", file=sys.stderr)
            code = 130
    code = max(code, sweep_summary.summarise(interrupted=interrupted))
    if interrupted and limit.is_over():
        print(f"The time limit, minutes=…, is reached. {_how_to_resume(arguments)}")
    return code


def _how_to_resume(arguments: Sequence[str], whence: str = "") -> str:
    """What to do after an interruption; with force=true the same command would begin again."""
    if any(word.lower() == "force=true" for word in arguments):
        return "Leave out force=true to resume what was interrupted."
    return f"The same command resumes{whence}."


def complete(arguments: Sequence[str], commands: Sequence[str]) -> int:
    """Answer the shell's question behind Tab, which the script of `-sc install=bash` asks.

    Args:
        arguments: -sc query=SHELL; COMP_LINE and COMP_POINT hold the line and the place in it.
        commands: of `robustseg`, which are answered for the first word behind it.

    Returns:
        Exit code.
    """
    line = os.environ.get("COMP_LINE", "")
    words = [*line.split(), *([""] if line.endswith(" ") else [])]
    if "query=" in arguments[-1] and len(words) == 2:
        print(" ".join(commands))
    elif "query=" not in arguments[-1] or words[1:2] == ["train"]:
        before, train, rest = line.partition(" train ")  # Hydra looks for overrides only
        os.environ["COMP_LINE"] = f"{before} {rest}" if train else line
        os.environ["COMP_POINT"] = str(len(os.environ["COMP_LINE"]))
        return main(arguments)
    return 0


def _for_hydra(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra's parser takes them.

    --config-dir is left out: its folder is looked up as all commands do it. -m comes first, for
    overrides on both sides of it would be "unrecognized arguments".

    Raises:
        ConfigError: it trains and shows settings at once, asks for no known shell's script, or
            has an option or a choice that there is not.
    """
    if "-sc" in arguments and not any(map(_SCRIPT.fullmatch, arguments)):
        raise ConfigError("-sc is for Tab: write -sc install=bash or -sc install=fish")
    shown = [word for word in arguments if word.partition("=")[0] in _SHOW]
    if shown and set(arguments) & set(_TRAIN):
        raise ConfigError(f"{shown[0]} shows the settings of one run: leave out -m")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_config_dir(parser)
    rest = parser.parse_known_args(arguments)[1]
    for word in rest:
        if word.startswith("--") and word.partition("=")[0] not in _OPTIONS:
            raise ConfigError(
                f"{word}: no such option. Settings are written NAME=VALUE, without dashes, such "
                "as loss=tloss, trainer.max_epochs=3 or +experiment=demo"
            )
    from robustseg.configuration.checks import check_choices

    check_choices(rest)
    return sorted(rest, key=lambda word: word not in _TRAIN)
