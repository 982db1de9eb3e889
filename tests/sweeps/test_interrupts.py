"""Interrupts of processes of their own, and of runs."""

import os
import signal
import subprocess
import sys

import pytest

from robustseg.runs.folder import RunFolder
from robustseg.sweeps import interrupts
from robustseg.training import checkpoint_io, train
from robustseg.training.run import run

CTRL_C = {
    "one that a destructor swallows is raised again": """
class Slow:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(3600)

interrupts.listen()
Slow()
try:
    interrupts.stop_if_lost()
except KeyboardInterrupt:
    print(True)
""",
    "where none came nothing is raised": """
interrupts.listen()
with interrupts.later():
    pass
interrupts.stop_if_lost()
print(True)
""",
    "it waits for the end of a block": """
done = []
try:
    with interrupts.later():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        done.append(True)
except KeyboardInterrupt:
    print(done == [True])
""",
    "so does the time limit": """
from robustseg.sweeps import limit
done = []
try:
    with interrupts.later():
        limit.arm(1e-4)
        time.sleep(0.1)
        done.append(limit.is_over())
    time.sleep(3600)
except limit.TimeIsUp:
    print(done == [False])
""",
    "nor is one lost if the block fails": """
interrupts.listen()
try:
    with interrupts.later():
        os.kill(os.getpid(), signal.SIGINT)
        raise OSError("the disk is full")
except KeyboardInterrupt as stop:
    print(str(stop.__context__) == "the disk is full")
""",
    "SIGTERM from Slurm waits too": """
from robustseg.sweeps import slurm
signal.signal(signal.SIGTERM, slurm._end)
done = []
try:
    with interrupts.later():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)
        done.append(True)
except KeyboardInterrupt:
    print(done == [True])
""",
    "SIGTERM from Slurm is raised again if a destructor swallows it": """
from robustseg.sweeps import slurm
signal.signal(signal.SIGTERM, slurm._end)
class Slow:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(3600)

Slow()
try:
    interrupts.stop_if_lost()
except KeyboardInterrupt:
    print(True)
""",
    "a child of the block does not hear it": """
with interrupts.later():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    print(subprocess.run([sys.executable, "-c", code]).returncode == 0)
""",
    "one that was ignored stays so": """
signal.signal(signal.SIGINT, signal.SIG_IGN)
with interrupts.listening():
    print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
""",
    "the handler of before is back behind a block": """
with interrupts.listening():
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
""",
    "outside the main thread a block is a block": """
import threading
def held():
    with interrupts.later():
        print(True)
thread = threading.Thread(target=held)
thread.start()
thread.join()
""",
}


@pytest.mark.parametrize("program", CTRL_C.values(), ids=CTRL_C)
def test_ctrl_c(program):
    imports = "import os, signal, subprocess, sys, time\nfrom robustseg.sweeps import interrupts\n"
    call = [sys.executable, "-c", imports + program]
    done = subprocess.run(call, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.fixture
def handlers():
    """Those of before: Lightning ignores Ctrl-C from the first on."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupted:
    """A file whose first write is interrupted."""

    def __init__(self, path, mode):
        self.file = open(path, mode)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        if self.file.tell() == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return self.file.write(data)

    def flush(self):
        self.file.flush()


def test_ctrl_c_while_a_checkpoint_is_written_interrupts_the_run_behind_it(
    tiny, only_run, monkeypatch, handlers
):
    run(tiny())
    (metrics,) = only_run().glob("metrics.json")
    whole = metrics.read_bytes()
    monkeypatch.setattr(checkpoint_io, "open", Interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        run(tiny("force=true"))
    folder = RunFolder(only_run())
    assert folder.read_status()["state"] == "running"
    assert folder.checkpoint.exists()
    assert len(folder.epochs.read_text().splitlines()) == 1 + 1  # a header, an epoch
    monkeypatch.undo()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(tiny())
    assert metrics.read_bytes() == whole


def test_an_error_that_an_interrupt_became_is_no_failure(tiny, only_run, monkeypatch, handlers):
    def swallow(*_):
        try:
            interrupts.interrupt(KeyboardInterrupt)
        except KeyboardInterrupt:
            raise OSError("the disk is full") from None

    monkeypatch.setattr(train, "train", swallow)
    with pytest.raises(KeyboardInterrupt):
        run(tiny())
    assert RunFolder(only_run()).read_status()["state"] == "running"
