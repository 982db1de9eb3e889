"""Doubt about masks: its formula, and how detection is measured."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import nn

from robustseg.errors import DataError
from robustseg.finished.detection import auroc, detections, precision
from robustseg.finished.load import load_run
from robustseg.finished.suspects import DICE, beliefs
from robustseg.losses import TLoss, t_loss


class ByBrightness(nn.Module):
    """A network that takes bright pixels for foreground."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.02))

    def forward(self, images):
        return ((images.float().mean(dim=3) - 100) * self.slope)[:, None]


class OtherLoss(nn.Module):
    """A loss of somebody's own with a parameter of the T-Loss's name."""

    def __init__(self, log_nu, learn, log_precision):
        super().__init__()


class Tempered(TLoss):
    """A T-Loss of somebody's own, with a parameter of its own in its weight."""

    def __init__(self, log_nu, learn, log_precision):
        super().__init__(log_nu, learn, log_precision)
        self.temper = nn.Parameter(torch.tensor(1.0))

    def weight(self, squares, dimension):
        return super().weight(squares, dimension) ** self.temper.detach().double()


def of_nu(nu):
    return {"log_nu": torch.tensor(nu).log()}


@pytest.fixture
def known(noisy_run):
    """A run whose network is known, with images and masks that fit it but for one."""
    run = replace(
        load_run(noisy_run, device="cpu"),
        predictor=ByBrightness(),
        precision="32-true",
        loss_state=of_nu(2.0),
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (7, 16, 16, 3), dtype=np.uint8)
    masks = np.zeros((7, 16, 16), np.uint8)
    for at in range(7):
        masks[at, 2 : 5 + at, 3:12] = 1
    images[masks == 1] += 120
    masks[4] = np.roll(masks[4], 6, axis=1)
    masks[5, :4] = 255
    masks[6] = 255
    return run, images, masks


def residuals(images, masks):
    probability = 1 / (1 + np.exp(-0.02 * (images.mean(axis=3) - 100)))
    known = masks != 255
    squares = np.where(known, (probability - (masks == 1)) ** 2, 0).sum(axis=(1, 2))
    return squares, known.sum(axis=(1, 2))


def test_the_mask_that_does_not_fit_is_doubted_most(known):
    run, images, masks = known
    for state in (of_nu(2.0), {}):
        found = beliefs(replace(run, loss_state=state), images, masks)
        assert found.order(found.method)[0] == found.order(DICE)[0] == 4
        assert found.order(found.method)[-1] == 6  # all ignored
        assert found.dice[4] == found.dice[:5].min() and found.dice[0] == 1
        assert np.array_equal(found.predicted[0], masks[0])


def test_without_the_t_loss_the_doubt_is_the_mean_squared_residual(known):
    run, images, masks = known
    found = beliefs(replace(run, loss_state={}), images, masks)
    squares, pixels = residuals(images, masks)
    assert found.method == "mean squared residual"
    np.testing.assert_allclose(found.doubt[found.method][:6], (squares / pixels.clip(1))[:6], 1e-5)


@pytest.mark.parametrize("log_precision", [0.0, 1.0])
def test_the_weight_is_that_of_the_t_loss_gradient(known, log_precision):
    run, images, masks = known
    loss = run.settings.loss.changed(log_precision=log_precision)
    found = beliefs(replace(run, settings=run.settings.changed(loss=loss)), images, masks)
    logits = ByBrightness()(torch.from_numpy(images)).detach().double().requires_grad_()
    target = torch.from_numpy(masks == 1)[:, None].double()
    ignore = torch.from_numpy(masks == 255)[:, None]
    log_nu = torch.tensor(np.log(2.0))
    t_loss(logits, target, ignore, log_nu=log_nu, log_precision=log_precision).backward()
    p = logits.detach().sigmoid()
    weight = logits.grad * len(images) / ((p - target) * p * (1 - p))  # by the chain rule
    for at in range(6):
        own = weight[at][~ignore[at]]
        np.testing.assert_allclose(1 / found.doubt[found.method][at], own, rtol=1e-4)


@pytest.mark.parametrize("dimension", ["label", "mean", "ratio"])
def test_the_weight_is_that_of_the_gradient_by_area(known, dimension):
    run, images, masks = known
    loss = run.settings.loss.changed(
        target="robustseg.losses.AreaTLoss", dimension=dimension, floor=0.2
    )
    found = beliefs(replace(run, settings=run.settings.changed(loss=loss)), images, masks)
    squares, pixels = residuals(images, masks)
    areas = (masks == 1).sum(axis=(1, 2)).astype(float)
    probability = 1 / (1 + np.exp(-0.02 * (images.mean(axis=3) - 100)))
    predicted = np.where(masks != 255, probability, 0).sum(axis=(1, 2))
    if dimension == "mean":
        areas = (areas + predicted) / 2
    counts = np.maximum(np.minimum(areas, (pixels - areas) / 0.2), 0.2 * pixels)
    if dimension == "ratio":
        counts = pixels * np.clip(areas / np.maximum(predicted, 1e-9), 0.2, 5)
    expected = np.where(pixels > 0, (2 + squares) / (2 + counts), 0)
    assert found.method == "T-Loss weight"
    np.testing.assert_allclose(found.doubt[found.method], expected, rtol=1e-4)


def test_a_foreign_loss_with_a_nu_is_not_taken_for_a_t_loss(known):
    run, images, masks = known
    loss = run.settings.loss.changed(target="tests.finished.test_suspects.OtherLoss")
    run = replace(run, settings=run.settings.changed(loss=loss))
    with pytest.raises(DataError, match=r"is not an allowed class.*is your own.*--trust"):
        beliefs(run, images, masks)
    with pytest.raises(DataError, match="OtherLoss has a ν but is not a TLoss"):
        beliefs(replace(run, trust=True), images, masks)


def test_a_loss_derived_from_the_t_loss_has_its_own_parameters(known, caplog):
    run, images, masks = known
    plain = beliefs(run, images, masks).doubt["T-Loss weight"]
    loss = run.settings.loss.changed(target="tests.finished.test_suspects.Tempered")
    run = replace(run, settings=run.settings.changed(loss=loss), trust=True)
    state = run.loss_state | {"temper": torch.tensor(0.5)}
    found = beliefs(replace(run, loss_state=state), images, masks)
    np.testing.assert_allclose(found.doubt["T-Loss weight"], plain**0.5, rtol=1e-6)
    with pytest.raises(DataError, match=r"do not fit Tempered.*--by dice"):
        beliefs(run, images, masks)
    assert not caplog.text
    found = beliefs(run, images, masks, need_own=False)
    assert [*found.doubt] == [found.method] == [DICE]
    assert "do not fit Tempered" in caplog.text


def test_cleanlab_is_given_the_same_probabilities(known):
    rank = pytest.importorskip("cleanlab.segmentation.rank")
    run, images, masks = known
    images, masks = images[:5], masks[:5]
    found = beliefs(replace(run, batch_size=2), images, masks, compare=True)
    foreground = 1 / (1 + np.exp(-0.02 * (images.mean(axis=3) - 100)))
    probabilities = np.stack([1 - foreground, foreground], axis=1)
    scores, _ = rank.get_label_quality_scores(masks.astype(int), probabilities, verbose=False)
    np.testing.assert_allclose(-found.doubt["cleanlab"], scores, rtol=1e-4)
    assert found.doubt["cleanlab"].argmax() == 4


scores = st.lists(st.integers(0, 5), min_size=1, max_size=20).map(lambda x: np.array(x, float))


@given(scores, scores)
def test_auroc_is_scikit_learns(noisy, clean):
    truth = np.repeat([1, 0], [len(noisy), len(clean)])
    expected = roc_auc_score(truth, np.concatenate([noisy, clean]))
    assert auroc(noisy, clean) == pytest.approx(expected)


@given(scores, scores, st.integers(0, 99))
def test_precision_is_the_mean_over_orders_of_ties(noisy, clean, seed):
    everything = np.concatenate([noisy, clean])
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(300):
        order = np.lexsort([rng.random(len(everything)), -everything])[: len(noisy)]
        found.append((order < len(noisy)).mean())
    assert precision(noisy, clean) == pytest.approx(np.mean(found), abs=0.15)
    assert min(found) - 1e-9 <= precision(noisy, clean) <= max(found) + 1e-9


def test_precision_of_a_worked_example():
    assert precision(np.array([9.0, 8, 1]), np.array([5.0, 2, 0])) == pytest.approx(2 / 3)
    assert precision(np.array([1.0, 1]), np.array([1.0, 1])) == 0.5


def test_detection_by_type_among_right_masks(known):
    run, images, masks = known
    found = beliefs(replace(run, loss_state={}), images[:5], masks[:5])
    types = ["clean", "erode", "erode", "clean", "affine"]
    dice = [1, 1, 0.5, 1, 0.5]  # the second was left as it was
    manifest = [{"type": t, "dice": d} for t, d in zip(types, dice, strict=True)]
    by_type = {one.type: one for one in detections(found, manifest) if one.method == DICE}
    assert {name: (one.noisy, one.clean) for name, one in by_type.items()} == {
        "all": (2, 3),
        "affine": (1, 3),
        "erode": (1, 3),
    }
    assert by_type["affine"].auroc == by_type["affine"].precision == 1
    assert by_type["affine"].chance == 0.25
    assert detections(found, [{"type": "clean", "dice": 1.0}] * 5) == []
