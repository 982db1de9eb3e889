import numpy as np
import pytest

from robustseg.data.imageset import ImageSet
from robustseg.data.prepare import RunData
from robustseg.data.sources.split import read_split_file
from robustseg.runs.files import read_csv, write_csv


def images(split, digests):
    count = 2
    return ImageSet(
        ids=[f"{split}{k}" for k in range(count)],
        splits=np.array([split] * count),
        images=np.zeros((count, 4, 4, 1), np.uint8),
        masks=np.ones((count, 4, 4), np.uint8),
        groups=["", "P1"],
        digests=digests,
    )


@pytest.mark.parametrize("digests", [None, ["1" * 32, "12e" + "3" * 29]])
def test_the_split_of_a_run_is_a_split_file_with_checksums(tmp_path, digests):
    train, test = images("train", digests), images("test", digests)
    rows = RunData(train, train.masks, [], test).split_rows()
    write_csv(tmp_path / "split.csv", rows)
    # Digits alone, or with an e among them, are not numbers here.
    pixels = [None, None] if digests is None else [f"xxh3:{digest}" for digest in digests]
    assert [row.get("pixels") for row in read_csv(tmp_path / "split.csv")] == pixels * 2
    split = read_split_file(tmp_path / "split.csv")
    assert {name: (row.split, row.case) for name, row in split.items()} == {
        "train0": ("train", ""),
        "train1": ("train", "P1"),
        "test0": ("test", ""),
        "test1": ("test", "P1"),
    }
