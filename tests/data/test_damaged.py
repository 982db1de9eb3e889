"""Every kind of damaged input, and the message it gets."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from robustseg.data.sources.folder import Folder
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.shenzhen import Shenzhen
from robustseg.errors import DataError

DATA = "ISIC-2017_Training_Data"
TRUTH = "ISIC-2017_Training_Part1_GroundTruth"
IMAGE = f"{DATA}/ISIC_0000001.jpg"
MASK = f"{TRUTH}/ISIC_0000001_segmentation.png"


def remove_folder(name):
    return lambda root: shutil.rmtree(root / name)


def empty_folder(name):
    return lambda root: [path.unlink() for path in (root / name).iterdir()]


def remove(name):
    return lambda root: (root / name).unlink()


def write(name, data):
    return lambda root: (root / name).write_bytes(data)


def cut(name):
    def damage(root):
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 2])

    return damage


def mask_of(array):
    def damage(root):
        Image.fromarray(array).save(root / MASK)

    return damage


def copy(name, other):
    return lambda root: shutil.copy(root / name, root / other)


def colours():
    array = np.zeros((32, 32, 3), np.uint8)
    array[:4, :4] = (255, 0, 0)
    return array


def equal_palette(root):
    image = Image.fromarray(np.eye(32, dtype=np.uint8))
    image.putpalette([255, 0, 0, 0, 130, 0])
    image.save(root / MASK)


def deep_image(root):
    (root / IMAGE).unlink()
    Image.fromarray(np.zeros((32, 32), np.float32)).save(root / IMAGE.replace(".jpg", ".tif"))


GREY = np.linspace(0, 255, 32 * 32).astype(np.uint8).reshape(32, 32)

# what is done to the files → the file that is named, what is said
CASES = {
    "image folder missing": (
        remove_folder(DATA),
        "",
        f"no folder {DATA} in it (it holds ISIC-2017_Test_v2_Data,",
    ),
    "mask folder missing": (remove_folder(TRUTH), "", f"no folder {TRUTH} in it"),
    "no images": (empty_folder(DATA), DATA, "no images in it"),
    "mask missing": (
        remove(MASK),
        IMAGE,
        "no mask ISIC_0000001_segmentation.png in",
    ),
    "image is empty": (write(IMAGE, b""), IMAGE, "the image cannot be read (0 bytes;"),
    "image is text": (
        write(IMAGE, b"<html>Please log in</html>"),
        IMAGE,
        "the image cannot be read (26 bytes;",
    ),
    "image cut off": (cut(IMAGE), IMAGE, "the image cannot be read"),
    "mask cut off": (cut(MASK), MASK, "the mask cannot be read"),
    "image of 32 bits": (deep_image, f"{DATA}/ISIC_0000001.tif", "floating-point pixels (mode F)"),
    "mask of another size": (
        mask_of(np.zeros((16, 24), np.uint8)),
        MASK,
        "the mask is 24×16 but its image ISIC_0000001.jpg is 32×32",
    ),
    "mask in grey levels": (
        mask_of(GREY),
        MASK,
        "not binary, it holds 256 values (0, 1, 2, 3, 4, 5, 6, 7, …)",
    ),
    "mask of three classes": (
        mask_of((GREY // 100).astype(np.uint8)),
        MASK,
        "not binary, it holds 3 values (0, 1, 2)",
    ),
    "mask in colour": (mask_of(colours()), MASK, "the mask is in colour"),
    "palette of two equally bright colours": (equal_palette, MASK, "two equally bright colours"),
    "two files of one name": (
        copy(IMAGE, f"{DATA}/ISIC_0000001.png"),
        f"{DATA}/ISIC_0000001.png",
        "the same id as ISIC_0000001.jpg",
    ),
}
SPLIT_TWICE = "ISIC-2017_Test_v2_Data/ISIC_0000001.jpg"
SPLIT_TWICE_MASK = "ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_0000001_segmentation.png"


def read_all(source):
    for record in source.records():
        source.read(record)


@pytest.mark.parametrize("case", CASES)
def test_damaged_files(isic_root, case):
    damage, file, message = CASES[case]
    read_all(Isic2017(isic_root))  # whole before the damage
    damage(isic_root)
    with pytest.raises(DataError) as error:
        read_all(Isic2017(isic_root))
    assert message in str(error.value)
    assert str(error.value).startswith(str(isic_root / file))


def test_an_id_in_two_splits(isic_root):
    copy(IMAGE, SPLIT_TWICE)(isic_root)
    copy(MASK, SPLIT_TWICE_MASK)(isic_root)
    with pytest.raises(DataError, match="'ISIC_0000001' is in the splits test and train"):
        Isic2017(isic_root).records()


def test_several_errors_are_counted(isic_root):
    empty_folder(TRUTH)(isic_root)
    with pytest.raises(DataError, match=r"and 3 more: robustseg data check lists all"):
        Isic2017(isic_root).records()


@pytest.mark.parametrize(("root", "message"), [(None, "is not set"), ("", "is not set")])
def test_root_not_set(root, message):
    with pytest.raises(DataError, match=f"dataset.root {message}: give the folder"):
        Isic2017(root).records()


def test_root_missing(tmp_path):
    with pytest.raises(DataError, match=r"gone: no such folder. Set dataset.root"):
        Isic2017(tmp_path / "gone").records()


def test_root_empty(tmp_path):
    with pytest.raises(DataError, match=r"\(it holds nothing\)"):
        Isic2017(tmp_path).records()


def test_a_file_that_goes_after_the_scan(isic_root):
    source = Isic2017(isic_root)
    record = source.records()[0]
    record.image.unlink()
    with pytest.raises(DataError, match="the image file is gone"):
        source.read(record)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(isic_root):
    (isic_root / IMAGE).chmod(0)
    with pytest.raises(DataError, match="not allowed to read"):
        read_all(Isic2017(isic_root))


def test_no_lung_masks(tmp_path):
    (tmp_path / "CXR_png").mkdir()
    (tmp_path / "mask").mkdir()
    Image.fromarray(GREY).save(tmp_path / "CXR_png" / "CHNCXR_0001_0.png")
    with pytest.raises(DataError, match="no mask of a film"):
        Shenzhen(tmp_path).records()


def split_file(text):
    return lambda root: (root / "split.csv").write_text("id,split,case\n" + text)


TILE_CASES = {
    "mask missing": (remove("masks/P0_tile1.png"), {}, "no mask for 1 of 12 images (P0_tile1.*)"),
    "wrong suffix": (
        lambda root: None,
        {"mask_suffix": "_seg"},
        "no mask for 12 of 12 images (P0_tile0_seg.*, ",
    ),
    "glob finds nothing": (lambda root: None, {"glob": "*.bmp"}, "no images in it"),
    "row without image": (
        split_file("P0_tile0,train,a\nP9,test,b\n"),
        {},
        "the id 'P9' has no image",
    ),
    "case in two splits": (
        split_file("P0_tile0,train,a\nP0_tile1,test,a\n"),
        {},
        "the case 'a' is in the splits test and train",
    ),
    "column without split file": (
        lambda root: None,
        {"keep_column": "few"},
        "no such file, and dataset.source.keep_column=few needs it",
    ),
    "pattern finds no case": (
        lambda root: None,
        {"group_pattern": "Q(.)"},
        "finds no case in 'P0_tile0'",
    ),
}


@pytest.mark.parametrize("case", TILE_CASES)
def test_damaged_folders(tiles_root, case):
    damage, options, message = TILE_CASES[case]
    read_all(Folder(tiles_root))  # whole before the damage
    damage(tiles_root)
    with pytest.raises(DataError) as error:
        read_all(Folder(tiles_root, **options))
    assert message in str(error.value)
    assert str(tiles_root) in str(error.value)
