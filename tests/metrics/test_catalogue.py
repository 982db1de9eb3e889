"""The catalogue of metrics, against what runs write and the packages that read it."""

import subprocess
import sys

import numpy as np
import pytest

from robustseg.cli.report import METRICS
from robustseg.metrics import summarise
from robustseg.metrics.catalogue import CATALOGUE, DIAGONAL, find
from robustseg.results.tables.grid import SLIDES
from robustseg.results.tables.image_scores import PER_IMAGE
from robustseg.results.tables.table_model import direction
from robustseg.runs.files import read_csv, read_json
from robustseg.runs.folder import RunFolder

RNG = np.random.default_rng(0)
COUNTS = ("tp", "fp", "fn", "tn")
NO_METRICS = {"run", "settings", "collapsed", "noise", "epochs", "steps", "evaluations"}


def test_it_needs_no_torch():
    program = "import sys, robustseg.metrics.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_every_number_of_a_run_is_in_it(finished):
    run = finished("noise.alpha=0.5", "loss=tloss", "dataset.val_fraction=0.3")
    numbers = set(read_json(RunFolder(run).metrics)) - NO_METRICS
    numbers -= {"test_images", "train_images", "train_loss", "nu", "train_seconds"}
    unknown = {name for name in numbers if find(name) is None}
    assert not unknown
    of_label_maps = {name for name, metric in CATALOGUE.items() if metric.of_label_maps}
    asked_for = {name for name, metric in CATALOGUE.items() if DIAGONAL in metric.needs}
    assert {name.partition("/")[0] for name in numbers} == set(
        CATALOGUE
    ) - asked_for - of_label_maps
    reported = read_csv(RunFolder(run).epochs)[-1]
    columns = {name.removeprefix("test_") for name in reported if name.startswith("test_")}
    each_epoch = {metric.name for metric in CATALOGUE.values() if metric.each_epoch}
    assert columns == each_epoch - of_label_maps


def test_names_elsewhere_are_in_it():
    assert {*METRICS, *SLIDES, *PER_IMAGE} <= set(CATALOGUE)
    assert PER_IMAGE[0] == METRICS[0] == "dice_image"
    assert {"hd95", "hd95_pos", "jaccard_image", "dice_image_pos"} <= set(PER_IMAGE)
    pooled = {"dice_pooled", "area_ratio", "balanced_accuracy", "false_positive_rate_empty"}
    assert not pooled & set(PER_IMAGE)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)
def test_an_entry_is_whole(metric):
    assert CATALOGUE[metric.name] is metric
    assert metric.title
    assert metric.about.endswith(".")
    assert not (metric.formula and metric.measure)
    if metric.each_epoch:
        assert metric.formula or metric.measure


@pytest.mark.parametrize("name", PER_IMAGE)
def test_the_mean_of_single_images_is_the_metric(name):
    metric = CATALOGUE[name]
    rows = {name: RNG.integers(0, 30, 40) * RNG.integers(0, 2, 40) for name in COUNTS}
    rows["tn"] += 1  # no image is ignored altogether
    rows |= {f"{name}_tuned": RNG.permutation(rows[name]) for name in COUNTS}
    rows["tn_tuned"] += 1
    rows["hd95"] = RNG.uniform(size=40)
    rows[DIAGONAL] = np.full(40, 90.5)
    single = [summarise({key: [column[at]] for key, column in rows.items()}) for at in range(40)]
    values = np.array([numbers[name] for numbers in single])
    assert np.nanmean(values) == pytest.approx(summarise(rows)[name])
    assert np.array_equal(metric.counts_for(rows), ~np.isnan(values))


def test_directions():
    up, down = (
        ("dice_pooled", "train_dice_clean/dilate", "dice_image_tuned"),
        ("hd95_pos", "missed_rate_pos"),
    )
    assert [direction(name) for name in up] == [1, 1, 1]
    assert [direction(name) for name in down] == [-1, -1]
    for name in ("area_ratio", "train_dice_noisy", "nu", "noise.counts.dilate"):
        assert direction(name) == 0


def test_values_are_written_with_their_decimals():
    assert CATALOGUE["dice_image"].text(0.12345) == "0.123"
    assert CATALOGUE["threshold"].text(0.55) == "0.55"
    assert CATALOGUE["hd95"].text(float("nan")) == "–"
    with pytest.raises(ValueError, match="average_precision"):
        CATALOGUE["average_precision"].values({})


def test_an_upper_bound_is_called_one():
    assert "upper bound" in CATALOGUE["dice_image_oracle"].title
    assert "not a result" in CATALOGUE["dice_image_oracle"].about
