"""What a terminal of 80 columns shows."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.conftest import TINY
from tests.integration.test_train import ROOT

COLUMNS = 80


@pytest.fixture
def screen(tmp_path, cache):
    """A function that sweeps in a terminal, and gives each line it ever showed."""

    def call(*arguments):
        places = [
            f"paths.runs={tmp_path}/runs",
            f"paths.logs={tmp_path}/logs",
            f"paths.cache={cache}",
        ]
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        # COLUMNS would win over the size of the terminal.
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        with subprocess.Popen(
            [sys.executable, "train.py", "-m", *TINY, *places, *arguments],
            cwd=ROOT,
            env=environment | {"TERM": "xterm"},
            stdin=end,
            stdout=end,
            stderr=end,
        ) as program:
            os.close(end)
            shown = b"".join(iter(lambda: _read(terminal), b""))
        os.close(terminal)
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
        assert program.returncode == 0, text
        return re.split(r"[\r\n]+", text)

    return call


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # the program has closed its end
        return b""


def test_a_sweep_says_which_run_it_trains_and_each_run_how_far_it_is(screen):
    lines = screen("loss=tloss,gce", "trainer.max_epochs=3", "evaluation.last=1")
    assert lines[0] == "train.py: reading the settings"
    assert "2 runs, one after another" in lines
    (first,) = [line for line in lines if line.startswith("run 1 of 2: ")]
    (second,) = [line for line in lines if line.startswith("run 2 of 2 (1 done, ")]
    assert "-tloss-" in first
    assert re.search(r"\d s left\): .*-gce-", second)
    bars = [line for line in lines if line.startswith("epoch ")]
    assert all(len(bar.rstrip()) < COLUMNS - 2 for bar in bars)  # room for a ^C
    finished = [bar for bar in bars if "epoch 3/3" in bar and "Dice" in bar]
    assert any(re.search(r"━{10,} +loss \S+ +ν \S+ +Dice 0\.\d{3}", bar) for bar in finished)
    assert any(re.search(r"━{10,} +loss \S+ +Dice 0\.\d{3}", bar) for bar in finished)


def test_a_sweep_in_processes_lists_the_running_runs_with_their_epochs(screen):
    # 80 slow steps a run: several of the launcher's looks, 2 s apart, see it train.
    lines = screen(
        *("hydra/launcher=local", "hydra.launcher.n_jobs=1", "loss=tloss", "seed=0,1"),
        *("loss._target_=tests.integration.slow.SlowTLoss", "dataset.batch_size=5"),
        *("trainer.max_epochs=40", "evaluation.every=40", "evaluation.last=1"),
    )
    assert any(re.match(r"0 of 2 ━+ 1 running", line) for line in lines)
    assert any(re.match(r"1 of 2 ━+.* 1 done, 1 running, \d+ s left", line) for line in lines)
    assert any(re.match(r"2 of 2 ━+ 2 done", line) for line in lines)
    assert any(re.match(r"  \S+-tloss-\S+ +epoch \d+/40", line) for line in lines)
    assert all(len(line.rstrip()) < COLUMNS - 2 for line in lines if " of 2 ━" in line)
