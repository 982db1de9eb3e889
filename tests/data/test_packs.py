"""The real packs, where ROBUSTSEG_DATA names the folder that holds them."""

import os
from collections import Counter
from pathlib import Path

import pytest

from robustseg.data.cache import load
from robustseg.data.checking.check import check
from robustseg.data.selection import select
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.isic2017 import Isic2017
from robustseg.data.sources.shenzhen import Shenzhen

DATA = Path(os.environ.get("ROBUSTSEG_DATA", ""))
pytestmark = pytest.mark.skipif(
    not os.environ.get("ROBUSTSEG_DATA"), reason="ROBUSTSEG_DATA is not set"
)


def test_isic2017():
    report = check(Isic2017(DATA / "isic2017"))
    assert report.errors == []
    assert report.images == {"train": 2000, "val": 150, "test": 529}
    pairs = {frozenset((p.first[-5:], p.second[-5:])) for p in report.duplicates}
    known = {("12127", "12970"), ("12222", "16003"), ("12887", "12989"), ("12175", "15982")}
    assert pairs >= {frozenset(pair) for pair in known}
    # One more picture, and nine lesions photographed again; all looked at.
    assert sum(p.correlation > 0.999 for p in report.duplicates) == 5
    assert len(pairs) == 14


def test_shenzhen():
    source = Shenzhen(DATA / "shenzhen")
    assert Counter((r.split, r.id[-1]) for r in source.records()) == {
        ("train", "1"): 201,
        ("train", "0"): 195,
        ("test", "1"): 86,
        ("test", "0"): 84,
    }
    report = check(source)
    assert report.errors == []
    assert report.duplicates == []
    assert sum(report.empty_masks.values()) == 0


def test_histopathology(tmp_path):
    source = Folder(DATA / "histopathology")
    report = check(source)
    assert report.errors == []
    assert report.duplicates == []
    assert report.images == {"train": 1417, "val": 216, "test": 407}
    assert sum(report.empty_masks.values()) == 1245
    images = load(source, 64, tmp_path)
    assert len(select(images, subset="positive")) == 795
    few = select(images, positive_fraction=0.129)
    rare = Folder(DATA / "histopathology", keep_column="imbalanced").records()
    assert abs(len(few) - len(rare)) <= 1
