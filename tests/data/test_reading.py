import numpy as np
import pytest
from PIL import Image

from robustseg.data.sources.masks import MaskRule
from robustseg.data.sources.reading import file_facts, read_image, read_mask, read_pair
from robustseg.data.sources.source import Record


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


def test_a_palette_mask_is_read_as_indices(tmp_path):
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
