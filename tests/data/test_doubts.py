"""What the check of a set says of mistakes that concern all of it."""

import pytest

from robustseg.data.checking.check import check
from robustseg.data.checking.check_report import render_text
from robustseg.data.sources.folder import Folder
from tests.data.conftest import disc, picture, save


@pytest.fixture
def made(tmp_path):
    """A function that makes a set of the masks that a function draws."""

    def make(mask, images=12, ending="png"):
        for number in range(images):
            save(tmp_path / "images" / f"im{number}.png", picture(number))
            save(tmp_path / "masks" / f"im{number}.{ending}", mask(number))
        return Folder(tmp_path)

    return make


def test_a_sound_set_raises_no_doubt(made):
    report = check(made(lambda number: disc(4 + number % 3)))
    assert (report.errors, report.warnings, report.label_maps) == ([], [], [])


def test_names_that_differ_only_in_their_capitals(made, tmp_path):
    source = made(lambda _: disc(8))
    for number in (3, 5):
        path = tmp_path / "images" / f"im{number}.png"
        path.rename(tmp_path / "images" / f"IM{number}.png")
    (error,) = check(source).errors
    assert "no mask for 2 of 12 images (IM3.*, IM5.*)" in error
    assert error.endswith(
        "Of 2 names only the capitals differ, such as im3.png for IM3: rename the masks or the "
        "images"
    )


def test_folders_that_are_swapped(made, tmp_path):
    source = made(lambda _: disc(8))
    (tmp_path / "images").rename(tmp_path / "away")
    (tmp_path / "masks").rename(tmp_path / "images")
    (tmp_path / "away").rename(tmp_path / "masks")
    report = check(source)
    said = report.warnings[0]
    assert said.startswith(
        f"the masks look like pictures and the images like masks, such as {tmp_path}/masks/im"
    )
    assert said.endswith(".png: are the folders swapped?")
    assert report.errors


def test_grey_levels_of_jpeg_masks_are_not_proposed_as_classes(made):
    blurred = {2: 0, 3: 17, 4: 120, 5: 255}

    def mask(number):
        drawn = disc(8)
        for at, value in blurred.items():
            drawn[at * 6 : at * 6 + 6] = value
        return drawn

    report = check(made(mask, ending="jpg"))
    assert 2 < len(report.levels) <= 32
    assert report.label_maps == []
    assert "mask_threshold=127" in " ".join(report.errors)
    assert "as classes, add" not in render_text(report)


def test_a_proposal_says_that_it_leaves_255_out(made):
    values = {0: 255, 1: 1, 2: 2}

    def mask(number):
        return disc(8) // 255 * values[number % 3]

    text = render_text(check(made(mask)))
    (line,) = (line for line in text.splitlines() if line.startswith("to train on the values"))
    assert line.endswith("add (pixels of 255 are ignored: name it, too, if it is a class)")
    assert "255: ignored" in text


def test_a_proposal_without_255_leaves_nothing_out(made):
    text = render_text(check(made(lambda number: disc(8) // 255 * (1 + number % 2))))
    assert "\nto train on the values as classes, add\n" in text


@pytest.mark.parametrize(("usual", "told"), [(0, True), (1, True), (2, False)])
def test_masks_that_may_be_inverted(made, usual, told):
    source = made(lambda number: disc(8) if number < usual else 255 - disc(8))
    said = f"{12 - usual} of 12 masks are foreground in more than half of their pixels"
    assert any(said in text for text in check(source).warnings) == told


@pytest.mark.parametrize(("images", "told"), [(9, True), (10, False)])
def test_few_images(made, images, told):
    warnings = check(made(lambda _: disc(8), images)).warnings
    assert any(f"only {images} images" in text for text in warnings) == told
