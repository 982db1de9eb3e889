"""What the launcher makes of Slurm's answers; a real Slurm is in tests/integration/engines."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

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
