"""Which experiments runs belong to that have no folder here, since a record has their numbers."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from robustseg.terminal.printable import is_plain

_FOLDER = ".recorded"
_LONGEST = 255  # bytes that the name of a file may have


def join(runs: Path, run_id: str, experiment: str) -> None:
    """Note that a recorded run belongs to an experiment.

    The note is an empty file, `<runs>/.recorded/<experiment>/<run id>`: there is nothing to be
    read and changed, so any number of processes, on any hosts, can join at once without a lock.
    A name that is not fit for a folder is written as in a URL.

    Args:
        runs: folder of the runs, which need not exist.
        run_id: of a run that a record has.
        experiment: its name.

    Raises:
        OSError: it cannot be written.

    Examples:
        >>> import tempfile
        >>> runs = Path(tempfile.mkdtemp())
        >>> join(runs, "synthetic-gce-clean-s0-1f2e3d4c", "demo")
        >>> joined(runs)
        {'synthetic-gce-clean-s0-1f2e3d4c': ['demo']}
    """
    folder = runs / _FOLDER / _folder_name(experiment)
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.O_CREAT | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(folder / run_id, flags, 0o666))


def joined(runs: Path) -> dict[str, list[str]]:
    """The experiments that `join` noted, sorted, by run id; empty if there are none.

    Raises:
        OSError: a folder is there and cannot be read.
    """
    experiments: dict[str, list[str]] = {}
    if not (runs / _FOLDER).is_dir():
        return {}
    for folder in (runs / _FOLDER).iterdir():
        if folder.is_symlink() or not folder.is_dir() or not is_plain(unquote(folder.name)):
            continue  # no note of ours
        for note in folder.iterdir():
            experiments.setdefault(note.name, []).append(unquote(folder.name))
    return {run_id: sorted(experiments[run_id]) for run_id in sorted(experiments)}


def joined_in(folders: Iterable[Path]) -> dict[str, list[str]]:
    """What `joined` gives of several folders of runs; of others nothing."""
    notes: dict[str, list[str]] = {}
    for folder in folders:
        for run_id, names in joined(folder).items():
            notes.setdefault(run_id, []).extend(names)
    return notes


def _folder_name(experiment: str) -> str:
    """No slash, and no dot at the start, which would hide the folder or lead out of it."""
    name = quote(experiment, safe=" ")
    if len(name) > _LONGEST:  # nine bytes for each letter of some scripts
        name = "".join(quote(one, safe=" ") if one.isascii() else one for one in experiment)
    return re.sub(r"^\.", "%2E", name)
