"""The models that need no file of tests of their own."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from robustseg.noise import inject
from robustseg.noise.annotator import Annotator
from robustseg.noise.elastic import Elastic
from robustseg.noise.flipping import flip_first
from robustseg.noise.legacy import Legacy
from robustseg.noise.missed import Missed
from robustseg.noise.mixture import Mixture
from robustseg.noise.swap import Swap

MASKS = hnp.arrays(np.uint8, (7, 9), elements=st.integers(0, 1)).filter(np.any)


@given(mask=MASKS, beta=st.floats(0.05, 3), seed=st.integers(0, 99), levels=st.integers(1, 30))
def test_flips_come_first_and_nearest(mask, beta, seed, levels):
    score = np.random.default_rng(seed).integers(0, levels, mask.shape).astype(float)
    noisy, note = flip_first(mask, score, beta)
    flipped = noisy != mask
    assert noisy.any()
    assert mask.all() or not noisy.all()
    wanted = beta * mask.sum()
    if "all that may" not in note:
        counts = [np.count_nonzero(score < level) for level in range(levels + 1)]
        assert abs(flipped.sum() - wanted) <= min(abs(c - wanted) for c in counts) + 2  # two stay


def habit(blobs, name, beta=0.5):
    masks, ids = blobs(8, 128)
    noisy, manifest = inject(masks, ids, Annotator([name]), alpha=1, beta=beta, seed=0)
    assert {row["type"] for row in manifest} == {name}
    return zip(masks.astype(bool), noisy.astype(bool), manifest, strict=True)


def test_over_segments_by_one_distance(blobs):
    for before, after, row in habit(blobs, "over"):
        distance = ndimage.distance_transform_edt(~before)
        assert distance[after].max() < distance[~after].min()
        assert row["dice"] == pytest.approx(2 / 2.5, abs=0.02)


def test_under_segments_by_one_distance(blobs):
    for before, after, row in habit(blobs, "under"):
        distance = ndimage.distance_transform_edt(before)
        assert distance[after].min() > distance[before & ~after].max()
        assert row["dice"] == pytest.approx(2 * 0.5 / 1.5, abs=0.03)


def test_fractures_into_pieces(blobs):
    pieces = []
    for before, after, row in habit(blobs, "fracture", beta=0.3):
        assert not (after & ~before).any()
        assert row["area_change"] == pytest.approx(-0.3, abs=0.02)
        pieces.append(ndimage.label(after)[1])
    assert np.mean(pieces) > 2


def test_annotators_share_the_masks(blobs):
    panel = ["over", "over", "under", "fracture"]
    _, manifest = inject(*blobs(200, 32), Annotator(panel), alpha=1, beta=0.5, seed=0)
    counts = Counter(json.loads(row["parameters"])["annotator"] for row in manifest)
    assert sorted(counts) == [0, 1, 2, 3]
    assert min(counts.values()) > 30


def test_misses_whole_objects_first():
    mask = np.zeros((1, 40, 40), np.uint8)
    for row in range(2, 38, 6):
        mask[0, row : row + 3, 4:34] = 1
    noisy, (row,) = inject(mask, ["a"], Missed(), alpha=1, beta=0.5, seed=0)
    assert json.loads(row["parameters"]) == {"objects": 6, "whole": 3}
    assert ndimage.label(noisy[0])[1] == 3
    assert not (noisy & ~mask).any()
    assert row["reached"] == 0.5


def test_misses_a_side_of_a_single_object(blobs):
    masks, ids = blobs(8, 128)
    noisy, manifest = inject(masks, ids, Missed(), alpha=1, beta=0.4, seed=0)
    for before, after, row in zip(masks, noisy, manifest, strict=True):
        assert row["reached"] == pytest.approx(0.4, abs=1 / before.sum())
        gone = np.argwhere(before != after).mean(axis=0) - np.argwhere(after).mean(axis=0)
        along = np.argwhere(before) @ gone
        cut = np.quantile(along, 0.6)  # a straight line, roughly across the way between the parts
        agree = (along > cut) == (before != after)[before == 1]
        assert agree.mean() > 0.9


def test_misses_all():
    mask = np.ones((1, 6, 6), np.uint8)
    noisy, (row,) = inject(mask, ["a"], Missed(), alpha=1, beta=1.0, seed=0)
    assert not noisy.any()
    assert (row["reached"], row["note"]) == (1, "")


def test_swaps_with_the_nearest_donor(blobs):
    masks, ids = blobs(20, 64)
    noisy, manifest = inject(masks, ids, Swap(), alpha=1, beta=0.6, seed=0)
    for i, row in enumerate(manifest):
        donor = ids.index(json.loads(row["parameters"])["donor"])
        assert donor != i
        assert np.array_equal(noisy[i], masks[donor])
        errors = [np.mean(masks[i] != masks[j]) / masks[i].mean() for j in range(20) if j != i]
        assert abs(row["reached"] - 0.6) == pytest.approx(min(abs(e - 0.6) for e in errors))


def test_random_swaps(blobs):
    masks, ids = blobs(60, 24)
    _, manifest = inject(masks, ids, Swap(candidates=1), alpha=1, beta=0.6, seed=0)
    donors = [json.loads(row["parameters"])["donor"] for row in manifest]
    assert len(set(donors)) > 25
    assert not any(row["note"] for row in manifest)


def test_swaps_of_empty_and_lonely_masks(blobs):
    masks, ids = blobs(5, 24)
    masks[2] = 0
    noisy, manifest = inject(masks, ids, Swap(), alpha=1, beta=0.5, seed=0)
    assert noisy[2].any()
    assert manifest[2]["dice"] == 0
    noisy, (row,) = inject(masks[:1], ids[:1], Swap(), alpha=1, beta=0.5, seed=0)
    assert np.array_equal(noisy, masks[:1])
    assert "no other image" in row["note"]


def test_elastic_gains_more_than_it_loses(blobs):
    """Outside of a rounded outline there are more pixels than inside at the same distance."""
    masks, ids = blobs(200)
    _, manifest = inject(masks, ids, Elastic(), alpha=1, beta=0.7, seed=0)
    change = np.array([row["area_change"] for row in manifest])
    assert change.mean() > 3 * change.std() / np.sqrt(len(change))
    assert 0.03 < change.mean() < 0.2
    dice = [row["dice"] for row in manifest]
    assert dice == pytest.approx(1 - 0.7 / (2 + change), abs=0.01)


def test_elastic_moves_both_ways_without_islands(blobs):
    masks, ids = blobs(12, 128)
    noisy, manifest = inject(masks, ids, Elastic(), alpha=1, beta=0.3, seed=0)
    grown = [
        np.count_nonzero((after == 1) & (before == 0))
        for before, after in zip(masks, noisy, strict=True)
    ]
    shrunk = [
        np.count_nonzero((after == 0) & (before == 1))
        for before, after in zip(masks, noisy, strict=True)
    ]
    assert min(grown) > 0 and min(shrunk) > 0
    assert np.mean([row["area_change"] for row in manifest]) == pytest.approx(0, abs=0.12)
    for after in noisy:
        sizes = np.bincount(ndimage.label(after)[0].ravel())[1:]
        assert sizes.max() > 0.97 * sizes.sum()


def test_smoother_fields_make_smoother_outlines(blobs):
    masks, ids = blobs(6, 128)

    def outline(smoothness):
        noisy, _ = inject(masks, ids, Elastic(smoothness), alpha=1, beta=0.3, seed=0)
        return np.count_nonzero(np.diff(noisy.astype(int), axis=1))

    assert outline(0.3) < outline(0.05)


def test_mixture(blobs):
    parts = {"a": Annotator(["over"]), "b": Annotator(["under"]), "c": Missed()}
    mixed = Mixture(parts, {"a": 1, "b": 3, "c": 0})
    _, manifest = inject(*blobs(200, 32), mixed, alpha=1, beta=0.5, seed=0)
    counts = Counter(row["type"] for row in manifest)
    assert set(counts) == {"over", "under"}
    assert counts["under"] / 200 == pytest.approx(0.75, abs=0.08)
    names = {(row["type"], json.loads(row["parameters"])["model"]) for row in manifest}
    assert names == {("over", "a"), ("under", "b")}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Annotator(["lazy"]), "panel"),
        (lambda: Annotator([]), "panel"),
        (lambda: Swap(0), "candidates"),
        (lambda: Elastic(0), "smoothness"),
        (lambda: Mixture({"a": Missed()}, {"b": 1}), "weights must be given for"),
        (lambda: Mixture({"a": Missed()}, {"a": 0}), "weights must be 0 or more"),
        (lambda: Mixture({"a": Missed()}, {"a": -1}), "weights must be 0 or more"),
        (lambda: Mixture({"a": Legacy()}, {"a": 1}), "a draws for the whole set"),
    ],
)
def test_wrong_arguments(build, message):
    with pytest.raises(ValueError, match=message):
        build()
