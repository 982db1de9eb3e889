import numpy as np
import pytest

from robustseg.data.imageset import ImageSet


def make(count: int) -> ImageSet:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    return ImageSet(
        ids=[f"i{k}" for k in range(count)],
        splits=np.array(["train"] * (count - 2) + ["test"] * 2),
        images=images,
        masks=images[..., 0] % 2,
        groups=[f"g{k // 2}" for k in range(count)],
    )


def test_subset_keeps_everything_together():
    part = make(6).subset([4, 1, 1])
    assert part.ids == ["i4", "i1", "i1"]
    assert part.groups == ["g2", "g0", "g0"]
    assert part.splits.tolist() == ["test", "train", "train"]
    assert part.images[:, 0, 0, 0].tolist() == [4, 1, 1]
    assert part.masks[:, 0, 0].tolist() == [0, 1, 1]


def test_consecutive_rows_share_memory_others_do_not():
    whole = make(6)
    assert np.shares_memory(whole.split("train").images, whole.images)
    assert np.shares_memory(whole.split("test").masks, whole.masks)
    assert not np.shares_memory(whole.subset([0, 2]).images, whole.images)


def test_a_split_that_is_not_there_is_empty():
    assert len(make(4).split("val")) == 0


def test_negative_indices_count_from_the_end():
    assert make(4).subset([-1, 0]).ids == ["i3", "i0"]
    assert make(4).subset([-1, 0]).images[0, 0, 0, 0] == 3


def test_a_boolean_mask_is_refused():
    with pytest.raises(ValueError, match="whole numbers"):
        make(4).subset(np.array([True, False, True, True]))


def test_lengths_must_agree():
    whole = make(4)
    with pytest.raises(ValueError, match="differ in length"):
        ImageSet(whole.ids[:3], whole.splits, whole.images, whole.masks, whole.groups)
    with pytest.raises(ValueError, match="do not fit"):
        ImageSet(whole.ids, whole.splits, whole.images, whole.masks[:, :1], whole.groups)
