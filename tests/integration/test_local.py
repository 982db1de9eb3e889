"""`hydra/launcher=local`: the same numbers as one after another, and deaths that stay alone."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from robustseg.runs.folder import RunFolder
from robustseg.training.run import run
from tests.integration.conftest import HELD_LOSS, wait_for_runs


def test_side_by_side_one_after_another_and_alone_are_the_same(sweep, tmp_path, tiny, results):
    grid = ["loss=tloss,gce", "noise.alpha=0.5", "noise.beta=0.5,0.7"]
    with sweep(*grid, "hydra/launcher=local", "hydra.launcher.n_jobs=2") as program:
        assert program.wait() == 0
    output = (tmp_path / "output").read_text()
    assert "4 runs, 2 at a time" in output
    assert "4 runs: 4 done" in output
    assert "epoch 1/4" not in output  # that is in a log of its own for each run
    logs = sorted(tmp_path.glob("sweeps/*/*/*.log"))
    assert [log.name for log in logs] == ["0.log", "1.log", "2.log", "3.log"]
    assert all("epoch 4/4" in log.read_text() for log in logs)
    with sweep(*grid, runs="basic", forked=True) as program:
        assert program.wait() == 0
    names = sorted(folder.name for folder in (tmp_path / "basic").iterdir())
    assert len(names) == 4
    for name in names:
        assert results(tmp_path / "runs" / name) == results(tmp_path / "basic" / name)
    run(tiny("loss=tloss", "noise.alpha=0.5", "noise.beta=0.7", f"paths.runs={tmp_path}/alone"))
    (alone,) = (tmp_path / "alone").iterdir()
    assert results(alone) == results(tmp_path / "runs" / alone.name)


def test_a_killed_process_loses_only_its_run(sweep, tmp_path, tiny, results, held):
    one = ["loss=tloss", HELD_LOSS, "trainer.max_epochs=12"]
    files = held("0", "1")  # else they might be done before one is killed
    with sweep(*one, "seed=0,1,2", "hydra/launcher=local", "hydra.launcher.n_jobs=2") as program:
        victim, pid = sorted(wait_for_runs(tmp_path / "runs", 2, program).items())[-1]
        os.kill(pid, signal.SIGKILL)
        for file in files:
            file.unlink()
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    assert "3 runs: 2 done, 1 failed" in output or "3 runs: 1 failed, 2 done" in output
    assert "killed by signal 9 (Killed), perhaps out of memory" in output
    folder = RunFolder(tmp_path / "runs" / victim)
    status = folder.read_status()
    assert (status["state"], status["error"]["type"]) == ("failed", "ProcessDied")
    assert not folder.lock.exists()
    seed = f"seed={re.search(r'-s(.)-', victim)[1]}"
    for place in ("runs", "whole"):
        run(tiny(*one, seed, f"paths.runs={tmp_path}/{place}"))
    assert results(folder.path) == results(tmp_path / "whole" / victim)


@pytest.mark.parametrize("launcher", ["local", "basic"])
def test_ctrl_c_stops_the_sweep_and_says_how_to_go_on(sweep, tmp_path, launcher):
    grid = ["loss=tloss,gce,mae", "trainer.max_epochs=100000", f"hydra/launcher={launcher}"]
    at_once = 2 if launcher == "local" else 1
    alone = at_once == 1
    with sweep(*grid, *([] if alone else ["hydra.launcher.n_jobs=2"]), forked=alone) as program:
        pids = wait_for_runs(tmp_path / "runs", at_once, program).values()
        time.sleep(2)
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        assert program.wait(timeout=240) == 130
    output = (tmp_path / "output").read_text()
    assert "The same command resumes from the last checkpoint." in output
    assert f"3 runs: {at_once} interrupted, {3 - at_once} not started." in output
    assert "Traceback" not in output
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for folder in (tmp_path / "runs").iterdir():
        assert RunFolder(folder).read_status()["state"] == "running"
        assert not (folder / "lock").exists()


def test_jobs_end_with_a_launcher_that_is_killed(sweep, tmp_path):
    options = ["hydra/launcher=local", "hydra.launcher.n_jobs=2", "trainer.max_epochs=100000"]
    with sweep("loss=tloss,gce", *options) as program:
        pids = wait_for_runs(tmp_path / "runs", 2, program).values()
        program.kill()
    deadline = time.monotonic() + 240
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    states = [json.loads(f.read_text())["state"] for f in tmp_path.glob("runs/*/status.json")]
    assert states == ["running", "running"]
    assert not list(tmp_path.glob("runs/*/lock"))
