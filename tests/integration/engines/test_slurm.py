"""`hydra/launcher=slurm` on a real Slurm: equal numbers, preemption, failure, death."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from robustseg.run import run
from robustseg.runs.folder import RunFolder
from tests.integration.conftest import wait_for_runs

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600), pytest.mark.usefixtures("slurm")]
SLURM = [
    "hydra/launcher=slurm",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=2",
    "hydra.launcher.timeout_min=30",
]


def job_of(folder):
    """The Slurm job that trains a run."""
    return json.loads((folder / "lock").read_text())["job"].removeprefix("test:")


def epochs(folder):
    file = RunFolder(folder).epochs
    return len(file.read_text().splitlines()) - 1 if file.exists() else 0


def test_the_same_numbers_as_alone_and_a_failure_stays_alone(sweep, tmp_path, tiny, results):
    grid = ["loss=tloss,mse", "noise.alpha=0.5", "optimizer=sgd", "optimizer.lr=1e-3,1e30", *SLURM]
    with sweep(*grid) as program:
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "4 runs: 2 done, 2 failed" in output or "4 runs: 2 failed, 2 done" in output
    assert "TrainingDiverged: the training loss is nan in epoch" in output
    for loss in ("tloss", "mse"):
        alone = f"paths.runs={tmp_path}/alone"
        run(tiny(f"loss={loss}", "noise.alpha=0.5", "optimizer=sgd", "optimizer.lr=1e-3", alone))
    for folder in (tmp_path / "alone").iterdir():
        assert results(tmp_path / "runs" / folder.name) == results(folder)
    with sweep(*grid) as program:
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "4 runs: 2 skipped, 2 failed" in output or "4 runs: 2 failed, 2 skipped" in output


def test_a_preempted_job_goes_on_in_the_same_folder(sweep, tmp_path, tiny, results):
    long = ["loss=tloss", "noise.alpha=0.5", "trainer.max_epochs=150"]
    with sweep(*long, "seed=0", *SLURM) as program:
        (name,) = wait_for_runs(tmp_path / "runs", 1, program)
        folder = tmp_path / "runs" / name
        while epochs(folder) < 10:
            time.sleep(0.05)
        job, before = job_of(folder), epochs(folder)
        subprocess.run(["scancel", "--signal=USR2", job], check=True)
        assert program.wait() == 0
    print((tmp_path / "output").read_text())
    log = next(tmp_path.glob("sweeps/*/*/0.log")).read_text()
    print(f"preempted after {before} epochs\n", *re.findall("(?m)^.*submitit.*$", log), sep="\n")
    assert "this job is preempted" in log
    assert "goes on from its last checkpoint" in log
    status = RunFolder(folder).read_status()
    assert (status["state"], len(status["attempts"])) == ("done", 2)
    run(tiny(*long, f"paths.runs={tmp_path}/whole"))
    assert results(folder) == results(tmp_path / "whole" / name)


def test_a_killed_job_loses_only_its_run(sweep, tmp_path):
    with sweep("loss=tloss,gce", "trainer.max_epochs=150", *SLURM) as program:
        held = wait_for_runs(tmp_path / "runs", 2, program, timeout=120)
        victim, pid = sorted(held.items())[0]
        os.kill(pid, signal.SIGKILL)
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "2 runs: 1 done, 1 failed" in output or "2 runs: 1 failed, 1 done" in output
    status = RunFolder(tmp_path / "runs" / victim).read_status()
    assert (status["state"], status["error"]["type"]) == ("failed", "ProcessDied")
    assert "Slurm ended job" in status["error"]["message"]
    assert "killed, perhaps out of memory" in status["error"]["message"]


def test_ctrl_c_cancels_the_jobs(sweep, tmp_path):
    with sweep("loss=tloss,gce", "trainer.max_epochs=5000", *SLURM) as program:
        held = wait_for_runs(tmp_path / "runs", 2, program, timeout=120)
        time.sleep(2)
        os.killpg(program.pid, signal.SIGINT)
        assert program.wait(timeout=120) == 130
    output = (tmp_path / "output").read_text()
    assert "The same command goes on from the last epoch." in output
    assert "2 runs: 2 interrupted" in output
    queue = subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True)
    assert queue.stdout == ""
    for name in held:
        folder = RunFolder(tmp_path / "runs" / name)
        assert folder.read_status()["state"] == "running"
        assert not folder.lock.exists()


def test_a_wrong_option_is_told_and_nothing_is_submitted(sweep, tmp_path):
    for option, said in (("timeout_min=5", "over 10"), ("+nodez=2", "nodez")):
        with sweep("loss=tloss,gce", *SLURM, f"{'+' * option.startswith('+')}hydra.launcher."
                   f"{option.lstrip('+')}") as program:  # fmt: skip
            assert program.wait() == 1
        output = (tmp_path / "output").read_text()
        assert said in output
        assert "Traceback" not in output
