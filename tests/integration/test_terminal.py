"""What a terminal of 80 columns shows."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios

import pytest

from tests.conftest import TINY
from tests.integration.conftest import HELD_LOSS
from tests.integration.test_train import ROOT
from tests.program import Ended

COLUMNS = 80


class Shown:
    """What a terminal showed of a call.

    Attributes:
        code: exit code.
        raw: all that was written, with the terminal's codes.
        lines: each line that was ever shown.
        restored: whether the terminal is as before, with its cursor.
    """

    def __init__(self, code, raw, restored):
        self.code = code
        self.raw = raw
        self.lines = re.split(r"[\r\n]+", _plain(raw))
        self.restored = restored and raw.rfind("\x1b[?25h") >= raw.rfind("\x1b[?25l")


def _plain(raw):
    """What is shown, without the terminal's codes."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", raw)


@pytest.fixture
def terminal(tmp_path, cache):
    """A function that trains in a terminal.

    It types Ctrl-C as soon as the terminal has shown `interrupt_at`, a pattern; or it does what
    `when` says, pairs of a pattern and what to do when that is shown, one after the other.
    """

    def call(*arguments, interrupt_at=None, when=()):
        places = [
            f"paths.runs={tmp_path}/runs",
            f"paths.logs={tmp_path}/logs",
            f"paths.cache={cache}",
        ]
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
        before = termios.tcgetattr(terminal)
        # COLUMNS would win over the size of the terminal.
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        raw, waiting = b"", list(when)
        if interrupt_at:
            waiting.append((interrupt_at, lambda: os.write(terminal, b"\x03")))
        with Ended(
            [sys.executable, "train.py", *TINY, *places, *arguments],
            cwd=ROOT,
            env=environment | {"TERM": "xterm"},
            stdin=end,
            stdout=end,
            stderr=end,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # who gets the Ctrl-C
        ) as program:
            try:
                while part := _read(terminal, program):
                    raw += part
                    if waiting and re.search(waiting[0][0], _plain(raw.decode(errors="ignore"))):
                        waiting.pop(0)[1]()
            except BaseException as error:  # such as pytest's time limit
                error.add_note(f"The terminal showed: {raw[-2000:]!r}")
                raise
        restored = termios.tcgetattr(terminal) == before
        os.close(end)
        os.close(terminal)
        return Shown(program.returncode, raw.decode(), restored)

    return call


@pytest.fixture
def screen(terminal):
    """A function that sweeps in a terminal, and gives each line it ever showed."""

    def call(*arguments, when=()):
        shown = terminal("-m", *arguments, when=when)
        assert shown.code == 0, shown.raw
        return shown.lines

    return call


def _read(terminal, program):
    """What is shown next; nothing once the program has ended and all is read."""
    while True:
        ended = program.poll() is not None  # before looking for its last words
        if select.select([terminal], [], [], 0.1)[0]:
            return os.read(terminal, 65536)
        if ended:
            return b""


def test_a_sweep_says_which_run_it_trains_and_each_run_how_far_it_is(screen):
    lines = screen("loss=tloss,gce", "trainer.max_epochs=3", "evaluation.last=1")
    assert lines[0] == "train.py: reading the settings"
    assert "2 runs, one after another" in lines
    (first,) = [line for line in lines if line.startswith("run 1 of 2: ")]
    (second,) = [line for line in lines if line.startswith("run 2 of 2 (1 done, ")]
    assert "-tloss-" in first
    assert re.search(r"\d (s|min) left\): .*-gce-", second)
    bars = [line for line in lines if line.startswith("epoch ")]
    assert all(len(bar.rstrip()) < COLUMNS - 2 for bar in bars)  # room for a ^C
    finished = [bar for bar in bars if "epoch 3/3" in bar and "Dice" in bar]
    assert any(re.search(r"━{10,} +loss \S+ +ν \S+ +Dice 0\.\d{3}", bar) for bar in finished)
    assert any(re.search(r"━{10,} +loss \S+ +Dice 0\.\d{3}", bar) for bar in finished)


def test_a_sweep_in_processes_lists_the_running_runs_with_their_epochs(screen, held):
    first, second = held("0", "1")  # each until one of the launcher's looks has seen it train
    lines = screen(
        *("hydra/launcher=local", "hydra.launcher.n_jobs=1", "loss=tloss", "seed=0,1"),
        *(HELD_LOSS, "trainer.max_epochs=40", "evaluation.every=40", "evaluation.last=1"),
        when=[
            (r"  \S+-tloss-\S+ +epoch [2-9]/40", first.unlink),
            (r"1 of 2 ━+.* 1 done, 1 running, \d+ (s|min) left", second.unlink),
        ],
    )
    assert any(re.match(r"0 of 2 ━+ 1 running", line) for line in lines)
    one_done = r"1 of 2 ━+.* 1 done, 1 running, \d+ (s|min) left"
    assert any(re.match(one_done, line) for line in lines)
    assert any(re.match(r"2 of 2 ━+ 2 done", line) for line in lines)
    assert any(re.match(r"  \S+-tloss-\S+ +epoch \d+/40", line) for line in lines)
    assert all(len(line.rstrip()) < COLUMNS - 2 for line in lines if " of 2 ━" in line)


@pytest.mark.parametrize(
    ("arguments", "ends"),
    [
        ((), []),
        (("-m", "loss=tloss,mae,gce"), ["3 runs: 1 interrupted, 2 not started."]),
        (
            ("-m", "loss=tloss,mae,gce", "hydra/launcher=local", "hydra.launcher.n_jobs=1"),
            ["3 runs: 1 interrupted, 2 not started."],
        ),
    ],
    ids=["one run", "a sweep", "a sweep in processes"],
)
def test_ctrl_c_is_answered_by_one_line_and_leaves_the_terminal_as_it_was(
    terminal, arguments, ends
):
    settings = ("trainer.max_epochs=100000", "evaluation.every=100000", "evaluation.last=1")
    shown = terminal(*arguments, *settings, interrupt_at=r"epoch \d{2,}/100000")
    assert shown.code == 130, shown.raw
    assert shown.restored
    assert "Traceback" not in shown.raw
    after = shown.lines[next(at for at, line in enumerate(shown.lines) if "^C" in line) + 1 :]
    told = [line.partition(" Table: ")[0] for line in after if line.startswith(("Inter", "3 runs"))]
    assert told == ["Interrupted. The same command resumes from the last checkpoint.", *ends]
    if not arguments:  # nothing but the bar comes before that line, and nothing after it
        assert all(line.startswith("epoch ") for line in after[: after.index(told[0])] if line)
        assert not any(after[after.index(told[0]) + 1 :])
