"""What a run leaves in wandb (offline, read back by wandb's own command) and TensorBoard."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb
from pytorch_lightning.loggers import WandbLogger

from robustseg.dashboards import logger
from robustseg.dashboards.card import make_card
from robustseg.dashboards.logger import log_restored
from robustseg.dashboards.wandb_run import start as start_run
from robustseg.errors import DamagedRun, RunFailed
from robustseg.runs.files import read_csv, read_json
from robustseg.runs.folder import RunFolder
from robustseg.training.recorder import Recorder
from robustseg.training.run import run
from tests.dashboards.conftest import LOSSES, WANDB, files, records, summaries


def test_a_sweep_in_one_process_gives_runs_that_share_nothing(swept):
    assert wandb.run is None
    assert set(swept.found) == set(LOSSES)
    for loss, one in swept.found.items():
        assert one["name"] == f"synthetic-{loss}-a0.5-b0.5-s0"
        assert (swept.runs / one["run_id"]).is_dir()
        assert (one["state"], one["exit_code"]) == ("finished", 0)
        tags = ["synthetic", loss, "morphological", "alpha=0.5", "beta=0.5"]
        assert sorted(one["tags"]) == sorted(tags)
    assert "nu" in swept.found["tloss"]["summary"]
    assert "nu" not in swept.found["gce"]["summary"]


def test_the_summary_has_the_final_numbers_under_their_names(swept):
    for one in swept.found.values():
        metrics = read_json(swept.runs / one["run_id"] / "metrics.json")
        assert one["config"].items() >= metrics["settings"].items()
        kept = set(metrics) - {"run", "settings"}
        wanted = {name: metrics[name] for name in kept if metrics[name] is not None}
        assert {name: one["summary"].get(name) for name in wanted} == wanted
        assert (one["summary"]["failed"], one["summary"]["error"]) == (0, "")


def test_curves_are_over_the_epoch(swept):
    logged = records(swept.file("tloss"))
    steps = {r["metric"].get("glob_name"): r["metric"] for r in logged if r["type"] == "metric"}
    assert steps["*"]["step_metric"] == "epoch"
    rows = [r["history"]["item"] for r in logged if r["type"] == "history"]
    curves = [row for row in rows if "train_loss" in row]
    wanted = read_csv(swept.runs / swept.found["tloss"]["run_id"] / "epochs.csv")
    assert [{k: row[k] for k in want} for row, want in zip(curves, wanted, strict=True)] == wanted
    assert "nu" in wanted[0]


def test_pictures_table_and_artifacts(swept):
    one, file = swept.found["tloss"], swept.file("tloss")
    summary = one["summary"]
    assert (summary["examples/test"]["count"], summary["examples/train"]["count"]) == (5, 5)
    for key in ("examples/test", "examples/train"):
        masks = summary[key]["all_masks"]
        assert all(set(of) == {"clean", "noisy", "predicted"} for of in masks)
        alike = [of["clean"]["sha256"] == of["noisy"]["sha256"] for of in masks]
        assert all(alike) if key == "examples/test" else not any(alike)
        assert all((file.parent / "files" / f).is_file() for f in summary[key]["filenames"])
    table = json.loads((file.parent / "files" / summary["predictions"]["path"]).read_text())
    rows = read_csv(swept.runs / one["run_id"] / "images.csv")
    scores = {row["id"]: row["dice"] for row in rows if row["epoch"] == 2}
    at = table["columns"].index("dice")
    assert {row[0]: row[at] for row in table["data"]}.items() <= scores.items()
    roles = ", ".join(row[1] for row in table["data"]).split(", ")
    assert sorted(roles) == ["best", "fixed", "fixed", "median", "worst"]
    logged = [r["artifact"] for r in records(file) if r["type"] == "artifact"]
    artifacts = {a["type"]: a["manifest"]["contents"][0]["path"] for a in logged}
    assert artifacts.items() >= {"noise": "noise.csv", "images": "images.csv"}.items()


def test_nothing_that_is_logged_tells_of_the_host(swept, cache):
    for loss in LOSSES:
        logged = records(swept.file(loss))
        assert not [r for r in logged if str(swept.runs) in json.dumps(r)]
        assert not [r for r in logged if str(cache) in json.dumps(r)]
        assert not [r for r in logged if r["type"] == "environment"]  # the command line
        ours = [r for r in logged if r["type"] != "artifact"]  # which knows where its files wait
        tables = swept.file(loss).parent.glob("files/media/table/**/*.json")
        text = json.dumps(ours) + "".join(table.read_text() for table in tables)
        for place in (str(swept.logs.parent), str(Path.home()), os.getcwd()):
            assert place not in text
        assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)


@pytest.mark.parametrize(("mode", "start"), [("offline", 300), ("online", 90)])
def test_offline_wandb_may_take_minutes_to_start(tmp_path, monkeypatch, mode, start):
    found = []

    def init(settings, **_):
        shared = wandb.Settings()
        shared.update_from_env_vars(os.environ)
        found.append((shared.x_service_wait, settings.init_timeout))
        raise RuntimeError("enough")

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_X_SERVICE_WAIT", "")
    del os.environ["WANDB_X_SERVICE_WAIT"]
    labels = {"run_id": "x-1", "dataset": "d", "loss": "ce", "noise": None, "regularizer": "none"}
    with pytest.raises(RuntimeError, match="enough"):
        start_run(make_card("x-1", labels, {}, None), mode, "mine", None, str(tmp_path))
    assert found == [(300, start)]


def test_absolute_paths_among_the_settings_are_cut():
    labels = {"run_id": "x-1", "dataset": "d", "loss": "ce", "noise": None, "regularizer": "none"}
    settings = {"model": {"weights": "/home/me/net.pt", "sizes": [1, "C:\\me\\a.pt"]}, "s": "a/b"}
    card = make_card("x-1", labels, settings, None)
    assert card.settings == {"model": {"weights": "net.pt", "sizes": [1, "a.pt"]}, "s": "a/b"}
    assert (card.group, card.tags) == ("d", ["d", "ce", "clean"])


def test_images_of_ones_own_data_are_logged_only_when_asked(tiny, tmp_path):
    own = [*WANDB, "dataset.public=false", "trainer.max_epochs=1", "noise.alpha=0.5"]
    run(tiny(*own))
    assert not list((tmp_path / "logs" / "wandb").rglob("media"))
    run(tiny(*own, "logger.images=true", "seed=1"))
    (shown,) = {file.parents[4].name for file in tmp_path.rglob("media/images/examples/*.png")}
    assert "-s1-" in shown


class KnownTo(WandbLogger):
    """wandb's logger of a resumed run of which the server has all steps before one."""

    def __init__(self, step, offline=False):
        self.run, self.rows = SimpleNamespace(starting_step=step, offline=offline), []

    @property
    def experiment(self):
        return self.run

    def log_metrics(self, metrics, step):
        self.rows.append({"epoch": step, **metrics})


def test_epochs_that_were_not_sent_before_a_kill_are_logged_on_resuming():
    rows = [{"epoch": epoch, "train_loss": 1 / epoch, "step": 3 * epoch} for epoch in range(1, 6)]
    known = {step: KnownTo(step) for step in (0, 4, 6)}
    log_restored([*known.values(), offline := KnownTo(0, offline=True)], rows)
    assert {step: one.rows for step, one in known.items()} == {0: rows, 4: rows[3:], 6: []}
    assert offline.rows == []


def test_a_failing_run_ends_as_failed_and_leaves_no_run_open(tiny, tmp_path):
    with pytest.raises(RunFailed):
        run(tiny(*WANDB, "loss=mse", "optimizer=sgd", "optimizer.lr=1e30"))
    assert wandb.run is None
    (one,) = summaries(tmp_path / "logs")
    assert (one["state"], one["exit_code"]) == ("failed", 1)
    assert (one["summary"]["failed"], one["summary"]["error"]) == (1, "TrainingDiverged")


def test_a_dashboard_that_fails_at_the_end_does_not_undo_the_run(
    tiny, only_run, monkeypatch, caplog
):
    def broken(*_):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("robustseg.dashboards.wandb_run.log_results", broken)
    run(tiny(*WANDB))
    assert RunFolder(only_run()).read_status()["state"] == "done"
    assert "ConnectionError: no route to host" in caplog.text
    assert wandb.run is None


def test_a_resumed_run_goes_on_under_its_id_and_a_forced_one_gets_another(
    tiny, tmp_path, only_run, monkeypatch
):
    def interrupt(self, module, epoch):
        if epoch == 3:
            raise KeyboardInterrupt
        return evaluate(self, module, epoch)

    evaluate = Recorder._evaluate
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "_evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(tiny(*WANDB))
    run(tiny(*WANDB))
    run(tiny(*WANDB, "force=true"))
    first, second, again = summaries(tmp_path / "logs")
    run_id = only_run().name
    assert [one["run_id"] for one in (first, second)] == [run_id, run_id]
    assert re.fullmatch(re.escape(run_id) + r"\.\d{8}T\d{6}", again["run_id"])
    assert [one["state"] for one in (first, second, again)] == ["failed", "finished", "finished"]
    epochs = []
    for file in files(tmp_path / "logs"):
        rows = [r["history"]["item"] for r in records(file) if r["type"] == "history"]
        epochs.append([row["epoch"] for row in rows if "train_loss" in row])
        assert [row["_step"] for row in rows if "train_loss" in row] == epochs[-1]
    assert epochs == [[1, 2], [3, 4], [1, 2, 3, 4]]


def test_tensorboard_gets_the_epochs(tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tiny("logger=tensorboard", "trainer.max_epochs=3"))
    (events,) = (tmp_path / "logs" / "tensorboard").rglob("events.out.*")
    scalars = EventAccumulator(str(events)).Reload().Scalars("test_dice_image")
    assert [point.step for point in scalars] == [1, 2, 3]


def test_the_command_line_does_not_import_wandb():
    heavy = "{'wandb', 'wandb_workspaces', 'torch'}"
    code = f"import sys, robustseg.cli.main; print(sorted({heavy} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_disabled_leaves_nothing(tiny, tmp_path, only_run):
    run(tiny("logger=wandb", "logger.mode=disabled", "trainer.max_epochs=1"))
    assert read_json(only_run() / "status.json")["state"] == "done"
    assert not list((tmp_path / "logs").rglob("*.wandb"))


def test_a_dashboard_that_cannot_be_ended_hides_no_error_of_the_run(monkeypatch):
    class Broken:
        def finalize(self, status):
            raise ConnectionError("no network")

    monkeypatch.setattr(logger, "_make_loggers", lambda *_: [Broken()])
    identity = SimpleNamespace(run_id="some-run")
    with (
        pytest.raises(DamagedRun, match="the checkpoint") as raised,
        logger.open_loggers(None, identity, None),
    ):
        raise DamagedRun("the checkpoint")
    assert raised.value.__notes__ == [
        "Nor could its dashboard be ended (ConnectionError: no network)."
    ]
