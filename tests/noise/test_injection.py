import hashlib
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustseg.noise import COLUMNS, Corruption, inject, summary
from robustseg.noise.morphological import Morphological

MODEL = Morphological()
alphas = st.floats(0, 1)
betas = st.floats(0.05, 1.5)
seeds = st.integers(0, 2**31)


def noisy_ids(manifest):
    return {row["id"] for row in manifest if row["requested"] > 0}


@given(low=alphas, high=alphas, seed=seeds)
@settings(max_examples=15, deadline=None)
def test_noisy_sets_are_nested(blobs, low, high, seed):
    low, high = sorted((low, high))
    masks, ids = blobs(13, 24)
    some, more = (
        inject(masks, ids, MODEL, alpha=alpha, beta=0.5, seed=seed) for alpha in (low, high)
    )
    assert len(noisy_ids(some[1])) == int(13 * low)
    assert noisy_ids(some[1]) <= noisy_ids(more[1])
    for i, name in enumerate(ids):
        if name in noisy_ids(some[1]):
            assert np.array_equal(some[0][i], more[0][i])
        else:
            assert np.array_equal(some[0][i], masks[i])


@given(order=st.permutations(range(9)), beta=betas, seed=seeds)
@settings(max_examples=15, deadline=None)
def test_order_does_not_matter(blobs, order, beta, seed):
    masks, ids = blobs(9, 24)
    noisy, manifest = inject(masks, ids, MODEL, alpha=0.7, beta=beta, seed=seed)
    shuffled = inject(masks[order], [ids[i] for i in order], MODEL, alpha=0.7, beta=beta, seed=seed)
    assert np.array_equal(shuffled[0], noisy[order])
    assert shuffled[1] == [manifest[i] for i in order]


@given(seed=seeds)
@settings(max_examples=10, deadline=None)
def test_other_images_do_not_matter(blobs, seed):
    masks, ids = blobs(9, 24)
    noisy, manifest = inject(masks, ids, MODEL, alpha=1, beta=0.5, seed=seed)
    alone, rows = inject(masks[4:5], ids[4:5], MODEL, alpha=1, beta=0.5, seed=seed)
    assert np.array_equal(alone[0], noisy[4])
    assert rows == manifest[4:5]


def test_seeds_differ(blobs):
    masks, ids = blobs(40, 24)
    first, second = (inject(masks, ids, MODEL, alpha=0.5, beta=0.5, seed=s)[1] for s in (0, 1))
    assert noisy_ids(first) != noisy_ids(second)
    types = [
        [row["type"] for row in inject(masks, ids, MODEL, alpha=1, beta=0.5, seed=s)[1]]
        for s in (0, 1)
    ]
    assert types[0] != types[1]


def test_the_order_is_that_of_a_hash(blobs):
    """So that it is the same on every machine and with every library."""
    masks, ids = blobs(6, 24)
    _, manifest = inject(masks, ids, MODEL, alpha=0.5, beta=0.5, seed=7)
    ranked = sorted(ids, key=lambda name: hashlib.sha256(f"order/7/{name}".encode()).hexdigest())
    assert noisy_ids(manifest) == set(ranked[:3])


def test_masks_are_not_written_to(blobs):
    masks, ids = blobs(5, 24)
    masks.flags.writeable = False
    noisy, _ = inject(masks, ids, MODEL, alpha=1, beta=0.5, seed=0)
    assert not np.shares_memory(noisy, masks)
    assert not np.array_equal(noisy, masks)
    assert noisy.flags.writeable


def test_ignored_pixels_stay(blobs):
    masks, ids = blobs(8, 48)
    masks[:, 20:28] = 255
    noisy, manifest = inject(masks, ids, MODEL, alpha=1, beta=0.5, seed=0)
    assert np.array_equal(noisy == 255, masks == 255)
    for before, after, row in zip(masks, noisy, manifest, strict=True):
        assert row["area_clean"] == np.count_nonzero(before == 1)
        assert row["area_noisy"] == np.count_nonzero(after == 1)


def test_an_error_that_ignored_pixels_swallow_is_noted():
    """A square beside an ignored half; and one far from what is ignored, whose steps are coarse."""
    beside, apart = np.zeros((2, 40, 40), np.uint8)
    beside[10:30, :20] = apart[10:30, 10:30] = 1
    beside[:, 20:] = apart[:2, :2] = 255
    masks = np.stack([beside, apart])
    _, rows = inject(masks, ["a", "b"], Morphological(["dilate"]), alpha=1, beta=0.5, seed=0)
    assert rows[0]["reached"] < 0.45
    assert rows[1]["reached"] == 0.41  # three steps would make 0.63
    assert [row["note"] for row in rows] == [
        "beta not reached: part of the error is on ignored pixels",
        "beta not reached: off by more than 0.05",
    ]
    assert summary(rows)["unreached"] == 2


def test_manifest(blobs):
    masks, ids = blobs(30, 48)
    noisy, manifest = inject(masks, ids, MODEL, alpha=0.5, beta=0.5, seed=0)
    assert [row["id"] for row in manifest] == ids
    for before, after, row in zip(masks, noisy, manifest, strict=True):
        a, b = np.count_nonzero(before), np.count_nonzero(after)
        assert tuple(row) == COLUMNS
        assert row["sha256"] == hashlib.sha256(after.tobytes()).hexdigest()
        assert row["dice"] == pytest.approx(2 * np.count_nonzero(before & after) / (a + b))
        assert row["dice"] == pytest.approx(1 - row["reached"] / (2 + row["area_change"]))
        assert row["reached"] == np.count_nonzero(before ^ after) / a
        assert row["area_change"] == (b - a) / a
        assert (row["type"] == "clean") == (row["requested"] == 0)
        assert isinstance(json.loads(row["parameters"]), dict)


def test_summary(blobs):
    masks, ids = blobs(30)
    masks[3:6] = 0
    _, manifest = inject(masks, ids, MODEL, alpha=1, beta=0.5, seed=0)
    numbers = json.loads(json.dumps(summary(manifest)))
    assert sum(numbers["counts"].values()) == 30
    assert numbers["counts"]["clean"] == 3
    assert numbers["noisy"] == 30
    off = [abs(row["reached"] - 0.5) > 0.05 for row in manifest if row["area_clean"]]
    assert numbers["unreached"] == sum(off) > 0
    assert numbers["reached"] == pytest.approx(0.5, abs=0.03)  # of the 27 that can be wrong
    assert numbers["dice"]["dilate"] == pytest.approx(2 / 2.5, abs=0.03)


def test_summary_of_a_clean_set(blobs):
    _, manifest = inject(*blobs(3, 24), MODEL, alpha=0, beta=0.5, seed=0)
    assert summary(manifest) == {
        "counts": {"clean": 3},
        "dice": {"clean": 1.0},
        "reached": None,
        "noisy": 0,
        "unreached": 0,
    }


def test_errors_relative_to_an_empty_mask():
    class Fill:
        def corrupt(self, mask, beta, rng, donors):
            return Corruption(np.ones_like(mask), "fill")

    _, (row,) = inject(np.zeros((1, 4, 4), np.uint8), ["a"], Fill(), alpha=1, beta=1.0, seed=0)
    assert math.isnan(row["reached"])
    assert math.isnan(row["area_change"])
    assert row["dice"] == 0
    assert summary([row])["reached"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 1.1}, "alpha"),
        ({"alpha": -0.1}, "alpha"),
        ({"alpha": math.nan}, "alpha"),
        ({"beta": 0}, "beta"),
        ({"beta": math.inf}, "beta"),
        ({"beta": math.nan}, "beta"),
        ({"ids": ["a"]}, "2 masks but 1 ids"),
        ({"ids": ["a", "a"]}, "'a' occurs more than once"),
        ({"masks": np.full((2, 3, 3), 2, np.uint8)}, r"mask 'a' .* not \[2\]"),
        ({"masks": np.zeros((2, 3, 3), bool)}, "uint8"),
        ({"masks": np.zeros((3, 3), np.uint8)}, "uint8"),
    ],
)
def test_wrong_arguments(change, message):
    given = {"masks": np.zeros((2, 3, 3), np.uint8), "ids": ["a", "b"]}
    given |= {"alpha": 0.5, "beta": 0.5, "seed": 0} | change
    masks, ids = given.pop("masks"), given.pop("ids")
    with pytest.raises(ValueError, match=message):
        inject(masks, ids, MODEL, **given)


class Draws:
    """A model of the user's that draws what it is given."""

    def __init__(self, drawn):
        self.drawn = drawn

    def corrupt(self, mask, beta, rng, donors):
        return Corruption(self.drawn(mask), "own")


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        (lambda mask: mask * 255, r"\(24, 24\) and holds 0, 255"),
        (lambda mask: mask * 2, r"\(24, 24\) and holds 0, 2"),
        (lambda mask: mask * 0.3, r"\(24, 24\) and holds 0, 0\.3"),
        (lambda mask: mask[1:], r"\(23, 24\) and holds 0, 1"),
        (lambda mask: np.where(mask, np.nan, 0.0), r"\(24, 24\) and holds 0, nan"),
    ],
)
def test_what_a_model_draws_must_be_a_mask(blobs, drawn, said):
    masks, ids = blobs(2, 24)
    message = (
        rf"noise model Draws: the mask of .* must be \(24, 24\) and hold 0 and 1; it is {said}"
    )
    with pytest.raises(ValueError, match=message):
        inject(masks, ids, Draws(drawn), alpha=1, beta=0.5, seed=0)


@pytest.mark.parametrize("kind", [bool, float, np.int64])
def test_a_mask_may_be_of_any_number_type(blobs, kind):
    masks, ids = blobs(2, 24)
    drawn = Draws(lambda mask: np.roll(mask, 2, axis=0).astype(kind))
    noisy, _ = inject(masks, ids, drawn, alpha=1, beta=0.5, seed=0)
    np.testing.assert_array_equal(noisy, np.roll(masks, 2, axis=1))


def test_reached_is_of_masks_that_can_be_wrong(blobs):
    masks, ids = blobs(10, 24)
    masks[2:] = 0
    _, manifest = inject(masks, ids, MODEL, alpha=1, beta=0.5, seed=0)
    of_two = [row["reached"] for row in manifest if row["area_clean"]]
    assert summary(manifest)["reached"] == pytest.approx(np.mean(of_two))
    assert 0.4 < summary(manifest)["reached"] < 0.6
