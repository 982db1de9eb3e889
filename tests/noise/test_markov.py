import json

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from robustseg.noise import inject
from robustseg.noise.markov import Markov, _smooth


def run(model, blobs, beta=0.5, n=6):
    masks, ids = blobs(n, 128)
    noisy, manifest = inject(masks, ids, model, alpha=1, beta=beta, seed=0)
    return masks, noisy, manifest


@pytest.mark.parametrize(("theta1", "sign"), [(1.0, 1), (0.0, -1), (0.8, 1), (0.2, -1)])
def test_preference(blobs, theta1, sign):
    _, _, manifest = run(Markov([theta1]), blobs)
    assert all(np.sign(row["area_change"]) == sign for row in manifest)


def test_certain_growth_is_dilation(blobs):
    """θ1 = θ2 = 1, θ3 = 0: every step dilates by the 4-neighbour cross."""
    masks, noisy, manifest = run(Markov([1.0], theta2=1.0, theta3=0.0), blobs)
    for before, after, row in zip(masks, noisy, manifest, strict=True):
        steps = json.loads(row["parameters"])["steps"]
        grown = binary_dilation(before, iterations=steps)
        assert np.array_equal(after.astype(bool), _smooth(grown))


def test_both_preferences_are_drawn(blobs):
    _, _, manifest = run(Markov(), blobs, n=16)
    assert {json.loads(row["parameters"])["theta1"] for row in manifest} == {0.2, 0.8}


def test_more_flips_leave_more_specks(blobs):
    def far(theta3):
        masks, noisy, _ = run(Markov([0.8], theta3=theta3), blobs)
        near = np.stack([binary_dilation(mask, iterations=30) for mask in masks])
        return np.count_nonzero((noisy == 1) & ~near)

    assert far(0.0) == 0
    assert 0 < far(0.2) < far(0.3)


def test_the_chain_ends():
    mask = np.zeros((1, 64, 64), np.uint8)
    mask[0, 20:40, 20:40] = 1
    _, (row,) = inject(mask, ["a"], Markov([0.8], max_steps=5), alpha=1, beta=0.9, seed=0)
    assert "chain ended" in row["note"]


@pytest.mark.parametrize("wrong", [{"theta1": []}, {"theta1": [2]}, {"theta2": 0}, {"theta3": 0.5}])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Markov(**wrong)
