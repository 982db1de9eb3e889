"""Runs in processes of their own, which can be killed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from omegaconf import DictConfig

from robustseg.runs.folder import RunFolder
from robustseg.runs.lock import holder
from robustseg.training.module import SegmentationModule
from robustseg.training.run import run
from tests.conftest import TINY
from tests.integration.slow import HELD
from tests.program import FORK, Ended, Program

ROOT = Path(__file__).parents[2]
HELD_LOSS = "loss._target_=tests.integration.slow.HeldTLoss"


@pytest.fixture(scope="session")
def forked():
    """Starts processes that have imported everything but have computed nothing yet."""
    return FORK.Process


@pytest.fixture
def in_process(forked):
    """A function that trains a run in a new process, and gives its exit code."""

    def train(cfg: DictConfig, before=None) -> int:
        process = forked(target=train_after, args=(cfg, before))
        process.start()
        process.join()
        return process.exitcode

    return train


def train_after(cfg, before):
    if before is not None:
        before()
    run(cfg)


def wait_in_the_last_epoch():
    begin = SegmentationModule.on_train_epoch_start

    def waiting(self):
        while self.current_epoch == self.trainer.max_epochs - 1:
            time.sleep(1)
        begin(self)

    SegmentationModule.on_train_epoch_start = waiting


def recorded(folder):
    """How many epochs a run has recorded."""
    return len(folder.epochs.read_text().splitlines()) - 1 if folder.epochs.exists() else 0


def kill_after(epochs, forked, cfg, folder, rng):
    """Train a run in a process that is killed shortly after it has recorded so many epochs.

    It does not reach its end before, however long this process stands still.
    """
    assert epochs < cfg.trainer.max_epochs
    process = forked(target=train_after, args=(cfg, wait_in_the_last_epoch))
    process.start()
    while recorded(folder) < epochs:
        assert process.exitcode is None
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.1))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture(scope="session")
def results():
    """A function that gives what must be equal bit for bit."""
    return bits


def bits(folder):
    weights = torch.load(RunFolder(folder).weights, weights_only=True)
    epochs = pd.read_csv(folder / "epochs.csv", dtype=str)
    thresholds = folder / "thresholds.csv"
    states = {part: weights[part] for part in ("network", "loss")}
    tensors = {f"{part}.{k}": v for part, state in states.items() for k, v in state.items()}
    return (
        (folder / "metrics.json").read_bytes(),
        (folder / "images.csv").read_bytes(),
        thresholds.read_bytes() if thresholds.exists() else b"",  # label maps have none
        epochs.drop(columns=["seconds", "evaluation_seconds", "processor_seconds"]).to_csv(),
        (folder / "noise.csv").read_bytes(),
        {name: tensor.numpy().tobytes() for name, tensor in tensors.items()},
    )


@pytest.fixture
def sweep(tmp_path, cache):
    """Starts train.py -m, in a process group of its own; its output goes to `output`.

    With forked=True its process has the libraries already; a launcher cannot start others from it.
    """

    def start(*arguments, runs="runs", forked=False):
        places = [f"paths.runs={tmp_path}/{runs}", f"paths.logs={tmp_path}", f"paths.cache={cache}"]
        words = ["-m", *TINY, *places, *arguments]
        if forked:
            return Program(words, tmp_path / "output")
        with open(tmp_path / "output", "w") as output:
            return Ended(
                [sys.executable, "train.py", *words],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    return start


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A function that lets runs with the loss HELD_LOSS wait, by their jobs; gives the files."""

    def hold(*jobs):
        folder = tmp_path / "held"
        folder.mkdir()
        for job in jobs:
            (folder / job).touch()
        monkeypatch.setenv(HELD, str(folder))
        return [folder / job for job in jobs]

    return hold


def wait_for_runs(folder, number, program, timeout=240):
    """Wait until so many runs are being trained at a time; gives them with their owners."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        assert program.poll() is None
        locks = {path.parent.name: holder(path) for path in folder.glob("*/lock")}
        held = {name: owner["pid"] for name, owner in locks.items() if owner and owner["pid"] > 0}
        states = [RunFolder(folder / name).read_status().get("state") for name in held]
        if states == ["running"] * number:
            return held
        time.sleep(0.02)
    raise AssertionError(f"{number} runs did not begin")
