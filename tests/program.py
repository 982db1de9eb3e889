"""train.py in a process that has its libraries already.

A process forked from one that has imported them does what `python train.py` does, all but the
import, which takes longer than most of what the tests train. What a fresh interpreter does is
tested where that matters: with launchers that start processes of their own, and in test_train.py.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["robustseg.training.train", "robustseg.models.plain_unet", "hydra.main", "rich.console"]
)


class Program:
    """A call of train.py, with the methods of subprocess.Popen that the tests use.

    Args:
        words: of the command line.
        output: file of its output.
        errors: file of its error channel; None: the same.
    """

    def __init__(self, words: Sequence[str], output: Path, errors: Path | None = None) -> None:
        self.process = FORK.Process(target=_act, args=(list(words), output, errors))
        self.process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.process.kill()
        self.process.join()

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("train.py", timeout)
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)


class Ended(subprocess.Popen):
    """A process that does not outlive a test that failed, which would else wait for it."""

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *rest)


def call(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """The end of a call of train.py, whose output goes to files of a folder."""
    files = folder / "stdout", folder / "stderr"
    with Program(words, *files) as program:
        code = program.wait()
    output, errors = (file.read_text(encoding="utf-8") for file in files)
    return subprocess.CompletedProcess(["train.py", *words], code, output, errors)


def _act(words: list[str], output: Path, errors: Path | None) -> None:
    os.setsid()  # as a shell's command, it has a process group of its own
    with open(output, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if errors is not None:
        with open(errors, "w") as file:
            os.dup2(file.fileno(), 2)
    os.chdir(ROOT)
    sys.argv = ["train.py", *words]
    runpy.run_path(str(ROOT / "train.py"), run_name="__main__")
