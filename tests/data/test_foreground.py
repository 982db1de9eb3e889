import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robustseg.data.checking.foreground import (
    check_foreground,
    foreground_of,
    foreground_share,
    troubles,
)
from robustseg.data.imageset import ImageSet
from robustseg.data.synthetic import Synthetic
from robustseg.errors import DataError

SOURCE = Synthetic("dermoscopy", size=16)


def images(masks, splits, own=None):
    masks = np.asarray(masks, np.uint8)
    return ImageSet(
        ids=[str(k) for k in range(len(masks))],
        splits=np.array(splits),
        images=np.zeros((*masks.shape, 1), np.uint8),
        masks=masks,
        groups=[""] * len(masks),
        own_foreground=None if own is None else np.array(own),
    )


def dots(count, size=8):
    """A mask with so many pixels of foreground."""
    mask = np.zeros(size * size, np.uint8)
    mask[:count] = 1
    return mask.reshape(size, size)


@given(arrays(np.uint8, (3, 4), elements=st.sampled_from([0, 1, 255])))
def test_shares(mask):
    share = foreground_share(mask)
    ones, zeros = (mask == 1).sum(), (mask == 0).sum()
    assert np.isnan(share) if ones and not zeros else share == ones / 12


def test_counts():
    masks = [dots(0), dots(64), dots(1), dots(8), dots(0)]
    (found,) = foreground_of(images(masks, ["train"] * 5, [0.1, 1, 0.1, 0.1, 0]))
    assert (found.images, found.positive, found.full, found.before) == (5, 3, 1, 4)
    assert (found.vanished, found.shrunk) == (1, 1)  # the first; 1/64 of .1
    assert found.share == pytest.approx((64 + 1 + 8) / 5 / 64)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_foreground_is_refused(split):
    other = "test" if split == "train" else "train"
    bad = images([dots(0), dots(0), dots(3)], [split, split, other])
    word = {"train": "training", "test": "test"}[split]
    with pytest.raises(DataError, match=f"none of the 2 {word} masks has foreground"):
        check_foreground(bad, SOURCE)


def test_a_validation_split_without_foreground_is_remarked():
    found = images([dots(3), dots(0), dots(3)], ["train", "val", "test"])
    assert check_foreground(found, SOURCE) == ["none of the 1 validation masks has foreground"]


@pytest.mark.parametrize(("empty", "warned"), [(49, False), (50, True)])
def test_few_masks_with_foreground(empty, warned):
    masks = [dots(3)] + [dots(0)] * empty + [dots(3)]
    found = images(masks, ["train"] * (empty + 1) + ["test"])
    assert any("1 of the 51 training masks have" in w for w in check_foreground(found, SOURCE)) == (
        warned
    )


def test_little_foreground():
    mask = np.zeros((2, 200, 200), np.uint8)
    mask[:, 0, :3] = 1
    errors, warnings = troubles(foreground_of(images(mask, ["train", "test"])), 200, SOURCE, [])
    assert errors == []
    assert [text[:24] for text in warnings] == ["7.5e-05 of the pixels of"] * 2
