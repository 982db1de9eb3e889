"""The rate falls when the public T-Loss code would let it fall."""

import math
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from robustseg.losses import CrossEntropyLoss, TLoss
from robustseg.losses.regularizers import LabelNoisePenalty, Regularized
from robustseg.training.module import SegmentationModule
from robustseg.training.nu_plateau import NuPlateau


def optimizer(rate=1e-2):
    groups = [{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    return torch.optim.Adam([{**groups[0], "lr": rate}, {**groups[1], "lr": 0.05}])


def falls(looks, **settings):
    """The looks, from 0, at which the rate falls."""
    adam = optimizer(1.0)
    schedule = NuPlateau(adam, factor=0.5, min_lr=0.0, **settings)
    found = []
    for number, look in enumerate(looks):
        before = adam.param_groups[0]["lr"]
        schedule.step(look)
        if adam.param_groups[0]["lr"] < before:
            found.append(number)
    return found


def public_rule(looks, patience, threshold, window, in_place=True):
    """The public code's rule, said once more in plain loops."""
    found, kept = [], []
    for number, look in enumerate(looks):
        kept.append(look)
        if len(kept) < patience:
            continue
        averages = [sum(kept[i : i + window]) / window for i in range(len(kept) - window + 1)]
        if in_place:
            kept = averages + kept[len(averages) :]
        if any(abs(b - a) <= threshold for a, b in pairwise(averages)):
            found.append(number)
            kept = []
    return found


@given(
    seed=st.integers(0, 10**6),
    slope=st.floats(-0.1, 0.0),
    patience=st.integers(6, 15),
    threshold=st.sampled_from([1e-4, 1e-3, 1e-2]),
)
def test_the_rate_falls_at_the_looks_of_the_public_rule(seed, slope, patience, threshold):
    rng = np.random.default_rng(seed)
    decay = np.exp(-np.arange(120) / rng.uniform(3, 40))
    looks = (1 + slope * np.arange(120) + 3 * decay + rng.normal(0, 0.01, 120).cumsum()).tolist()
    rule = {"patience": patience, "threshold": threshold, "window": 5}
    assert falls(looks, **rule) == public_rule(looks, **rule)


def test_averages_are_taken_in_place():
    """Which makes the rate fall at other looks than averages of the values themselves would."""
    looks = (1 - 0.02 * np.arange(200) + np.random.default_rng(1).normal(0, 0.05, 200)).tolist()
    rule = {"patience": 10, "threshold": 1e-4, "window": 5}
    assert falls(looks, **rule) == public_rule(looks, **rule)
    assert falls(looks, **rule) != public_rule(looks, **rule, in_place=False)


def test_what_stands_still_is_the_logarithm():
    """At ν = 0.01 a change of ν by 2 % is one of ln ν by 0.02: no plateau."""
    shrinking = [math.log(0.01 * 0.98**n) for n in range(40)]
    assert falls(shrinking, window=5, threshold=1e-3) == []
    assert falls([math.exp(x) for x in shrinking], window=5, threshold=1e-3)[0] == 9


def test_the_rate_falls_to_the_floor_and_that_of_the_loss_stays():
    adam = optimizer(1e-3)
    schedule = NuPlateau(adam, window=5, patience=10, threshold=1e-3, factor=0.1, min_lr=5e-5)
    rates = []
    for _ in range(30):
        schedule.step(-0.7)
        rates.append(adam.param_groups[0]["lr"])
    assert rates[8:10] == [1e-3, pytest.approx(1e-4)]
    assert rates[-1] == 5e-5
    assert adam.param_groups[1]["lr"] == 0.05


def test_a_schedule_resumes_from_its_state():
    looks = np.random.default_rng(0).normal(0, 0.1, 40).tolist()
    whole, first = (NuPlateau(optimizer(), window=5, threshold=1e-3) for _ in range(2))
    for look in looks[:13]:
        whole.step(look)
        first.step(look)
    second = NuPlateau(optimizer(), window=5, threshold=1e-3)
    second.load_state_dict(first.state_dict())
    for look in looks[13:]:
        whole.step(look)
        second.step(look)
        assert second.values == whole.values


@pytest.mark.parametrize(
    "loss",
    [TLoss(log_nu=1.0), Regularized(TLoss(log_nu=1.0), LabelNoisePenalty()), CrossEntropyLoss()],
)
def test_training_looks_at_ln_nu_after_step_1_51_101(loss, monkeypatch):
    """The public code looks before it counts the step, whose number begins at 0."""
    network = nn.Conv2d(1, 1, 1)
    make = partial(NuPlateau, window=5)
    training = SegmentationModule(network, loss, torch.optim.Adam, scheduler=make, loss_lr=0.05)
    training.configure_optimizers()
    looks = []
    monkeypatch.setattr(training.scheduler, "step", lambda value: looks.append((step, value)))
    for step in range(1, 120):
        monkeypatch.setattr(SegmentationModule, "global_step", step)
        training.on_train_batch_end(None, None, step - 1)
    has_nu = not isinstance(loss, CrossEntropyLoss)
    assert looks == ([(1, 1.0), (51, 1.0), (101, 1.0)] if has_nu else [])


@pytest.mark.parametrize(
    "settings",
    [{"window": 1}, {"window": 10}, {"window": 5, "every": 0}, {"window": 5, "factor": 1.0}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match="scheduler: every="):
        NuPlateau(optimizer(), **settings)
