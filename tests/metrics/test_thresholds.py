"""Counts at many thresholds, against scikit-learn; and the choice of one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix

from robustseg.metrics import THRESHOLDS, SegmentationMetrics, ThresholdCounts, best_threshold


def batch(seed, size=4, side=10):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size, 1, side, side, generator=generator)
    target = (torch.rand(size, 1, side, side, generator=generator) < 0.4).to(torch.uint8)
    target[0], target[1] = 0, 1
    target[2:, :, :3] = 255
    return logits, target


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_counts_equal_scikit_learn_at_every_threshold(dtype):
    metric = ThresholdCounts()
    batches = [batch(0), batch(1)]
    for logits, target in batches:
        metric.update(logits.to(dtype), target)
    counts = metric.compute()
    images = [pair for one in batches for pair in zip(*one, strict=True)]
    for at, (logits, target) in enumerate(images):
        known = target != 255
        probability = torch.sigmoid(logits.to(dtype).double())[known].numpy()
        for k, threshold in enumerate(THRESHOLDS):
            matrix = confusion_matrix(target[known], probability > threshold, labels=[0, 1])
            ours = [counts[name][at, k] for name in ("tn", "fp", "fn", "tp")]
            assert ours == matrix.ravel().tolist()


@given(st.integers(0, 2**32 - 1))
def test_counts_at_one_half_are_those_of_the_reported_metric(seed):
    logits, target = batch(seed)
    logits[0, 0, 0, :3] = torch.tensor([0.0, -0.0, 1e-30])
    many, one = ThresholdCounts(), SegmentationMetrics()
    many.update(logits, target)
    one.update(logits, target)
    rows, counts = one.rows(), many.compute()
    for name, values in counts.items():
        assert values[:, THRESHOLDS.index(0.5)].tolist() == rows[name].tolist()


def test_a_shape_that_is_none_is_refused():
    with pytest.raises(ValueError, match="must both be"):
        ThresholdCounts().update(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))


@given(arrays(np.float64, 19, elements=st.sampled_from([0.1, 0.2, 0.3])))
def test_the_best_threshold_has_the_best_score_and_is_nearest_one_half(scores):
    chosen = best_threshold(scores)
    assert scores[chosen] == scores.max()
    distance = np.abs(np.array(THRESHOLDS) - 0.5)
    nearer = scores[distance < distance[chosen] - 1e-9]
    assert all(score < scores[chosen] for score in nearer)


@pytest.mark.parametrize("scores", [[0.5] * 18, [float("nan")] * 19])
def test_scores_that_cannot_be_compared_are_refused(scores):
    with pytest.raises(ValueError, match="19 finite scores"):
        best_threshold(scores)
