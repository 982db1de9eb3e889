"""Layouts of folders: what is recognised, what is refused, and templates."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.configuration.compose import composed
from robustseg.data.checking.check import check
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.naming import Naming, matches, recognised
from robustseg.errors import DataError, OptionError
from robustseg.runs.identity import identify
from tests.data.conftest import disc, picture, save

CASES = [f"{k:02}" for k in range(10)]


def lay(root, images, masks, cases=CASES):
    """Writes pairs; `images` and `masks` are patterns of their paths."""
    for number, case in enumerate(cases):
        save(root / images.format(case), picture(number))
        save(root / masks.format(case), disc(3 + number))
    return root


def pairs(source):
    root = Path(source.root)
    return {
        str(record.image.relative_to(root)): str(record.mask.relative_to(root))
        for record in source.records()
    }


LAYOUTS = {
    "nnU-Net": ("imagesTr/{}_0000.png", "labelsTr/{}.png"),
    "labels": ("images/{}.png", "labels/{}.png"),
    "prefixes": ("images/img_{}.png", "masks/mask_{}.png"),
    "long prefixes": ("images/image_{}.png", "masks/mask_{}.png"),
    "suffixes": ("images/{}_image.png", "masks/{}_mask.png"),
    "mask": ("images/{}.png", "masks/{}_mask.png"),
    "segmentation": ("images/{}.jpg", "masks/{}_segmentation.png"),
    "flat": ("{}.png", "{}_mask.png"),
    "flat, seg": ("{}.png", "{}_seg.png"),
    "flat, label": ("{}.png", "{}_label.png"),
    "flat, gt": ("{}.png", "{}_gt.png"),
    "flat, prefixes": ("img_{}.png", "mask_{}.png"),
    "gif masks": ("images/{}.tif", "masks/{}_mask.gif"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_usual_layouts_are_recognised_and_told(name, tmp_path):
    images, masks = LAYOUTS[name]
    source = Folder(lay(tmp_path, images, masks))
    assert pairs(source) == {images.format(case): masks.format(case) for case in CASES}
    report = check(source)
    assert not report.errors
    assert report.recognised


def test_equal_names_are_nothing_to_tell(tiles_root):
    assert check(Folder(tiles_root)).recognised == []


def test_nnunet_with_a_test_set(tmp_path):
    lay(tmp_path, "imagesTr/{}_0000.png", "labelsTr/{}.png")
    lay(tmp_path, "imagesTs/{}_0000.png", "labelsTs/{}.png", ["90", "91"])
    lay(tmp_path, "imagesTr/{}_0001.png", "labelsTr/{}.png")  # a second channel
    source = Folder(tmp_path)
    splits = {record.id: record.split for record in source.records()}
    assert splits == {f"{case}_0000": "train" for case in CASES} | {
        "90_0000": "test",
        "91_0000": "test",
    }
    assert not source.drawn_test
    assert any("10 files do not match" in remark for remark in source.checked_scan().remarks)


def drive(root, test=True):
    for number, case in enumerate(CASES):
        part, name = ("training", "training") if number < 6 else ("test", "test")
        save(root / part / "images" / f"{case}_{name}.tif", picture(number))
        save(root / part / "mask" / f"{case}_{name}_mask.gif", disc(15))
        if test or part == "training":
            save(root / part / "1st_manual" / f"{case}_manual1.gif", disc(5))
    return root


def test_drive(tmp_path):
    source = Folder(drive(tmp_path))
    assert pairs(source) == {
        f"{part}/images/{case}_{part}.tif": f"{part}/1st_manual/{case}_manual1.gif"
        for number, case in enumerate(CASES)
        for part in [("training" if number < 6 else "test")]
    }
    assert {record.split for record in source.records()} == {"train", "test"}


def test_fields_of_view_of_drive_are_never_masks(tmp_path):
    # the public test images have no vessels, only fields of view in a folder "mask"
    source = Folder(drive(tmp_path, test=False))
    assert len(source.records()) == 6
    assert all("1st_manual" in str(record.mask) for record in source.records())
    assert any("test is not used" in text for text in source.checked_scan().recognised)


@pytest.mark.parametrize(
    "words", [("training", "validation", "testing"), ("Train", "VALID", "Test")]
)
def test_spellings_of_splits(words, tmp_path):
    for word, cases in zip(words, (CASES[:6], CASES[6:8], CASES[8:]), strict=True):
        lay(tmp_path, f"{word}/images/{{}}.png", f"{word}/masks/{{}}.png", cases)
    splits = {record.id: record.split for record in Folder(tmp_path).records()}
    assert splits == {
        case: "train" if k < 6 else "val" if k < 8 else "test" for k, case in enumerate(CASES)
    }


def test_two_folders_of_one_split_are_refused(tmp_path):
    for word in ("train", "Training", "test"):
        lay(tmp_path, f"{word}/images/{{}}.png", f"{word}/masks/{{}}.png")
    with pytest.raises(DataError, match="Training and train are both folders of the split"):
        Folder(tmp_path).records()


@pytest.mark.parametrize(
    ("options", "images", "masks"),
    [
        ({"mask_template": "{stem}_vessels"}, "images/{}.png", "masks/{}_vessels.png"),
        (
            {"image_template": "{case}_t1", "mask_template": "gold_{case}"},
            "images/{}_t1.png",
            "masks/gold_{}.png",
        ),
        ({"mask_template": "{stem}_vessels"}, "{}.png", "{}_vessels.png"),
    ],
)
def test_templates(options, images, masks, tmp_path):
    lay(tmp_path, images, masks)
    if "image_template" in options:
        save(tmp_path / "images" / "00_t2.png", picture(0))  # no image by the template
    source = Folder(tmp_path, **options)
    assert pairs(source) == {images.format(case): masks.format(case) for case in CASES}
    assert check(source).recognised == (
        ["one folder of images and masks"] if "/" not in images else []
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_template": "{case}_m"}, r"there is no \{case\}. Use \{stem\}"),
        ({"mask_template": "mask"}, "all images would have one mask"),
        ({"mask_template": "{stem"}, "mask_template=.stem"),
        ({"mask_template": "{0}"}, "fields are names in braces"),
        ({"mask_template": "{stem}_m", "mask_suffix": "_m"}, "not both"),
    ],
)
def test_wrong_templates(options, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        Folder(tmp_path, **options)


def test_what_fits_only_some_is_offered_and_not_done(tmp_path):
    lay(tmp_path, "images/{}.png", "masks/{}_mask.png")
    (tmp_path / "masks" / "03_mask.png").unlink()
    with pytest.raises(DataError) as error:
        Folder(tmp_path).records()
    assert "no mask for 10 of 10 images (00.*, 01.*, 02.*, …)" in str(error.value)
    assert "dataset.source.mask_suffix=_mask would match 9 of 10" in str(error.value)


def test_two_namings_that_fit_are_both_offered(tmp_path):
    lay(tmp_path, "images/{}.png", "masks/{}_mask.png")
    lay(tmp_path, "images/{}.png", "masks/{}_gt.png")
    with pytest.raises(DataError) as error:
        Folder(tmp_path).records()
    for suffix in ("_mask", "_gt"):
        assert f"dataset.source.mask_suffix={suffix} would match all 10" in str(error.value)


@pytest.mark.parametrize(
    ("options", "masks", "further"),
    [
        ({}, "masks/{}_mask.png", "00_mask_1.png"),
        ({"mask_suffix": "_1"}, "masks/{}_1.png", "00_2.png"),
        ({"mask_template": "gold_{stem}"}, "masks/gold_{}.png", "gold_00_b.png"),
        ({}, "masks/{}.png", "00_2.png"),
    ],
)
def test_further_masks_of_an_image_are_named(options, masks, further, tmp_path):
    source = Folder(lay(tmp_path, "images/{}.png", masks), **options)
    before, fingerprint = pairs(source), source.fingerprint()
    assert check(source).warnings == []
    save(tmp_path / "masks" / further, disc(4))
    save(tmp_path / "masks" / "lone.png", disc(4))
    assert (pairs(source), source.fingerprint()) == (before, fingerprint)
    assert check(source).warnings == [
        "1 mask has no image and is left out: lone.png",
        f"1 file seems to be a further mask of an image and is left out: {further}. An image may "
        "have several masks, which are not merged: put them into one file",
    ]


@pytest.mark.parametrize("missing_mask", ["error", "empty"])
@pytest.mark.parametrize(
    ("options", "images", "masks", "further"),
    [
        ({"mask_suffix": "_mask"}, "{}.png", "{}_mask.png", "01_mask_1.png"),
        (
            {"image_template": "img_{case}", "mask_template": "mask_{case}"},
            "img_{}.png",
            "mask_{}.png",
            "mask_01_b.png",
        ),
    ],
)
def test_masks_in_one_folder_are_never_images(
    missing_mask, options, images, masks, further, tmp_path
):
    lay(tmp_path, images, masks)
    save(tmp_path / further, disc(4))
    (tmp_path / images.format("00")).unlink()
    source = Folder(tmp_path, **options, missing_mask=missing_mask)
    assert pairs(source) == {images.format(case): masks.format(case) for case in CASES[1:]}
    remarks = " ".join(source.checked_scan().remarks)
    assert masks.format("00") in remarks
    assert further in remarks
    assert "count as empty" not in remarks


def test_a_further_mask_is_never_an_image_where_the_first_is_missing(tmp_path):
    lay(tmp_path, "{}.png", "{}_mask.png")
    (tmp_path / "03_mask.png").rename(tmp_path / "03_mask_1.png")
    (tmp_path / "04_mask.png").unlink()
    source = Folder(tmp_path, mask_suffix="_mask", missing_mask="empty")
    assert {record.id for record in source.records()} == {*CASES}
    seems, bare = source.checked_scan().remarks
    assert seems.startswith("1 file seems to be a further mask of an image and is left out: 03_")
    assert bare.startswith("2 of 10 images have no mask and count as empty")


def test_an_image_that_begins_as_its_mask_is_named_is_one(tmp_path):
    lay(tmp_path, "{}_im.png", "{}_i.png")
    (tmp_path / "03_i.png").unlink()
    options = {"image_template": "{case}_im", "mask_template": "{case}_i"}
    source = Folder(tmp_path, **options, missing_mask="empty")
    assert {record.id for record in source.records()} == {f"{case}_im" for case in CASES}


def test_masks_of_images_without_any_are_not_called_further_ones(tmp_path):
    lay(tmp_path, "images/{}.png", "masks/{}_lesion.png")
    (remark,) = Folder(tmp_path).checked_scan().remarks
    assert remark.startswith("10 masks have no image and are left out: 00_lesion.png")


@pytest.mark.parametrize("glob", ["*", "P_?.png"])
def test_an_image_named_as_a_mask_is_one_where_it_has_a_mask(glob, tmp_path):
    lay(tmp_path, "P_{}.png", "P_{}_1.png", [*"123456789"])
    expected = {f"P_{k}.png": f"P_{k}_1.png" for k in range(1, 10)}
    assert pairs(Folder(tmp_path, mask_suffix="_1", glob=glob)) == expected


def test_a_lost_image_of_one_folder_leaves_no_offer_of_empty_masks(tmp_path):
    lay(tmp_path, "{}.png", "{}_mask.png")
    (tmp_path / "03.png").unlink()
    with pytest.raises(DataError) as error:
        Folder(tmp_path).records()
    assert str(error.value).endswith("dataset.source.mask_suffix=_mask would match all 9")
    source = Folder(tmp_path, mask_suffix="_mask")
    assert source.checked_scan().remarks == ["1 mask has no image and is left out: 03_mask.png"]


def test_files_of_one_folder_that_fit_no_template_are_counted(tmp_path):
    lay(tmp_path, "{}_0000.png", "{}.png")
    save(tmp_path / "00_0001.png", picture(0))
    options = {"image_template": "{case}_0000", "mask_template": "{case}"}
    (remark,) = Folder(tmp_path, **options).checked_scan().remarks
    assert "1 files do not match dataset.source.image_template={case}_0000" in remark


def test_two_mask_folders_are_not_guessed(tmp_path):
    lay(tmp_path, "images/{}.png", "labels/{}.png")
    lay(tmp_path, "images/{}.png", "gt/{}.png")
    with pytest.raises(DataError, match="no folder masks or mask in it"):
        Folder(tmp_path).records()


@pytest.mark.parametrize(
    ("images", "masks"), [("Images", "Masks"), ("IMG", "masks"), ("images", "Labels")]
)
@pytest.mark.parametrize("splits", [[""], ["Train/", "Test/"]])
def test_folders_are_found_in_any_case(images, masks, splits, tmp_path):
    expected = {}
    for split in splits:
        cases = [f"{split[:2]}{case}" for case in CASES]
        lay(tmp_path, f"{split}{images}/{{}}.png", f"{split}{masks}/{{}}.png", cases)
        expected |= {f"{split}{images}/{c}.png": f"{split}{masks}/{c}.png" for c in cases}
    assert pairs(Folder(tmp_path)) == expected


def test_a_folder_in_its_own_spelling_comes_before_other_cases(tmp_path):
    """Whatever was read before is read as before, and so has the fingerprint that it had."""
    for folder in ("Images", "img", "Masks", "gt"):
        lay(tmp_path, f"{folder}/{{}}.png", f"{folder}/{{}}.png")
    assert pairs(Folder(tmp_path)) == {f"img/{case}.png": f"gt/{case}.png" for case in CASES}
    flat = lay(tmp_path / "flat", "{}.png", "{}_mask.png")
    lay(flat, "Images/{}.png", "Masks/{}.png")
    assert pairs(Folder(flat)) == {f"{case}.png": f"{case}_mask.png" for case in CASES}


def test_folders_that_differ_in_case_only_are_not_guessed(tmp_path):
    lay(tmp_path, "Images/{}.png", "IMAGES/{}.png")
    lay(tmp_path, "masks/{}.png", "masks/{}.png")
    with pytest.raises(DataError, match="IMAGES and Images differ in case only"):
        Folder(tmp_path).records()


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("Bilder/{}.png", "Masken/{}.png"),
        ("images/{}.png", "Wahrheit/{}.png"),
        ("fotos/{}.png", "masks/{}.png"),
        ("x scans/{}.png", "ground truth/{}.png"),
        ("input/{}.png", "Ziel maske/{}.png"),
        ("x/{}.png", "a/{}.png"),
        ("scanner/{}.png", "Wahrheit/{}.png"),
        ("P{}/s0.png", "P{}/s0_mask.png"),
        ("P{}/s0.png", "P{}/s0_seg.png"),
    ],
)
def test_folders_of_other_names_are_answered_with_settings_that_work(images, masks, tmp_path):
    lay(tmp_path, images, masks)
    with pytest.raises(DataError) as error:
        Folder(tmp_path).records()
    offered = shlex.split(str(error.value).partition(" add ")[2])
    source = composed(["dataset=folder", f"dataset.root={tmp_path}", *offered]).dataset.source
    options = {k: v for k, v in source.arguments().items() if k != "_target_"}
    assert pairs(Folder(**options)) == {images.format(c): masks.format(c) for c in CASES}


@pytest.mark.parametrize(
    ("folders", "ending"),
    [
        (("x", "Ziel maske"), "image_folders=[x]' 'dataset.source.mask_folders=[\"Ziel maske\"]'"),
        (("x", "a"), "set dataset.source.image_folders and dataset.source.mask_folders"),
    ],
)
def test_folders_whose_files_look_alike_are_ordered_by_their_names_or_not_at_all(
    folders, ending, tmp_path
):
    lay(tmp_path, f"{folders[0]}/{{}}.png", f"{folders[1]}/{{}}.png")
    for number, case in enumerate(CASES):
        save(tmp_path / folders[1] / f"{case}.png", picture(number))
    with pytest.raises(DataError) as error:
        Folder(tmp_path).records()
    assert str(error.value).endswith(ending)


def test_a_folder_of_images_without_masks(tmp_path):
    for case in CASES:
        save(tmp_path / f"{case}.png", picture(0))
    with pytest.raises(DataError, match="no folder images or img in it, and its 10 image files"):
        Folder(tmp_path).records()


@pytest.mark.parametrize("glob", ["*", "*.jpg"])
def test_masks_in_one_folder_whose_names_differ_in_their_endings_only(glob, tmp_path):
    lay(tmp_path, "{}.jpg", "{}.png")
    with pytest.raises(DataError) as error:
        Folder(tmp_path, glob=glob).records()
    assert str(error.value).endswith(
        "its 20 image files have no names that distinguish masks from images. 00.png has the same "
        "id as 00.jpg, 10 such files in all. If one of the two is the mask, rename the "
        "masks, such as 00_mask, or move images and masks into folders of their own, images and "
        "masks"
    )
    for case in CASES:
        (tmp_path / f"{case}.png").rename(tmp_path / f"{case}_mask.png")
    assert len(Folder(tmp_path, glob=glob).records()) == 10


def test_subfolders_on_request(tmp_path):
    lay(tmp_path, "images/p{}/scan.png", "masks/p{}/scan.png")
    with pytest.raises(DataError, match=r"dataset\.source\.recursive=true"):
        Folder(tmp_path).records()
    source = Folder(tmp_path, recursive=True, group_pattern=r"p\d+")
    assert pairs(source) == {f"images/p{c}/scan.png": f"masks/p{c}/scan.png" for c in CASES}
    assert {record.id for record in source.records()} == {f"p{case}_scan" for case in CASES}


def test_links_to_subfolders_are_named(tmp_path):
    lay(tmp_path / "data", "images/a/{}.png", "masks/a/{}.png")
    lay(tmp_path / "other", "images/{}.png", "masks/{}.png")
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind / "b").symlink_to(tmp_path / "other" / kind)
    source = Folder(tmp_path / "data", recursive=True)
    assert {record.id for record in source.records()} == {f"a_{case}" for case in CASES}
    (of_images,) = (text for text in source.remarks() if "images: links" in text)
    assert of_images.endswith("are not followed: replace b by the folders")


def test_subfolders_of_one_folder(tmp_path):
    lay(tmp_path, "p{}/scan.png", "p{}/scan_mask.png")
    (tmp_path / "images").mkdir()
    for case in CASES:
        (tmp_path / f"p{case}").rename(tmp_path / "images" / f"p{case}")
    source = Folder(tmp_path, recursive=True, image_folders=["images"], mask_folders=["images"])
    assert len(pairs(source)) == 10


def test_new_settings_change_no_fingerprint_at_their_defaults(tiles_root):
    plain = Folder(tiles_root).fingerprint()
    assert Folder(tiles_root, mask_template="{stem}").fingerprint() == plain
    assert Folder(tiles_root, recursive=True).fingerprint() == plain


names = st.lists(st.text("abc01_", min_size=1, max_size=5), unique=True, min_size=1, max_size=8)


@given(names, st.data())
def test_a_recognised_naming_gives_each_image_a_mask_of_its_own(stems, data):
    masks = [f"{stem}_mask" for stem in stems]
    together = data.draw(st.booleans())
    listed = [*stems, *masks] if together else stems
    naming = recognised(matches(listed, [*stems, *masks] if together else masks, together))
    if naming is not None:
        images = naming.images_in_one_folder(listed) if together else listed
        found = [naming.mask_of(stem) for stem in images]
        assert len(set(found)) == len(images)
        assert set(found) <= {*masks, *(stems if together else ())}
        assert not set(found) & set(images)


def test_fields_may_be_used_twice():
    naming = Naming("{a}_{b}_{a}", "{b}")
    assert naming.mask_of("x_y_x") == "y"
    assert naming.mask_of("x_y_z") is None


@pytest.mark.parametrize("naming", [Naming("img_{case}", "mask_{case}"), Naming(None, "{stem}_x")])
def test_the_settings_that_are_offered_can_be_pasted(naming):
    source = composed(
        ["dataset=folder", "dataset.root=x", *shlex.split(str(naming))]
    ).dataset.source
    suffix = source.get("mask_suffix")
    assert Naming(source.image_template, source.mask_template or "{stem}" + suffix) == naming


def test_new_settings_are_in_the_id_only_where_they_are_set():
    def run_id(*given):
        return identify(composed(["dataset=folder", "dataset.root=x", *given]), "f").run_id

    plain = run_id()
    for name in ("mask_template", "image_template", "recursive"):
        default = "false" if name == "recursive" else "null"
        assert run_id(f"dataset.source.{name}={default}") == plain
    assert run_id("dataset.source.recursive=true") != plain
    assert run_id('dataset.source.mask_template="{stem}_m"') != plain
