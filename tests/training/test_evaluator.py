"""What is measured of a network: against numpy on whole arrays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from robustseg.data.imageset import ImageSet
from robustseg.data.prepare import RunData
from robustseg.settings import EvaluationSettings
from robustseg.training.evaluator import Evaluator

SETTINGS = EvaluationSettings(every=1, last=1, train_sample=4, batch_size=3, hd95=False)


class Brightness(nn.Module):
    """Its logit is the pixel's value plus an offset, in tenths."""

    def __init__(self):
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(-128.0))

    def forward(self, images):
        return (images[..., :1].permute(0, 3, 1, 2).float() + self.offset) / 10


def images(split, count, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 6, 6, 1), dtype=np.uint8)
    masks = (rng.random((count, 6, 6)) < 0.4).astype(np.uint8)
    names = [f"{split}{at}" for at in range(count)]
    return ImageSet(names, np.full(count, split), pixels, masks, [""] * count)


@pytest.fixture
def data():
    train = images("train", 9, 0)
    manifest = [{"type": "clean"}] * 9
    return RunData(train, train.masks, manifest, images("test", 5, 1), images("val", 7, 2))


def dice(predicted, masks):
    both = (predicted & (masks == 1)).sum((1, 2))
    return 2 * both / (predicted.sum((1, 2)) + (masks == 1).sum((1, 2)))


def test_held_out_and_test_images_are_scored_at_every_threshold(data):
    outcome = Evaluator(data, SETTINGS, "32-true")(Brightness(), reported=True, last=False)
    assert [row["threshold"] for row in outcome.thresholds] == [k / 20 for k in range(1, 20)]
    for row in outcome.thresholds:
        for part, name in ((data.test, "test_dice_image"), (data.heldout, "heldout_dice_noisy")):
            logits = (part.images[..., 0].astype(np.float64) - 128) / 10
            predicted = 1 / (1 + np.exp(-logits)) > row["threshold"]
            assert row[name] == pytest.approx(dice(predicted, part.masks).mean())


def test_an_evaluation_that_is_not_reported_keeps_no_rows_of_images(data):
    evaluator = Evaluator(data, SETTINGS, "32-true")
    once = evaluator(Brightness(), reported=False, last=False)
    again = evaluator(Brightness(), reported=True, last=False)
    assert once.images == []
    assert [row["id"] for row in again.images] == data.test.ids
    assert once.thresholds == again.thresholds


@pytest.mark.parametrize("last", [False, True])
def test_changed_is_the_share_of_the_samples_pixels_predicted_otherwise(data, last):
    evaluator, module = Evaluator(data, SETTINGS, "32-true"), Brightness()
    assert "train_changed" not in evaluator(module, reported=False, last=False).row
    assert evaluator(module, reported=False, last=False).row["train_changed"] == 0
    module.offset.data.fill_(-200)
    row = evaluator(module, reported=False, last=last).row
    # The sample is drawn by the number of training images, and the same at every evaluation.
    sample = np.sort(np.random.default_rng(9).choice(9, 4, replace=False))
    pixels = data.train.images[sample]
    assert row["train_changed"] == ((pixels > 128) != (pixels > 200)).mean()


class OnDisk(np.ndarray):
    """An array that may be sliced, as a memory map is, but of which no list of rows is copied."""

    def __getitem__(self, index):
        if isinstance(index, np.ndarray):
            raise AssertionError("copies what is indexed")
        return super().__getitem__(index)


@pytest.mark.parametrize(("sample", "last"), [(4, True), (9, False)])
def test_measuring_all_training_images_copies_none(data, sample, last):
    settings = SETTINGS.changed(train_sample=sample)
    expected = Evaluator(data, settings, "32-true")(Brightness(), reported=False, last=last)
    on_disk = {name: getattr(data.train, name).view(OnDisk) for name in ("images", "masks")}
    train = replace(data.train, **on_disk)
    disk = replace(data, train=train, noisy=data.noisy.view(OnDisk))
    outcome = Evaluator(disk, settings, "32-true")(Brightness(), reported=False, last=last)
    assert outcome.row == expected.row
    assert "train_dice_noisy" in outcome.row


@pytest.mark.parametrize("sample", [4, 9])
def test_predictions_of_the_sample_alone_are_kept(data, sample):
    evaluator = Evaluator(data, SETTINGS.changed(train_sample=sample), "32-true")
    for last in (False, True):
        evaluator(Brightness(), reported=False, last=last)
        rows = np.sort(np.random.default_rng(9).choice(9, sample, replace=False))
        bits = np.packbits(data.train.images[rows, ..., 0] > 128)
        np.testing.assert_array_equal(evaluator.predicted.numpy(), bits)


def test_held_out_masks_that_are_all_ignored_choose_no_threshold(data):
    data.heldout.masks[:] = 255
    outcome = Evaluator(data, SETTINGS, "32-true")(Brightness(), reported=True, last=True)
    assert "heldout_threshold" not in outcome.row
    assert "tp_tuned" not in outcome.images[0]
