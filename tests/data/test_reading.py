import os
import struct
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import EpsImagePlugin, Image

from robustseg.data.sources.label_rule import LabelRule
from robustseg.data.sources.masks import MaskRule
from robustseg.data.sources.reading import file_facts, read_image, read_mask, read_pair
from robustseg.data.sources.source import Record
from robustseg.data.sources.traits import traits_of
from robustseg.errors import DataError


def test_colour_and_grey(tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", 3), colour)
    grey = read_image(tmp_path / "a.png", 1)
    assert grey.shape == (5, 7, 1)
    luma = colour @ np.array([0.299, 0.587, 0.114])  # ITU-R 601
    assert np.abs(grey[..., 0] - luma).max() <= 1


def test_a_grey_file_read_in_colour(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", 3), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_keep_their_range(tmp_path, channels):
    deep = np.array([[0, 256, 32768, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", channels)
    assert image[0, :, 0].tolist() == [0, 1, 128, 255]
    assert image.shape == (1, 4, channels)


@pytest.mark.parametrize("bits", [8, 12, 14, 16, None])
def test_the_upper_eight_of_the_bits_that_are_used(tmp_path, bits):
    deep = np.random.default_rng(0).integers(0, 2 ** (bits or 16), (9, 9)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    expected = np.floor(deep / 2 ** ((bits or 16) - 8))
    assert np.array_equal(read_image(tmp_path / "a.png", 1, bits)[..., 0], expected)


def test_a_palette_mask_with_positive_values_is_read_as_indices(tmp_path):
    indices = np.array([[0, 1, 4, 2]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9, 255, 255, 255])
    assert image.mode == "P"
    image.save(tmp_path / "m.png")
    rule = MaskRule(positive_values=[0], ignore_values=[4])
    assert read_mask(tmp_path / "m.png", rule).tolist() == [[1, 0, 255, 0]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
def test_masks_in_any_plain_mode(tmp_path, mode):
    mask = np.array([[0, 255, 255], [255, 0, 0]], np.uint8)
    Image.fromarray(mask).convert(mode).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", MaskRule()).tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize("top", [1, 255, 65535])
@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_mask_of_sixteen_bits_in_each_colour_is_refused(tmp_path, channels, ending, top):
    mask = np.array([[0, 1, 1], [1, 0, 0]], np.uint16)
    path = tmp_path / f"m{ending}"
    assert cv2.imwrite(str(path), np.dstack([mask * np.uint16(top)] * channels))
    for rule in (MaskRule(), MaskRule(threshold=0.5), LabelRule(["background", "a", "b"])):
        with pytest.raises(DataError, match=f"{path}: .*16 bits in each colour.*grey levels"):
            read_mask(path, rule)
    for labels in (False, True):
        assert traits_of(path, mask=True, labels=labels) == {"deep_colour": True}
    assert cv2.imwrite(str(path), mask * np.uint16(top))
    assert np.array_equal(read_mask(path, MaskRule(threshold=0)), mask)


def palette_file(path, indices, colours, **options):
    """Writes indices (H, W) as a palette file with a colour for each."""
    image = Image.fromarray(indices)
    table = np.zeros((256, 3), np.uint8)
    table[: len(colours)] = colours
    image.putpalette(table.ravel().tolist())
    image.save(path, **options)


two_colours = st.lists(
    st.tuples(*[st.integers(0, 255)] * 3),
    min_size=2,
    max_size=2,
).filter(lambda pair: abs(luma(pair[0]) - luma(pair[1])) > 1)


def luma(colour):
    return float(np.dot(colour, (0.299, 0.587, 0.114)))


@given(arrays(bool, (4, 5)), st.permutations(range(256)), two_colours)
def test_the_colours_of_a_palette_decide_whatever_their_indices(shape, order, pair):
    shape[0, :2] = (False, True)
    dark, bright = sorted(pair, key=luma)
    colours = np.zeros((256, 3), np.uint8)
    colours[order[0]], colours[order[1]] = dark, bright
    indices = np.where(shape, order[1], order[0]).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.png"
        palette_file(path, indices, colours)
        assert np.array_equal(read_mask(path, MaskRule()), shape)


@given(arrays(np.uint8, (5, 6)), st.permutations(range(256)), st.integers(0, 254))
def test_a_threshold_is_of_the_grey_levels_of_a_palette(grey, order, threshold):
    colours = np.zeros((256, 3), np.uint8)
    colours[order] = np.arange(256)[:, None]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.png"
        palette_file(path, np.array(order, np.uint8)[grey], colours)
        mask = read_mask(path, MaskRule(threshold=threshold))
    assert np.array_equal(mask, grey > threshold)


@pytest.mark.parametrize(
    ("index", "colours", "expected"),
    [
        (0, [(0, 0, 0), (255, 255, 255)], 0),
        (1, [(0, 0, 0), (255, 255, 255)], 1),
        (0, [(255, 255, 255), (0, 0, 0)], 1),
        (1, [(255, 255, 255), (0, 0, 0)], 0),
        (1, [(68, 1, 84), (253, 231, 37)], 1),
    ],
)
def test_a_palette_mask_of_one_colour(tmp_path, index, colours, expected):
    palette_file(tmp_path / "m.png", np.full((3, 4), index, np.uint8), colours)
    assert (read_mask(tmp_path / "m.png", MaskRule()) == expected).all()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (MaskRule(), None),
        (MaskRule(ignore_values=[7]), None),
        (MaskRule(threshold=37), 1),
        (MaskRule(threshold=38), 0),
        (MaskRule(positive_values=[0]), 1),
        (MaskRule(positive_values=[1]), 0),
        (MaskRule(ignore_values=[0]), 255),
    ],
)
def test_a_palette_mask_of_one_other_colour_at_index_0_needs_a_rule(tmp_path, rule, expected):
    red = Image.fromarray(np.full((3, 4, 3), (128, 0, 0), np.uint8)).quantize(2)
    assert not np.asarray(red).any()
    red.save(tmp_path / "m.png")
    if expected is None:
        with pytest.raises(
            DataError, match=r"one colour, 128/0/0: .*mask_threshold.* is 38.*posit"
        ):
            read_mask(tmp_path / "m.png", rule)
    else:
        assert (read_mask(tmp_path / "m.png", rule) == expected).all()


def test_one_colour_at_several_indices_is_one_colour(tmp_path):
    indices = np.array([[0, 3, 3]], np.uint8)
    palette_file(tmp_path / "m.png", indices, [(128, 0, 0)] * 4)
    with pytest.raises(DataError, match="one colour, 128/0/0"):
        read_mask(tmp_path / "m.png", MaskRule())


def test_ignored_indices_of_a_palette_are_no_colours(tmp_path):
    indices = np.array([[0, 1, 2]], np.uint8)
    palette_file(tmp_path / "m.png", indices, [(255, 255, 255), (0, 0, 0), (9, 9, 9)])
    assert read_mask(tmp_path / "m.png", MaskRule(ignore_values=[2])).tolist() == [[1, 0, 255]]


@pytest.mark.parametrize("colour", [0, 128, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_a_mask_drawn_in_the_opacity(tmp_path, mode, colour):
    drawn = np.array([[0, 255, 255], [255, 0, 0]], np.uint8)
    if mode == "P":
        palette_file(tmp_path / "m.png", drawn // 255, [[colour] * 3] * 2, transparency=0)
    else:
        bands = [np.full_like(drawn, colour)] * (len(mode) - 1) + [drawn]
        Image.fromarray(np.dstack(bands)).save(tmp_path / "m.png")
    assert Image.open(tmp_path / "m.png").mode == mode
    assert read_mask(tmp_path / "m.png", MaskRule()).tolist() == [[0, 1, 1], [1, 0, 0]]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (MaskRule(), [0, 1]),
        (MaskRule(127), [0, 1]),
        (MaskRule(0.5), [0, 1]),
        (MaskRule(255), [0, 0]),
        (MaskRule(positive_values=[255]), [0, 1]),
        (MaskRule(positive_values=[1]), [0, 1]),
        (MaskRule(positive_values=[0]), [1, 0]),
        (MaskRule(ignore_values=[255]), [0, 1]),
        (MaskRule(127, ignore_values=[255]), [0, 1]),
        (MaskRule(ignore_values=[1]), [0, 255]),
    ],
)
def test_one_bit_a_pixel(tmp_path, rule, expected):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "m.png")
    assert Image.open(tmp_path / "m.png").mode == "1"
    assert read_mask(tmp_path / "m.png", rule).tolist() == [expected]


def test_one_bit_a_pixel_is_no_class(tmp_path):
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "m.png")
    with pytest.raises(DataError, match=r"positive_values=\[2\] names none of its values: 0 and 1"):
        read_mask(tmp_path / "m.png", MaskRule(positive_values=[2]))


@pytest.mark.parametrize("colour", [0, 128, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_a_mask_that_is_transparent_all_over_is_empty(tmp_path, mode, colour):
    shape = (2, 3)
    if mode == "P":
        palette_file(
            tmp_path / "m.png", np.ones(shape, np.uint8), [[colour] * 3] * 2, transparency=1
        )
    else:
        bands = [np.full(shape, colour, np.uint8)] * (len(mode) - 1) + [np.zeros(shape, np.uint8)]
        Image.fromarray(np.dstack(bands)).save(tmp_path / "m.png")
    assert Image.open(tmp_path / "m.png").mode == mode
    assert not read_mask(tmp_path / "m.png", MaskRule()).any()


def test_no_program_is_started_for_a_file(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: started.append(1))
    (tmp_path / "a.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "EPS"  # what Pillow makes of it where nobody says which formats
    with pytest.raises(DataError, match="no PNG, JPEG"):
        read_image(tmp_path / "a.png", 3)
    assert traits_of(tmp_path / "a.png", mask=True) == {}
    assert not started


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(DataError, match="not a regular file"):
        read_image(tmp_path / "a.png", 3)


def test_a_record_without_a_mask_has_an_empty_one(tmp_path):
    Image.fromarray(np.full((3, 4), 9, np.uint8)).save(tmp_path / "a.png")
    image, mask = read_pair(Record("a", "train", tmp_path / "a.png"), 1, MaskRule())
    assert mask.shape == image.shape[:2] == (3, 4)
    assert not mask.any()


def test_facts_of_a_file(tmp_path):
    tagged = Image.fromarray(np.array([[0, 7]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    tagged.save(tmp_path / "turned.png", exif=exif)
    tagged.save(tmp_path / "upright.png")
    assert file_facts(tmp_path / "turned.png").turned
    facts = file_facts(tmp_path / "upright.png", values=True)
    assert (facts.mode, facts.turned, facts.values, facts.binary) == ("L", False, (0, 7), True)


def test_a_page_without_a_size_is_no_page(tmp_path):
    """A TIFF whose second directory has one tag, the date."""
    Image.fromarray(np.full((3, 4), 9, np.uint8)).save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * entries, len(data))
    text = b"2026:01:01 00:00:00\0"
    data += struct.pack("<HHHIII", 1, 306, 2, len(text), len(data) + 18, 0) + text
    (tmp_path / "a.tif").write_bytes(data)
    assert traits_of(tmp_path / "a.tif", mask=False) == {}
    assert read_image(tmp_path / "a.tif", 1).shape == (3, 4, 1)


@pytest.mark.parametrize("ending", [".tif", ".jpg", ".png"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_pixels_are_read_as_they_are_stored(tmp_path, ending, tag):
    pixels = np.repeat(np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3), 8, 0).repeat(8, 1)
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"a{ending}"
    Image.fromarray(pixels).save(path, exif=exif, quality=100)
    with Image.open(path) as stored:
        assert stored.getexif()[0x0112] == tag
    read = read_image(path, 1)[..., 0]
    assert read.shape == pixels.shape
    assert np.abs(read.astype(int) - pixels).max() <= 3  # JPEG loses some
    mask = np.zeros((4, 6), np.uint8)
    mask[0, 0] = 255
    Image.fromarray(mask).save(path.with_name(f"m{ending}"), exif=exif, quality=100)
    if ending != ".jpg":
        assert np.array_equal(read_mask(path.with_name(f"m{ending}"), MaskRule()), mask > 0)
    assert file_facts(path).turned == traits_of(path, mask=False).get("turned", False) == (tag > 1)


def frames(path):
    """A picture of several pages; where the second begins."""
    first, second = (np.full((40, 40), value, np.uint8) for value in (50, 200))
    second[::3, ::2] = 7
    pages = [Image.fromarray(second)] * 3
    Image.fromarray(first).save(path)
    begin = path.stat().st_size
    Image.fromarray(first).save(path, save_all=True, append_images=pages)
    return begin


@pytest.mark.parametrize("ending", [".gif", ".tif"])
def test_a_file_cut_anywhere_is_read_or_named(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    frames(path)
    whole, read = path.read_bytes(), 0
    for end in range(1, len(whole), 13):
        path.write_bytes(whole[:end])
        traits_of(path, mask=False), traits_of(path, mask=True, labels=True)
        try:
            assert read_image(path, 3).shape == (40, 40, 3)
            read += 1
        except DataError as error:
            assert str(path) in str(error)
    assert read


@given(st.data())
def test_a_changed_byte_is_read_or_named(data):
    ending = data.draw(st.sampled_from([".gif", ".tif", ".png", ".jpg", ".bmp", ".webp"]))
    deep = data.draw(st.booleans()) and ending in (".tif", ".png")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        Image.fromarray(np.arange(48).reshape(6, 8).astype(np.uint16 if deep else np.uint8)).save(
            path
        )
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        traits_of(path, mask=True)
        for read in (lambda: read_image(path, 1), lambda: read_mask(path, MaskRule(threshold=20))):
            try:
                read()
            except DataError as error:
                assert str(path) in str(error)
