"""The contact sheet and the export."""

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from robustseg import CLASS_COLORS
from robustseg.noise import COLUMNS, inject, inject_labels
from robustseg.noise.contact_sheet import CLEAN, NOISY, contact_sheet
from robustseg.noise.export import export
from robustseg.noise.morphological import Morphological


@pytest.fixture(scope="module")
def corrupted(blobs):
    masks, ids = blobs(5, 48)
    masks[0] = 0
    masks[1, :4] = 255
    return masks, *inject(masks, ids, Morphological(), alpha=1, beta=0.5, seed=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_contact_sheet(tmp_path, corrupted, channels):
    masks, noisy, manifest = corrupted
    images = np.full((5, 48, 48, channels), 128, np.uint8)
    path = tmp_path / "sheet.png"
    contact_sheet(path, images, masks, noisy, manifest, title="blobs", columns=3)
    sheet = np.asarray(Image.open(path).convert("RGB")).astype(int)
    for color in (CLEAN, NOISY):
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.count_nonzero(np.abs(sheet - wanted).sum(axis=-1) < 30) > 100
    assert sheet.shape[1] > sheet.shape[0]


def test_names_on_a_contact_sheet_are_no_formulas(tmp_path, corrupted):
    masks, noisy, manifest = corrupted
    named = [row | {"id": f"a$_${at}"} for at, row in enumerate(manifest)]
    images = np.zeros((len(masks), 48, 48, 1), np.uint8)
    contact_sheet(tmp_path / "sheet.png", images, masks, noisy, named, title="$_$")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.fixture(scope="module")
def label_maps(blobs):
    masks, ids = blobs(3, 48)
    labels = masks.copy()
    labels[:, :, 24:] *= 2
    labels[0, 0] = 255
    classes = ["background", "left", "right"]
    noisy, manifest = inject_labels(
        labels, ids, Morphological(), classes=classes, alpha=1, beta=0.5, seed=0
    )
    return labels, noisy, manifest


def test_contact_sheet_of_label_maps(tmp_path, label_maps):
    labels, noisy, manifest = label_maps
    path = tmp_path / "sheet.png"
    images = np.full((3, 48, 48, 1), 128, np.uint8)
    contact_sheet(path, images, labels, noisy, manifest, classes=["left", "right"])
    sheet = np.asarray(Image.open(path).convert("RGB")).astype(int)
    for color in CLASS_COLORS[:2]:
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.count_nonzero(np.abs(sheet - wanted).sum(axis=-1) < 30) > 100


def test_export_of_label_maps(tmp_path, label_maps):
    _, noisy, manifest = label_maps
    files = export(tmp_path, noisy, ["a.png", "b.png", "c.png"], manifest, label_maps=True)
    for file, labels in zip(files, noisy, strict=True):
        picture = Image.open(file)
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), labels)
        colours = np.asarray(picture.convert("RGB"))
        assert {"#" + bytes(c).hex() for c in colours[labels == 2]} == {CLASS_COLORS[1].lower()}
    with (tmp_path / "noise.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == (*COLUMNS, "class")
    assert [row["class"] for row in rows] == ["left", "right"] * 3


def test_contact_sheet_of_nothing(tmp_path, corrupted):
    masks, noisy, manifest = corrupted
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet(tmp_path / "a.png", masks[:0, ..., None], masks[:0], noisy[:0], manifest[:0])


def test_export(tmp_path, corrupted):
    _, noisy, manifest = corrupted
    names = [f"{row['id']}_segmentation.png" for row in manifest[:4]] + ["other.mask.tif"]
    files = export(tmp_path / "new" / "folder", noisy, names, manifest)
    assert [file.name for file in files] == [*names[:4], "other.mask.png"]
    for file, mask in zip(files, noisy, strict=True):
        written = np.asarray(Image.open(file))
        assert written.dtype == np.uint8 and written.ndim == 2
        assert np.array_equal(written == 255, mask == 1)
        assert np.array_equal(written == 128, mask == 255)
    with (tmp_path / "new" / "folder" / "noise.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["id"] for row in rows] == [row["id"] for row in manifest]
    back = np.asarray(Image.open(files[2])) // 255
    assert hashlib.sha256(back.tobytes()).hexdigest() == rows[2]["sha256"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.png", "../b.png"], "'../b.png' is not a plain file name"),
        (["a.png", "/b.png"], "plain"),
        (["a.png", "c\\b.png"], "plain"),
        (["a.png", ".."], "plain"),
        (["a.png", ""], "plain"),
        (["a.png", "a.tif"], "one file"),
        (["a.png", "A.png"], "one file"),
        (["a.png"], "2 masks, 1 names"),
    ],
)
def test_names_that_would_do_harm(tmp_path, corrupted, names, message):
    _, noisy, manifest = corrupted
    with pytest.raises(ValueError, match=message):
        export(tmp_path / "out", noisy[:2], names, manifest[:2])
    assert not (tmp_path / "out").exists()


def files_in(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_an_export_is_replaced_by_one_of_the_same_masks_only(tmp_path, corrupted):
    masks, noisy, manifest = corrupted
    names = [f"{row['id']}.png" for row in manifest]
    export(tmp_path / "out", noisy, names, manifest)
    export(tmp_path / "out", masks, names, manifest)
    before = files_in(tmp_path / "out")
    with pytest.raises(FileExistsError, match="is no mask of this export, nor are 2 others"):
        export(tmp_path / "out", noisy[:2], names[:2], manifest[:2])
    assert files_in(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("name", "content"), [("noise.csv", "id,mine\na,1\n"), ("noise.csv", ""), ("status.json", "{}")]
)
def test_a_folder_of_another_kind_is_left_alone(tmp_path, corrupted, name, content):
    _, noisy, manifest = corrupted
    names = [f"{row['id']}.png" for row in manifest]
    export(tmp_path, noisy, names, manifest)
    (tmp_path / name).write_text(content)
    before = files_in(tmp_path)
    with pytest.raises(FileExistsError, match=r"noise\.csv is not that of an earlier export"):
        export(tmp_path, noisy, names, manifest)
    assert files_in(tmp_path) == before
