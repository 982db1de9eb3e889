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
JOB = "ROBUSTSEG_JOB"  # names the job of a sweep that this process computes, if it does


class AlreadyRunning(RuntimeError):
    """Another live process trains this run."""


@contextmanager
def hold(path: Path, job: str | None = None) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block.

    The file names the holder's host, process and job of a sweep; its modification time is renewed
    every 30 s. A holder on this host is dead when its process is gone, one on another host when
    its sign of life is five minutes old, or when it computed the same job: a job begins again only
    where its engine has ended it before. A dead holder's lock is taken over.

    Args:
        path: of the lock.
        job: on whose behalf; None: the one that this process computes, as ROBUSTSEG_JOB says.

    Raises:
        AlreadyRunning: a live process holds it.
    """
    me = _myself(job or os.environ.get(JOB))
    _acquire(path, me)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, stop), daemon=True)
    heart.start()
    try:
        yield
    finally:
        stop.set()
        heart.join()
        if holder(path) == me:
            path.unlink(missing_ok=True)


def holder(path: Path, job: str | None = None) -> dict[str, Any] | None:
    """The live holder of a lock, seen by a job; None if it is free or its holder is dead."""
    found = _read(path)
    return _living(*found, job) if found else None


def _read(path: Path) -> tuple[str, float] | None:
    """What a lock says, and seconds since its last sign of life; None if there is none."""
    try:
        return path.read_text(), time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return None


def _living(text: str, age: float, job: str | None) -> dict[str, Any] | None:
    try:
        owner = json.loads(text)
    except ValueError:  # killed before it could write its name: alive only for a moment
        return {"host": "?", "pid": -1} if age < 1 else None
    here = owner["host"] == socket.gethostname()
    if here and owner.get("space", _space()) == _space():  # containers may share a host's name
        return owner if _alive(owner) else None
    if job is not None and owner.get("job") == job:
        return None
    return owner if age < DEAD_AFTER else None


def _myself(job: str | None) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "space": _space(),
        "pid": os.getpid(),
        "born": _born("self"),
        "job": job,
    }


def _space() -> str:
    """The namespace in which process numbers mean something; empty on systems without /proc."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _acquire(path: Path, me: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            found = _read(path)
            if found is None:
                continue
            owner = _living(*found, me["job"])
            if owner is not None:
                raise AlreadyRunning(
                    f"{path.parent.name} is being trained by process {owner['pid']} on "
                    f"{owner['host']}; if that is not so, delete {path}"
                ) from None
            _bury(path, found[0])
            continue
        with os.fdopen(descriptor, "w") as file:
            json.dump(me, file)
        return


def _bury(path: Path, dead: str) -> None:
    """Take a dead holder's lock away, by what it says.

    Of several processes that try, one succeeds; a live lock that another one has put there since
    is put back.
    """
    grave = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        os.rename(path, grave)
    except FileNotFoundError:
        return
    if grave.read_text() != dead:
        with suppress(FileExistsError):
            os.link(grave, path)
    grave.unlink()


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
    """Start time of a process in clock ticks: tells a process from a later one of the same pid.

    A process that has ended and is still listed, because its parent has not asked for it yet, has
    the time "ended". Empty on systems without /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]
