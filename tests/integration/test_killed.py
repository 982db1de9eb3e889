"""A run that is killed, at any moment and however often, ends in the numbers of one that is not."""

import functools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robustseg.runs.folder import RunFolder
from robustseg.runs.verify import verify
from robustseg.training.run import run
from tests.conftest import TINY
from tests.integration.conftest import HELD_LOSS, kill_after, recorded, train_after
from tests.program import Ended

ROOT = Path(__file__).parents[2]
SHORT = [
    *("noise.alpha=0.5", "noise.beta=0.7", "trainer.max_epochs=2"),
    *("dataset.source.train=4", "dataset.source.test=2"),
]
SCHEDULERS = {
    "none": [],
    "cosine": ["scheduler=cosine"],
    "poly": ["scheduler=poly"],
    "nu_plateau": [
        "scheduler=nu_plateau",
        "scheduler.every=1",
        "scheduler.patience=6",
        "scheduler.threshold=1.0",
        "optimizer.lr=0.01",
    ],
}


class Fault:
    """Makes a process die at the n-th rename inside a folder: the moment a file becomes real.

    Args:
        folder: renames elsewhere do not count.
        number: which one, from 1; 0 only counts them, in the file `count` beside the folder.
        moment: torn (the new file is half written, as by a kill while saving) or after the rename.
    """

    def __init__(self, folder: Path, number: int, moment: str) -> None:
        self.folder, self.number, self.moment, self.seen = folder, number, moment, 0

    def __call__(self) -> None:
        self.replace, os.replace = os.replace, self.dying

    def dying(self, source, target):
        if self.folder not in Path(target).parents:
            return self.replace(source, target)
        self.seen += 1
        if self.number == 0:
            (self.folder.parent / "count").write_text(f"{self.seen}")
        if self.seen != self.number:
            return self.replace(source, target)
        if self.moment == "torn":
            os.truncate(source, os.path.getsize(source) // 2)
        else:
            self.replace(source, target)
        os._exit(9)


@pytest.fixture
def whole(tiny, tmp_path, in_process):
    """The folder of a short run that was not disturbed, and how many renames it took."""
    place = tmp_path / "whole" / "runs"
    assert in_process(tiny(*SHORT, f"paths.runs={place}"), Fault(place, 0, "")) == 0
    (folder,) = place.iterdir()
    return folder, int((place.parent / "count").read_text())


@pytest.mark.parametrize("moment", ["torn", "after"])
def test_a_death_at_any_rename_changes_nothing(tiny, tmp_path, in_process, whole, results, moment):
    undisturbed, renames = whole
    assert renames >= 14  # configuration, states, noise, split, two epochs, results, weights
    expected = results(undisturbed)
    for number in range(1, renames + 1):
        place = tmp_path / f"{number}"
        cfg = tiny(*SHORT, f"paths.runs={place}")
        assert in_process(cfg, Fault(place, number, moment)) == 9
        run(cfg)  # in this process: a death needs one of its own, to resume does not
        folder = place / undisturbed.name
        assert results(folder) == expected, f"{moment} rename {number} of {renames}"
        left = sorted(f.name for f in folder.rglob("*"))
        assert left == sorted(f.name for f in undisturbed.rglob("*"))
        assert len(list(place.iterdir())) == 1  # nothing had to be set aside


def kill_at_random(forked, cfg, seconds, rng):
    """Kill a run after a random time; say how far it was, or None if it was finished."""
    process = forked(target=train_after, args=(cfg, None))
    process.start()
    process.join(rng.uniform(0, seconds))
    process.kill()
    process.join()
    return None if process.exitcode == 0 else process.exitcode


def killed_until_done(forked, cfg, folder, seconds, rng, kills):
    """Kill a run up to so many times, then let it end; gives the number of kills that hit."""
    hits = 0
    for _ in range(kills):
        code = kill_at_random(forked, cfg, seconds, rng)
        if code is None:
            break
        assert code == -signal.SIGKILL
        hits += 1
        state = folder.read_status().get("state", "no status yet")
        print(f"kill {hits}: {state}, {recorded(folder)} epochs recorded")
    process = forked(target=train_after, args=(cfg, None))
    process.start()
    process.join()
    assert process.exitcode == 0
    return hits


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_random_kills_change_nothing_with_any_schedule(
    tiny, tmp_path, forked, in_process, finished, results, scheduler
):
    overrides = ["noise.alpha=0.5", *SCHEDULERS[scheduler], "trainer.max_epochs=8"]
    undisturbed = finished(*overrides)
    cfg, rng = tiny(*overrides), random.Random(scheduler)
    folder = RunFolder(tmp_path / "runs" / undisturbed.name)
    for epochs in (rng.randint(0, 2), rng.randint(3, 5)):
        kill_after(epochs, forked, cfg, folder, rng)
    assert in_process(cfg) == 0
    assert results(folder.path) == results(undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_random_kills_change_nothing(
    tiny, tmp_path, forked, in_process, finished, results
):
    overrides = ["noise.alpha=0.5", *SCHEDULERS["nu_plateau"]]
    undisturbed = finished(*overrides)
    expected, rng, hits, runs = results(undisturbed), random.Random(0), 0, 0
    for turn in ("first", "timed"):  # the first one waits for the libraries too
        begin = time.monotonic()
        assert in_process(tiny(*overrides, f"paths.runs={tmp_path}/{turn}")) == 0
        seconds = time.monotonic() - begin
    while hits < 100:
        runs += 1
        cfg = tiny(*overrides, f"paths.runs={tmp_path}/{runs}")
        folder = RunFolder(tmp_path / f"{runs}" / undisturbed.name)
        hits += killed_until_done(forked, cfg, folder, seconds, rng, kills=5)
        assert results(folder.path) == expected
        assert verify(folder).state == "verified"
    print(f"{hits} kills in {runs} runs: all results equal bit for bit")


def test_three_kills_of_the_program_change_nothing(tmp_path, cache, finished, results, held):
    overrides = ["noise.alpha=0.5", HELD_LOSS, "trainer.max_epochs=24"]
    undisturbed = finished(*overrides)
    folder = RunFolder(tmp_path / "runs" / undisturbed.name)
    places = [f"paths.runs={tmp_path}/runs", f"paths.logs={tmp_path}", f"paths.cache={cache}"]
    start = functools.partial(
        Ended,
        [sys.executable, "train.py", *TINY, *overrides, *places],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    rng = random.Random(3)
    (file,) = held("alone")  # else it might be done before it is killed
    for kill in range(3):
        with start() as program:
            while not folder.lock.exists() or folder.read_status().get("attempts", [])[kill:] == []:
                assert program.poll() is None
                time.sleep(0.02)
            time.sleep(rng.uniform(0, 0.5))
            program.kill()
    file.unlink()
    with start() as program:
        assert program.wait() == 0
    assert results(folder.path) == results(undisturbed)
    assert len(folder.read_status()["attempts"]) == 4
