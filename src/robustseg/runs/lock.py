"""A lock with a heartbeat, so that two processes never train the same run."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HEARTBEAT = 30.0  # seconds between two signs of life
DEAD_AFTER = 300.0  # seconds without one


class AlreadyRunning(RuntimeError):
    """Another live process trains this run."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block.

    The file names the holder's host, process and Slurm job; its modification time is renewed every
    30 s. A holder on this host is dead when its process is gone, one on another host when its sign
    of life is five minutes old, or when it is this very Slurm job before it was queued again; a
    dead holder's lock is taken over.

    Raises:
        AlreadyRunning: a live process holds it.
    """
    _acquire(path)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        if (holder(path) or {}).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


def holder(path: Path) -> dict[str, Any] | None:
    """Host and pid of the live holder of a lock; None if it is free or its holder is dead."""
    try:
        owner = json.loads(path.read_text())
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None
    except ValueError:  # killed before it could write its name: alive only for a moment
        owner, age = {"host": "?", "pid": -1}, time.time() - path.stat().st_mtime
        return owner if age < 1 else None
    if owner["host"] == socket.gethostname():
        return owner if _alive(owner) else None
    if owner.get("job") and owner["job"] == _slurm_job():
        return None
    return owner if age < DEAD_AFTER else None


def _acquire(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    name = json.dumps(
        {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "born": _born("self"),
            "job": _slurm_job(),
        }
    )
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            owner = holder(path)
            if owner is not None:
                raise AlreadyRunning(
                    f"{path.parent.name} is being trained by process {owner['pid']} on "
                    f"{owner['host']}; if that is not so, delete {path}"
                ) from None
            _bury(path)
            continue
        with os.fdopen(descriptor, "w") as file:
            file.write(name)
        return


def _bury(path: Path) -> None:
    """Take a dead holder's lock away; of several processes that try, one succeeds."""
    grave = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        os.rename(path, grave)
    except FileNotFoundError:
        return
    grave.unlink()


def _slurm_job() -> str | None:
    """The Slurm job that this process belongs to; it keeps its number when it is queued again."""
    number = os.environ.get("SLURM_JOB_ID")
    return f"{os.environ.get('SLURM_CLUSTER_NAME', '')}:{number}" if number else None


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with suppress(OSError):  # a share that fails for a moment; the next beat tries again
            os.utime(path)


def _alive(owner: dict[str, Any]) -> bool:
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _born(owner["pid"]) == owner["born"]


def _born(pid: int | str) -> str:
    """Start time of a process in clock ticks: tells a process from a later one of the same pid."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.read_text().rpartition(")")[2].split()[19] if stat.exists() else ""
