"""Online runs, resumed runs and synced ones on a server of wandb's kind, on loopback.

The server is openwandb, which `make test-wandb` installs into an environment of its own. Its
licence (CC BY-NC 4.0) allows no commercial use; robustseg does not depend on it.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pandas as pd
import pytest
import requests

from tests.conftest import TINY
from tests.integration.conftest import ROOT, wait_for_runs

SERVER = shutil.which(os.environ.get("OPENWANDB", "openwandb"))
KEY = f"local{40 * '0'}"  # that the server makes for itself

pytestmark = [
    pytest.mark.wandb,
    pytest.mark.skipif(SERVER is None, reason="needs openwandb: make test-wandb"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an empty server, and its database."""
    folder = tmp_path_factory.mktemp("openwandb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with open(folder / "log", "w") as log:
        options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder)]
        program = subprocess.Popen([SERVER, "serve", *options], stdout=log, stderr=log)
    try:
        _wait_for(address, program)
        yield address, folder / "openwandb.db"
    finally:
        program.terminate()
        program.wait(240)


def _wait_for(address, program):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert program.poll() is None, "openwandb has ended"
        try:
            requests.get(address, timeout=60)
            return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.2)
    raise AssertionError("openwandb does not answer")


@pytest.fixture
def environment(server, tmp_path):
    """Of a program that logs to the server, with nothing of this user's."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    keys = {"WANDB_BASE_URL": server[0], "WANDB_API_KEY": KEY, "WANDB_DATA_DIR": str(tmp_path)}
    return own | keys | {"HOME": str(tmp_path)}


@pytest.fixture
def train(environment, tmp_path, cache):
    """A function that starts train.py with the project of the test."""

    def start(*arguments):
        places = [f"paths.runs={tmp_path}/runs", f"paths.logs={tmp_path}/logs"]
        tiny = [setting for setting in TINY if setting != "logger=none"]
        project = [f"paths.cache={cache}", f"logger.project={tmp_path.name}"]
        return subprocess.Popen(
            [sys.executable, "train.py", *tiny, *places, *project, *arguments],
            cwd=ROOT,
            env=environment,
        )

    return start


@pytest.fixture
def logged(server, tmp_path):
    """A function that gives what the server knows of the only run of the test's project.

    With ``again``, rows may have come twice: the server does not say what it has of a run that is
    resumed, and keeps both. A service that does gets the rest only (tests/dashboards).
    """

    def read(again=False):
        # The server answers no question of wandb's own API on runs, so its tables are read.
        with sqlite3.connect(server[1]) as database:
            database.row_factory = sqlite3.Row
            (run,) = database.execute(
                "SELECT runs.* FROM runs JOIN projects ON projects.id = project_id "
                "WHERE projects.name = ?",
                [tmp_path.name],
            ).fetchall()
            rows = database.execute(
                "SELECT key, step, value FROM metrics WHERE run_id = ?", [run["run_id"]]
            ).fetchall()
        history = pd.DataFrame(rows, columns=["key", "step", "value"])
        if again:  # an epoch after the checkpoint was trained twice, as fast as it went
            history = history[
                ~history["key"].isin(["seconds", "evaluation_seconds", "processor_seconds"])
            ]
            history = history.drop_duplicates()
        assert not history.duplicated(["key", "step"]).any()
        history = history.pivot(index="step", columns="key", values="value")
        return run, history[history["train_loss"].notna()]  # a later row has the pictures

    return read


def _steps(database, run_id):
    with sqlite3.connect(database) as opened:
        question = "SELECT count(DISTINCT step) FROM metrics WHERE run_id = ?"
        return opened.execute(question, [run_id]).fetchone()[0]


def _compare(folder, run, history):
    """Compare what the server knows with the run's folder."""
    (own,) = (path for path in folder.iterdir() if not path.name.startswith("."))
    epochs = pd.read_csv(own / "epochs.csv")
    assert run["run_id"] == own.name
    assert history["epoch"].to_list() == epochs["epoch"].to_list()
    assert history["train_loss"].to_list() == pytest.approx(epochs["train_loss"].to_list())
    dice = history["test_dice_image"].dropna().to_list()
    assert dice == pytest.approx(epochs["test_dice_image"].dropna().to_list())
    summary = json.loads(run["summary_json"])
    metrics = json.loads((own / "metrics.json").read_text())
    assert summary["dice_image"] == pytest.approx(metrics["dice_image"])
    assert summary["failed"] == 0
    assert str(ROOT) not in run["program"]
    assert run["host"] == ""


def test_a_run_is_logged_while_it_trains(train, logged, tmp_path):
    assert train("logger.mode=online", "loss=gce").wait(240) == 0
    run, history = logged()
    _compare(tmp_path / "runs", run, history)
    assert json.loads(run["tags_json"]) == ["synthetic", "gce", "clean"]


def test_a_killed_run_continues_where_it_was(server, train, logged, tmp_path):
    # On a fast machine, too, it trains for longer than the 15 seconds between two sendings.
    slow = ["loss=tloss", "loss._target_=tests.integration.slow.SlowTLoss"]
    call = ["logger.mode=online", *slow, "trainer.max_epochs=200"]
    program = train(*call)
    (name,) = wait_for_runs(tmp_path / "runs", 1, program)
    epochs = tmp_path / "runs" / name / "epochs.csv"
    # wandb sends rows every 15 seconds: some are there, and some are not when the run is killed.
    while not 4 <= _steps(server[1], name) < len(pd.read_csv(epochs)) - 5:
        assert program.poll() is None
        time.sleep(0.1)
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert _steps(server[1], name) < len(pd.read_csv(epochs))
    assert not (tmp_path / "runs" / name / "metrics.json").exists()
    assert train(*call).wait(240) == 0
    run, history = logged(again=True)
    _compare(tmp_path / "runs", run, history)
    assert len(history) == 200


def test_an_offline_run_is_synced_once(train, logged, environment, tmp_path):
    assert train("logger.mode=offline", "loss=ce").wait(240) == 0
    program = [sys.executable, "-m", "robustseg", "wandb", "sync", str(tmp_path / "logs")]

    def sync():
        return subprocess.run(program, env=environment, cwd=ROOT, capture_output=True, text=True)

    first, second = sync(), sync()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "1 synced" in first.stdout
    assert "all synced" in second.stdout
    run, history = logged()
    _compare(tmp_path / "runs", run, history)
