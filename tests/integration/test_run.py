"""Whole runs on miniature data: what is written, skipped, resumed, and what failures leave."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from robustseg.data.batches.on_device import DeviceBatches
from robustseg.errors import RunFailed
from robustseg.metrics import summarise_last
from robustseg.runs.folder import RunFolder
from robustseg.runs.lock import JOB
from robustseg.runs.survey import look
from robustseg.training import memory, recorder
from robustseg.training import run as run_module
from robustseg.training import train as train_module
from robustseg.training.module import SegmentationModule
from robustseg.training.run import run
from tests.data.conftest import disc, picture, save
from tests.integration.conftest import bits as results

NOISY = ["noise.alpha=0.5", "noise.beta=0.7"]
RESUMED = {
    "plain": NOISY,
    "cosine": ["scheduler=cosine", "loss=gce", *NOISY],
    "plateau": [
        *("scheduler=nu_plateau", "scheduler.every=1", "scheduler.patience=6"),
        *("scheduler.threshold=1.0", "optimizer.lr=0.01", *NOISY),
    ],
    "steps": ["trainer.max_epochs=null", "trainer.max_steps=12", "trainer.steps_per_epoch=3"],
    "smp": ["model=smp"],
    "workers": ["dataset.num_workers=1", *NOISY],
}
COMPILED = ["trainer.compile=true", "evaluation.batch_size=5", *NOISY]


@pytest.fixture
def crash_in_epoch(monkeypatch):
    """Makes a run die after it has recorded an epoch, before it saves it."""

    def arm(epoch):
        save = recorder.Recorder.save

        def dying(self, trainer):
            if len(self.epochs) == epoch:
                raise MemoryError("injected")
            save(self, trainer)

        monkeypatch.setattr(recorder.Recorder, "save", dying)

    yield arm


@pytest.fixture
def noisy(finished):
    """The folder of a finished run with noise, which is only read."""
    return finished(*NOISY, "experiment_name=mine")


@pytest.fixture
def tuned(finished):
    """One with a validation split."""
    return finished(*NOISY, "dataset.source.val=6", "evaluation.every=1")


def test_a_run_leaves_the_files_of_the_design(noisy):
    folder = noisy
    files = sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())
    assert files == [
        "checkpoints/weights.pt",
        "config.yaml",
        "epochs.csv",
        "examples.npz",
        "images.csv",
        "metrics.json",
        "noise.csv",
        "split.csv",
        "status.json",
        "thresholds.csv",
    ]
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["error"], status["experiments"]) == ("done", None, ["mine"])
    epochs = pd.read_csv(folder / "epochs.csv")
    assert list(epochs["epoch"]) == [1, 2, 3, 4]
    assert (
        epochs[["train_loss", "lr", "nu", "test_dice_image", "test_dice_pooled"]]
        .notna()
        .all(axis=None)
    )
    kinds = set(pd.read_csv(folder / "noise.csv")["type"]) - {"clean"}
    for kind in kinds:
        assert epochs[f"train_dice_noisy/{kind}"].between(0, 1).all()
        assert epochs[f"train_dice_clean/{kind}"].between(0, 1).all()


def test_the_rate_of_an_epoch_is_the_one_it_was_trained_with(finished):
    rates = pd.read_csv(finished(*RESUMED["cosine"]) / "epochs.csv")["lr"]
    assert list(rates) == pytest.approx([1e-3 * (1 + np.cos(np.pi * e / 4)) / 2 for e in range(4)])


def test_every_number_derives_from_the_rows(noisy):
    metrics = json.loads((noisy / "metrics.json").read_text())
    rows = pd.read_csv(noisy / "images.csv")
    assert sorted(rows["epoch"].unique()) == [3, 4]
    for name, value in summarise_last(rows, 2).items():
        assert metrics[name] == (None if np.isnan(value) else value)
    dice = 2 * rows.tp / (2 * rows.tp + rows.fp + rows.fn)
    assert metrics["dice_image"] == pytest.approx(dice.fillna(1).mean())
    assert metrics["noise"]["noisy"] == 5
    epochs = pd.read_csv(noisy / "epochs.csv")
    for name in ("average_precision", "calibration_error"):
        assert metrics[name] == pytest.approx(epochs[f"test_{name}"][2:].mean())


def test_the_threshold_is_chosen_on_noisy_held_out_masks(tuned):
    metrics = json.loads((tuned / "metrics.json").read_text())
    images = pd.read_csv(tuned / "images.csv")
    epochs = pd.read_csv(tuned / "epochs.csv").set_index("epoch")
    curves = pd.read_csv(tuned / "thresholds.csv").set_index("epoch")
    assert curves.index.value_counts().to_dict() == dict.fromkeys((1, 2, 3, 4), 19)
    for epoch, curve in curves.groupby("epoch"):
        best = curve[curve.heldout_dice_noisy == curve.heldout_dice_noisy.max()]
        nearest = best.iloc[(best.threshold - 0.5).abs().argmin()]
        assert epochs.heldout_threshold[epoch] == nearest.threshold
        half = curve[curve.threshold == 0.5].iloc[0]
        assert epochs.heldout_dice_noisy[epoch] == half.heldout_dice_noisy
        assert epochs.test_dice_image[epoch] == half.test_dice_image
        assert epochs.test_jaccard_image[epoch] == half.test_jaccard_image
        assert epochs.test_dice_pooled[epoch] == half.test_dice_pooled
    at_best = curves.test_dice_image.groupby("epoch").max()[[3, 4]].mean()
    assert metrics["dice_image_oracle"] == pytest.approx(at_best)
    counts = images[[f"{name}_tuned" for name in ("tp", "fp", "fn")]].set_axis(
        ["tp", "fp", "fn"], axis=1
    )
    dice = (2 * counts.tp / (2 * counts.tp + counts.fp + counts.fn)).fillna(1)
    assert metrics["dice_image_tuned"] == pytest.approx(dice.mean())
    assert dice.groupby(images.epoch).mean()[4] == pytest.approx(
        curves.loc[4].set_index("threshold").test_dice_image[epochs.heldout_threshold[4]]
    )
    assert metrics["threshold"] == epochs.heldout_threshold[[3, 4]].mean()
    split = pd.read_csv(tuned / "split.csv")
    assert split["split"].value_counts().to_dict() == {"train": 10, "val": 6, "test": 5}


def test_without_a_validation_split_nothing_is_tuned(noisy):
    metrics = json.loads((noisy / "metrics.json").read_text())
    assert "threshold" not in metrics
    assert "dice_image_tuned" not in metrics
    assert "tp_tuned" not in pd.read_csv(noisy / "images.csv")
    assert "heldout_dice_noisy" not in pd.read_csv(noisy / "thresholds.csv")


def test_evaluating_changes_nothing_in_training(finished, tuned):
    seldom = finished(*NOISY, "dataset.source.val=6", "evaluation.every=4")
    assert results(tuned)[-1] == results(seldom)[-1]


def test_a_run_notes_what_it_cost(finished):
    folder = finished()
    cost = RunFolder(folder).read_status()["cost"]
    epochs = pd.read_csv(folder / "epochs.csv")
    assert cost["evaluation_seconds"] == pytest.approx(epochs.evaluation_seconds.sum(), abs=1e-3)
    assert cost["train_seconds"] == pytest.approx(
        epochs.seconds.sum() - epochs.evaluation_seconds.sum(), abs=1e-3
    )
    assert cost["processor_seconds"] == pytest.approx(epochs.processor_seconds.sum(), abs=1e-3)
    assert 0 < cost["processor_seconds"]
    if memory.forget_peak("cpu"):
        assert 50 < cost["peak_memory_mb"] < 100_000  # torch alone is resident with more
    else:  # this system cannot tell the run's peak from that of an earlier one
        assert "peak_memory_mb" not in cost


def test_a_checkpoint_of_before_the_thresholds_restarts(tiny, failed, copied, caplog):
    folder = copied(failed)
    path = folder / "checkpoints" / "last.ckpt"
    state = torch.load(path, weights_only=True)
    (mine,) = (part for part in state["callbacks"].values() if "predicted" in part)
    del mine["predicted"]
    torch.save(state, path)
    run(tiny())
    assert "recorded less" in caplog.text
    assert len(pd.read_csv(folder / "epochs.csv")) == 4


def test_nu_is_learnt_and_kept(finished):
    folder = finished()
    state = torch.load(folder / "checkpoints" / "weights.pt", weights_only=True)
    log_nu = float(state["loss"]["loss.log_nu"])
    assert log_nu != 0
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["nu"] == pytest.approx(np.exp(log_nu))


def test_a_finished_run_is_skipped_and_joins_the_experiment(tiny, finished, copied, monkeypatch):
    folder = copied(finished("experiment_name=mine"))
    before = results(folder)
    monkeypatch.setattr(run_module, "attempt_run", lambda *_: pytest.fail("trained again"))
    run(tiny("experiment_name=two"))
    assert results(folder) == before
    assert RunFolder(folder).read_status()["experiments"] == ["mine", "two"]


def test_a_run_that_another_process_finishes_meanwhile_is_skipped(
    tiny, finished, copied, tmp_path, monkeypatch
):
    copied(finished(), "other")
    check_targets = run_module.check_targets

    def finish(settings, *groups):
        check_targets(settings, *groups)
        if not groups:  # the last thing before the lock
            (tmp_path / "other").rename(tmp_path / "runs")

    monkeypatch.setattr(run_module, "check_targets", finish)
    monkeypatch.setattr(run_module, "attempt_run", lambda *_: pytest.fail("trained again"))
    run(tiny("experiment_name=mine"))
    (folder,) = (tmp_path / "runs").iterdir()
    assert RunFolder(folder).read_status()["experiments"] == ["mine"]
    assert not RunFolder(folder).lock.exists()
    assert look(RunFolder(folder)).state == "done"  # nothing about it is damaged


def test_what_a_run_warns_of_in_its_data_reaches_the_summary(tiny, tmp_path, monkeypatch):
    for split, numbers in (("train", (0, 1, 2, 3)), ("test", (0, 8))):
        for number in numbers:
            for kind, drawn in (("images", picture(number, 64)), ("masks", disc(12, 64))):
                save(tmp_path / "mine" / split / kind / f"{split}{number}.png", drawn)
    save(tmp_path / "mine/test/masks/lone.png", disc(12, 64))
    noted = []
    monkeypatch.setattr(run_module, "note", noted.append)
    for _ in range(2):
        run(tiny("dataset=folder", f"dataset.root={tmp_path / 'mine'}", "trainer.max_epochs=1"))
    trained, skipped = (outcome for outcome in noted if outcome.state != "running")
    files, twins = sorted(trained.warnings)
    assert files == "1 mask has no image and is left out: lone.png"
    assert "1 pair with the same pixels (train0 and test0)" in twins
    assert (skipped.state, skipped.warnings) == ("skipped", ())


def test_images_that_are_all_for_testing_are_refused_before_there_is_a_run(tiny, tmp_path):
    for kind, drawn in (("images", picture(1, 64)), ("masks", disc(12, 64))):
        save(tmp_path / "mine" / "test" / kind / "1.png", drawn)
    with pytest.raises(RunFailed, match="the split 'train' is empty"):
        run(tiny("dataset=folder", f"dataset.root={tmp_path / 'mine'}"))
    assert not [*tmp_path.glob("runs/*")]


def test_force_trains_again_and_keeps_the_old_folder(tiny, finished, copied, tmp_path, only_run):
    before = results(copied(finished()))
    run(tiny("force=true"))
    assert results(only_run()) == before
    (old,) = [f for f in (tmp_path / "runs").iterdir() if f.name.startswith(".")]
    assert results(old) == before


def test_a_sweep_forces_a_run_once(
    tiny, finished, copied, tmp_path, only_run, monkeypatch, crash_in_epoch
):
    def aside():
        return [f for f in (tmp_path / "runs").iterdir() if f.name.startswith(".")]

    before = results(copied(finished()))
    with monkeypatch.context() as patch:
        patch.setenv(JOB, "sweep:3")
        crash_in_epoch(4)
        with pytest.raises(RunFailed, match="injected"):
            run(tiny("force=true"))
    monkeypatch.undo()
    monkeypatch.setenv(JOB, "sweep:3")  # queued again
    run(tiny("force=true"))
    assert results(only_run()) == before
    assert len(RunFolder(only_run()).read_status()["attempts"]) == 2  # it went on
    assert len(aside()) == 1
    monkeypatch.setenv(JOB, "sweep:5")  # another cell of the grid that is the same run
    monkeypatch.setattr(run_module, "attempt_run", lambda *_: pytest.fail("trained again"))
    run(tiny("force=true"))
    monkeypatch.setenv(JOB, "another:3")
    with pytest.raises(pytest.fail.Exception):
        run(tiny("force=true"))
    monkeypatch.delenv(JOB)
    with pytest.raises(pytest.fail.Exception):
        run(tiny("force=true"))


@pytest.mark.parametrize("epoch", [1, 2, 4])
@pytest.mark.parametrize(
    "overrides",
    [
        *(pytest.param(overrides, id=name) for name, overrides in RESUMED.items()),
        pytest.param(COMPILED, id="compiled", marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_ends_in_the_same_numbers(
    tiny, tmp_path, finished, monkeypatch, crash_in_epoch, overrides, epoch
):
    whole = finished(*overrides)
    with monkeypatch.context():
        crash_in_epoch(epoch)
        with pytest.raises(RunFailed, match="injected"):
            run(tiny(*overrides))
    monkeypatch.undo()
    folder = tmp_path / "runs" / whole.name
    assert RunFolder(folder).read_status()["state"] == "failed"
    assert RunFolder(folder).checkpoint.exists() == (epoch > 1)
    run(tiny(*overrides))
    assert results(folder) == results(whole)
    assert len(RunFolder(folder).read_status()["attempts"]) == 2


def test_workers_do_not_change_the_numbers(finished):
    alone, helped = (finished(*NOISY, f"dataset.num_workers={count}") for count in (0, 2))
    assert alone.name == helped.name
    assert results(alone) == results(helped)


def test_images_kept_on_the_device_give_the_same_numbers(tiny, only_run, noisy, monkeypatch):
    def on_device(images, masks, pin_memory, **how):
        return DeviceBatches(images, masks, torch.device("cpu"), **how)

    monkeypatch.setattr("robustseg.training.train.training_batches", on_device)
    run(tiny(*NOISY))
    assert results(noisy) == results(only_run())


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_network_learns_the_same(tiny, tmp_path, monkeypatch, backend):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    losses, weights = [], []
    for compiled in ("false", "true"):
        place = tmp_path / compiled
        exact = ["trainer.precision=32-true", "trainer.channels_last=false"]
        run(tiny(*NOISY, *exact, f"trainer.compile={compiled}", f"paths.runs={place}"))
        folder = RunFolder(next(place.iterdir()))
        losses.append(pd.read_csv(folder.epochs)["train_loss"].tolist())
        weights.append(torch.load(folder.weights, weights_only=True)["network"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert weights[0].keys() == weights[1].keys()


def test_a_failure_is_recorded_with_its_traceback_and_tried_again(tiny, only_run, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr("robustseg.training.train.write_examples", broken)
        with pytest.raises(RunFailed, match="OSError: no space left"):
            run(tiny())
    status = RunFolder(only_run()).read_status()
    assert status["state"] == "failed"
    assert status["error"]["message"] == "no space left"
    assert "in broken" in status["error"]["traceback"]
    assert not (only_run() / "lock").exists()
    run(tiny())
    assert RunFolder(only_run()).read_status()["state"] == "done"


def test_data_that_change_after_the_run_got_its_id_are_not_trained_on(
    tiny, tmp_path, only_run, monkeypatch
):
    root = tmp_path / "mine"
    for number in range(8):
        for kind, array in (("images", picture(number)), ("masks", disc(4 + number))):
            save(root / kind / f"im{number}.png", array)
    given = ("dataset=folder", f"dataset.root={root}")
    prepare = train_module.prepare

    def late(*args):
        save(root / "masks/im0.png", disc(12))
        return prepare(*args)

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "prepare", late)
        with pytest.raises(RunFailed, match=f"{root}: changed while the run started"):
            run(tiny(*given))
    refused = RunFolder(only_run())
    assert not refused.split.exists() and not refused.epochs.exists()
    assert refused.read_status()["error"]["type"] == "DataError"
    run(tiny(*given))  # a run of its own
    done = [path for path in (tmp_path / "runs").iterdir() if (path / "metrics.json").exists()]
    assert len(done) == 1 and done[0] != refused.path


def test_a_loss_that_is_no_number_stops_the_run(tiny, only_run):
    with pytest.raises(RunFailed, match=r"training loss is nan in epoch 1.*gradient_clip_val"):
        run(tiny("loss=mse", "optimizer=sgd", "optimizer.lr=1e30"))
    assert RunFolder(only_run()).read_status()["error"]["type"] == "TrainingDiverged"


def test_a_network_that_breaks_in_its_last_step_has_no_numbers(tiny, only_run, monkeypatch):
    def broken(self, *_):
        if self.current_epoch == 3 and self.trainer.is_last_batch:
            next(self.network.parameters()).data.fill_(torch.nan)

    monkeypatch.setattr(SegmentationModule, "on_train_batch_end", broken)
    with pytest.raises(RunFailed, match=r"NaN on 10 of 10 images .* epoch 4.*gradient_clip_val"):
        run(tiny("loss=mse"))
    folder = RunFolder(only_run())
    assert folder.read_status()["error"]["type"] == "TrainingDiverged"
    assert not folder.metrics.exists()


def test_all_losses_see_the_same_masks(tiny, tmp_path):
    for loss in ("gce", "dice"):
        run(tiny(*NOISY, f"loss={loss}", "trainer.max_epochs=1", f"seed={len(loss)}"))
    first, second = sorted((tmp_path / "runs").iterdir())
    assert (first / "noise.csv").read_bytes() == (second / "noise.csv").read_bytes()


def test_a_gpu_that_is_not_there_is_refused_before_there_is_a_folder(tiny, monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(RunFailed, match=r"trainer\.accelerator=gpu: PyTorch finds no GPU"):
        run(tiny("trainer.accelerator=cuda"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_in_the_place_of_the_runs_is_refused(tiny, tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match=r"paths\.runs=.*: no folder can be made there") as error:
        run(tiny(f"paths.runs={tmp_path}/file{below}"))
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["loss=gce", "loss.q=-1"], r"failed\. loss\.q must lie in \[0\.01, 1\], not -1$"),
        (
            ["model=unet_resnet34", "model.encoder_name=resnet-18", "model.encoder_weights=null"],
            r"there is no model\.encoder_name=resnet-18; did you mean resnet18\?$",
        ),
        (["noise=elastic", "noise.model.smoothness=-1"], r"failed\. noise\.model\.smoothness must"),
    ],
)
def test_what_a_constructor_refuses_is_said_in_its_own_words_and_leaves_no_folder(
    overrides, said, tiny, tmp_path
):
    settings = tiny(*overrides)
    with pytest.raises(RunFailed, match=said):
        run(settings)
    assert not list((tmp_path / "runs").glob("[!.]*"))


def test_an_image_size_that_a_network_cannot_take_is_refused(tiny):
    with pytest.raises(RunFailed, match=r"40×40 is not a multiple of 16.*image_size=48"):
        run(tiny("dataset.image_size=40", "model.features=[2,2,2,2,2]"))
