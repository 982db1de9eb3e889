"""`hydra/launcher=ray` on a real Ray, of its own and running before."""

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from robustseg.runs.folder import RunFolder
from robustseg.training.run import run
from tests.integration.conftest import wait_for_runs
from tests.integration.engines.conftest import free_ports, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.timeout(1200)]
RAY = str(Path(sys.executable).with_name("ray"))


@pytest.fixture(autouse=True)
def ray_is_there():
    pytest.importorskip("ray")


@pytest.fixture
def cluster(monkeypatch):
    """The address of a cluster of one node, which wants a token."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    (port,) = free_ports(1)
    start = [RAY, "start", "--block", "--head", "--node-ip-address=127.0.0.1", f"--port={port}"]
    quiet = ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    with subprocess.Popen([*start, *quiet], stdout=subprocess.DEVNULL) as node:
        wait_until("Ray listens", lambda: listens(port))
        yield f"127.0.0.1:{port}"
        node.terminate()  # and nobody else's, as `ray stop` would


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_same_numbers_as_alone_and_a_failure_stays_alone(sweep, tmp_path, tiny, results):
    grid = [
        "loss=tloss,mse",
        "noise.alpha=0.5",
        "optimizer=sgd",
        "optimizer.lr=1e-3,1e30",
        "hydra/launcher=ray",
    ]
    with sweep(*grid) as program:
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "4 runs: 2 done, 2 failed" in output or "4 runs: 2 failed, 2 done" in output
    assert "failed: the training loss is nan in epoch" in output
    for loss in ("tloss", "mse"):
        alone = f"paths.runs={tmp_path}/alone"
        run(tiny(f"loss={loss}", "noise.alpha=0.5", "optimizer=sgd", "optimizer.lr=1e-3", alone))
    for folder in (tmp_path / "alone").iterdir():
        assert results(tmp_path / "runs" / folder.name) == results(folder)


def test_a_running_cluster_and_a_killed_worker(sweep, tmp_path, cluster):
    options = ["hydra/launcher=ray", f"hydra.launcher.address={cluster}"]
    with sweep("loss=tloss,gce", "trainer.max_epochs=150", *options) as program:
        held = wait_for_runs(tmp_path / "runs", 2, program)
        victim, pid = sorted(held.items())[0]
        os.kill(pid, signal.SIGKILL)
        assert program.wait() == 1
    output = (tmp_path / "output").read_text()
    print(output)
    assert "2 runs: 1 done, 1 failed" in output or "2 runs: 1 failed, 1 done" in output
    assert "its worker died" in output
    status = RunFolder(tmp_path / "runs" / victim).read_status()
    assert (status["state"], status["error"]["type"]) == ("failed", "ProcessDied")
    with sweep("loss=tloss,gce", "trainer.max_epochs=150", *options) as program:
        assert program.wait() == 0
    output = (tmp_path / "output").read_text()
    print(output)
    assert "2 runs: 1 done, 1 skipped" in output or "2 runs: 1 skipped, 1 done" in output


def test_ctrl_c_stops_the_tasks_and_says_how_to_go_on(sweep, tmp_path):
    grid = ["loss=tloss,gce", "trainer.max_epochs=5000", "hydra/launcher=ray"]
    with sweep(*grid) as program:
        held = wait_for_runs(tmp_path / "runs", 2, program)
        os.killpg(program.pid, signal.SIGINT)
        assert program.wait(timeout=240) == 130
    output = (tmp_path / "output").read_text()
    assert "The same command resumes from the last checkpoint." in output
    for name, pid in held.items():
        process = Path(f"/proc/{pid}")
        wait_until("the task's process is gone", lambda at=process: not at.exists())
        assert RunFolder(tmp_path / "runs" / name).read_status()["state"] == "running"


def test_the_time_limit_stops_the_tasks_and_the_same_call_resumes(sweep, tmp_path, cluster):
    options = ["hydra/launcher=ray", f"hydra.launcher.address={cluster}", "minutes=1.2"]
    long = ["trainer.max_epochs=100000", "trainer.checkpoint_every=3600"]
    for attempt in (1, 2):
        with sweep("loss=tloss,gce,mae", *long, *options) as program:
            assert program.wait(timeout=300) == 0
        output = (tmp_path / "output").read_text()
        print(output)
        assert "3 runs: 2 interrupted, 1 not started." in output
        assert "The time limit, minutes=…, is reached. The same command resumes." in output
        folders = [RunFolder(folder) for folder in (tmp_path / "runs").iterdir()]
        states = [folder.read_status() for folder in folders]
        assert {status["state"] for status in states} == {"running"}
        assert sum(len(status["attempts"]) for status in states) == 2 * attempt
        assert all(folder.checkpoint.exists() for folder in folders)  # they knew it was coming


def test_no_cluster_at_the_address(sweep, tmp_path):
    options = ["hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"]
    with sweep("loss=tloss,gce", *options) as program:
        assert program.wait() == 2
    output = (tmp_path / "output").read_text()
    assert "there is no Ray cluster at hydra.launcher.address=127.0.0.1:1" in output
    assert "Traceback" not in output
