"""Damaged run folders are set aside, told of, and made again; none is trusted."""

import json
import logging
import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate

from robustseg.data.cache import load
from robustseg.errors import RunFailed
from robustseg.runs.folder import RunFolder
from robustseg.runs.survey import look
from robustseg.training import recorder
from robustseg.training.module import SegmentationModule
from robustseg.training.run import run


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def flip(path):
    """Change one bit of the largest tensor."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        tensor = archive.read(max(archive.infolist(), key=lambda info: info.file_size))
    data[data.index(tensor) + len(tensor) // 2] ^= 1
    path.write_bytes(data)


def change(**entries):
    def apply(path):
        path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))

    return apply


def drop_a_row(path):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]))


def change_a_digit(path):
    """The first one that can be larger, behind the first two cells of the first row."""
    lines = path.read_text().splitlines(keepends=True)
    epoch, second, rest = lines[1].split(",", 2)
    at = next(at for at, char in enumerate(rest) if char in "012345678")
    lines[1] = f"{epoch},{second},{rest[:at]}{int(rest[at]) + 1}{rest[at + 1 :]}"
    path.write_text("".join(lines))


def file_instead(path):
    shutil.rmtree(path)
    path.write_text("")


def pipe_instead(path):
    path.unlink()
    os.mkfifo(path)


def flip_directory(path):
    """Change a bit in the central directory of the zip file: the name of its first entry."""
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 46] ^= 4
    path.write_bytes(data)


def other_tensors(path):
    """A whole checkpoint of something else."""
    torch.save({"epoch": 2, "state_dict": {"a": torch.zeros(1)}}, path)


def unsealed(damage):
    """Damage of a checkpoint without a checksum, as those of before are."""

    def apply(path):
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(b"robustseg sha256 ")])
        damage(path)

    return apply


@pytest.fixture
def whole(finished, copied):
    """A run that was not disturbed."""
    return copied(finished("experiment_name=mine"), "whole")


@pytest.fixture
def unfinished(failed, copied):
    return copied(failed)


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("checkpoints/last.ckpt", cut, "last.ckpt cannot be read"),
        ("checkpoints/last.ckpt", flip, "last.ckpt is damaged"),
        ("checkpoints/last.ckpt", unsealed(flip), "last.ckpt is damaged in"),
        ("status.json", cut, "status.json is damaged"),
        ("status.json", lambda path: path.unlink(), "status.json is missing"),
        ("status.json", change(schema=0), "has schema 0 instead of"),
        ("epochs.csv", lambda path: path.unlink(), "epochs.csv cannot be read"),
        ("epochs.csv", drop_a_row, "lacks rows of the first 3 epochs"),
        ("thresholds.csv", lambda path: path.unlink(), "thresholds.csv cannot be read"),
        ("thresholds.csv", drop_a_row, "lacks rows of the first 3 epochs"),
        ("images.csv", cut, "images.csv"),
        ("images.csv", drop_a_row, "lacks rows of the first 3 epochs"),
        ("epochs.csv", change_a_digit, "the rows of epochs.csv are not those of the checkpoint"),
        ("thresholds.csv", change_a_digit, "the rows of thresholds.csv are not those of"),
        ("images.csv", change_a_digit, "the rows of images.csv are not those of"),
        ("status.json", change(threads="x"), "threads is 'x'"),
        ("status.json", change(fingerprint="0"), "its checksum is not that of its entries"),
        ("status.json", lambda path: path.write_text("[" * 100_000), "nested too deeply"),
        ("checkpoints", file_instead, "checkpoints is a file"),
        ("checkpoints/last.ckpt", flip_directory, "its checksum is not the one at its end"),
        ("checkpoints/last.ckpt", unsealed(flip_directory), "last.ckpt is damaged in"),
        ("checkpoints/last.ckpt", unsealed(other_tensors), "last.ckpt cannot be used"),
        ("epochs.csv", pipe_instead, "epochs.csv is not a regular file"),
    ],
)
def test_an_unfinished_run_that_is_damaged_begins_anew(
    tiny, tmp_path, whole, unfinished, results, caplog, file, damage, said
):
    damage(unfinished / file)
    with caplog.at_level(logging.WARNING):
        run(tiny("experiment_name=mine"))
    assert said in caplog.text
    assert results(unfinished) == results(whole)
    (aside,) = [f for f in (tmp_path / "runs").iterdir() if f.name.startswith(".")]
    assert str(aside) in caplog.text
    status = RunFolder(unfinished).read_status()
    assert len(status["attempts"]) == 1


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ((recorder, "log_restored"), RuntimeError("no server")),
        ((SegmentationModule, "configure_optimizers"), RuntimeError("no device")),
        ((recorder.Recorder, "load_state_dict"), torch.AcceleratorError("device lost")),
    ],
)
def test_what_fails_beside_restoring_costs_no_checkpoint(
    tiny, tmp_path, whole, unfinished, results, monkeypatch, caplog, where, error
):
    def fail(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(*where, fail)
        with pytest.raises(RunFailed, match=str(error)):
            run(tiny("experiment_name=mine"))
    assert RunFolder(unfinished).checkpoint.exists()
    with caplog.at_level(logging.INFO):
        run(tiny("experiment_name=mine"))
    assert "resumes from its last checkpoint" in caplog.text
    assert "restarts" not in caplog.text
    assert results(unfinished) == results(whole)


@pytest.mark.parametrize(
    ("file", "damage", "state"),
    [
        ("metrics.json", cut, "damaged"),
        ("metrics.json", lambda path: path.unlink(), "damaged"),
        ("status.json", cut, "damaged"),
        ("status.json", change(schema=0), "outdated"),
        ("status.json", change(state="running"), "damaged"),
        ("metrics.json", change(dice_image=0.9), "damaged"),
        ("images.csv", cut, "damaged"),
        ("images.csv", lambda path: path.unlink(), "damaged"),
        ("config.yaml", lambda path: path.write_text(""), "damaged"),
        ("checkpoints/weights.pt", lambda path: path.write_bytes(b""), "done"),
        ("checkpoints/weights.pt", lambda path: path.unlink(), "done"),
    ],
)
def test_a_finished_run_that_is_damaged_is_made_again(
    tiny, tmp_path, whole, results, file, damage, state
):
    expected = results(whole)
    damage(whole / file)
    assert look(RunFolder(whole)).state == state
    run(tiny(f"paths.runs={tmp_path}/whole"))
    assert look(RunFolder(whole)).state == "done"
    assert results(whole) == expected
    (aside,) = [f for f in whole.parent.iterdir() if f.name.startswith(".")]
    assert (aside / "split.csv").exists()
    if file == "metrics.json":  # its experiments were still readable
        assert look(RunFolder(whole)).experiments == ("mine",)


def test_a_full_disk_fails_the_run_and_no_more(tiny, tmp_path, monkeypatch, results):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(RunFailed, match="No space left on device"):
            run(tiny())
    run(tiny())
    (folder,) = (tmp_path / "runs").iterdir()
    assert look(RunFolder(folder)).state == "done"
    assert not list(folder.rglob("*.tmp"))


def test_a_diverged_loss_is_told_with_its_step_and_images(tiny, tmp_path, monkeypatch):
    seen = []
    forward = SegmentationModule.forward

    def poisoned(self, images):
        if self.training:
            seen.append(images)
        bad = self.training and len(seen) == 5  # the second step of epoch 2
        return forward(self, images) * (float("nan") if bad else 1)

    monkeypatch.setattr(SegmentationModule, "forward", poisoned)
    plain = ["augmentation=none", "noise.alpha=0"]
    with pytest.raises(RunFailed, match=r"loss is nan in epoch 2 at step 5, on the images"):
        run(tiny(*plain))
    (folder,) = (tmp_path / "runs").iterdir()
    message = RunFolder(folder).read_status()["error"]["message"]
    named = message.partition("images ")[2].partition(":")[0].split(", ")
    assert len(named) == 4
    assert {tuple(image.flatten()[:50].tolist()) for image in seen[4]} == {
        tuple(image.flatten()[:50].tolist()) for image in _images(tiny(*plain), named)
    }


def _images(cfg, ids):
    images = load(instantiate(cfg.dataset.source), cfg.dataset.image_size, Path(cfg.paths.cache))
    return [images.images[images.ids.index(name)] for name in ids]


def test_a_collapsed_network_is_told(tiny, tmp_path, monkeypatch):
    forward = SegmentationModule.forward
    monkeypatch.setattr(SegmentationModule, "forward", lambda *a: forward(*a) - 100)
    run(tiny())
    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "metrics.json").read_text())["collapsed"] == "background"
    assert look(RunFolder(folder)).collapsed == "background"
