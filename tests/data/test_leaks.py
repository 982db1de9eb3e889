"""What training says of images and cases that are in two of its splits."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from robustseg.configuration.checks import resolve
from robustseg.data.cache import load
from robustseg.data.checking import duplicates
from robustseg.data.checking import leaks as leaks_module
from robustseg.data.checking.leaks import leaks
from robustseg.data.prepare import prepare
from robustseg.data.sources.folder import Folder
from robustseg.noise import Morphological
from tests.conftest import CONF
from tests.data.conftest import disc, picture, save


@pytest.fixture
def root(tmp_path):
    """Six training and three test images: one saved again, one copied, one of its own."""
    root = tmp_path / "mine"
    for number in range(6):
        save(root / "train/images" / f"P{number}_a.png", picture(number, 64))
    for number, seed in enumerate((0, 1, 99)):
        save(root / "test/images" / f"T{number}_a.png", picture(seed, 64))
    again = Image.open(root / "test/images/T1_a.png")
    again.save(tmp_path / "again.jpg", quality=70)
    Image.open(tmp_path / "again.jpg").save(root / "test/images/T1_a.png")
    for image in root.glob("*/images/*.png"):
        save(root / image.parts[-3] / "masks" / image.name, disc(12, 64))
    return root


def test_copies_and_pictures_saved_again_are_named(root, tmp_path):
    (said,) = leaks(load(Folder(root), 48, tmp_path / "cache"), tmp_path / "cache")
    assert "1 pair with the same pixels, 1 pair of near duplicates" in said
    assert "P0_a and T0_a" in said
    assert "robustseg data check" in said


def test_cases_in_two_splits_are_named(root, tmp_path):
    images = load(Folder(root), 48, tmp_path / "cache")
    images = replace(images, groups=[f"case{at % 7}" for at in range(len(images))])
    images = images.subset([2, 3, 4, 5, 8])  # cases 2, 3, 4, 5 and, of the test, 1
    assert leaks(images, tmp_path / "cache") == []
    images.groups[-1] = "case3"
    (said,) = leaks(images, tmp_path / "cache")
    assert "1 case in two splits (such as case3)" in said
    assert "dataset.source.group_pattern" in said


def test_pairs_within_a_split_are_no_leak(root, tmp_path):
    images = load(Folder(root), 48, tmp_path / "cache")
    alone = replace(images, splits=np.full(len(images), "train"))
    assert leaks(alone, tmp_path / "cache") == []
    assert len(leaks(images, tmp_path / "cache")) == 1  # kept whatever the splits were


@pytest.mark.parametrize(("copies", "pairs"), [(4, 5), (2000, 500 * 1000 * 2 + 500 * 500)])
def test_copies_are_counted_and_push_no_near_pair_out(copies, pairs, root, tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "MOST", 3)  # fewer than the pairs of four copies
    images = load(Folder(root), 48, tmp_path / "cache")
    blank = np.zeros((copies, 48, 48, 3), np.uint8)
    splits = ["train", "test", "val", "test"] * (copies // 4)
    images = replace(
        images,
        ids=[*images.ids, *(f"blank{at}" for at in range(copies))],
        splits=np.array([*images.splits, *splits]),
        images=np.concatenate([images.images, blank]),
        masks=np.concatenate([images.masks, blank[..., 0]]),
        groups=[""] * (len(images) + copies),
        digests=[*images.digests, *["blank"] * copies],
    )
    (said,) = leaks(images, tmp_path / "cache")
    assert f"{pairs + 1} pairs with the same pixels, 1 pair of near duplicates" in said


def test_pictures_are_compared_once(root, tmp_path, monkeypatch):
    images = load(Folder(root), 48, tmp_path / "cache")
    first = leaks(images, tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr(leaks_module, "thumbnail", None)
        assert leaks(images, tmp_path / "cache") == first
    (file,) = (tmp_path / "cache/alike").iterdir()
    file.write_text("garbage")
    assert leaks(images, tmp_path / "cache") == first  # looked for again


def test_a_run_warns_once(root, tmp_path, caplog):
    overrides = ["dataset=folder", f"dataset.root={root}", "dataset.image_size=48"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings = resolve(compose("train", [*overrides, "noise.alpha=0"]))
    source = Folder(root)
    with caplog.at_level(logging.WARNING):
        prepare(source, tmp_path / "cache", settings.dataset, settings.noise, Morphological())
    told = [
        record.message for record in caplog.records if "independent of training" in record.message
    ]
    assert len(told) == 1
