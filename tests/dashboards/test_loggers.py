"""What a run leaves in wandb (offline, read back by wandb's own command) and TensorBoard."""

import json
import subprocess
import sys

import pytest
import wandb

from robustseg.run import run
from robustseg.sweep import RunFailed

WANDB = ["logger=wandb", "logger.mode=offline"]


def summaries(tmp_path):
    """Every offline run below the logs, as wandb reads it."""
    files = sorted((tmp_path / "logs" / "wandb").glob("offline-run-*/*.wandb"))
    inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json"]
    return [
        json.loads(subprocess.run([*inspect, str(f)], capture_output=True, check=True).stdout)
        for f in files
    ]


def test_a_sweep_in_one_process_gives_runs_that_share_nothing(tiny, tmp_path):
    for loss in ("tloss", "gce"):
        run(tiny(*WANDB, f"loss={loss}", "noise.alpha=0.5"))
        assert wandb.run is None
    found = {one["config"]["loss"]["name"]: one for one in summaries(tmp_path)}
    assert set(found) == {"tloss", "gce"}
    for loss, one in found.items():
        assert one["name"] == f"synthetic-{loss}-a0.5-b0.5-s0"
        assert one["run_id"].startswith(one["name"])
        assert (one["state"], one["exit_code"]) == ("finished", 0)
        metrics = json.loads((tmp_path / "runs" / one["run_id"] / "metrics.json").read_text())
        assert one["summary"]["train_dice_clean"] == metrics["train_dice_clean"]
        assert str(tmp_path) not in json.dumps([one["config"], one["summary"]])
    assert "nu" in found["tloss"]["summary"]
    assert "nu" not in found["gce"]["summary"]


def test_images_of_ones_own_data_are_logged_only_when_asked(tiny, tmp_path):
    pictures = tmp_path / "logs" / "wandb"
    own = [*WANDB, "dataset.public=false", "trainer.max_epochs=1", "noise.alpha=0.5"]
    run(tiny(*own))
    assert not list(pictures.rglob("*.png"))
    run(tiny(*own, "logger.images=true", "seed=1"))
    (one,) = [s for s in summaries(tmp_path) if "train_images" in s["summary"]]
    panels = [one["summary"][name]["all_masks"] for name in ("test_images", "train_images")]
    assert all(set(masks) == {"clean", "noisy", "predicted"} for p in panels for masks in p)
    test, train = ([m["clean"]["sha256"] == m["noisy"]["sha256"] for m in p] for p in panels)
    assert all(test)
    assert not any(train)


def test_a_failing_run_ends_as_failed_and_leaves_no_run_open(tiny, tmp_path):
    with pytest.raises(RunFailed):
        run(tiny(*WANDB, "loss=mse", "optimizer=sgd", "optimizer.lr=1e30"))
    assert wandb.run is None
    (one,) = summaries(tmp_path)
    assert (one["state"], one["exit_code"]) == ("failed", 1)


def test_tensorboard_gets_the_epochs(tiny, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tiny("logger=tensorboard", "trainer.max_epochs=3"))
    (events,) = (tmp_path / "logs" / "tensorboard").rglob("events.out.*")
    scalars = EventAccumulator(str(events)).Reload().Scalars("test_dice_image")
    assert [point.step for point in scalars] == [1, 2, 3]
