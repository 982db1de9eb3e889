import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robustseg.data.checking.check import SHARES, check
from robustseg.data.checking.check_report import render_text, to_json
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.source import Record
from robustseg.errors import DataError
from tests.data.conftest import disc, picture, save

TRUTH = "ISIC-2017_Training_Part1_GroundTruth"
DATA = "ISIC-2017_Training_Data"

FEW = "there are only 8 images: results depend on which of them are tested"


def test_a_whole_set(isic_root):
    report = check(Isic2017(isic_root))
    assert report.errors == []
    assert report.warnings == [FEW]
    assert report.images == {"train": 4, "val": 2, "test": 2}
    assert report.sizes == {"32×32": 8}
    assert report.modes == {"RGB/L": 8}
    assert report.empty_masks == {"train": 0, "val": 0, "test": 0}
    assert report.cases == {}
    assert report.duplicates == []


def test_the_foreground_histogram(isic_root):
    report = check(Isic2017(isic_root))
    shares = [
        (np.asarray(Image.open(path)) > 0).mean() for path in sorted((isic_root / TRUTH).iterdir())
    ]
    expected = [0] * len(SHARES)
    for share in shares:
        expected[next(k for k, upper in enumerate(SHARES) if share <= upper)] += 1
    assert report.foreground["train"] == expected


def test_goes_on_over_bad_files(isic_root):
    paths = [isic_root / DATA / f"ISIC_000000{k}.jpg" for k in range(4)]
    masks = [isic_root / TRUTH / f"ISIC_000000{k}_segmentation.png" for k in range(4)]
    paths[0].write_bytes(paths[0].read_bytes()[:200])
    masks[1].unlink()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(masks[2])
    Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32)).save(masks[3])
    report = check(Isic2017(isic_root))
    told = "\n".join(report.errors)
    assert len(report.errors) == 4
    assert f"{paths[0]}: the image cannot be read" in told
    assert f"{paths[1]}: no mask" in told
    assert f"{masks[2]}: the mask is 8×8" in told
    assert f"{masks[3]}: the mask is not binary, it holds 1024 values" in told
    assert report.images == {"train": 3, "val": 2, "test": 2}
    assert render_text(report).endswith("4 errors")


def test_files_that_are_missing_beside_masks_that_are_empty(tiles_root):
    sorted((tiles_root / "masks").iterdir())[0].unlink()
    report = check(Folder(tiles_root, positive_values=[9]), 16)
    assert [error.split(": ")[-1][:12] for error in report.errors] == ["no mask for "]
    assert sum(report.empty_masks.values()) == 11


def test_masks_that_vanish_are_counted_by_split(isic_root):
    mask = np.zeros((32, 32), np.uint8)
    mask[1, 1] = 255
    for number in (0, 1, 5):
        split = ("Training", "Validation")[number == 5]
        truth = isic_root / f"ISIC-2017_{split}_Part1_GroundTruth"
        Image.fromarray(mask).save(truth / f"ISIC_000000{number}_segmentation.png")
    report = check(Isic2017(isic_root), 8)
    assert report.vanished == {"train": 2, "val": 1, "test": 0}
    assert check(Isic2017(isic_root)).vanished == {"train": 0, "val": 0, "test": 0}


def test_a_root_that_is_not_there(tmp_path):
    report = check(Isic2017(tmp_path / "gone"))
    assert len(report.errors) == 1
    assert "no such folder" in render_text(report)
    assert render_text(report).endswith("1 error")


def test_empty_full_and_long_pictures(tiles_root):
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(tiles_root / "images/P0_tile0.png")
    Image.fromarray(np.full((20, 40), 255, np.uint8)).save(tiles_root / "masks/P0_tile0.png")
    report = check(Folder(tiles_root, group_pattern="P."))
    assert sum(report.empty_masks.values()) == 5
    assert sum(report.cases.values()) == 4
    assert report.sizes == {"32×32": 11, "40×20": 1}
    assert any("1 image is not square" in text for text in report.warnings)
    assert any("P0_tile0.png: foreground everywhere" in text for text in report.warnings)


def test_a_full_mask_of_several_files_is_named(tiles_root):
    (tiles_root / "masks" / "x").mkdir()
    for path in sorted((tiles_root / "masks").glob("*.png")):
        path.rename(tiles_root / "masks" / "x" / path.name)
    Image.fromarray(np.full((32, 32), 255, np.uint8)).save(tiles_root / "masks/x/P0_tile0.png")
    report = check(Folder(tiles_root, classes=["b", "x"], class_masks={"x": "x/{stem}"}))
    assert any("P0_tile0.png: foreground everywhere" in text for text in report.warnings)


def test_ignored_pixels_do_not_count_as_background(tiles_root):
    mask = np.zeros((32, 32), np.uint8)
    mask[:16], mask[16:20] = 9, 1
    for path in (tiles_root / "masks").iterdir():
        Image.fromarray(mask).save(path)
    report = check(Folder(tiles_root, positive_values=[1], ignore_values=[9]))
    assert sum(report.foreground["train"]) == report.foreground["train"][SHARES.index(0.4)]


def test_foreground_of_two_values_is_remarked(tiles_root):
    first = sorted((tiles_root / "masks").iterdir())[1]
    Image.fromarray(np.eye(32, dtype=np.uint8) * 2).save(first)
    report = check(Folder(tiles_root))
    said = "255 in 5, 2 in 1 masks): is this one class, or several?"
    assert any(said in text for text in report.warnings)


def test_an_orientation_tag_is_remarked(isic_root):
    path = isic_root / DATA / "ISIC_0000001.jpg"
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(path).save(path, exif=exif)
    report = check(Isic2017(isic_root))
    assert any(f"{path}: an orientation tag" in text for text in report.warnings)


def test_duplicates_across_splits(isic_root):
    source, target = isic_root / DATA, isic_root / "ISIC-2017_Test_v2_Data"
    shutil.copy(source / "ISIC_0000001.jpg", target / "ISIC_0000006.jpg")
    Image.open(source / "ISIC_0000002.jpg").save(target / "ISIC_0000007.jpg", quality=50)
    report = check(Isic2017(isic_root))
    assert [(p.kind, p.first[-1], p.second[-1]) for p in report.duplicates] == [
        ("exact", "1", "6"),
        ("near", "2", "7"),
    ]
    assert "1 pair across splits has the same pixels" in report.warnings
    assert report.errors == []
    text = render_text(report)
    assert (
        "near   train ISIC_0000002  test ISIC_0000007  correlation of the grey levels 0.9" in text
    )
    assert "of the grey levels 1.0000, 0 of 64 marks of the coarse pattern differ" in text


def test_many_values_of_masks_are_counted(isic_root):
    values = {str(value): 20 for value in [*range(75), 255]}
    text = render_text(replace(check(Isic2017(isic_root)), values=values))
    assert "6 in 20, 7 in 20 masks, and 68 more values, up to 255\n" in text


def test_duplicates_that_folds_may_part(tmp_path):
    drawn = {"A1_a": 0, "A1_b": 0, "A2_a": 0} | {f"B{n}_a": n for n in range(1, 10)}
    for name, seed in drawn.items():
        save(tmp_path / "images" / f"{name}.png", picture(seed, 40))
        save(tmp_path / "masks" / f"{name}.png", disc(12, 40))
    report = check(Folder(tmp_path))
    of = {record.id: record.split for record in Folder(tmp_path).records()}
    assert of["A1_a"] == of["A1_b"] == of["A2_a"] == "train"  # one split, as drawn
    assert [(p.kind, p.first, p.second) for p in report.duplicates] == [
        ("exact", "A1_a", "A1_b"),  # of three that are equal: the first and each other
        ("exact", "A1_a", "A2_a"),
    ]
    told = "2 pairs within a split have the same pixels; folds or another split could separate them"
    assert told in report.warnings
    report = check(Folder(tmp_path, group_pattern="^A."))  # a case is never parted
    assert [(p.first, p.second) for p in report.duplicates] == [("A1_a", "A2_a")]
    lines = [f"{name},{'test' if name[0] == 'B' else 'train'}\n" for name in drawn]
    (tmp_path / "split.csv").write_text("".join(["id,split\n", *lines]))
    assert check(Folder(tmp_path)).duplicates == []  # this split is given


def test_json_holds_all_of_it(isic_root):
    shutil.copy(
        isic_root / DATA / "ISIC_0000001.jpg",
        isic_root / "ISIC-2017_Test_v2_Data" / "ISIC_0000006.jpg",
    )
    data = json.loads(to_json(check(Isic2017(isic_root))))
    assert data["images"] == {"train": 4, "val": 2, "test": 2}
    assert data["duplicates"][0]["kind"] == "exact"
    assert data["share_classes"][-1] == 1.0
    assert data["root"] == str(isic_root)


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_empty_split_is_an_error(tiles_root, split):
    source = Folder(tiles_root, fractions={split: 1.0})
    other = "test" if split == "train" else "train"
    said = f"{tiles_root}: the split {other!r} is empty. Add images to it"
    assert check(source).errors == [said]
    with pytest.raises(DataError, match=f"^{re.escape(said)}$"):
        source.check_trainable()
    assert {record.split for record in source.records()} == {split}  # enough to score


def test_long_lists_are_cut_in_the_text(isic_root):
    for path in (isic_root / TRUTH).iterdir():
        path.unlink()
    for number in range(10, 40):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(isic_root / DATA / f"ISIC_{number}.png")
    report = check(Isic2017(isic_root))
    (error,) = report.errors
    assert "ISIC_0000000.jpg and 33 more (ISIC_0000001.jpg, ISIC_0000002.jpg, …): no mask" in error
    many = replace(report, errors=[f"error {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"])
    assert "and 6 more (--format json has all)" in render_text(many)


class Drawn:
    """A source without files."""

    channels = 1

    def records(self) -> list[Record]:
        return [Record("a", "train"), Record("b", "test")]

    def read(self, record: Record) -> tuple[np.ndarray, np.ndarray]:
        image = np.full((8, 8, 1), ord(record.id), np.uint8)
        return image, np.eye(8, dtype=np.uint8)

    def fingerprint(self, cache: Path | None = None) -> str:
        return "0" * 64


def test_drawn_pictures():
    report = check(Drawn())
    assert report.modes == {"drawn/drawn": 2}
    assert report.images == {"train": 1, "test": 1}
    assert "no errors" in render_text(report)
