import errno
import math
import os
import resource

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robustseg.errors import UserError
from robustseg.runs.files import read_csv, read_json, replacing, write_csv, write_json


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [True, False])
def test_the_disk_is_waited_for_unless_the_file_need_not_last(tmp_path, monkeypatch, durable):
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    write_json(tmp_path / "a.json", {"a": 1}, durable=durable)
    assert bool(waited) == durable
    assert read_json(tmp_path / "a.json") == {"a": 1}


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_numbers_come_back_exactly(tmp_path_factory, real, whole):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    write_csv(path, [{"id": "007", "real": real, "whole": whole}])
    (row,) = read_csv(path)
    assert row["id"] == "007"
    assert row["real"] == real
    assert row["whole"] == whole


def test_columns_are_the_union_and_gaps_stay_gaps(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, [{"epoch": 1, "loss": math.nan}, {"epoch": 2, "loss": 0.5, "nu": None}])
    assert path.read_text() == "epoch,loss,nu\n1,,\n2,0.5,\n"
    assert read_csv(path) == [{"epoch": 1}, {"epoch": 2, "loss": 0.5}]


def test_nan_is_null_in_json(tmp_path):
    write_json(tmp_path / "a.json", {"a": math.nan, "b": [1.5, math.inf], "c": (2,)})
    assert read_json(tmp_path / "a.json") == {"a": None, "b": [1.5, None], "c": [2]}


def test_what_cannot_be_written_is_told_by_its_own_name(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_json(tmp_path / "folder", {})
    assert caught.value.filename == str(tmp_path / "folder")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a write that fails names no file
    with pytest.raises(OSError, match=r"No space left on device: .*a\.txt'"):
        with replacing(tmp_path / "a.txt"):
            raise full
    with pytest.raises(FileNotFoundError, match="other"), replacing(tmp_path / "a.txt"):
        open(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_weights_that_a_full_disk_does_not_take_are_told_in_words(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(UserError) as caught, replacing(tmp_path / "w.pt") as temporary:
            torch.save({"weights": torch.zeros(100_000)}, temporary)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(caught.value) == (
        f"{tmp_path / 'w.pt'}: cannot be written (disk full?): free some space"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_is_told_by_the_name_of_what_it_was_to_be(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(OSError) as caught, replacing(path) as temporary:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x", None, str(temporary))
    assert caught.value.filename == str(path)
