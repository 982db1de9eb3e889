"""Left and right lung, against SciPy's connected components."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage

from robustseg.data.cache import load
from robustseg.data.checking.check import check
from robustseg.data.checking.classes import check_classes
from robustseg.data.sources.shenzhen import Shenzhen
from robustseg.data.sources.sides import sides_of
from robustseg.data.synthetic import Synthetic
from robustseg.errors import OptionError

CLASSES = ["background", "left lung", "right lung"]


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(2, 12)), elements=st.integers(0, 1))
)
def test_each_component_has_one_label_that_its_place_decides(mask):
    labels = sides_of(mask, 1, 2)
    assert np.array_equal(labels > 0, mask > 0)
    pieces, count = ndimage.label(mask, np.ones((3, 3)))
    middle = mask.shape[1] / 2
    large = {1: 0, 2: 0}
    for piece in range(1, count + 1):
        rows, columns = np.nonzero(pieces == piece)
        (value,) = np.unique(labels[rows, columns])
        # Of a pixel that the midline cuts half is on either side.
        left = np.clip(middle - columns, 0, 1).mean()
        side = 2 if left >= 0.8 else 1 if left <= 0.2 else 255
        if side != 255 and len(rows) >= 0.25 * mask.sum():
            large[side] += 1
        assert value in (side, 255)
        if value == 255 and side != 255:
            same = (labels == 255) & (pieces > 0)
            assert same.sum() >= 0.5 * mask.sum()  # two lungs on one side
    for side, lungs in large.items():
        assert lungs < 2 or not (labels == side).any()


def test_mirrored_lungs_change_sides():
    mask = np.zeros((8, 11), np.uint8)
    mask[1:6, 1:4], mask[1:7, 7:10] = 1, 1
    labels = sides_of(mask, 1, 2)
    assert (labels[:, :5].max(), labels[:, 6:].max()) == (2, 1)
    mirrored = sides_of(mask[:, ::-1], 1, 2)[:, ::-1]
    assert np.array_equal(mirrored, np.array([0, 2, 1])[labels])


def test_the_drawn_chest_agrees(tmp_path):
    drawn = Synthetic("chest_classes", size=64, train=60, test=0, classes=list("abcd"))
    for record in drawn.records():
        labels = drawn.read(record)[1]
        lungs = np.isin(labels, (1, 2)).astype(np.uint8)
        assert np.array_equal(sides_of(lungs, 1, 2), np.where(labels == 3, 0, labels))


def films(root, joined=()):
    for number in range(10):
        stem = f"CHNCXR_{number:04d}_{number % 2}"
        mask = np.zeros((20, 32), np.uint8)
        mask[4:16, 4:13] = mask[4:14, 18:28] = 255
        if number in joined:
            mask[8, 4:28] = 255
        for folder, name, array in (
            ("CXR_png", stem, mask // 2 + number),
            ("mask", f"{stem}_mask", mask),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"{name}.png")
    return root


@pytest.mark.parametrize("classes", [CLASSES, [CLASSES[0], *CLASSES[:0:-1]]])
def test_shenzhen(tmp_path, classes):
    source = Shenzhen(films(tmp_path / "set"), sides=True, classes=classes)
    _, labels = source.read(source.records()[0])
    assert (labels[4:16, 4:13] == classes.index("right lung")).all()
    assert (labels[4:14, 18:28] == classes.index("left lung")).all()
    assert (labels > 0).sum() == 12 * 9 + 10 * 10
    plain = Shenzhen(tmp_path / "set")
    assert source.fingerprint() != plain.fingerprint()
    assert plain.fingerprint() == Shenzhen(tmp_path / "set", sides=False).fingerprint()
    assert check(source, 32).errors == []


def test_films_in_which_the_sides_cannot_be_decided_are_told(tmp_path):
    source = Shenzhen(films(tmp_path / "set", joined=(3, 8)), sides=True, classes=CLASSES)
    (told,) = (text for text in check(source, 32).warnings if "midline" in text)
    assert "in 2 films (CHNCXR_0003_1, CHNCXR_0008_0)" in told or (
        "in 2 films (CHNCXR_0008_0, CHNCXR_0003_1)" in told
    )
    assert told in check_classes(load(source, 32, tmp_path), source)
    read = load(source, 32, tmp_path)
    for name, labels in zip(read.ids, read.masks, strict=True):
        wanted = {0, 255} if name[:11] in ("CHNCXR_0003", "CHNCXR_0008") else {0, 1, 2}
        assert set(np.unique(labels)) == wanted


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sides": True}, r"'dataset.classes=\[background,left lung,right lung\]'"),
        ({"sides": True, "classes": ["background", "lung"]}, "sides=true gives two classes"),
        ({"classes": CLASSES}, "dataset.source.sides=true"),
    ],
)
def test_classes_that_the_masks_do_not_have(tmp_path, options, told):
    with pytest.raises(OptionError, match=told):
        Shenzhen(films(tmp_path), **options).records()
