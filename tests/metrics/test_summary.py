import csv
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.metrics import summarise, summarise_last

COUNTS = ("tp", "fp", "fn", "tn")


def columns(*rows):
    return dict(zip(COUNTS, np.array(rows).T, strict=True))


BOTH_EMPTY, FALSE_ALARM, MISSED = (0, 0, 0, 100), (0, 5, 0, 95), (0, 0, 8, 92)
PERFECT, HALF = (10, 0, 0, 90), (5, 5, 5, 85)


def test_empty_masks_score_one_when_predicted_empty_and_zero_otherwise():
    assert summarise(columns(BOTH_EMPTY))["dice_image"] == 1
    assert summarise(columns(FALSE_ALARM))["dice_image"] == 0
    assert summarise(columns(MISSED))["jaccard_image"] == 0
    assert summarise(columns(BOTH_EMPTY))["dice_pooled"] == 1


def test_a_mixed_set_by_hand():
    numbers = summarise(columns(BOTH_EMPTY, FALSE_ALARM, MISSED, PERFECT, HALF))
    expected = {
        "dice_image": (1 + 0 + 0 + 1 + 0.5) / 5,
        "dice_image_pos": 1.5 / 3,
        "dice_pooled": 30 / (30 + 10 + 13),
        "jaccard_image": (1 + 0 + 0 + 1 + 1 / 3) / 5,
        "jaccard_image_pos": (4 / 3) / 3,
        "jaccard_pooled": 15 / (15 + 10 + 13),
        "balanced_accuracy": (15 / 28 + 462 / 472) / 2,
        "balanced_accuracy_image": (0.5 + 1 + (5 / 10 + 85 / 90) / 2) / 3,
        "false_positive_rate_empty": 1 / 2,
        "false_positive_pixels_empty": 5 / 200,
        "missed_rate_pos": 1 / 3,
        "area_ratio": 25 / 28,
    }
    assert numbers == pytest.approx(expected, rel=1e-15)


def test_undefined_numbers_are_nan():
    no_foreground = summarise(columns(BOTH_EMPTY, FALSE_ALARM))
    for name in ("dice_image_pos", "balanced_accuracy", "missed_rate_pos", "area_ratio"):
        assert math.isnan(no_foreground[name]), name
    no_empty = summarise(columns(PERFECT))
    for name in ("false_positive_rate_empty", "false_positive_pixels_empty"):
        assert math.isnan(no_empty[name]), name


def test_hd95_is_averaged_over_all_and_over_positive_images():
    numbers = summarise(columns(BOTH_EMPTY, HALF) | {"hd95": [0.0, 0.3]})
    assert (numbers["hd95"], numbers["hd95_pos"]) == (0.15, 0.3)
    assert "hd95" not in summarise(columns(HALF))


def test_no_images_is_an_error():
    with pytest.raises(ValueError, match="no images"):
        summarise({name: [] for name in COUNTS})
    with pytest.raises(ValueError, match="no images"):
        summarise_last({name: [] for name in (*COUNTS, "epoch")}, last=3)


def test_the_final_numbers_average_the_last_evaluations():
    rows = columns(MISSED, HALF, PERFECT) | {"epoch": [8, 9, 10]}
    assert summarise_last(rows, last=2)["dice_image"] == 0.75
    assert summarise_last(rows, last=10)["dice_image"] == 0.5
    with pytest.raises(ValueError, match="at least 1"):
        summarise_last(rows, last=0)


count = st.integers(0, 10**6)
images = st.lists(st.tuples(count, count, count, count).filter(any), min_size=1, max_size=30)


@given(images)
def test_pooled_jaccard_is_a_function_of_pooled_dice(rows):
    numbers = summarise(columns(*rows))
    dice = numbers["dice_pooled"]
    assert numbers["jaccard_pooled"] == pytest.approx(dice / (2 - dice), abs=1e-12)


@given(images, st.randoms())
def test_order_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))
    np.testing.assert_equal(summarise(columns(*shuffled)), summarise(columns(*rows)))


@given(images, st.data())
def test_numbers_come_back_from_the_csv_bit_for_bit(tmp_path_factory, rows, data):
    hd95 = data.draw(st.lists(st.floats(0, 1), min_size=len(rows), max_size=len(rows)))
    table = pd.DataFrame(columns(*rows) | {"hd95": hd95, "epoch": np.arange(len(rows)) % 3})
    path = tmp_path_factory.mktemp("rows") / "images.csv"
    table.to_csv(path, index=False)
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    read = {name: np.array([float(line[name]) for line in lines]) for name in table}
    np.testing.assert_equal(summarise_last(read, last=2), summarise_last(table, last=2))


def test_the_summary_needs_no_torch():
    program = "import sys, robustseg.metrics.summary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("column", [[0.9], [-3], [math.nan]])
def test_counts_are_whole_numbers(column):
    with pytest.raises(ValueError, match=r"^tp must hold whole numbers of 0 or more"):
        summarise({**columns(PERFECT), "tp": column})
    summarise({**columns(PERFECT), "tp": [3.0]})
