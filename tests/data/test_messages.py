"""Every line of the table "Data" in docs/reference/messages.md: the check and a run both say it."""

import logging
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from robustseg.configuration.checks import resolve
from robustseg.data.checking.check import check
from robustseg.data.prepare import prepare
from robustseg.data.sources.folder import Folder
from robustseg.errors import DataError
from robustseg.noise import Morphological

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
SECTION = PAGE.split("\n## Data\n")[1].split("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in SECTION.splitlines()
    if line.startswith("| ") and not line.startswith("| input")
]


def each(folder, change):
    """Replaces each file of a folder by what `change` makes of its array."""
    for path in sorted(folder.iterdir()):
        Image.fromarray(change(np.asarray(Image.open(path)))).save(path)


def values(low, high):
    return lambda root: each(root / "masks", lambda mask: np.where(mask, high, low).astype("u1"))


def as_tiff(folder, change):
    for path in sorted(folder.iterdir()):
        Image.fromarray(change(np.asarray(Image.open(path)))).save(path.with_suffix(".tif"))
        path.unlink()


def soft(mask):
    return cv2.blur(mask.astype(np.float32) / 255, (5, 5))


def with_nan(root):
    as_tiff(root / "masks", lambda mask: np.where(mask, 1, 0).astype(np.float32))
    array = np.zeros((40, 40), np.float32)
    array[3, 3] = np.nan
    Image.fromarray(array).save(root / "masks" / "im3.tif")


def cmyk(root):
    mask = Image.open(root / "masks" / "im3.png").convert("CMYK")
    mask.save(root / "masks" / "im3.tif")
    (root / "masks" / "im3.png").unlink()


def wide_mask(root):
    mask = np.asarray(Image.open(root / "masks" / "im3.png")).astype(np.uint16)
    assert cv2.imwrite(str(root / "masks" / "im3.png"), np.dstack([mask] * 3))


def equal_palette(root):
    mask = Image.fromarray(np.eye(40, dtype=np.uint8))
    mask.putpalette([255, 0, 0, 0, 130, 0])
    mask.save(root / "masks" / "im3.png")


def one_colour(root):
    red = Image.fromarray(np.full((40, 40, 3), (128, 0, 0), np.uint8))
    red.quantize(2).save(root / "masks" / "im3.png")


def remove_masks(*numbers):
    return lambda root: [(root / "masks" / f"im{k}.png").unlink() for k in numbers]


def rename(folder, name):
    """Renames each file; `name` is a pattern of its stem and ending."""

    def change(root):
        for path in sorted((root / folder).iterdir()):
            path.rename(path.with_name(name.format(path.stem, path.suffix)))

    return change


def small_lesions(*numbers):
    def change(root):
        for k in numbers:
            mask = np.zeros((512, 512), np.uint8)
            mask[1:5, 1:5] = 255
            Image.fromarray(mask).save(root / "masks" / f"im{k}.png")
            Image.fromarray(np.zeros((512, 512), np.uint8)).save(root / "images" / f"im{k}.png")

    return change


def deep(image):
    return np.where(image == 255, 4095, image.astype(np.uint16) * 16).astype(np.uint16)


def deep_colour(root):
    for path in (root / "images").iterdir():
        image = np.zeros((40, 40, 3), np.uint16)
        image[:20] = 4095
        assert cv2.imwrite(str(path), image)


def full_range(image):
    return np.where(image > 127, 255, 0).astype(np.uint8)


def pages(root):
    image = Image.open(root / "images" / "im0.png")
    image.save(root / "images" / "im0.tif", save_all=True, append_images=[image])
    (root / "images" / "im0.png").unlink()


def turned(size):
    def change(root):
        exif = Image.Exif()
        exif[0x0112] = 6
        image = Image.open(root / "images" / "im0.png").resize(size)
        image.save(root / "images" / "im0.png", exif=exif)
        mask = Image.open(root / "masks" / "im0.png")
        mask.resize(size[::-1], Image.Resampling.NEAREST).save(root / "masks" / "im0.png")

    return change


def replace(name, make):
    def change(root):
        (root / name).unlink(missing_ok=True)
        make(root / name)

    return change


def eps(path):
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n")


def named(name):
    return lambda root: shutil.copy(
        root / "images" / "im0.png", os.path.join(os.fsencode(root / "images"), name)
    )


def split_csv(line, header="id,split,case"):
    """A split.csv with a line an image; `line` is a pattern of its number."""

    def write(path):
        rows = [line.format(k, "train" if k < 7 else "test") for k in range(10)]
        path.write_text(header + "\n" + "\n".join(rows) + "\n")

    return write


def in_splits(*names):
    """Moves the images and masks into folders of splits."""

    def change(root):
        for k in range(10):
            split = root / names[0 if k < 5 else 1 if k < 8 else 2]
            for kind in ("images", "masks"):
                (split / kind).mkdir(parents=True, exist_ok=True)
                shutil.move(root / kind / f"im{k}.png", split / kind)
        shutil.rmtree(root / "images")
        shutil.rmtree(root / "masks")

    return change


def below(*numbers):
    def change(root):
        (root / "images" / "more").mkdir()
        for k in numbers:
            shutil.copy(root / "images" / f"im{k}.png", root / "images" / "more" / f"x{k}.png")

    return change


def only_below(root):
    below(0, 1)(root)
    for path in (root / "images").glob("*.png"):
        path.unlink()


def all_but_one(root):
    rename("masks", "{}_seg{}")(root)
    (root / "masks" / "im4_seg.png").unlink()


def nnunet(root):
    rename("images", "{}_0000{}")(root)
    (root / "images").rename(root / "imagesTr")
    (root / "masks").rename(root / "labelsTr")


def together(name):
    """Moves all into the root; `name` is a pattern of a mask's stem and ending."""

    def change(root):
        rename("masks", name)(root)
        for kind in ("images", "masks"):
            for path in (root / kind).iterdir():
                path.rename(root / path.name)
            (root / kind).rmdir()

    return change


def nothing(root):
    pass


def label_maps(change=lambda number, labels: labels):
    """Masks of 0, 1 and 2: the right half of each disc is 2."""

    def made(root):
        for k in range(10):
            path = root / "masks" / f"im{k}.png"
            labels = (np.asarray(Image.open(path)) > 0).astype(np.uint8)
            labels[:, 20:] *= 2
            Image.fromarray(change(k, labels)).save(path)

    return made


def odd_value(number, labels):
    labels[0, :3] = 7
    return labels


def small_b(*numbers):
    """A class of a pixel that no smaller picture keeps in some label maps."""

    def change(number, labels):
        if number in numbers:
            labels[labels == 2] = 1
            labels[0, 0] = 2
        return labels

    return change


def in_test_only(root):
    label_maps(lambda k, labels: np.where(labels == 2, 2 * (k < 8), labels).astype("u1"))(root)
    rows = [f"im{k},{'train' if k < 8 else 'test'}," for k in range(10)]
    (root / "split.csv").write_text("\n".join(["id,split,case", *rows]) + "\n")


def class_masks(root):
    for k in range(10):
        path = root / "masks" / f"im{k}.png"
        for name in "ab":
            shutil.copy(path, path.with_stem(f"im{k}_{name}"))
        path.unlink()
    (root / "masks" / "im3_b.png").unlink()


THREE = {"classes": ["background", "a", "b"]}


FIFO = os.mkfifo
# input → what is done to ten discs of 40×40 pixels, options of the source, dataset.image_size
CASES = {
    "masks of 0 and 1 with `positive_values=[255]`": (values(0, 1), {"positive_values": [255]}),
    "masks of 0 and 1 with `mask_threshold=127`": (values(0, 1), {"mask_threshold": 127}),
    "masks that are all 0": (values(0, 0), {}),
    "masks of 0 and 255 with `positive_values=[0,255]`": (nothing, {"positive_values": [0, 255]}),
    '`positive_values=["255"]`': (nothing, {"positive_values": ["255"]}),
    "`positive_values=255`": (nothing, {"positive_values": 255}),
    '`mask_threshold="127"`': (nothing, {"mask_threshold": "127"}),
    "masks of real numbers from 0 to 1": (lambda root: as_tiff(root / "masks", soft), {}),
    "a mask with NaN": (with_nan, {}),
    "a mask in CMYK": (cmyk, {}),
    "a mask of 16 bits in each colour": (wide_mask, {}),
    "a palette mask of two equally bright colours": (equal_palette, {}),
    "a palette mask of one colour at index 0": (one_colour, {}),
    "label maps with a value that no class has": (label_maps(odd_value), THREE),
    "a label map in colour without colours in `values`": (
        lambda root: each(root / "masks", lambda m: np.stack([m, 0 * m, 0 * m], -1)),
        THREE,
    ),
    "`values` with a name that is no class": (label_maps(), {**THREE, "values": {1: "a", 2: "c"}}),
    "`values` without `dataset.classes`": (label_maps(), {"values": {1: "a", 2: "b"}}),
    "`mask_threshold` with `dataset.classes`": (label_maps(), {**THREE, "mask_threshold": 1}),
    "a class that no label map has": (label_maps(), {"classes": ["background", "a", "b", "c"]}),
    "a class that vanishes at `image_size`": (label_maps(small_b(*range(10))), THREE, 16),
    "a class that some label maps lose at `image_size`": (label_maps(small_b(0, 1, 4)), THREE, 16),
    "a class that no test image has": (in_test_only, THREE),
    "label maps of the numbers of classes": (label_maps(), THREE),
    "`class_masks` and a missing mask": (
        class_masks,
        {**THREE, "class_masks": {"a": "{stem}_a", "b": "{stem}_b"}},
    ),
    "`class_masks` with a folder that is not there": (
        class_masks,
        {**THREE, "class_masks": {"a": "{stem}_a", "b": "left/{stem}"}},
    ),
    "`missing_mask=empty` and no mask that matches": (
        rename("masks", "{}_lesion{}"),
        {"missing_mask": "empty"},
    ),
    "`missing_mask=empty` and some masks missing": (
        remove_masks(2, 5),
        {"missing_mask": "empty"},
    ),
    "masks named `a_lesion.png` without `mask_suffix`": (rename("masks", "{}_lesion{}"), {}),
    "masks named `a_seg.png` but for one image": (all_but_one, {}),
    "masks named `a_seg.png` for all images": (rename("masks", "{}_seg{}"), {}),
    "a further mask of an image": (
        lambda root: shutil.copy(root / "masks" / "im3.png", root / "masks" / "im3_2.png"),
        {},
    ),
    "masks in `labels/`": (lambda root: (root / "masks").rename(root / "labels"), {}),
    "the folders of nnU-Net": (nnunet, {}),
    "images and masks in one folder": (together("{}_mask{}"), {}),
    "images and masks in one folder whose names do not distinguish them": (together("{}x{}"), {}),
    "an unknown field in `mask_template`": (nothing, {"mask_template": "{patient}"}),
    "lesions that vanish at `image_size`": (small_lesions(*range(10)), {}, 16),
    "some lesions that vanish at `image_size`": (small_lesions(0, 1, 2, 3), {}, 16),
    "12-bit images in 16-bit grey": (
        lambda root: each(root / "images", lambda image: deep(full_range(image))),
        {"channels": 1},
    ),
    "12-bit images in 16-bit colour": (deep_colour, {}),
    "12-bit images with `image_bits=10`": (
        lambda root: each(root / "images", lambda image: deep(full_range(image))),
        {"channels": 1, "image_bits": 10},
    ),
    "images of several pages": (pages, {}),
    "an orientation tag": (turned((40, 40)), {}),
    "an orientation tag, and a mask that fits the turned picture": (turned((40, 30)), {}),
    "an image of more pixels than Pillow accepts": (nothing, {}),
    "another format under an image's name, such as EPS": (replace("images/im0.png", eps), {}),
    "a FIFO or a device among the files": (replace("masks/im0.png", FIFO), {}),
    "a link to a file that is gone": (
        replace("masks/im0.png", lambda path: path.symlink_to("gone.png")),
        {},
    ),
    "a file name that is not UTF-8": (named(b"\xff.png"), {}),
    "a file name with control characters": (named(b"a\x1b[31m.png"), {}),
    "a FIFO for `split.csv`": (replace("split.csv", FIFO), {}),
    "ids in `split.csv` with their ending": (
        replace("split.csv", split_csv("im{0}.png,{1},")),
        {},
    ),
    "control characters in `split.csv`": (
        replace("split.csv", split_csv("im{0},{1},case\x1b")),
        {},
    ),
    "a column `Case` in `split.csv`": (
        replace("split.csv", split_csv("im{0},{1},P{0}", "id,split,Case")),
        {},
    ),
    "a column that `split.csv` has twice": (
        replace("split.csv", split_csv("im{0},{1},{1}", "id,split,split")),
        {},
    ),
    "blanks around a name in `split.csv`": (
        replace("split.csv", split_csv("im{0},{1},P0 ")),
        {},
    ),
    '`fractions={train: "0.7", …}`': (
        nothing,
        {"fractions": {"train": "0.7", "val": 0.1, "test": 0.2}},
    ),
    "a split file of another name": (replace("Splits.csv", split_csv("im{0},{1},")), {}),
    "`valid/` without `train/` or `test/` beside it": (
        lambda root: (root / "valid").mkdir(),
        {},
    ),
    "`train/` and `Training/`": (in_splits("train", "Training", "test"), {}),
    "subfolders beside the images": (below(0, 1), {}),
    "images only in subfolders": (only_below, {}),
    "`.npy` files for images": (rename("images", "{}.npy"), {}),
    "images without an ending": (rename("images", "{}"), {}),
    "NIfTI files for images": (rename("images", "{}.nii.gz"), {}),
    "DICOM files for images": (rename("images", "{}.dcm"), {}),
    "`.jfif` files for masks": (rename("masks", "{}.jfif"), {}),
    "a `.npy` file beside the images": (
        lambda root: np.save(root / "images" / "x.npy", np.zeros(3)),
        {},
    ),
    "`image_folders=imgs`": (nothing, {"image_folders": "imgs"}),
    "`glob` with a bracket that is part of the name": (
        rename("images", "im [1]{}{}"),
        {"glob": "im [1]*.png"},
    ),
}


@pytest.fixture(scope="module")
def settings():
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return resolve(compose("train", ["dataset=folder", "dataset.root=x"]))


@pytest.fixture
def discs(tmp_path):
    """Ten images of a disc in noise, 40×40 pixels, with masks 0/255."""
    root = tmp_path / "discs"
    y, x = np.mgrid[:40, :40]
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for k in range(10):
        mask = np.where((x - 20) ** 2 + (y - 15 - k) ** 2 < 90, 255, 0).astype(np.uint8)
        noise = np.random.default_rng(k).integers(0, 100, (40, 40), dtype=np.uint8)
        Image.fromarray(mask).save(root / "masks" / f"im{k}.png")
        Image.fromarray(noise + mask // 2).save(root / "images" / f"im{k}.png")
    return root


def train(source, size, settings, cache):
    dataset = settings.dataset.changed(image_size=size, classes=source.classes)
    return prepare(source, cache, dataset, settings.noise, Morphological())


def test_the_table_has_a_case_for_each_line():
    assert [row[0] for row in ROWS] == list(CASES)
    assert {row[1] for row in ROWS} == {"refused", "warned", "reported"}


@pytest.mark.parametrize(("name", "effect", "message"), ROWS, ids=[row[0] for row in ROWS])
def test_each_line(discs, tmp_path, settings, caplog, monkeypatch, name, effect, message):
    train(Folder(discs, channels=1), 32, settings, tmp_path / "cache")
    assert not caplog.text  # nothing is said of what is whole
    change, options, *size = CASES[name]
    change(discs)
    size = size[0] if size else 32
    if "pixels than Pillow" in name:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 40 // 2 - 1)
    pattern = re.escape(message).replace("…", ".*")
    said, refused = "", ""
    try:
        source = Folder(discs, **options)
        report = check(source, size)
        lists = {"refused": report.errors, "warned": report.warnings, "reported": report.recognised}
        said = "\n".join(lists[effect])
        assert (effect == "refused") == bool(report.errors)
    except DataError as error:  # an option that the constructor refuses
        assert not said
        said = str(error)
    assert re.search(pattern, said), said
    with caplog.at_level(logging.INFO if effect == "reported" else logging.WARNING):
        try:
            train(Folder(discs, **options), size, settings, tmp_path / "cache")
        except DataError as error:
            refused = str(error)
    assert (effect == "refused") == bool(refused)
    assert re.search(pattern, refused or caplog.text), refused or caplog.text
