import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from robustseg.data.checking.duplicates import Appearance, across_splits, perceptual_hash, thumbnail


def picture(seed, size=64):
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def look(name, split, image):
    return Appearance(name, split, str(hash(image.tobytes())), thumbnail(image))


def again(image, quality=60):
    """The picture after a resize, a blur and other light: the same to the eye."""
    small = Image.fromarray(image).resize((50, 50)).filter(ImageFilter.GaussianBlur(0.5))
    return np.array(small).astype(float) * 0.8 + 20


def test_exact_and_near_pairs_across_splits():
    images = [picture(seed) for seed in range(12)]
    appearances = [look(f"a{k}", "train", image) for k, image in enumerate(images)]
    appearances.append(look("same", "test", images[3]))
    appearances.append(look("like", "val", again(images[7]).astype(np.uint8)))
    pairs = across_splits(appearances)
    assert [(p.kind, p.first, p.first_split, p.second, p.second_split) for p in pairs] == [
        ("exact", "a3", "train", "same", "test"),
        ("near", "a7", "train", "like", "val"),
    ]
    assert pairs[0].correlation == 1.0
    assert pairs[0].distance == 0
    assert 0.98 <= pairs[1].correlation < 1


def test_pairs_within_a_split_do_not_count():
    assert across_splits([look("a", "train", picture(0)), look("b", "train", picture(0))]) == []


def test_many_pictures_are_compared_in_blocks(monkeypatch):
    appearances = [look(f"{k:02}", ("train", "test")[k % 2], picture(k // 3)) for k in range(40)]
    whole = across_splits(appearances)
    assert len(whole) > 10
    monkeypatch.setattr("robustseg.data.checking.duplicates.ROWS", 7)
    assert across_splits(appearances) == whole


def test_of_too_many_pairs_the_most_alike_are_kept(monkeypatch):
    appearances = [look(f"{k:02}", ("train", "test")[k % 2], picture(k // 3)) for k in range(40)]
    appearances.append(look("like", "val", again(picture(0)).astype(np.uint8)))
    whole = across_splits(appearances)
    assert {pair.kind for pair in whole} == {"exact", "near"}
    monkeypatch.setattr("robustseg.data.checking.duplicates.ROWS", 7)
    for most in (len(whole) - 1, 5, 1):
        monkeypatch.setattr("robustseg.data.checking.duplicates.MOST", most)
        assert across_splits(appearances) == whole[:most]


def test_pictures_of_one_colour_are_not_near_others():
    black, white = np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 1), 255, np.uint8)
    assert across_splits([look("a", "train", black), look("b", "test", white)]) == []
    (pair,) = across_splits([look("a", "train", black), look("b", "test", black)])
    assert pair.kind == "exact"


def test_nothing_to_compare():
    assert across_splits([]) == []


@given(st.integers(0, 10_000), st.floats(0.2, 0.9), st.integers(0, 20))
def test_light_and_contrast_do_not_matter(seed, gain, offset):
    grey = picture(seed)[..., :1].astype(float)
    darker = (grey * gain + offset).astype(np.uint8)
    assert thumbnail(grey.astype(np.uint8)) @ thumbnail(darker) > 0.999


@given(st.integers(0, 10_000))
def test_the_hash_is_that_of_the_cosine_sums(seed):
    thumb = thumbnail(picture(seed))
    k, x = np.arange(8)[:, None], np.arange(32)[None]
    basis = np.cos(np.pi * (2 * x + 1) * k / 64)
    low = (basis @ thumb.reshape(32, 32) @ basis.T).ravel()
    # An orthonormal transform scales the first row and column by another factor.
    scale = np.where(np.arange(8) == 0, np.sqrt(0.5), 1)
    low *= np.outer(scale, scale).ravel()
    clear = np.abs(low - np.median(low[1:])) > 1e-6
    assert (perceptual_hash(thumb) == (low > np.median(low[1:])))[clear].all()


@pytest.mark.parametrize("channels", [1, 3])
def test_thumbnail(channels):
    thumb = thumbnail(picture(1)[..., :channels])
    assert thumb.shape == (1024,)
    assert thumb.mean() == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(thumb) == pytest.approx(1, abs=1e-5)
