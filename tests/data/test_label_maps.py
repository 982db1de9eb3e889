"""Label maps from files: what their values mean, and what becomes of them up to a run's images."""

import shlex

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from robustseg.cli.main import main
from robustseg.data.cache import load
from robustseg.data.checking.check import check
from robustseg.data.checking.check_report import render_text
from robustseg.data.checking.classes import check_classes
from robustseg.data.folds import hold_out_fold
from robustseg.data.selection import select
from robustseg.data.sources.class_masks import laid_over
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.label_rule import LabelRule
from robustseg.errors import DataError, OptionError

CLASSES = ["background", "left lung", "right lung", "heart"]
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 0], [0, 0, 255]], np.uint8)
BY_COLOUR = {"255/0/0": "left lung", "#008000": "right lung", "0/0/255": "heart"}


def squares(number, size=24):
    """Labels of three squares, which move with the number; a square of 4 in the last one."""
    labels = np.zeros((size, size), np.uint8)
    at = 1 + number % 4
    labels[at : at + 8, 1:9] = 1
    labels[at : at + 8, 12:20] = 2
    labels[14:20, at : at + 10] = 3
    return labels


def write(root, save, count=10):
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        labels = squares(number)
        noise = np.random.default_rng(number).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / "images" / f"im{number}.png")
        save(labels, root / "masks" / f"im{number}.png")
    return root


def as_numbers(labels, path):
    Image.fromarray(labels).save(path)


def as_colours(labels, path):
    Image.fromarray(COLOURS[labels]).save(path)


def as_palette(labels, path):
    # Indices in another order than the labels, so that only the colours tell the classes.
    picture = Image.fromarray(3 - labels)
    picture.putpalette(COLOURS[::-1].ravel().tolist())
    picture.save(path)


def as_grey(labels, path):
    Image.fromarray((80 * labels).astype(np.uint8)).save(path)


def as_16_bit(labels, path):
    Image.fromarray(labels.astype(np.uint16) * 300).save(path)


@pytest.mark.parametrize(
    ("save", "values"),
    [
        (as_numbers, None),
        (as_numbers, {1: "left lung", 2: "right lung", 3: "heart"}),
        (as_grey, {80: "left lung", 160: "right lung", 240: "heart"}),
        (as_grey, {"80": "left lung", "160": "right lung", "240": "heart"}),  # as JSON has it
        (as_16_bit, {300: "left lung", 600: "right lung", 900: "heart"}),
        (as_colours, BY_COLOUR),
        (as_palette, BY_COLOUR),
        (as_palette, {3: "background", 2: "left lung", 1: "right lung", 0: "heart"}),
    ],
)
def test_every_kind_of_file_gives_the_labels(tmp_path, save, values):
    source = Folder(write(tmp_path / "set", save), classes=CLASSES, values=values)
    source.fingerprint()
    for record in source.records():
        expected = squares(int(record.id[2:]))
        assert np.array_equal(source.read(record)[1], expected), record.id


def test_colours_of_grey_files_and_of_opaque_ones(tmp_path):
    rule = LabelRule(["background", "a"], {"7/7/7": "a"})
    grey = np.array([[0, 7]], np.uint8)
    assert rule.read(Image.fromarray(grey)).tolist() == [[0, 1]]
    clear = np.zeros((1, 2, 4), np.uint8)
    clear[0, 1] = 7, 7, 7, 200
    assert rule.read(Image.fromarray(clear, "RGBA")).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    "values", [{1: "lesion"}, {"255/255/255": "lesion"}, {"#ffffff": "lesion"}]
)
def test_one_bit_a_pixel_is_1_and_white(tmp_path, values):
    def save(labels, path):
        Image.fromarray(labels > 0).save(path)
        assert Image.open(path).mode == "1"

    source = Folder(write(tmp_path / "set", save), classes=["background", "lesion"], values=values)
    assert source.fingerprint()
    assert not check(source).errors
    for record in source.records():
        assert np.array_equal(source.read(record)[1], squares(int(record.id[2:])) > 0)


@given(
    codes=arrays(np.uint8, (5, 6)),
    table=st.dictionaries(st.integers(1, 255), st.sampled_from(["a", "b", "ignored"])),
)
def test_values_are_what_a_table_says(codes, table):
    rule = LabelRule(["background", "a", "b"], table)
    lookup = np.full(256, 77)
    lookup[0] = 0
    for value, name in table.items():
        lookup[value] = {"a": 1, "b": 2, "ignored": 255}[name]
    expected = lookup[codes]
    if (expected == 77).any():
        with pytest.raises(DataError, match="values that no class has"):
            rule.apply(codes)
    else:
        assert np.array_equal(rule.apply(codes), expected)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({1: "hart"}, "1 is 'hart', which is not in dataset.classes; did you mean heart"),
        ({"255/0": "heart"}, "'255/0' is no colour"),
        ({"256/0/0": "heart"}, "'256/0/0' is no colour"),
        ({"255/0/0": "heart", 3: "left lung"}, "3 is no colour"),
        ({1.5: "heart"}, "1.5 is no colour"),
    ],
)
def test_values_that_cannot_be(values, told):
    with pytest.raises(OptionError, match=told):
        LabelRule(CLASSES, values)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mask_threshold": 3}, r"mask_threshold is for binary masks.*dataset.source.values="),
        ({"positive_values": [1]}, "positive_values is for binary masks"),
        ({"classes": None, "values": {1: "a"}}, r"'dataset.classes=\[background,a\]'"),
        ({"classes": None, "class_masks": {"a": "{stem}"}}, r"'dataset.classes=\[background,a\]'"),
        ({"class_masks": {"heart": "{stem}"}}, "no template for 'left lung'"),
        ({"classes": ["b", "heart"], "class_masks": {"hart": "{stem}"}}, "did you mean heart"),
        ({"classes": ["b", "heart"], "class_masks": {"heart": "x"}}, "all images would have one"),
        ({"classes": ["b", "heart"], "class_masks": {"heart": "../{stem}"}}, "below the mask"),
        (
            {"classes": ["b", "a"], "class_masks": {"a": "{stem}"}, "values": {1: "a"}},
            "set either dataset.source.values",
        ),
        ({"classes": ["background", "ignored", "a"]}, "'ignored'.*Take another name"),
        ({"values": {1: "heart"}, "ignore_values": [1]}, "both named and ignored"),
        ({"values": BY_COLOUR, "ignore_values": [1]}, "ignore_values is for numbers"),
        ({"ignore_values": [1.5]}, "are whole numbers: dataset.source.ignore_values has 1.5"),
        ({"ignore_values": [True]}, "ignore_values has True"),
        ({"ignore_values": ["nine"]}, "ignore_values has 'nine'"),
    ],
)
def test_options_that_contradict_each_other(tmp_path, options, told):
    with pytest.raises(OptionError, match=told):
        Folder(tmp_path, **({"classes": CLASSES} | options))


def test_binary_sources_refuse_more_than_two_classes(isic_root):
    with pytest.raises(OptionError, match="Isic2017 has binary masks"):
        Isic2017(isic_root, classes=CLASSES).records()
    assert len(Isic2017(isic_root, classes=CLASSES[:2]).records()) == 8


def test_values_of_no_class_are_listed_with_their_share_of_the_set(tmp_path):
    root = write(tmp_path / "set", as_numbers)
    odd = squares(3)
    odd[0, :6] = 9
    as_numbers(odd, root / "masks" / "im3.png")
    source = Folder(root, classes=CLASSES)
    with pytest.raises(DataError) as caught:
        load(source, 24, tmp_path / "cache")
    pixels = np.concatenate([np.asarray(Image.open(p)) for p in (root / "masks").iterdir()])
    for value in (0, 1, 2, 3, 9):
        assert f"{value} ({(pixels == value).mean():.2%})" in str(caught.value)
    assert "masks/im3.png: values that no class has: 9" in str(caught.value)
    # The call that it offers works.
    call = shlex.split(str(caught.value).split("as ignored: ")[1])[0]
    assert call == (
        "dataset.source.values={0: background, 1: left lung, 2: right lung, 3: heart, "
        "255: ignored, 9: ignored}"
    )
    named = {0: "background", 1: "left lung", 2: "right lung", 3: "heart", 9: "ignored"}
    read = load(Folder(root, classes=CLASSES, values=named), 24, tmp_path / "cache")
    assert (read.masks == 255).sum() == 6
    ignoring = load(Folder(root, classes=CLASSES, ignore_values=[9]), 24, tmp_path / "cache")
    assert np.array_equal(ignoring.masks, read.masks)
    (error,) = check(source).errors
    assert error == str(caught.value)


def test_loaded_at_another_size_every_pixel_is_the_nearest(tmp_path):
    source = Folder(write(tmp_path / "set", as_numbers), classes=CLASSES)
    read = [load(source, 13, tmp_path / "cache") for _ in range(2)][1]  # from the cache
    for name, labels, own, share in zip(
        read.ids, read.masks, read.own_classes, read.own_foreground, strict=True
    ):
        full = squares(int(name[2:]))
        at = np.floor((np.arange(13) + 0.5) * 24 / 13).astype(int)
        assert np.array_equal(labels, full[np.ix_(at, at)])
        assert own.tolist() == [(full == value).mean() for value in (1, 2, 3)]
        assert share == (full > 0).mean()
    part = read.subset([3, 1])
    assert np.array_equal(part.own_classes, read.own_classes[[3, 1]])


def test_the_fingerprint_follows_what_is_read(tmp_path):
    root = write(tmp_path / "set", as_numbers)
    plain = Folder(root, classes=CLASSES).fingerprint()
    assert plain == Folder(root, classes=list("abcd")).fingerprint()  # names are in the run's id
    others = [
        Folder(root, classes=CLASSES, ignore_values=[3]),
        Folder(root, classes=CLASSES, values={1: "heart", 2: "heart", 3: "heart"}),
        Folder(root, classes=CLASSES, values={1: "heart", 2: "heart", 3: "left lung"}),
        Folder(root, classes=[*CLASSES, "more"]),
    ]
    assert len({plain, *(one.fingerprint() for one in others)}) == 5


def test_two_classes_are_a_binary_mask(tmp_path):
    root = write(tmp_path / "set", lambda labels, path: as_grey(np.minimum(labels, 1), path))
    binary, two = Folder(root), Folder(root, classes=["background", "lung"])
    assert binary.fingerprint() == two.fingerprint()
    assert np.array_equal(load(binary, 16, tmp_path).masks, load(two, 16, tmp_path).masks)
    named = Folder(root, classes=["background", "lung"], values={80: "lung"})
    assert np.array_equal(load(named, 16, tmp_path).masks, load(two, 16, tmp_path).masks)


def in_parts(labels, path):
    """The first class in a folder of its own, the others by suffix; the heart is drawn wider."""
    (path.parent / "left").mkdir(exist_ok=True)
    heart = labels == 3
    heart[:, 1:] |= heart[:, :-1]
    heart[1:] |= heart[:-1]
    heart[:-4] |= heart[4:]
    masks = {
        path.parent / "left" / path.name: labels == 1,
        path.with_stem(f"{path.stem}_right"): labels == 2,
        path.with_stem(f"{path.stem}_heart"): heart,
    }
    for file, mask in masks.items():
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(file)


PARTS = {"right lung": "{stem}_right", "left lung": "left/{stem}", "heart": "{stem}_heart"}


def test_a_mask_a_class_in_folders_or_by_suffix(tmp_path):
    root = write(tmp_path / "set", in_parts)
    source = Folder(root, classes=CLASSES, class_masks=PARTS)
    twice = 0
    for record in source.records():
        expected = squares(int(record.id[2:]))
        heart = np.asarray(Image.open(root / "masks" / f"{record.id}_heart.png")) > 0
        twice += (heart & np.isin(expected, (1, 2))).sum()
        expected[heart] = 3  # the later class
        assert np.array_equal(source.read(record)[1], expected)
    report = check(source)
    assert report.errors == []
    foreground = sum((source.read(record)[1] > 0).sum() for record in source.records())
    assert report.overlaps == {"images": 4, "share": pytest.approx(twice / foreground)}
    assert "classes overlap in 4 images" in render_text(report)
    before = source.fingerprint()
    (root / "masks" / "left" / "im2.png").unlink()
    with pytest.raises(DataError, match=r"masks: no mask left/\{stem\} of 'left lung' for 1 of 10"):
        source.records()
    lenient = Folder(root, classes=CLASSES, class_masks=PARTS, missing_mask="empty")
    (record,) = (record for record in lenient.records() if record.id == "im2")
    assert set(np.unique(lenient.read(record)[1])) == {0, 2, 3}
    assert lenient.fingerprint() != before


def test_folders_of_classes_beside_that_of_images(tmp_path):
    root = tmp_path / "set"
    for number in range(6):
        for folder, value in (("images", None), ("one", 1), ("two", 2)):
            labels = squares(number)
            labels = labels if value is None else np.where(labels == value, 255, 0)
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(labels.astype(np.uint8)).save(root / folder / f"im{number}.png")
    options = {
        "classes": ["background", "a", "b"],
        "class_masks": {"a": "one/{stem}", "b": "two/{stem}"},
        "mask_folders": ["."],
    }
    source = Folder(root, **options)
    for record in source.records():
        expected = squares(int(record.id[2:]))
        expected[expected == 3] = 0
        assert np.array_equal(source.read(record)[1], expected)
    assert source.checked_scan().remarks == []
    Image.fromarray(squares(0)).save(root / "two" / "other.png")
    assert source.checked_scan().remarks == [
        "1 mask has no image and is left out: other.png",
    ]


def test_masks_of_classes_beside_their_images(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    for number in range(5):
        labels = squares(number)
        Image.fromarray(labels * 9).save(root / f"im{number}.png")
        for value in (1, 2):
            mask = np.where(labels == value, 255, 0).astype(np.uint8)
            Image.fromarray(mask).save(root / f"im{number}_{'ab'[value - 1]}.png")
    parts = {"a": "{stem}_a", "b": "{stem}_b"}
    source = Folder(root, classes=["background", "a", "b"], class_masks=parts)
    assert sorted(record.id for record in source.records()) == [f"im{k}" for k in range(5)]
    missing = Folder(root, classes=["background", "a"], class_masks={"a": "c/{stem}"})
    with pytest.raises(DataError, match=r"c: no such folder\. Correct dataset.source.class_masks"):
        missing.records()


masks = arrays(np.uint8, (3, 4, 5), elements=st.sampled_from([0, 1, 255]))


@given(masks)
def test_laid_over(parts):
    labels, twice = laid_over(list(parts), (4, 5))
    claims = (parts == 1).sum(0)
    assert twice == (claims > 1).sum()
    for at in np.ndindex(4, 5):
        column = parts[(slice(None), *at)]
        last = max((k + 1 for k in range(3) if column[k] == 1), default=0)
        assert labels[at] == (255 if 255 in column else last)


def test_positive_images_have_any_class(tmp_path):
    def sparse(labels, path):
        number = int(path.stem[2:])
        as_numbers(np.where(labels == 3, labels, 0) if number % 2 else 0 * labels, path)

    source = Folder(write(tmp_path / "set", sparse, count=40), classes=CLASSES)
    read = load(source, 24, tmp_path / "cache")
    positive = select(read, subset="positive")
    assert sorted(positive.ids) == sorted(name for name in read.ids if int(name[2:]) % 2)
    quarter = select(read, positive_fraction=0.25)
    for split in ("train", "test"):
        assert 0.1 < quarter.split(split).masks.any((1, 2)).mean() <= 0.25
    folds = [hold_out_fold(read, 4, k, drawn_test=True).split("test") for k in range(4)]
    assert [int(fold.masks.any((1, 2)).sum()) for fold in folds] == [5] * 4


def small_heart(labels, path):
    """Large lungs, and a heart of a pixel in 96×96 that no smaller picture keeps."""
    large = np.kron(np.where(labels == 3, 0, labels), np.ones((4, 4), np.uint8))
    large[1, 1] = 3
    as_numbers(large, path)
    Image.fromarray(large).save(path.parents[1] / "images" / path.name)


def test_a_class_that_is_nowhere_or_vanishes_is_refused(tmp_path):
    source = Folder(write(tmp_path / "set", small_heart), classes=CLASSES)
    with pytest.raises(DataError, match=r"class 'heart' left at dataset.image_size=24; 10 had it"):
        check_classes(load(source, 24, tmp_path), source)
    assert any("'heart' left at dataset.image_size=24" in e for e in check(source, 24).errors)
    assert check_classes(load(source, 96, tmp_path), source) == []
    assert check(source, 96).errors == []
    more = Folder(tmp_path / "set", classes=[*CLASSES, "spleen"])
    with pytest.raises(DataError, match="none of the 10 label maps has the class 'spleen'"):
        check_classes(load(more, 96, tmp_path), more)


def test_a_class_that_a_split_lacks_or_some_lose_is_warned_of(tmp_path):
    def some(labels, path):
        if path.stem in ("im0", "im1"):
            small_heart(labels, path)
        else:
            as_numbers(labels, path)

    root = write(tmp_path / "set", some)
    rows = [f"im{k},{'train' if k < 8 else 'test'}" for k in range(10)]
    (root / "split.csv").write_text("\n".join(["id,split", *rows]) + "\n")
    source = Folder(root, classes=CLASSES)
    (told,) = check_classes(load(source, 24, tmp_path), source)
    assert told.startswith("2 of the 8 training label maps lose the class 'heart' and 0 more than")
    for number in (8, 9):
        as_numbers(
            np.where(squares(number) == 3, 0, squares(number)), root / f"masks/im{number}.png"
        )
    told = check_classes(load(source, 24, tmp_path), source)
    assert told[1] == "none of the 2 test label maps has the class 'heart': it is not tested"
    assert set(told) <= set(check(source, 24).warnings)


def test_label_maps_without_background_are_no_error(tmp_path):
    root = write(tmp_path / "set", lambda labels, path: as_numbers(np.maximum(labels, 1), path))
    source = Folder(root, classes=CLASSES)
    report = check(source, 24)
    assert (report.errors, report.warnings) == ([], [])
    assert check_classes(load(source, 24, tmp_path), source) == []


def test_the_check_counts_pixels_and_images_of_each_class(tmp_path):
    root = write(tmp_path / "set", as_numbers)
    report = check(Folder(root, classes=CLASSES))
    pixels = np.stack([squares(number) for number in range(10)])
    for value, name in enumerate(CLASSES):
        found = report.classes[name]
        assert found["share"] == (pixels == value).mean()
        assert found["train"] + found["val"] + found["test"] == 10
    assert list(report.levels) == sorted(
        map(str, range(4)), key=lambda v: -(pixels == int(v)).sum()
    )
    assert "0 background, 1 left lung, 2 right lung, 3 heart" in report.recognised[0]


@pytest.mark.parametrize("save", [as_numbers, as_grey, as_colours])
def test_the_check_of_masks_of_several_values_offers_a_call_that_works(tmp_path, capsys, save):
    root = write(tmp_path / "set", save)
    call = ["data", "check", "dataset=folder", f"dataset.root={root}"]
    assert main(call) == 1
    told = capsys.readouterr().out
    offer = told.split("to train on the values as classes, add\n")[1].splitlines()[0]
    assert main([*call, *shlex.split(offer)]) == 0
    assert "class 3" in capsys.readouterr().out


def test_binary_masks_in_one_colour_are_answered_with_settings_that_work(tmp_path, capsys):
    def red(labels, path):
        Image.fromarray(COLOURS[labels.clip(0, 1)]).save(path)

    call = ["data", "check", "dataset=folder", f"dataset.root={write(tmp_path / 'set', red)}"]
    assert main(call) == 1
    told = capsys.readouterr().out
    named = "'dataset.classes=[background,lesion]' 'dataset.source.values={255/0/0: lesion}'"
    assert f"or name its colour: {named}" in told
    proposed = told.split("to train on the values as classes, add\n")[1].splitlines()[0]
    for offer in (named, proposed):
        assert main([*call, *shlex.split(offer)]) == 0
    assert "255/0/0" in proposed


def test_masks_of_grey_levels_are_not_taken_for_classes(tmp_path):
    soft = np.arange(24 * 24, dtype=np.uint32).reshape(24, 24) % 200
    root = write(tmp_path / "set", lambda labels, path: as_numbers(soft.astype(np.uint8), path))
    assert check(Folder(root)).label_maps == []
