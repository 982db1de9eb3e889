"""What the launcher makes of Slurm's answers; a real Slurm is in tests/integration/engines."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hydra_plugins.robustseg_launchers.slurm import SlurmLauncher
from robustseg.sweeps import slurm
from tests.conftest import ROOT


class Watched:
    """Keeps what it is told."""

    def __init__(self, sweep):
        self.sweep = sweep
        self.ends = {}
        self.looks = 0

    def started(self, number):
        assert number not in self.ends

    def ended(self, number, failure):
        self.ends[number] = (failure, self.looks)

    def tick(self):
        self.looks += 1


@pytest.mark.parametrize(
    ("answers", "looks"),
    [
        ([{"7_0"}, set(), set()], 2),
        ([set(), {"7_0"}, set(), set()], 3),
        ([set(), None, set(), set()], 3),
        ([set(), set()], 1),
    ],
    ids=["gone", "back between", "no answer between", "never there"],
)
def test_a_job_is_lost_when_slurm_misses_it_twice_running(tmp_path, monkeypatch, answers, looks):
    coming = iter(answers)
    monkeypatch.setattr(slurm, "_LOOK", 0)
    monkeypatch.setattr(slurm, "_ASK", 0)
    monkeypatch.setattr(slurm, "queued", lambda ids: next(coming))
    monkeypatch.setattr(slurm, "cause", lambda job_id: "NODE_FAIL")
    job = SimpleNamespace(
        job_id="7_0", paths=SimpleNamespace(result_pickle=tmp_path / "result.pkl")
    )
    watch = Watched(tmp_path)
    slurm._wait({0: job}, watch)
    assert watch.ends == {0: ("Slurm ended job 7_0 (NODE_FAIL)", looks)}


def test_what_sbatch_refuses_is_told_in_a_line(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    for name, body in (
        ("srun", "exit 0"),
        ("sbatch", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    places = [f"paths.runs={tmp_path}/runs", f"paths.logs={tmp_path}/logs"]
    options = ["hydra/launcher=slurm", "hydra.launcher.partition=gpuu"]
    ran = subprocess.run(
        [sys.executable, "train.py", "-m", "loss=tloss,gce", *options, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        "train.py: hydra/launcher=slurm: sbatch submits nothing: error: invalid partition "
        "specified: gpuu"
    )


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A launcher whose machine has an srun."""
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    more = {"array_parallelism": 2, "additional_parameters": {"nice": 100, "x": False}}
    launcher = SlurmLauncher(60, 3, 2, 1, ["true"], **more)
    launcher.config = SimpleNamespace(experiment_name="mine", paths=SimpleNamespace(runs=tmp_path))
    launcher.token = "token"
    return launcher


def test_jobs_are_requeuable_and_steps_have_all_processors(cluster, tmp_path):
    pytest.importorskip("submitit")
    lines = slurm._executor(cluster, tmp_path)._make_submission_file_text("x", "1").splitlines()
    assert {"#SBATCH --requeue", "#SBATCH --nice=100"} <= set(lines)
    assert "export SRUN_CPUS_PER_TASK=3" in lines[: lines.index("true")]
    assert not [line for line in lines if "--x" in line]


def test_jobs_that_are_submitted_while_interrupted_are_cancelled(cluster, tmp_path, monkeypatch):
    ran = []

    def submit(executor, work, jobs):
        signal.raise_signal(signal.SIGINT)
        subprocess.run(["true"], check=True)
        return {number: SimpleNamespace(job_id=f"7_{number}") for number in jobs}

    executor = SimpleNamespace(parameters={"array_parallelism": 2})
    monkeypatch.setattr(slurm, "_executor", lambda launcher, sweep: executor)
    monkeypatch.setattr(slurm, "begin", lambda launcher: tmp_path)
    monkeypatch.setattr(slurm, "hydra_job", lambda launcher, sweep: None)
    monkeypatch.setattr(slurm, "_submit", submit)
    monkeypatch.setattr(slurm, "queued", lambda ids: set())
    monkeypatch.setattr(slurm, "_cancel", lambda ids: ran.append(ids))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        slurm.launch(cluster, {0: ["a=1"], 1: ["a=2"]})
    assert ran == [["7_0", "7_1"]]
    assert signal.getsignal(signal.SIGINT) is before
