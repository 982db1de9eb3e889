"""What holds for every metric of a batch of logits and targets."""

import math

import numpy as np
import pytest
import torch

from robustseg.metrics import (
    AveragePrecision,
    ExpectedCalibrationError,
    OneAgainstRest,
    SegmentationMetrics,
    ThresholdCounts,
    TopLabelCalibrationError,
)

CLASSES = ["left", "right"]
BINARY = [SegmentationMetrics, AveragePrecision, ExpectedCalibrationError, ThresholdCounts]
OF_CLASSES = {
    "segmentation": lambda: SegmentationMetrics(classes=CLASSES),
    "precision": lambda: OneAgainstRest(AveragePrecision, CLASSES),
    "calibration": lambda: OneAgainstRest(ExpectedCalibrationError, CLASSES),
    "top label": TopLabelCalibrationError,
}
EVERY = [*((kind, 1) for kind in BINARY), *((make, 3) for make in OF_CLASSES.values())]
every_metric = pytest.mark.parametrize(("make", "channels"), EVERY)


def batch(channels, seed):
    random = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, channels, 8, 8, generator=random)
    target = torch.randint(0, max(channels, 2), (2, 1, 8, 8), generator=random)
    return logits, target.to(torch.uint8)


def of(make, *batches):
    metric = make()
    for one in batches:
        metric.update(*one)
    return metric.compute()


@every_metric
def test_a_reset_forgets_everything(make, channels):
    first, second = batch(channels, 0), batch(channels, 1)
    metric = make()
    metric.update(*first)
    metric.compute()
    metric.reset()
    metric.update(*second)
    np.testing.assert_equal(metric.compute(), of(make, second))


@every_metric
def test_a_call_gives_the_value_of_its_batch_and_counts_it(make, channels):
    first, second = batch(channels, 0), batch(channels, 1)
    metric = make()
    metric(*first)
    np.testing.assert_equal(metric(*second), of(make, second))
    np.testing.assert_equal(metric.compute(), of(make, first, second))


@every_metric
def test_values_that_are_no_class_are_refused(make, channels):
    logits, target = batch(channels, 0)
    metric = make()
    metric.update(logits, target.masked_fill(target == 1, 255))  # ignored
    metric.compute()
    metric.update(logits, target.masked_fill(target == 1, 7))
    count = int((target == 1).sum())
    with pytest.raises(ValueError, match=f"^{count} pixels of the targets are neither a class"):
        metric.compute()


@every_metric
def test_real_targets_are_refused(make, channels):
    logits, target = batch(channels, 0)
    with pytest.raises(ValueError, match="the target must hold integers, such as uint8, not torch"):
        make().update(logits, target.float())


def test_nan_is_background_at_every_threshold():
    logits, target = batch(1, 0)
    logits[0, 0, :3], logits[1, 0, 0, 0] = math.nan, math.inf
    counts, segmentation = ThresholdCounts(), SegmentationMetrics()
    for metric in (counts, segmentation):
        metric.update(logits, target)
    rows = segmentation.rows()
    found = counts.compute()
    for name in ("tp", "fp", "fn", "tn"):
        np.testing.assert_array_equal(found[name][:, 9], rows[name])  # at ½
    assert not found["tp"][0].any() or target[0, 0, 3:].any()
    assert (found["tp"] + found["fp"])[1].min() == 1  # the infinite one
