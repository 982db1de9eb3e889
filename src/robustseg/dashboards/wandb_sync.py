"""Sends offline runs to wandb, one after another, each within a time limit."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from robustseg.errors import NoKey

_WANDB = (sys.executable, "-m", "wandb")
_FRESH = 300  # seconds; a live run writes each epoch, and may be taken for ended if one is longer


@dataclass(frozen=True)
class OfflineRun:
    """The files that a run left offline, one for each time it was started.

    Attributes:
        run_id: of wandb.
        files: in order of time.
    """

    run_id: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Synced:
    """What became of one run: synced, running (it is still written) or failed, and why."""

    run_id: str
    state: str
    seconds: float = 0.0
    reason: str = ""


def find(folder: Path) -> tuple[list[OfflineRun], int]:
    """The offline runs below a folder that have files which are not synced yet, or not whole.

    A file that has grown since it was synced, of a run that was taken for ended, is synced again.

    Returns:
        The runs, oldest first, with those files; and how many others are synced already.
    """
    waiting: dict[str, list[Path]] = {}
    known = set()
    files = [
        file
        for file in folder.glob("**/offline-run-*/run-*.wandb")
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]
    for file in sorted(files, key=lambda file: file.parent.name):
        run_id = re.sub(r"^offline-run-\d{8}_\d{6}-", "", file.parent.name)
        known.add(run_id)
        if not _is_synced(file):
            waiting.setdefault(run_id, []).append(file)
    runs = [OfflineRun(run_id, tuple(files)) for run_id, files in waiting.items()]
    return runs, len(known) - len(runs)


def check_key() -> None:
    """Look for wandb's API key; nothing is asked, neither of the user nor of the server.

    Raises:
        NoKey: there is none, or it cannot be one.
    """
    import wandb
    from wandb.errors import AuthenticationError

    wandb.setup(wandb.Settings(silent=True, mode="online"))  # WANDB_MODE is for training
    try:
        found = wandb.login(prompt=False, verify=False)
    except AuthenticationError as error:
        raise NoKey(str(error)) from error
    if not found:
        raise NoKey("wandb has no API key: run `wandb login`, or set WANDB_API_KEY")


def sync(
    runs: Sequence[OfflineRun],
    run_limit: float,
    limit: float,
    report: Callable[[int, Synced], None],
    command: Sequence[str] = (*_WANDB, "sync"),
) -> list[Synced]:
    """Sync runs one after another; a call after an interruption continues with the rest.

    Args:
        runs: as `find` gives them.
        run_limit: seconds for one run; without a network wandb would try forever.
        limit: seconds in all.
        report: called for each run, with its number, from 1.
        command: that syncs the files given to it.

    Returns:
        What became of each run.
    """
    end = time.monotonic() + limit
    results = []
    for at, run in enumerate(runs, start=1):
        left = end - time.monotonic()
        if left <= 0:
            result = Synced(
                run.run_id, "failed", reason=f"not tried: the limit of {limit:g} s is reached"
            )
        elif _running(run.files[-1]):
            result = Synced(run.run_id, "running")
        else:
            result = _sync(run, min(run_limit, left), command)
        report(at, result)
        results.append(result)
    return results


def _mark(file: Path) -> Path:
    """What wandb puts beside a file that is synced."""
    return file.with_suffix(".wandb.synced")


def _is_synced(file: Path) -> bool:
    try:
        return _mark(file).stat().st_mtime >= file.stat().st_mtime
    except FileNotFoundError:
        return False


def _sync(run: OfflineRun, limit: float, command: Sequence[str]) -> Synced:
    begin = time.monotonic()
    for file in run.files:
        _mark(file).unlink(missing_ok=True)  # of an earlier, shorter file
    process = subprocess.Popen(
        [*command, *(str(file) for file in run.files)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "WANDB_MODE"},
        start_new_session=True,  # so that what it starts can be ended with it
    )
    try:
        output, _ = process.communicate(timeout=limit)
        reason = _last_line(output) or f"wandb ended with code {process.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"not finished in {limit:.0f} s; is there a network?"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    seconds = time.monotonic() - begin
    # wandb's exit code is 0 as well where the server refused: only its marks tell.
    if all(_mark(file).exists() for file in run.files):
        return Synced(run.run_id, "synced", seconds)
    return Synced(run.run_id, "failed", seconds, reason)


def _last_line(output: str) -> str:
    lines = [line.removeprefix("wandb: ").strip() for line in output.splitlines()]
    errors = [line for line in lines if "error" in line.lower()]
    return next(reversed(errors or [line for line in lines if line]), "")


def _running(file: Path) -> bool:
    """Whether a process still writes the run: it has not ended and its file is fresh."""
    if time.time() - file.stat().st_mtime > _FRESH:
        return False
    inspect = [*_WANDB, "leet", "inspect", "--summary", "--json", str(file)]
    told = subprocess.run(inspect, capture_output=True, text=True)
    if told.returncode:  # unreadable: `wandb sync` says why, and the other runs continue
        return False
    return json.loads(told.stdout)["exit_code"] is None
