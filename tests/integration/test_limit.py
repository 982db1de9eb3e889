"""`minutes=…`: what a call leaves when its time is up, and that the same call resumes."""

import re
import signal
import time

import pytest
import torch

from robustseg.runs.folder import RunFolder
from robustseg.runs.survey import look
from robustseg.sweeps import limit
from robustseg.training.module import SegmentationModule
from robustseg.training.run import run
from tests.conftest import TINY
from tests.program import Program

RARELY = "trainer.checkpoint_every=3600"  # but for the time limit there would be no checkpoint


def saved(folder):
    """How many epochs the checkpoint of a run has, and how many are recorded."""
    state = torch.load(folder.checkpoint, weights_only=True)
    return state["epoch"] + 1, len(folder.epochs.read_text().splitlines()) - 1


def is_kept(folder):
    """Whether a run was interrupted in good order and lost less than an epoch."""
    checkpoint, recorded = saved(folder)
    assert checkpoint in (recorded, recorded - 1)  # the latter: interrupted while it was saving
    assert not folder.lock.exists()
    return folder.read_status()["state"] == "running"


def epochs_of(folder):
    """How many epochs a run has recorded."""
    return len(folder.epochs.read_text().splitlines()) - 1 if folder.epochs.exists() else 0


def ring_after(program, runs, number, epochs):
    """Let a program's alarm clock ring once so many of its runs have gone on for some epochs.

    The clock itself is tested beside it; to wait for it here, on a machine however loaded, would
    need a limit that is long everywhere.

    Args:
        program: with a limit that is far off.
        runs: folder of its runs.
        number: how many runs to wait for.
        epochs: from the name of a run to the epochs that it has to go beyond.
    """
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        assert program.poll() is None
        begun = [RunFolder(folder) for folder in runs.iterdir()] if runs.exists() else []
        if sum(epochs_of(folder) > epochs(folder.path.name) for folder in begun) == number:
            program.send_signal(signal.SIGALRM)
            return program.wait()
        time.sleep(0.05)
    raise AssertionError(f"{number} runs did not go on")


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_the_limit_leaves_what_is_not_done_and_the_same_call_resumes(
    sweep, tmp_path, finished, copied, launcher
):
    copied(finished("trainer.max_epochs=1", RARELY))
    runs, side_by_side = tmp_path / "runs", launcher == "local"
    lengths = "1,2,100000,100001,100002"
    grid = [f"trainer.max_epochs={lengths}", RARELY, "minutes=50", f"hydra/launcher={launcher}"]
    if side_by_side:
        grid.append("hydra.launcher.n_jobs=2")
    interrupted = 2 if side_by_side else 1
    with sweep(*grid, forked=not side_by_side) as program:
        assert ring_after(program, runs, interrupted, lambda name: 2) == 0
    output = (tmp_path / "output").read_text()
    counts = f"1 skipped, 1 done, {interrupted} interrupted, {3 - interrupted} not started"
    assert f"5 runs: {counts}." in output
    assert "The time limit, minutes=…, is reached. The same command resumes." in output
    assert "Traceback" not in output
    folders = [RunFolder(folder) for folder in sorted(runs.iterdir())]
    unfinished = [folder for folder in folders if look(folder).state != "done"]
    assert len(unfinished) == interrupted
    assert all(is_kept(folder) for folder in unfinished)
    before = {folder.path.name: saved(folder)[0] for folder in unfinished}
    with sweep(*grid, forked=not side_by_side) as program:
        further = {name: epochs + 1 for name, epochs in before.items()}
        assert ring_after(program, runs, interrupted, lambda name: further.get(name, 2)) == 0
    assert f"5 runs: 2 skipped, {interrupted} interrupted" in (tmp_path / "output").read_text()
    assert all(is_kept(folder) for folder in unfinished)
    assert all(saved(folder)[0] > before[folder.path.name] for folder in unfinished)
    assert [len(folder.read_status()["attempts"]) for folder in unfinished] == [2] * interrupted


def test_one_run_alone_has_the_limit_too(tmp_path, cache):
    places = [f"paths.runs={tmp_path}/runs", f"paths.logs={tmp_path}", f"paths.cache={cache}"]
    words = [*TINY, *places, "trainer.max_epochs=100000", "minutes=50"]
    with Program(words, tmp_path / "output", tmp_path / "errors") as program:
        assert ring_after(program, tmp_path / "runs", 1, lambda name: 2) == 0
    said = (tmp_path / "errors").read_text().splitlines()
    # What takes long on a slow machine says how far it is.
    assert [line for line in said if not re.search(r": \d+ of \d+, \d+ s left$", line)] == [
        "train.py: reading the settings"
    ]
    output = (tmp_path / "output").read_text()
    assert output.endswith("The time limit, minutes=…, is reached. The same command resumes.\n")
    (folder,) = (tmp_path / "runs").iterdir()
    assert is_kept(RunFolder(folder))


class Interrupted:
    """Lets a process be interrupted in mid-epoch, so many seconds before a limit.

    Args:
        epoch: in which, from 0.
        left: seconds; None: there is no limit.
    """

    def __init__(self, epoch: int, left: float | None) -> None:
        self.epoch, self.left = epoch, left

    def __call__(self) -> None:
        limit.expect(None if self.left is None else time.time() + self.left)
        SegmentationModule.on_train_batch_end = interrupting(self.epoch)


def interrupting(epoch):
    def interrupt(self, *_):
        if self.current_epoch == epoch:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize(("left", "epochs"), [(None, 0), (7200, 0), (1800, 2)])
def test_only_an_epoch_is_lost_and_no_number_changes(
    tiny, tmp_path, in_process, results, left, epochs
):
    run(tiny(RARELY, "noise.alpha=0.5", f"paths.runs={tmp_path}/whole"))
    (whole,) = (tmp_path / "whole").iterdir()
    cfg = tiny(RARELY, "noise.alpha=0.5")
    assert in_process(cfg, Interrupted(2, left)) == 1
    folder = RunFolder(tmp_path / "runs" / whole.name)
    assert (saved(folder)[0] if folder.checkpoint.exists() else 0) == epochs
    assert folder.read_status()["state"] == "running"
    assert in_process(cfg) == 0
    assert results(folder.path) == results(whole)
