"""A lock with a heartbeat, so that two processes do not train the same run."""

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NotRequired

from annotated_types import Gt, Lt
from pydantic import ConfigDict, TypeAdapter, with_config
from typing_extensions import TypedDict

from robustseg.errors import AlreadyRunning
from robustseg.runs.files import DamagedFile, parse_json, read_text
from robustseg.runs.plain_name import Name

HEARTBEAT = 30.0  # seconds between two signs of life
DEAD_AFTER = 300.0  # seconds without one
_LIMIT = 1 << 16  # bytes of a lock
JOB = "ROBUSTSEG_JOB"  # names the job of a sweep that this process computes, if it does


@contextmanager
def hold(path: Path, job: str | None = None) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block.

    The file names the holder's host, process and job of a sweep; its modification time is renewed
    every 30 s. A holder on this host is dead when its process is gone, one on another host or in
    another container when its sign of life is five minutes old, or when it computed the same job:
    a job begins again only where its engine has ended it before. The age of a sign of life is
    measured by the clock of the file system, so that a host whose own clock is wrong takes no live
    lock. A dead holder's lock is taken over by one of those that try, and so is anything that is
    not a lock: a link, a pipe, a file without a holder's name.

    Files alone do not make this certain: a process of another host that stood still for five
    minutes loses its lock, and one that was quicker to take a dead lock over loses it to a third
    that comes in the moment between its lock being mistaken for the dead one and put back.

    Args:
        path: of the lock.
        job: on whose behalf; None: the one that this process computes, as ROBUSTSEG_JOB says.

    Raises:
        AlreadyRunning: a live process holds it.
    """
    me = _myself(job or os.environ.get(JOB))
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, me, stop), daemon=True)
    try:  # Ctrl-C may come while the lock is being taken
        try:
            _acquire(path, me)
        except AlreadyRunning:
            me = {}  # nothing to release
            raise
        heart.start()
        yield
    finally:
        stop.set()
        if heart.is_alive():
            heart.join()
        if holder(path) == me:
            path.unlink(missing_ok=True)


def holder(path: Path) -> dict[str, Any] | None:
    """The live holder of a lock; None if it is free or its holder is dead."""
    lock = _read(path)
    return None if lock is None else _living(lock, None, time.time())


class _Lock(NamedTuple):
    """A lock file as it was read: no two locks are the same in both."""

    text: str
    renewed: int  # modification time in ns


@with_config(ConfigDict(strict=True, extra="allow"))
class _Owner(TypedDict):
    """What a lock says of its holder."""

    host: Name
    pid: Annotated[int, Gt(0), Lt(1 << 31)]
    born: str
    namespace: NotRequired[str]
    job: NotRequired[str | None]


_OWNER = TypeAdapter(_Owner)


def _read(path: Path) -> _Lock | None:
    """The lock; without text where it is not a file that a holder wrote."""
    try:
        found = os.lstat(path)
        try:
            return _Lock(read_text(path, _LIMIT), found.st_mtime_ns)
        except DamagedFile:
            return _Lock("", found.st_mtime_ns)
    except FileNotFoundError:
        return None


def _living(lock: _Lock, job: str | None, now: float) -> dict[str, Any] | None:
    """The holder, if it lives."""
    age = now - lock.renewed / 1e9
    try:
        owner: dict[str, Any] = parse_json(lock.text)
        _OWNER.validate_python(owner)
    except ValueError:  # no name yet: it stands still before it writes it, or was killed
        return {"host": "?", "pid": -1} if abs(age) < HEARTBEAT else None
    here = _namespace()
    if owner["host"] == socket.gethostname() and owner.get("namespace", here) == here:
        return owner if _alive(owner) else None
    if job is not None and owner.get("job") == job:
        return None
    return owner if abs(age) < DEAD_AFTER else None  # no live holder writes in the future


def _time_at(folder: Path) -> float:
    """The time by the clock of a file system, which is the one that stamps locks."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # nothing can be written there, so no lock can be taken over either
        return time.time()


def _myself(job: str | None) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "namespace": _namespace(),
        "pid": os.getpid(),
        "born": _born("self"),
        "job": job,
    }


def _namespace() -> str:
    """Tells apart hosts, and containers, that share a name; empty on systems without /proc."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{os.readlink('/proc/self/ns/pid')} {booted}"
    except OSError:
        return ""


def _acquire(path: Path, me: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text, wrote = json.dumps(me), False
    while True:
        lock = _read(path)
        if lock is None:
            with suppress(FileExistsError):  # another was quicker
                _write(path, text)
                wrote = True
        elif wrote and lock.text == text:
            return  # nobody took it for a dead one's while it stood still without a name
        elif owner := _living(lock, me["job"], _time_at(path.parent)):
            raise AlreadyRunning(
                f"{path.parent.name} is being trained by process {owner['pid']} on "
                f"{owner['host']}; if that is not true, delete {path}"
            )
        else:
            _bury(path, lock)


def _write(path: Path, text: str) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "w") as file:
        file.write(text)


def _bury(path: Path, dead: _Lock) -> None:
    """Take a dead holder's lock away; of several processes that try, one succeeds.

    What is there may be the lock of one that was quicker: that is put back.
    """
    grave = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        os.rename(path, grave)
    except FileNotFoundError:
        return
    if _read(grave) != dead:
        with suppress(FileExistsError):  # a third came in this moment, and stays
            os.link(grave, path, follow_symlinks=False)
    if not grave.is_dir() or grave.is_symlink():
        grave.unlink()


def _beat(path: Path, me: dict[str, Any], stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with suppress(OSError):  # a share that fails for a moment; the next beat tries again
            lock = _read(path)
            if lock and lock.text == json.dumps(me):  # nobody renews what another took over
                os.utime(path, follow_symlinks=False)


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
