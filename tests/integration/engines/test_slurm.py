"""`hydra/launcher=slurm` on a real Slurm: equal numbers, preemption, failure, death."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from robustseg.runs.folder import RunFolder
from robustseg.training.run import run
from tests.integration.conftest import wait_for_runs
from tests.integration.engines.conftest import HOSTS, both_idle, start_node, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1200), pytest.mark.usefixtures("slurm")]
SLURM = [
    "hydra/launcher=slurm",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=2",
    "hydra.launcher.timeout_min=30",
]


LONG = ["loss=tloss", "seed=0", "noise.alpha=0.5", "trainer.max_epochs=100"]


def only_job():
    """The Slurm job of a sweep of one run."""
    (job,) = slurm_says("squeue", "-h", "-o", "%i").split()
    return job


def slurm_says(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def epochs(folder):
    file = RunFolder(folder).epochs
    return len(file.read_text().splitlines()) - 1 if file.exists() else 0


def hosts(folder):
    """Where each attempt at a run was made."""
    return [attempt["host"] for attempt in RunFolder(folder).read_status()["attempts"]]


def test_the_same_numbers_as_alone_and_a_failure_stays_alone(sweep, tmp_path, tiny, results):
    grid = ["loss=tloss,mse", "noise.alpha=0.5", "optimizer=sgd", "optimizer.lr=1e-3,1e30", *SLURM]
    with sweep(*grid) as program:
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "4 runs: 2 done, 2 failed" in output or "4 runs: 2 failed, 2 done" in output
    assert "failed: the training loss is nan in epoch" in output
    assert "failed during processing with trace" not in output  # submitit's words
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
    # Slurm signals the loader's processes as well.
    with sweep(*LONG, "dataset.num_workers=2", *SLURM) as program:
        (name,) = wait_for_runs(tmp_path / "runs", 1, program)
        folder = tmp_path / "runs" / name
        for number, preempt in enumerate((["scancel", "--signal=USR2"], ["scontrol", "requeue"])):
            wait_until("it trains", lambda: len(hosts(folder)) == number + 1)  # noqa: B023
            begin = epochs(folder)
            wait_until("ten epochs more", lambda: epochs(folder) >= begin + 10)  # noqa: B023
            print(f"{' '.join(preempt)} after {epochs(folder)} epochs")
            subprocess.run([*preempt, only_job()], check=True)
        assert program.wait() == 0
    print((tmp_path / "output").read_text())
    log = next(tmp_path.glob("sweeps/*/*/0.log")).read_text()
    print(*re.findall("(?m)^.*(?:submitit|goes on).*$", log), sep="\n")
    assert len(re.findall("submitit INFO .* Calling checkpoint method", log)) == 1
    assert log.count("resumes from its last checkpoint") == 2
    assert RunFolder(folder).read_status()["state"] == "done"
    assert len(hosts(folder)) == 3
    run(tiny(*LONG, f"paths.runs={tmp_path}/whole"))
    assert results(folder) == results(tmp_path / "whole" / name)


def test_a_job_whose_node_is_lost_goes_on_at_once_on_another(sweep, slurm, tmp_path, tiny, results):
    with sweep(*LONG, *SLURM) as program:
        (name,) = wait_for_runs(tmp_path / "runs", 1, program)
        folder = tmp_path / "runs" / name
        wait_until("ten epochs", lambda: epochs(folder) >= 10)
        (lost,) = hosts(folder)
        kill_node(slurm, lost, only_job())
        assert RunFolder(folder).lock.exists()  # with a heartbeat of less than five minutes
        assert program.wait() == 0
    print((tmp_path / "output").read_text())
    assert hosts(folder) == [lost, next(host for host in HOSTS if host != lost)]
    run(tiny(*LONG, f"paths.runs={tmp_path}/whole"))
    assert results(folder) == results(tmp_path / "whole" / name)
    start_node(lost)
    wait_until("the lost node is back", both_idle)


def kill_node(slurm, host, job):
    """Kill all that a node does, as if its power went, and tell Slurm that it is down."""
    daemon = int((slurm / f"{host}.pid").read_text())
    steps = slurm_says("pgrep", "-f", rf"slurmstepd: \[{job}\.").split()
    tasks = slurm_says("pgrep", "-P", ",".join(steps)).split()
    for pid in (daemon, *map(int, steps + tasks)):
        os.kill(pid, signal.SIGKILL)
    down = ["state=down", "reason=lost"]
    subprocess.run(["scontrol", "update", f"nodename={host}", *down], check=True)


def test_two_nodes_of_one_allocation_do_not_train_the_same_run(tmp_path):
    holding = """
import socket, sys, time
from pathlib import Path
from robustseg.errors import AlreadyRunning
from robustseg.runs.lock import hold
try:
    with hold(Path(sys.argv[1])):
        time.sleep(5)
        print("held")
except AlreadyRunning:
    print("refused")
"""
    command = ["srun", "-N2", "-n2", sys.executable, "-c", holding, str(tmp_path / "lock")]
    assert sorted(slurm_says(*command).split()) == ["held", "refused"]


def test_a_killed_job_loses_only_its_run(sweep, tmp_path):
    with sweep("loss=tloss,gce", "trainer.max_epochs=150", *SLURM) as program:
        held = wait_for_runs(tmp_path / "runs", 2, program)
        victim, pid = sorted(held.items())[0]
        host = json.loads((tmp_path / "runs" / victim / "lock").read_text())["host"]
        assert host != socket.gethostname()  # so that only Slurm knows of the death
        os.kill(pid, signal.SIGKILL)
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "2 runs: 1 done, 1 failed" in output or "2 runs: 1 failed, 1 done" in output
    status = RunFolder(tmp_path / "runs" / victim).read_status()
    assert (status["state"], status["error"]["type"]) == ("failed", "ProcessDied")
    assert "Slurm ended job" in status["error"]["message"]
    assert "killed, perhaps out of memory" in status["error"]["message"]
    assert not (tmp_path / "runs" / victim / "lock").exists()


def test_ctrl_c_cancels_the_jobs(sweep, tmp_path):
    with sweep("loss=tloss,gce", "trainer.max_epochs=5000", *SLURM) as program:
        held = wait_for_runs(tmp_path / "runs", 2, program)
        time.sleep(2)
        os.killpg(program.pid, signal.SIGINT)
        assert program.wait(timeout=240) == 130
    output = (tmp_path / "output").read_text()
    assert "The same command resumes from the last checkpoint." in output
    assert "2 runs: 2 interrupted." in output
    queue = subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True)
    assert queue.stdout == ""
    for name in held:
        folder = RunFolder(tmp_path / "runs" / name)
        assert folder.read_status()["state"] == "running"
        assert not folder.lock.exists()


def test_the_time_limit_cancels_the_jobs_and_the_same_call_resumes(sweep, tmp_path):
    grid = ["loss=tloss,gce", "trainer.max_epochs=100000", "trainer.checkpoint_every=3600"]
    limits = ["minutes=0.5", "hydra.launcher.array_parallelism=1"]
    for attempt in (1, 2):
        with sweep(*grid, *limits, *SLURM) as program:
            assert program.wait(timeout=240) == 0
        output = (tmp_path / "output").read_text()
        print(output)
        assert "2 runs: 1 interrupted, 1 not started." in output
        assert "The time limit, minutes=…, is reached. The same command resumes." in output
        assert slurm_says("squeue", "-h") == ""
        (folder,) = (RunFolder(folder) for folder in (tmp_path / "runs").iterdir())
        assert folder.read_status()["state"] == "running"
        assert not folder.lock.exists()
        assert folder.checkpoint.exists()  # it knew that the end was near
        assert len(hosts(folder.path)) == attempt


def test_a_wrong_option_is_told_and_nothing_is_submitted(sweep, tmp_path):
    for option, said in (("timeout_min=5", "over 10"), ("+nodez=2", "nodez")):
        with sweep("loss=tloss,gce", *SLURM, f"{'+' * option.startswith('+')}hydra.launcher."
                   f"{option.lstrip('+')}") as program:  # fmt: skip
            assert program.wait() == 2
        output = (tmp_path / "output").read_text()
        assert said in output
        assert "Traceback" not in output
