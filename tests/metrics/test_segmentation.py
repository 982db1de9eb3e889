import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, jaccard_score

from robustseg.metrics import SegmentationMetrics, hd95, summarise


def batch(seed, size=6, side=12):
    """Draw a batch with all sorts of images: an empty one, a full one, an ignored region."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(size, 1, side, side, generator=generator)
    target = (torch.rand(size, 1, side, side, generator=generator) < 0.3).to(torch.uint8)
    target[0], target[1] = 0, 1
    target[2:, :, : side // 3] = 255
    return logits, target


def measured(*batches, **options):
    metric = SegmentationMetrics(**options)
    for logits, target in batches:
        metric.update(logits, target)
    return metric


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_counts_and_scores_equal_scikit_learn_on_known_pixels(dtype):
    logits, target = batch(0)
    logits = logits.to(dtype)
    rows = measured((logits, target)).rows()
    for image in range(len(logits)):
        known = target[image] != 255
        truth = target[image][known].numpy()
        predicted = (logits[image][known] > 0).numpy()
        assert sum(rows[name][image] for name in ("tp", "fp", "fn", "tn")) == known.sum()
        assert rows["dice"][image] == pytest.approx(f1_score(truth, predicted, zero_division=1))
        assert rows["jaccard"][image] == pytest.approx(jaccard_score(truth, predicted))


def test_pooled_numbers_equal_scikit_learn_over_all_pixels():
    logits, target = batch(1)
    numbers = measured((logits, target)).compute()
    known = target != 255
    truth, predicted = target[known].numpy(), (logits[known] > 0).numpy()
    assert numbers["dice_pooled"] == pytest.approx(f1_score(truth, predicted))
    assert numbers["jaccard_pooled"] == pytest.approx(jaccard_score(truth, predicted))
    assert numbers["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_image_dice_equals_torchmetrics_on_positive_images():
    from torchmetrics.segmentation import DiceScore

    logits, target = batch(2)
    target[target == 255] = 0
    reference = DiceScore(num_classes=2, average="none", input_format="index")
    reference.update((logits > 0).long()[:, 0], target.long()[:, 0])
    # DiceScore averages its class column over images, skipping those empty in both masks; here
    # none is, since every prediction has foreground.
    assert measured((logits, target)).compute()["dice_image"] == pytest.approx(
        reference.compute()[1].item(), abs=1e-6
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), cuts=st.sets(st.integers(1, 5)))
def test_batches_add_up_to_one_batch(seed, cuts):
    logits, target = batch(seed)
    bounds = [0, *sorted(cuts), len(logits)]
    parts = [(logits[a:b], target[a:b]) for a, b in itertools.pairwise(bounds)]
    whole, split = measured((logits, target)), measured(*parts)
    np.testing.assert_equal(split.rows(), whole.rows())
    np.testing.assert_equal(split.compute(), whole.compute())


def test_the_result_derives_from_the_rows():
    metric = measured(batch(3), batch(4))
    np.testing.assert_equal(metric.compute(), summarise(metric.rows()))


def test_with_an_index_rows_are_ordered_and_repeated_images_count_once():
    logits, target = batch(5)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    metric = SegmentationMetrics()
    metric.update(logits[order], target[order], order)
    metric.update(logits[:2], target[:2], torch.tensor([0, 1]))
    np.testing.assert_equal(metric.rows(), measured((logits, target)).rows())


def test_a_wholly_ignored_image_is_left_out():
    logits = torch.ones(2, 1, 4, 4)
    target = torch.stack([torch.full((1, 4, 4), 255), torch.zeros(1, 4, 4)]).byte()
    numbers = measured((logits, target), distances=True).compute()
    assert (numbers["dice_image"], numbers["false_positive_rate_empty"]) == (0, 1)
    assert numbers["hd95"] == 1
    with pytest.raises(ValueError, match="no images"):
        measured((logits[:1], target[:1])).compute()


def test_distances_are_those_of_each_image_without_its_ignored_pixels():
    logits, target = batch(8)
    metric = measured((logits[:4], target[:4]), (logits[4:], target[4:]), distances=True)
    known = target != 255
    expected = [
        hd95(pred, true)
        for pred, true in zip(
            ((logits > 0) & known)[:, 0].numpy(), (target == 1)[:, 0].numpy(), strict=True
        )
    ]
    np.testing.assert_allclose(metric.rows()["hd95"], expected, rtol=1e-6)
    assert metric.compute()["hd95"] == pytest.approx(np.mean(expected), rel=1e-6)
    assert "hd95" not in measured((logits, target)).compute()


def test_reset_forgets():
    metric = measured(batch(6))
    metric.reset()
    metric.update(*batch(7))
    np.testing.assert_equal(metric.compute(), measured(batch(7)).compute())


@pytest.mark.parametrize("shape", [(2, 12, 12), (2, 2, 12, 12), (3, 1, 12, 12)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)"):
        SegmentationMetrics().update(torch.zeros(shape), torch.zeros(2, 1, 12, 12))
