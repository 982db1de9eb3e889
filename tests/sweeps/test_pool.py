"""The pool with jobs that end in every way a job can end."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from robustseg.sweeps.pool import run_jobs


class Log:
    def __init__(self):
        self.began, self.failures, self.most, self.now = [], {}, 0, 0

    def started(self, job):
        self.began.append(job)
        self.now += 1
        self.most = max(self.most, self.now)

    def ended(self, job, failure):
        assert job not in self.failures
        self.failures[job] = failure
        self.now -= 1

    def tick(self):
        pass


def work(folder: Path, job: int, overrides):
    """Does what its first override says, and leaves a note of where it did it."""
    (folder / f"{job}").write_text(f"{os.getpid()} {os.environ.get('PLACE')} {os.getpgrp()}")
    match overrides[0]:
        case "raise":
            raise ValueError("no such thing")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "interrupted":
            raise KeyboardInterrupt
        case "interrupt launcher":
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(3600)
        case "sleep":
            time.sleep(3600)


def run(folder, *kinds, places=({"PLACE": "a"}, {"PLACE": "b"})):
    log = Log()
    run_jobs(partial(work, folder), [(n, [kind]) for n, kind in enumerate(kinds)], places, log)
    return log


def notes(folder):
    """Of each job that wrote its note before it was interrupted."""
    texts = {int(note.name): note.read_text().split() for note in folder.iterdir()}
    return {job: text for job, text in texts.items() if text}


def test_every_job_is_done_once_in_its_turn_and_processes_are_kept(tmp_path):
    log = run(tmp_path, *["fine"] * 7)
    assert log.began == list(range(7))
    assert log.failures == dict.fromkeys(range(7))
    assert log.most == 2
    places = {}
    for pid, place, group in notes(tmp_path).values():
        places.setdefault(place, set()).add(pid)
        assert group == pid  # out of reach of the terminal's Ctrl-C
    assert sorted(places) == ["a", "b"]
    assert all(len(pids) == 1 for pids in places.values())
    assert "PLACE" not in os.environ


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("raise", "no such thing"),
        ("interrupted", "its process ended with exit code 130"),
        ("die", "killed by signal 9 (Killed), perhaps out of memory"),
        ("exit", "its process ended with exit code 3"),
    ],
)
def test_a_job_that_fails_or_dies_is_lost_alone(tmp_path, kind, said):
    log = run(tmp_path, "fine", kind, "fine", kind, "fine", places=[{"PLACE": "only"}])
    assert log.failures == {0: None, 1: said, 2: None, 3: said, 4: None}
    processes = {pid for pid, place, _ in notes(tmp_path).values() if place == "only"}
    assert len(processes) == (1 if kind == "raise" else 3)


class DeadlyIn:
    """Work that ends the process that unpickles it in a place, before it reads its job."""

    def __init__(self, place, folder):
        self.place, self.folder = place, folder

    def __reduce__(self):
        return unpickle, (self.place, self.folder)


def unpickle(place, folder):
    if os.environ["PLACE"] == place:
        os._exit(3)
    return partial(work, folder)


def test_a_process_that_dies_before_it_reads_its_job_loses_that_job_alone(tmp_path):
    log = Log()
    places = [{"PLACE": "a"}, {"PLACE": "b"}]
    run_jobs(DeadlyIn("a", tmp_path), [(0, ["fine"]), (1, ["fine"])], places, log)
    assert log.failures == {0: "its process ended with exit code 3", 1: None}


def test_there_are_no_more_processes_than_jobs(tmp_path):
    assert run(tmp_path, "fine", places=[{"PLACE": str(n)} for n in range(5)]).most == 1


def test_an_interrupt_ends_the_jobs_and_leaves_no_process(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "sleep", "interrupt launcher", "fine")
    assert set(notes(tmp_path)) <= {0, 1}  # the third was not begun
    for pid, *_ in notes(tmp_path).values():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_an_interrupt_before_a_process_is_ready_is_heard(tmp_path):
    class Impatient(Log):
        def started(self, job):
            if job == 1:  # the first process is still importing
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(
            partial(work, tmp_path),
            [(0, ["sleep"]), (1, ["sleep"])],
            [{"PLACE": "a"}, {"PLACE": "b"}],
            Impatient(),
        )


def test_a_time_limit_waits_until_a_process_is_started_whole():
    program = """
import time
from robustseg.sweeps import limit
from robustseg.sweeps.pool import _deaf_to_interrupts
whole = False
try:
    with _deaf_to_interrupts():
        limit.arm(0.001)
        time.sleep(0.5)
        whole = True
except limit.TimeIsUp:
    print(whole)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
