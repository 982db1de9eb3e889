"""A pool of processes in which the death of one loses its job and nothing else."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from robustseg.sweeps import interrupts

Job = tuple[int, Sequence[str]]
_LOOK = 0.5  # seconds between two looks for the dead, and two of the display
GRACE = 180.0  # seconds that interrupted jobs have to end; a machine may stand still for some


class Observer(Protocol):
    """Receives what becomes of the jobs, in the process that launched them."""

    def started(self, job: int) -> None:
        """A process has taken the job."""

    def ended(self, job: int, failure: str | None) -> None:
        """The job returned (None), raised, or lost its process."""

    def tick(self) -> None:
        """Twice a second."""


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection
    place: Mapping[str, str]
    job: int | None = None


def run_jobs(
    work: Callable[[int, Sequence[str]], None],
    jobs: Sequence[Job],
    places: Sequence[Mapping[str, str]],
    observer: Observer,
) -> None:
    """Run every job, at most one at a time in each place.

    A process lives in a place and takes one job after another, so that imports are paid once; if
    it dies, it is replaced. The processes are started afresh (spawn) and end with this one.

    Args:
        work: called in a worker with a job's number and overrides; must be picklable.
        jobs: what to run, in this order.
        places: environment variables, a set for each process.
        observer: notified of what happens.

    Raises:
        KeyboardInterrupt: after the jobs were interrupted and have ended.
    """
    waiting = deque(jobs)
    workers: list[_Worker] = []
    try:
        for place in places[: len(waiting)]:
            workers.append(_start(work, place))
            _give(workers[-1], waiting, observer)
        while busy := [worker for worker in workers if worker.job is not None]:
            wait([worker.connection for worker in busy], timeout=_LOOK)
            observer.tick()
            for worker in busy:
                _look(worker, work, workers, waiting, observer)
    finally:
        for worker in workers:
            worker.connection.close()  # an idle worker ends when nobody is left to give it a job
        _stop([worker.process for worker in workers if worker.process.is_alive()])


def _look(
    worker: _Worker,
    work: Callable[[int, Sequence[str]], None],
    workers: list[_Worker],
    waiting: deque[Job],
    observer: Observer,
) -> None:
    """See whether a worker's job has ended, and give out the next."""
    alive = worker.process.is_alive()  # before looking for an answer, which may be its last
    if worker.connection.poll():
        try:
            failure = worker.connection.recv()
        except (EOFError, ConnectionError):  # the latter if its job is still unread
            worker.process.join(GRACE)
            failure, alive = _cause_of_death(worker.process), False
    elif alive:
        return
    else:
        failure = _cause_of_death(worker.process)
    assert worker.job is not None
    observer.ended(worker.job, failure)
    worker.job = None
    if not alive:
        workers.remove(worker)
        worker.connection.close()
        if waiting:
            workers.append(_start(work, worker.place))
            _give(workers[-1], waiting, observer)
    elif waiting:
        _give(worker, waiting, observer)


def _give(worker: _Worker, waiting: deque[Job], observer: Observer) -> None:
    job = waiting.popleft()
    worker.job = job[0]
    observer.started(job[0])
    with suppress(ConnectionError):  # it died just now; the next look finds it dead
        worker.connection.send(job)


def _start(work: Callable[[int, Sequence[str]], None], place: Mapping[str, str]) -> _Worker:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, work))
    with _environment(place), _deaf_to_interrupts():
        process.start()
    theirs.close()
    return _Worker(process, ours, place)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Variables that must be there before a process imports anything."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Children start with Ctrl-C ignored, until they are ready to end in good order.

    A time limit waits for the moment, lest it leave half a process.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])


def _cause_of_death(process: BaseProcess) -> str:
    code = process.exitcode
    if code is None:
        return "its process closed its connection"
    if code >= 0:
        return f"its process ended with exit code {code}"
    memory = ", perhaps out of memory" if -code == signal.SIGKILL else ""
    return f"killed by signal {-code} ({signal.strsignal(-code)}){memory}"


def _stop(processes: Sequence[BaseProcess]) -> None:
    """Wait for processes to end; interrupted ones first, and kill those that do not."""
    if sys.exc_info()[0] is not None:
        for process in processes:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGINT)
    deadline = time.monotonic() + GRACE
    try:
        for process in processes:
            process.join(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            process.kill()


def _serve(connection: Connection, work: Callable[[int, Sequence[str]], Any]) -> None:
    """A worker's life: take a job, do it, say how it went."""
    os.setsid()  # Ctrl-C on the terminal goes to the launcher, which passes it on once
    _keep_priority()
    interrupts.listen()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        while True:
            job, overrides = connection.recv()
            if connection.poll():  # nothing follows a job but the end: it was interrupted before
                return  # this process could hear it
            failure = None
            try:
                work(job, overrides)
            except Exception as error:
                failure = str(error) or type(error).__name__
            connection.send(failure)
    except (EOFError, ConnectionError):
        return  # nothing more to do
    except KeyboardInterrupt:
        sys.exit(130)  # asked to end; where the launcher did not ask, its job has failed


def _keep_priority() -> None:
    """Give the new session the niceness of its process.

    Linux shares processors among sessions first, by a niceness of their own: a sweep that was
    started with `nice` would else compete with everything else as an equal.
    """
    nice, session = os.getpriority(os.PRIO_PROCESS, 0), Path("/proc/self/autogroup")
    if nice > 0 and session.exists():
        with suppress(OSError):  # a container may forbid it; the runs are the same
            session.write_text(str(nice))


def _end_with_parent() -> None:
    """Interrupt the job when the launcher is gone, killed or closed with its terminal."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGINT)
