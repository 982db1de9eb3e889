"""`robustseg runs rm` and `robustseg runs archive`."""

import argparse
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from robustseg.cli.run_filters import add_state_filters, check_once, in_state
from robustseg.errors import AlreadyRunning, ConfigError, NoRuns
from robustseg.runs.folder import ASIDE, RunFolder
from robustseg.runs.lock import hold
from robustseg.runs.survey import look, survey
from robustseg.terminal.count import count
from robustseg.terminal.printable import is_plain, printable

_ASIDE = "set aside"  # what such folders have for a state


def add_parser(subparsers: Any) -> None:
    """Add the command ``runs`` and its subcommands; those of records are in `cli.records`."""
    from robustseg.cli import verify
    from robustseg.cli.records import add_parsers

    parser = subparsers.add_parser(
        "runs",
        help="pack, verify, delete or move runs",
        description="Keep the numbers of finished runs in small records for git, verify runs and "
        "records against their checksums, delete runs, or move them to another "
        "folder.",
        epilog="robustseg runs COMMAND --help",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_parsers(commands)
    verify.add_parser(commands)
    remove = commands.add_parser(
        "rm",
        help="delete runs",
        description="Delete the runs that the filters select, or those named. Running ones are "
        "kept.",
        epilog="robustseg runs rm --state failed damaged",
    )
    archive = commands.add_parser(
        "archive",
        help="move runs to another folder",
        description="Move the runs that the filters select, or those named, to another folder, "
        "from which tables can still be made (--runs). Running ones are not moved.",
        epilog="robustseg runs archive --experiment old --to /mnt/old-runs",
    )
    archive.add_argument("--to", type=Path, help="folder (default: <runs>-archive)")
    for command in (remove, archive):
        command.add_argument("ids", nargs="*", help="run ids; none: all that the filters select")
        command.add_argument(
            "--runs", type=Path, default=Path("runs"), help="folder (default: runs)"
        )
        add_state_filters(command)
        command.add_argument("--yes", action="store_true", help="do not ask")
        command.set_defaults(main=main, to=None, command=command.prog.split()[-1])
    remove.add_argument(
        "--aside",
        action="store_true",
        help="also folders that were set aside because of force=true or damage",
    )


def main(options: argparse.Namespace) -> int:
    """Delete or move what is selected, after a question; 1 if the answer was no."""
    if not options.runs.is_dir():
        raise NoRuns(f"no such directory: {options.runs}")
    folders = _chosen(options)
    if getattr(options, "aside", False):
        folders |= dict.fromkeys(_set_aside(options.runs, options.ids), _ASIDE)
    if not folders:
        raise NoRuns(f"no run in {options.runs} is selected")
    if not options.yes and not _agreed(options, folders):
        return 1
    taken = {path: _take(path, state, _destination(options)) for path, state in folders.items()}
    kept = {path: why for path, why in taken.items() if why}
    for path, why in kept.items():
        print(f"{printable(path.name)} {why}")
    verb = "deleted" if options.command == "rm" else f"moved to {_destination(options)}"
    print(f"{count(len(folders) - len(kept), 'folder')} {verb}")
    return 0


def _chosen(options: argparse.Namespace) -> dict[Path, str]:
    """The folders of the runs that are asked for, with their states."""
    check_once(options)
    known = survey(options.runs)
    unknown = set(options.ids) - {run.run_id for run in known}
    if unknown:
        experiments = unknown & {name for run in known for name in run.experiments}
        hint = "".join(f"; {one} is an experiment: --experiment {one}" for one in experiments)
        raise ConfigError(f"there is no run {', '.join(sorted(unknown))} in {options.runs}{hint}")
    narrowed = options.ids or options.state or options.experiment or options.where
    if not narrowed and getattr(options, "aside", False):
        return {}
    if not narrowed:
        raise ConfigError("which runs? Name them, or give --experiment, --state or --where")
    named = [run for run in known if not options.ids or run.run_id in options.ids]
    chosen = [run for run in in_state(named, options) if run.state != "running"]
    # A state has the name as it is shown; one that is shown as it is comes before others.
    paths = sorted(options.runs.iterdir(), key=lambda path: is_plain(path.name))
    shown = {printable(path.name): path for path in paths}
    return {shown.get(run.run_id, options.runs / run.run_id): run.state for run in chosen}


def _set_aside(runs: Path, ids: Sequence[str]) -> list[Path]:
    """Hidden folders that older attempts were moved to."""
    found = [(path, re.fullmatch(ASIDE, path.name)) for path in sorted(runs.glob(".*"))]
    return [path for path, match in found if match and (not ids or match[1] in ids)]


def _agreed(options: argparse.Namespace, folders: Mapping[Path, str]) -> bool:
    for path in [*folders][:20]:
        print(f"  {printable(path.name)}")
    if len(folders) > 20:
        print(f"  and {len(folders) - 20} more")
    said = ", ".join(f"{count} {state}" for state, count in Counter(folders.values()).items())
    verb = "Delete" if options.command == "rm" else f"Move to {_destination(options)}"
    try:
        answer = input(f"{verb}: {count(len(folders), 'folder')} ({said})? [y/N] ")
    except EOFError:  # nobody is there to answer
        return False
    return answer.strip().lower() in ("y", "yes")


def _destination(options: argparse.Namespace) -> Path | None:
    if options.command == "rm":
        return None
    if options.to:
        return Path(options.to)
    # "." and ".." have no name of their own.
    runs = options.runs.resolve() if options.runs.name in ("", "..") else options.runs
    if not runs.name:
        raise ConfigError(f"--runs {runs} has no folder beside it: choose one with --to")
    return Path(runs.with_name(f"{runs.name}-archive"))


def _take(path: Path, state: str, destination: Path | None) -> str:
    """Delete a folder, or move it, if it still is in the state in which it was chosen.

    Returns:
        "", or why it is not taken: a sweep may have finished it while a question was open.
    """
    if not os.path.lexists(path):
        return "is no longer there"
    if path.is_symlink():  # a lock would lie behind it, and so would what is deleted
        if changed := _changed(path, state):
            return changed
        if destination is None:
            path.unlink()
        else:
            destination.mkdir(parents=True, exist_ok=True)
            path.rename(destination / path.name)
        return ""
    try:
        with hold(RunFolder(path).lock):
            if changed := _changed(path, state):
                return changed
            if destination is None:
                shutil.rmtree(path)
                return ""
            target = destination / path.name
            if target.exists():
                raise ConfigError(f"{target} exists already: choose another --to")
            destination.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
            RunFolder(target).lock.unlink(missing_ok=True)
            return ""
    except AlreadyRunning:
        return "is being trained and stays where it is"


def _changed(path: Path, state: str) -> str:
    """What became of a folder, if its state is another one."""
    now = state if state == _ASIDE else look(RunFolder(path), held=True).state
    return "" if now == state else f"was {state}, is now {now} and stays where it is"
