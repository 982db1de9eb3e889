import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.results.tables.notation import difference, mean_std


@pytest.mark.parametrize(
    "mean, std, text",
    [
        (0.761, 0.006, "0.761(6)"),
        (0.751, 0.009, "0.751(9)"),
        (0.772, 0.015, "0.772(15)"),
        (0.948, 0.1, "0.948(100)"),
        (0.76149, 0.00551, "0.761(6)"),
        (0.761, 0.0, "0.761(0)"),
        (0.761, 0.0004, "0.761(0)"),
        (0.761, math.nan, "0.761"),
        (0.9996, 0.0126, "1.000(13)"),
        (12.345, 2.3, "12.345(2.300)"),
        (12.345, 0.9996, "12.345(1.000)"),
        (-0.25, 0.1, "−0.250(100)"),
        (math.nan, math.nan, "–"),
        (math.nan, 0.1, "–"),
    ],
)
def test_mean_and_deviation(mean, std, text):
    assert mean_std(mean, std) == text


def test_decimals():
    assert mean_std(0.76149, 0.0055, decimals=4) == "0.7615(55)"
    assert mean_std(0.76149, 0.0055, decimals=2) == "0.76(1)"


def test_difference_has_its_sign():
    assert difference(0.761, 0.772) == "−0.011"
    assert difference(0.772, 0.761) == "+0.011"
    assert difference(0.7719, 0.7721) == difference(0.772, 0.772) == "+0.000"
    assert difference(0.772, math.nan) == difference(math.nan, 0.772) == "–"


@given(st.integers(0, 1000), st.integers(0, 999))
def test_what_is_written_reads_back(mean, std):
    """The inverse that a reader applies: the digits in parentheses are units of the last one."""
    text = mean_std(mean / 1000, std / 1000)
    written_mean, written_std = text.rstrip(")").split("(")
    assert (float(written_mean), int(written_std)) == (mean / 1000, std)
