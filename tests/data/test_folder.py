import shutil
import unicodedata
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from robustseg.data.sources.folder import Folder
from robustseg.errors import DataError


def splits(source):
    return {record.id: record.split for record in source.records()}


def test_a_seeded_split(tiles_root):
    found = splits(Folder(tiles_root))
    assert Counter(found.values()) == {"train": 8, "val": 2, "test": 2}
    assert splits(Folder(tiles_root, split_seed=3)) != found


def test_cases_stay_together(tiles_root):
    source = Folder(
        tiles_root,
        group_pattern=r"^(P\d)_",
        fractions={"train": 0.5, "val": 0.25, "test": 0.25},
    )
    records = source.records()
    assert Counter(r.split for r in records) == {"train": 6, "val": 3, "test": 3}
    assert all(r.group == r.id[:2] for r in records)
    assert len({(r.group, r.split) for r in records}) == 4


def test_a_pattern_without_a_group_takes_the_whole_match(tiles_root):
    assert {r.group for r in Folder(tiles_root, group_pattern=r"P\d").records()} == {
        "P0",
        "P1",
        "P2",
        "P3",
    }


def test_a_split_file(tiles_root):
    rows = ["P0_tile0,train,P0,1", "P1_tile3,test,P1,1", "P2_tile6,val,P2,0"]
    (tiles_root / "split.csv").write_text("id,split,case,few\n" + "\n".join(rows) + "\n")
    source = Folder(tiles_root)
    assert splits(source) == {"P0_tile0": "train", "P1_tile3": "test", "P2_tile6": "val"}
    assert [r.group for r in source.records()] == ["P0", "P2", "P1"]
    assert source.checked_scan().remarks == ["9 images are not used by split.csv"]
    assert splits(Folder(tiles_root, keep_column="few")) == {
        "P0_tile0": "train",
        "P1_tile3": "test",
    }


def test_masks_of_unused_images_are_not_needed(tiles_root):
    (tiles_root / "split.csv").write_text("id,split\nP0_tile0,train\nP1_tile3,test\n")
    (tiles_root / "masks" / "P2_tile6.png").unlink()
    assert len(Folder(tiles_root).records()) == 2


@pytest.mark.parametrize("outside", [True, False])
def test_split_folders(tiles_root, outside):
    names = sorted(path.name for path in (tiles_root / "images").iterdir())
    for part, few in (("train", names[:6]), ("test", names[6:])):
        for kind in ("images", "masks"):
            target = tiles_root / (f"{part}/{kind}" if outside else f"{kind}/{part}")
            target.mkdir(parents=True)
            for name in few:
                shutil.move(tiles_root / kind / name, target / name)
    assert splits(Folder(tiles_root)) == {
        name[:-4]: "train" if name in names[:6] else "test" for name in names
    }


def test_suffix_glob_and_other_names(tiles_root):
    (tiles_root / "images").rename(tiles_root / "scans")
    (tiles_root / "masks").rename(tiles_root / "labels")
    for path in list((tiles_root / "labels").iterdir()):
        path.rename(path.with_name(f"{path.stem}_seg.png"))
    source = Folder(
        tiles_root,
        image_folders=["scans"],
        mask_folders=["labels"],
        mask_suffix="_seg",
        glob="P[01]_*.png",
    )
    assert len(source.records()) == 6
    assert source.checked_scan().remarks[0].startswith("6 masks have no image")


def test_images_and_masks_in_one_folder(tiles_root):
    for path in list((tiles_root / "masks").iterdir()):
        path.rename(tiles_root / "images" / f"{path.stem}_mask.png")
    source = Folder(tiles_root, mask_folders=["images"], mask_suffix="_mask")
    assert len(source.records()) == 12


def test_a_missing_mask_may_be_empty(tiles_root):
    (tiles_root / "masks" / "P0_tile1.png").unlink()
    source = Folder(tiles_root, missing_mask="empty")
    record = next(r for r in source.records() if r.id == "P0_tile1")
    assert not source.read(record)[1].any()
    assert source.fingerprint() != ""


def test_classes_of_a_mask(tiles_root):
    labels = (
        np.array([[0, 1, 2, 3]], np.uint8).repeat(4, axis=0).repeat(8, axis=0).repeat(8, axis=1)
    )
    Image.fromarray(labels).save(tiles_root / "masks" / "P0_tile1.png")
    source = Folder(tiles_root, positive_values=[2, 3], ignore_values=[0])
    record = next(r for r in source.records() if r.id == "P0_tile1")
    assert source.read(record)[1][0, ::8].tolist() == [255, 0, 1, 1]


def test_hidden_files_are_passed_over(tiles_root):
    (tiles_root / "images" / "._P0_tile0.png").write_bytes(b"what a Mac leaves")
    (tiles_root / "images" / "Thumbs.db").write_bytes(b"what Windows leaves")
    assert len(Folder(tiles_root).records()) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing_mask": "ignore"}, "missing_mask must be error or empty, got 'ignore'"),
        ({"channels": 4}, "channels must be 1 .* got 4"),
        ({"group_pattern": "(P"}, "group_pattern"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(DataError, match=message):
        Folder("somewhere", **options)


@pytest.mark.parametrize(("images", "masks"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_that_differ_in_composition_only(tiles_root, images, masks):
    names = {}
    for kind, form in (("images", images), ("masks", masks)):
        for path in (tiles_root / kind).iterdir():
            stem = unicodedata.normalize(form, f"ü{path.stem}")
            names[kind, path.stem] = path.rename(path.with_name(f"{stem}.png"))
    source = Folder(tiles_root)
    for record in source.records():
        stem = unicodedata.normalize("NFC", record.id).removeprefix("ü")
        assert record.id == record.image.stem
        assert record.mask == names["masks", stem]
        assert record.image == names["images", stem]
    assert source.checked_scan().remarks == []


def test_ids_of_a_split_file_in_another_composition(tiles_root):
    for kind in ("images", "masks"):
        path = tiles_root / kind / "P0_tile0.png"
        path.rename(path.with_name(unicodedata.normalize("NFD", "ü.png")))
    (tiles_root / "split.csv").write_text("id,split\nü,train\nP1_tile3,test\n", encoding="utf-8")
    assert splits(Folder(tiles_root)) == {"ü": "train", "P1_tile3": "test"}


@pytest.mark.parametrize("names", [("train", "Test"), ("training", "test"), ("train", "test")])
def test_a_needed_split_under_another_name(tiles_root, names):
    for at, kind in enumerate(("images", "masks") * 2):
        target = tiles_root / names[at // 2] / kind
        target.mkdir(parents=True)
        for path in sorted((tiles_root / kind).iterdir())[: 6 if at < 2 else None]:
            path.rename(target / path.name)
    assert Counter(splits(Folder(tiles_root)).values()) == {"train": 6, "test": 6}


def test_a_folder_called_dev_is_no_split(tiles_root):
    (tiles_root / "dev").mkdir()
    source = Folder(tiles_root)
    assert len(source.records()) == 12
    assert (
        "not used as a split, without train or test beside it: dev"
        in source.checked_scan().remarks[0]
    )


def test_images_without_masks_are_listed_where_no_setting_would_help(tiles_root):
    for name in ("P0_tile0", "P1_tile3"):
        (tiles_root / "masks" / f"{name}.png").unlink()
    errors = Folder(tiles_root).checked_scan().errors
    assert [error.split(". ")[0] for error in errors] == [
        f"{tiles_root / 'masks'}: no mask for 2 of 12 images (P0_tile0.*, P1_tile3.*)"
    ]
    (tiles_root / "masks" / "P0_tile0_x.png").touch()  # one alone is not a suffix
    assert "would match" not in "".join(Folder(tiles_root).checked_scan().errors)
    (tiles_root / "masks" / "P1_tile3_x.png").touch()
    (error,) = Folder(tiles_root).checked_scan().errors
    assert error.endswith("mask_suffix=_x would match all 2")
