from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.data.imageset import ImageSet
from robustseg.data.selection import has_foreground, hold_out, select
from robustseg.errors import DataError


def make(positives: dict[str, int], negatives: dict[str, int]) -> ImageSet:
    splits, masks = [], []
    for split in ("train", "val", "test"):
        for count, value in ((positives.get(split, 0), 1), (negatives.get(split, 0), 0)):
            splits += [split] * count
            masks += [np.full((2, 2), value, np.uint8)] * count
    ids = [f"{split}{k}" for k, split in enumerate(splits)]
    images = np.zeros((len(ids), 2, 2, 1), np.uint8)
    return ImageSet(ids, np.array(splits), images, np.array(masks), [""] * len(ids))


def counts(images: ImageSet) -> dict[tuple[str, bool], int]:
    positive = has_foreground(images.masks).tolist()
    return dict(Counter(zip(images.splits.tolist(), positive, strict=True)))


MANY = make({"train": 40, "test": 20}, {"train": 60, "test": 80})


def test_all_is_the_set_itself():
    assert select(MANY) is MANY


def test_ignored_pixels_are_no_foreground():
    masks = np.array([[[0, 255]], [[255, 1]]], np.uint8)
    assert has_foreground(masks).tolist() == [False, True]


def test_positive():
    assert counts(select(MANY, subset="positive")) == {("train", True): 40, ("test", True): 20}


def test_positive_fraction():
    found = counts(select(MANY, positive_fraction=0.2))
    assert found == {
        ("train", True): 15,
        ("train", False): 60,
        ("test", True): 20,
        ("test", False): 80,
    }


@pytest.mark.parametrize(("positive", "kept"), [(30, 5), (5, 5), (4, 4), (0, 0)])
def test_a_validation_split_has_the_fraction_where_it_can(positive, kept):
    """A run can do without its foreground, so it is no reason to refuse the set."""
    images = make({"train": 40, "val": positive, "test": 20}, {"train": 60, "val": 20, "test": 80})
    found = counts(select(images, positive_fraction=0.2))
    assert (found.get(("val", True), 0), found["val", False]) == (kept, 20)


@given(st.floats(0.02, 0.19), st.integers(0, 3))
def test_the_fraction_is_reached_to_one_image(fraction, seed):
    chosen = select(MANY, positive_fraction=fraction, seed=seed)
    for split in ("train", "test"):
        positive = has_foreground(chosen.split(split).masks)
        assert positive.mean() <= fraction + 1e-9
        assert (positive.sum() + 1) / (len(positive) + 1) > fraction
    assert sorted(chosen.ids, key=MANY.ids.index) == chosen.ids


@given(st.integers(1, 100), st.integers(1, 100), st.integers(0, 3))
def test_train_sizes_are_nested_and_leave_the_test_alone(one, other, seed):
    small, large = sorted((one, other))
    few = select(MANY, train_size=small, seed=seed)
    many = select(MANY, train_size=large, seed=seed)
    assert len(few.split("train")) == small
    assert set(few.ids) <= set(many.ids)
    assert few.split("test").ids == MANY.split("test").ids


def test_the_draw_does_not_depend_on_other_images():
    chosen = set(select(MANY, train_size=30).split("train").ids)
    part = MANY.subset(np.arange(5, len(MANY)))
    again = set(select(part, train_size=25).split("train").ids)
    assert len(again - chosen) <= 5  # the places of the five that are gone
    assert select(MANY, train_size=30, seed=1).ids != select(MANY, train_size=30).ids


def test_options_together():
    chosen = select(MANY, subset="positive", train_size=7)
    assert counts(chosen) == {("train", True): 7, ("test", True): 20}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subset": "negative"}, "subset must be all or positive, got 'negative'"),
        ({"subset": "positive", "positive_fraction": 0.1}, "leaves no negative images"),
        ({"positive_fraction": 0.0}, r"must be in \(0, 1\), got 0.0"),
        ({"positive_fraction": 1.0}, r"must be in \(0, 1\), got 1.0"),
        (
            {"positive_fraction": 0.3},
            "0.3 cannot be reached in the split 'test', which has 20 positive of 100",
        ),
        ({"positive_fraction": 0.001}, "cannot be reached"),
        ({"train_size": 101}, "train_size=101: the training set has 100 images"),
        ({"train_size": 0}, "Take 1 to 100"),
        ({"train_size": 41, "subset": "positive"}, "has 40 images"),
    ],
)
def test_what_cannot_be(options, message):
    with pytest.raises(DataError, match=message):
        select(MANY, **options)


def test_a_split_without_foreground():
    images = make({"train": 3}, {"train": 3, "test": 3})
    with pytest.raises(DataError, match="no image of the split 'test' has foreground"):
        select(images, subset="positive")


def test_nothing_is_held_out_of_a_set_unless_asked():
    assert hold_out(MANY, 0) is MANY


@given(st.floats(0.1, 0.9), st.integers(0, 5))
def test_held_out_images_are_a_share_of_training_of_each_stratum(fraction, seed):
    held = hold_out(MANY, fraction, lambda name: name[-1], seed)
    assert held.ids == MANY.ids
    before, after = MANY.splits, held.splits
    assert set(before[before != after]) == {"train"}
    assert set(after[before != after]) == {"val"}
    for last in "0123456789":
        of = np.array([name[-1] == last for name in MANY.ids]) & (before == "train")
        assert abs((after[of] == "val").sum() - fraction * of.sum()) <= 0.5 + 1e-9


def test_held_out_groups_stay_whole():
    groups = [name[-1] for name in MANY.ids]
    held = hold_out(replace(MANY, groups=groups), 0.4)
    of = {group: set() for group in groups}
    for split, group in zip(held.splits, groups, strict=True):
        if split != "test":
            of[group].add(split)
    assert sorted(map(len, of.values())) == [1] * 10
    assert set.union(*of.values()) == {"train", "val"}


def test_what_cannot_be_held_out_is_refused():
    with pytest.raises(DataError, match=r"a validation split of its own \(3 images\)"):
        hold_out(make({"train": 4, "val": 3}, {}), 0.5)
    with pytest.raises(DataError, match="leaves 0 to validate with"):
        hold_out(make({"train": 4, "test": 3}, {}), 0.01)
