"""Metrics of several classes, against the binary ones and against other libraries."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import compute_dice, compute_hausdorff_distance
from sklearn.metrics import average_precision_score, f1_score, jaccard_score
from torch.nn import functional as F
from torchmetrics.classification import BinaryCalibrationError, MulticlassCalibrationError

from robustseg import IGNORED
from robustseg.metrics import (
    AveragePrecision,
    ExpectedCalibrationError,
    OneAgainstRest,
    SegmentationMetrics,
    TopLabelCalibrationError,
    summarise,
)
from robustseg.metrics.by_class import classes_in, derived, metrics_of
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.metrics.summary import COUNTS

CLASSES = ("left lung", "right lung", "heart")
SHAPE = (6, 17, 15)


@pytest.fixture
def batch():
    """Logits (6, 4, 17, 15) and label maps, in some of which classes are absent."""
    rng = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(SHAPE[0], 4, *SHAPE[1:], generator=rng)
    target = torch.randint(0, 4, (SHAPE[0], 1, *SHAPE[1:]), generator=rng)
    target[0] = 0
    target[1][target[1] == 3] = 0
    logits[1, 3] = -50.0
    logits[2, 2] = -50.0
    return logits, target.to(torch.uint8)


def counted(logits, target, **options):
    metric = SegmentationMetrics(classes=CLASSES, **options)
    metric.update(logits, target)
    return metric.rows()


def one_hot(labels):
    return F.one_hot(labels.long(), 4).movedim(-1, 1)


def test_each_image_scores_as_with_monai(batch):
    logits, target = batch
    rows = counted(logits, target)
    assert classes_in(rows) == CLASSES
    theirs = compute_dice(
        one_hot(logits.argmax(1)), one_hot(target[:, 0]), include_background=False
    ).numpy()
    predicted = one_hot(logits.argmax(1))[:, 1:].flatten(2).any(2).numpy()
    # MONAI's is NaN where a class is absent in truth: ours is 0 if it is predicted all the same.
    theirs = np.where(np.isnan(theirs) & predicted, 0.0, theirs)
    np.testing.assert_allclose(rows["dice"], _mean_or(theirs, 1.0), atol=1e-6)
    for at, name in enumerate(CLASSES):
        value = summarise(rows)[f"dice_image/{name}"]
        assert value == pytest.approx(np.nanmean(theirs[:, at]), abs=1e-6)


def _mean_or(values, empty):
    there = ~np.isnan(values)
    sums = np.where(there, values, 0).sum(1)
    return np.where(there.any(1), sums / np.maximum(there.sum(1), 1), empty)


def test_pooled_scores_are_those_of_scikit_learn(batch):
    logits, target = batch
    target[:, :, :3] = IGNORED
    numbers = summarise(counted(logits, target))
    known = (target[:, 0] != IGNORED).numpy()
    truth, ours = target[:, 0].numpy()[known], logits.argmax(1).numpy()[known]
    for name, score in (("dice_pooled", f1_score), ("jaccard_pooled", jaccard_score)):
        each = score(truth, ours, labels=[1, 2, 3], average=None)
        found = [numbers[f"{name}/{one}"] for one in CLASSES]
        np.testing.assert_allclose(found, each, rtol=1e-12)
        assert numbers[name] == pytest.approx(each.mean(), rel=1e-12)


def test_distances_are_those_of_monai(batch):
    logits, target = batch
    rows = counted(logits, target, distances=True)
    theirs = compute_hausdorff_distance(
        one_hot(logits.argmax(1)), one_hot(target[:, 0]), include_background=False, percentile=95
    ).numpy() / math.hypot(*SHAPE[1:])
    for at, name in enumerate(CLASSES):
        there = np.isfinite(theirs[:, at])
        assert there.any()
        np.testing.assert_allclose(rows[f"hd95/{name}"][there], theirs[there, at], rtol=1e-6)
        assert set(rows[f"hd95/{name}"][~there]) <= {0.0, 1.0}


def test_average_precision_is_of_each_class_against_the_rest(batch):
    logits, target = batch
    logits = logits.half().float()
    metric = OneAgainstRest(AveragePrecision, CLASSES)
    metric.update(logits, target)
    p = logits.double().softmax(1)
    for k, name in enumerate(CLASSES, 1):
        expected = average_precision_score((target == k).flatten(), p[:, k].flatten())
        assert metric.compute()[name] == pytest.approx(expected, abs=1e-3)


def test_calibration_is_that_of_torchmetrics(batch):
    logits, target = batch
    target[:, :, :3] = IGNORED
    p = logits.softmax(1)
    theirs = MulticlassCalibrationError(4, n_bins=15, norm="l1", ignore_index=IGNORED)
    ours = TopLabelCalibrationError()
    ours.update(logits, target)
    assert ours.compute() == pytest.approx(float(theirs(p, target[:, 0].long())), abs=1e-5)
    each = OneAgainstRest(ExpectedCalibrationError, CLASSES)
    each.update(logits, target)
    known = target[:, 0] != IGNORED
    for k, name in enumerate(CLASSES, 1):
        truth = (target[:, 0] == k).long()[known]
        expected = BinaryCalibrationError(15, norm="l1")(p[:, k][known], truth)
        assert each.compute()[name] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("infinite", [[0], [2], [0, 1], [0, 1, 2, 3]])
@pytest.mark.parametrize("sign", [1, -1])
def test_calibration_with_infinite_logits_is_their_limit_or_undefined(batch, infinite, sign):
    logits, target = batch
    logits[3, infinite, 4, 4] = sign * math.inf
    p = logits.clamp(-1e4, 1e4).softmax(1)
    top, each = TopLabelCalibrationError(), OneAgainstRest(ExpectedCalibrationError, CLASSES)
    top.update(logits, target)
    each.update(logits, target)
    undefined = len(infinite) == 4 or (sign > 0 and len(infinite) > 1)
    theirs = MulticlassCalibrationError(4, n_bins=15, norm="l1")
    expected = math.nan if undefined else float(theirs(p, target[:, 0].long()))
    assert top.compute() == pytest.approx(expected, abs=1e-5, nan_ok=True)
    for k, name in enumerate(CLASSES, 1):
        theirs = BinaryCalibrationError(15, norm="l1")
        expected = float(theirs(p[:, k], (target[:, 0] == k).long()))
        expected = math.nan if undefined and k in infinite else expected
        assert each.compute()[name] == pytest.approx(expected, abs=1e-5, nan_ok=True)


tables = hnp.arrays(np.int64, (4, 5), elements=st.integers(0, 30)).filter(
    lambda counts: counts.sum(axis=0).all()
)


@given(tables)
def test_one_foreground_class_is_the_binary_case(counts):
    binary = summarise(dict(zip(COUNTS, counts, strict=True)))
    ours = summarise({f"{name}/x": row for name, row in zip(COUNTS, counts, strict=True)})
    tp, _, fn, _ = counts.sum(axis=1)
    if tp + fn == 0:  # of a class without truth they are undefined
        binary |= dict.fromkeys(("dice_pooled", "jaccard_pooled"), math.nan)
    assert {name: ours[name] for name in binary} == pytest.approx(binary, nan_ok=True)


@pytest.mark.parametrize("stray", [0, 1, 700])
def test_pooled_scores_leave_out_a_class_that_no_mask_has(stray):
    truth, ours = np.zeros(1000, int), np.zeros(1000, int)
    truth[:100], ours[50:130] = 1, 1
    ours[200 : 200 + stray] = 2
    target = torch.from_numpy(truth).to(torch.uint8).view(1, 1, 10, 100)
    logits = F.one_hot(torch.from_numpy(ours), 3).float().T.reshape(1, 3, 10, 100)
    metric = SegmentationMetrics(classes=["a", "b"])
    metric.update(logits, target)
    numbers = summarise(metric.rows())
    for name, score in (("dice_pooled", f1_score), ("jaccard_pooled", jaccard_score)):
        expected = score(truth == 1, ours == 1)
        assert numbers[name] == numbers[f"{name}/a"] == pytest.approx(expected, rel=1e-12)
        assert math.isnan(numbers[f"{name}/b"])


@given(tables, tables)
def test_an_image_is_the_mean_over_the_classes_in_it(left, right):
    right = right.copy()
    right[3] += left.sum(axis=0) + 30 * 4 - right.sum(axis=0)  # as many pixels in each
    left[3] += 30 * 4
    columns = {
        f"{name}/{of}": row
        for of, counts in (("l", left), ("r", right))
        for name, row in zip(COUNTS, counts, strict=True)
    }
    expected = []
    for image in range(left.shape[1]):
        each = []
        for tp, fp, fn in (left[:3, image], right[:3, image]):
            each += [2 * tp / (2 * tp + fp + fn)] if tp + fp + fn else []
        expected.append(sum(each) / len(each) if each else 1.0)
    np.testing.assert_allclose(derived(columns)["dice"], expected, rtol=1e-12)
    numbers = summarise(columns)
    assert numbers["dice_image"] == pytest.approx(np.mean(expected))
    present = left[:3].sum(axis=0) > 0
    if present.any():
        own = metrics_of(columns)["dice_image/l"].values(columns)[present]
        assert numbers["dice_image/l"] == pytest.approx(own.mean())
    else:
        assert math.isnan(numbers["dice_image/l"])


def test_every_metric_with_a_formula_exists_by_class():
    columns = [f"{name}/{of}" for of in CLASSES for name in (*COUNTS, "hd95")]
    found = metrics_of(columns)
    kept = {"hd95", "tp", "fp", "fn", "tn"}
    for metric in CATALOGUE.values():
        if metric.formula and set(metric.needs) <= kept:
            assert {f"{metric.name}/{of}" for of in CLASSES} <= set(found)
            assert (metric.name in found) == (metric.over == "images")


def test_logits_and_masks_of_other_shapes_are_refused(batch):
    logits, target = batch
    for metric in (
        SegmentationMetrics(classes=CLASSES),
        OneAgainstRest(AveragePrecision, CLASSES),
    ):
        with pytest.raises(ValueError, match=r"logits must be \(B, 4, H, W\)"):
            metric.update(logits[:, :3], target)
