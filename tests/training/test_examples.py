"""Which images a run keeps."""

import numpy as np
import pytest
import torch

from robustseg.data.imageset import ImageSet
from robustseg.data.prepare import RunData
from robustseg.training import examples
from robustseg.training.examples import write_examples

SIZE = 16


class Bright(torch.nn.Module):
    """Predicts foreground where the image is white."""

    def __init__(self):
        super().__init__()
        self.sign = torch.nn.Parameter(torch.ones(()))

    def forward(self, images):
        return self.sign * (images.permute(0, 3, 1, 2).float() - 128)


def image_set(split, columns):
    """Images whose first columns are white, with their masks."""
    masks = np.zeros((len(columns), SIZE, SIZE), np.uint8)
    for mask, width in zip(masks, columns, strict=True):
        mask[:, :width] = 1
    ids = [f"{split}{at}" for at in range(len(columns))]
    splits = np.array([split] * len(columns))
    return ImageSet(ids, splits, masks[..., None] * 255, masks, [""] * len(columns))


def test_the_training_images_that_fit_their_masks_least_are_kept(tmp_path):
    train, test = image_set("train", [8] * 9), image_set("test", [2, 4, 6, 8])
    noisy = train.masks.copy()
    errors = [0, 1, 2, 5, 1, 7, 0, 3, 6]  # columns that are missing; 0: a clean mask
    for mask, error in zip(noisy, errors, strict=True):
        mask[:, 8 - error : 8] = 0
    manifest = [{"type": "erode" if error else "clean"} for error in errors]
    data = RunData(train, noisy, manifest, test)
    dice = np.array([0.5, 0.1, 0.9, 0.7])
    write_examples(tmp_path / "examples.npz", Bright(), data, dice, "32-true")
    with np.load(tmp_path / "examples.npz") as file:
        kept = list(zip(file["role"].tolist(), file["id"].tolist(), strict=True))
        assert (file["predicted"] == file["clean"]).all()
    assert kept == [
        ("fixed", "test0"),
        ("fixed", "test1"),
        ("worst", "test1"),
        ("median", "test3"),
        ("best", "test2"),
        ("train", "train1"),
        ("train", "train2"),
        ("train_disagreed", "train5"),
        ("train_disagreed", "train8"),
        ("train_disagreed", "train3"),
    ]


@pytest.mark.parametrize("copied", [1, 4, 64])
def test_the_least_learnt_are_those_of_all_parts(copied, tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "_COPIED", copied)
    train, test = image_set("train", [8] * 12), image_set("test", [2])
    noisy = train.masks.copy()
    for at, error in enumerate([1, 1, 2, 5, 1, 7, 4, 3, 6, 2, 1, 3]):
        noisy[at, :, 8 - error : 8] = 0
    data = RunData(train, noisy, [{"type": "erode"}] * 12, test)
    write_examples(tmp_path / "examples.npz", Bright(), data, np.array([0.5]), "32-true")
    with np.load(tmp_path / "examples.npz") as file:
        assert file["id"][-3:].tolist() == ["train5", "train8", "train3"]


def test_an_image_whose_pixels_are_all_ignored_is_no_best_example(tmp_path):
    train, test = image_set("train", [8] * 3), image_set("test", [2, 4, 6, 8, 3])
    test.masks[[2, 4]] = 255
    data = RunData(train, train.masks, [{"type": "clean"}] * 3, test)
    dice = np.array([0.5, 0.1, 1.0, 0.7, 1.0])
    write_examples(tmp_path / "examples.npz", Bright(), data, dice, "32-true")
    with np.load(tmp_path / "examples.npz") as file:
        kept = dict(zip(file["role"].tolist(), file["id"].tolist(), strict=True))
    assert (kept["worst"], kept["median"], kept["best"]) == ("test1", "test0", "test3")


def test_with_clean_masks_some_training_images_are_kept(tmp_path):
    train, test = image_set("train", [8] * 3), image_set("test", [2])
    data = RunData(train, train.masks, [{"type": "clean"}] * 3, test)
    write_examples(tmp_path / "examples.npz", Bright(), data, np.array([0.5]), "32-true")
    with np.load(tmp_path / "examples.npz") as file:
        assert list(file["role"]) == ["fixed", "worst", "median", "best", "train", "train"]
