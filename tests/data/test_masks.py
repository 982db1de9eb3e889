import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robustseg.data.sources.masks import MaskRule, levels
from robustseg.errors import DataError

raw_masks = arrays(np.uint8, (4, 5), elements=st.integers(0, 6))


@pytest.mark.parametrize("value", [1, 7, 128, 255])
def test_zero_and_one_other_value_is_a_mask(value):
    raw = np.array([[0, value], [value, 0]], np.uint8)
    assert MaskRule().apply(raw).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (np.zeros((2, 2), np.uint8), 0),
        (np.full((2, 2), 255, np.uint8), 1),
        (np.ones((2, 2), np.uint8), 1),
        (np.full((2, 2), 65535, np.uint16), 1),
        (np.full((2, 2), True), 1),
    ],
)
def test_masks_of_one_value(raw, expected):
    mask = MaskRule().apply(raw)
    assert mask.dtype == np.uint8
    assert (mask == expected).all()


@pytest.mark.parametrize(
    ("values", "listed", "threshold"),
    [
        ([0, 1, 2], r"3 values \(0, 1, 2\)", "1"),
        ([3, 200], r"2 values \(3, 200\)", "100"),
        ([128], r"1 values \(128\)", "64"),
        (list(range(40)), r"40 values \(0, 1, 2, 3, 4, 5, 6, 7, …\)", "19"),
        (list(range(256)), r"256 values \(0, 1, 2, 3, 4, 5, 6, 7, …\)", "127"),
        ([0.0, 0.25, 1.0], r"3 values \(0, 0.25, 1\)", "0.5"),
        ([0.0, 0.25, 65535.0], r"3 values \(0, 0.25, 65535\)", "32767"),
    ],
)
def test_other_masks_are_refused_with_their_values(values, listed, threshold):
    raw = np.array([values])
    raw = raw.astype(np.uint8) if raw.dtype == int else raw
    message = f"not binary, it holds {listed}.*mask_threshold={threshold};"
    with pytest.raises(DataError, match=message):
        MaskRule().apply(raw)
    if len(values) > 1:  # the advice gives a mask that is neither empty nor full
        assert set(MaskRule(float(threshold)).apply(raw).ravel()) == {0, 1}


def test_threshold():
    raw = np.array([[0, 3, 127, 128, 251, 255]], np.uint8)
    assert MaskRule(threshold=127).apply(raw).tolist() == [[0, 0, 0, 1, 1, 1]]


@given(raw_masks, st.sets(st.integers(0, 6), min_size=1), st.sets(st.integers(0, 6)))
def test_positive_and_ignored_values(raw, positive, ignored):
    ignored = ignored - positive
    mask = MaskRule(positive_values=list(positive), ignore_values=list(ignored)).apply(raw)
    for value, result in zip(raw.ravel(), mask.ravel(), strict=True):
        assert result == (1 if value in positive else 255 if value in ignored else 0)


def test_ignored_values_do_not_count_as_levels():
    raw = np.array([[0, 1, 9]], np.uint8)
    assert MaskRule(ignore_values=[9]).apply(raw).tolist() == [[0, 1, 255]]


@given(raw_masks)
def test_levels_are_numpys_unique(raw):
    assert levels(raw) == np.unique(raw).tolist()
    assert levels(raw.astype(np.int32)) == np.unique(raw).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 127, "positive_values": [1]}, "not both"),
        ({"positive_values": []}, "empty"),
        ({"positive_values": [1, 2], "ignore_values": [2]}, r"\[2\] are both"),
        ({"positive_values": 1}, r"positive_values must be a list of numbers such as \[1\]"),
        ({"positive_values": "255"}, r"must be a list of numbers such as \[1\], got '255'"),
        ({"positive_values": ["255"]}, "must be numbers, got '255'.*without quotes"),
        ({"ignore_values": [True]}, "ignore_values must be numbers, got True"),
        ({"threshold": "127"}, "mask_threshold must be a number, got '127'"),
        ({"threshold": float("nan")}, "mask_threshold must be a number, got nan"),
    ],
)
def test_options_that_contradict(options, message):
    with pytest.raises(DataError, match=message):
        MaskRule(**options)


@pytest.mark.parametrize("name", ["threshold", "positive_values", "ignore_values"])
def test_a_number_with_a_point_is_the_same_number(name):
    whole, pointed = (127, 127.0) if name == "threshold" else ([2, 3], [3.0, 2.0])
    hashed = [json.dumps(MaskRule(**{name: value}).as_dict()) for value in (whole, pointed)]
    assert hashed[0] == hashed[1]
    assert "." not in hashed[0] and "." in json.dumps(MaskRule(threshold=0.5).as_dict())
