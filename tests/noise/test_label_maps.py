"""Noise of label maps: what holds for each class, and which classes stay what they are."""

import numpy as np
import pytest
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label as components

from robustseg.noise import (
    Confuse,
    Missed,
    Mixture,
    Morphological,
    Swap,
    inject,
    inject_labels,
    label_maps,
    unfit,
)
from robustseg.noise.model import UNREACHED, Corruption, Donors, LabelDonors
from tests.noise.test_every_model import BINARY, NAMES, ORDERED, config

CLASSES = ["background", "left", "right", "heart"]
MODELS = [name for name in NAMES if name not in ORDERED]


@pytest.fixture(scope="session")
def maps(blobs):
    """Label maps of three classes side by side, with some pixels ignored, and their ids."""

    def make(count, side=48):
        masks, ids = blobs(3 * count, side)
        labels = np.concatenate(
            [masks[at * count : (at + 1) * count] * (at + 1) for at in range(3)], axis=2
        ).astype(np.uint8)
        labels[:, :2, :5] = 255
        return labels, ids[:count]

    return make


def injected(labels, ids, model, seed=0, alpha=1.0, beta=0.5, classes=CLASSES):
    return inject_labels(labels, ids, model, classes=classes, alpha=alpha, beta=beta, seed=seed)


@pytest.mark.parametrize("name", [name for name in MODELS if name in BINARY])
def test_a_single_foreground_class_is_the_binary_draw(name, blobs):
    masks, ids = blobs(6, 48)
    masks[:, :3, :7] = 255
    model = instantiate(config(name)["model"])
    binary, rows = inject(masks, ids, model, alpha=0.7, beta=0.5, seed=3)
    noisy, manifest = injected(masks, ids, model, 3, 0.7, 0.5, ["background", "lesion"])
    np.testing.assert_array_equal(noisy, binary)
    assert manifest == [{**row, "class": "lesion"} for row in rows]


@pytest.mark.parametrize("name", MODELS)
def test_maps_stay_maps_of_the_classes(name, maps):
    labels, ids = maps(6)
    before = labels.copy()
    model = instantiate(config(name)["model"])
    noisy, manifest = injected(labels, ids, model, alpha=0.5)
    np.testing.assert_array_equal(labels, before)
    assert set(np.unique(noisy)) <= {0, 1, 2, 3, 255}
    np.testing.assert_array_equal(noisy == 255, labels == 255)
    assert [(row["id"], row["class"]) for row in manifest] == [
        (name, kind) for name in ids for kind in CLASSES[1:]
    ]
    for row, value in zip(manifest, [1, 2, 3] * len(ids), strict=True):
        at = ids.index(row["id"])
        assert row["area_clean"] == np.count_nonzero(labels[at] == value)
        assert row["area_noisy"] == np.count_nonzero(noisy[at] == value)
        if row["requested"] == 0:
            np.testing.assert_array_equal(noisy[at], labels[at])
    assert sum(row["requested"] > 0 for row in manifest) == 3 * 3


class Eager(LabelDonors):
    """Donors whose masks of a class are all made at once."""

    def of(self, value):
        return Donors(self.ids, (self.masks == value).astype(np.uint8), self.rows, self.own)


@pytest.mark.parametrize("name", MODELS)
def test_masks_of_donors_are_those_of_their_class(name, maps, monkeypatch):
    labels, ids = maps(5)
    model = instantiate(config(name)["model"])
    lazy = [injected(labels, ids[::-1], model, seed) for seed in range(3)]
    monkeypatch.setattr(label_maps, "LabelDonors", Eager)
    for seed, (noisy, manifest) in enumerate(lazy):
        expected, rows = injected(labels, ids[::-1], model, seed)
        np.testing.assert_array_equal(noisy, expected)
        assert manifest == rows


def test_a_donor_costs_one_map_and_none_cost_nothing(maps):
    labels, ids = maps(4)

    class Files(list):
        """Maps of which each is read by itself; comparing them all is no array."""

    donors = LabelDonors(ids, Files(labels), range(4), 1).of(2)
    assert len(donors) == 3
    for index, at in enumerate((0, 2, 3)):
        found, mask = donors[index]
        assert (found, mask.dtype) == (ids[at], np.uint8)
        np.testing.assert_array_equal(mask, labels[at] == 2)


@given(seed=st.integers(0, 2**31), order=st.permutations(range(5)), low=st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_sets_are_nested_and_order_does_not_matter(maps, seed, order, low):
    labels, ids = maps(5, 24)
    model = Morphological()
    noisy, manifest = injected(labels, ids, model, seed)
    shuffled = injected(labels[order], [ids[i] for i in order], model, seed)
    np.testing.assert_array_equal(shuffled[0], noisy[order])
    some, rows = injected(labels, ids, model, seed, low)
    chosen = {row["id"] for row in rows if row["requested"] > 0}
    assert len(chosen) == int(5 * low)
    for at, name in enumerate(ids):
        expected = noisy if name in chosen else labels
        np.testing.assert_array_equal(some[at], expected[at])
    alone = injected(labels[2:3], ids[2:3], model, seed)
    np.testing.assert_array_equal(alone[0][0], noisy[2])
    assert alone[1] == manifest[6:9]


def test_classes_draw_apart(maps):
    labels, ids = maps(4)
    wide = labels.shape[2] // 3
    labels[:, :, wide : 2 * wide] = np.where(labels[:, :, :wide] == 1, 2, 0)  # the same shapes
    labels[labels == 255] = 0
    noisy, _ = injected(labels, ids, Missed(), beta=0.3)
    left, right = noisy[:, :, :wide] == 1, noisy[:, :, wide : 2 * wide] == 2
    assert (left.sum(axis=(1, 2)) == right.sum(axis=(1, 2))).all()
    assert (left != right).any(axis=(1, 2)).mean() > 0.5  # two draws may agree


def test_a_later_class_lies_over_an_earlier_one_and_gaps_are_background():
    labels = np.zeros((1, 40, 40), np.uint8)
    labels[0, 10:30, 5:20], labels[0, 10:30, 20:35] = 1, 2

    class Right:
        """Moves a class five pixels to the right."""

        def corrupt(self, mask, beta, rng, donors):
            from robustseg.noise import Corruption

            return Corruption(np.roll(mask, 5, axis=1), "move")

    expected = np.zeros((40, 40), np.uint8)
    expected[10:30, 10:25], expected[10:30, 25:40] = 1, 2
    noisy, _ = injected(labels, ["a"], Right(), classes=CLASSES[:3])
    np.testing.assert_array_equal(noisy[0], expected)
    swapped = np.where(labels > 0, 3 - labels, 0).astype(np.uint8)
    noisy, manifest = injected(swapped, ["a"], Right(), classes=CLASSES[:3])
    assert noisy[0, 15, 22] == 2  # the class on the left, which is the later one here
    lost = next(row for row in manifest if row["class"] == "left")
    assert lost["reached"] == pytest.approx((5 + 5) / 15)
    noisy, manifest = injected(swapped, ["a"], Right(), classes=CLASSES[:3], beta=10 / 15)
    assert [row["note"] for row in manifest] == ["", ""]  # it loses and gains as much as asked for


def test_a_class_that_another_one_is_drawn_over_is_noted():
    labels = np.zeros((1, 40, 40), np.uint8)
    labels[0, 10:30, 5:15], labels[0, 10:30, 15:25] = 1, 2

    class Wider:
        """Adds two columns on each side of a class: β = 0.4."""

        def corrupt(self, mask, beta, rng, donors):
            return Corruption(sum(np.roll(mask, at, 1) for at in (-2, 0, 2)).clip(0, 1), "dilate")

    _, manifest = injected(labels, ["a"], Wider(), classes=CLASSES[:3], beta=0.4)
    # The right class has taken the two columns that the left one gained there, and two of its own.
    assert [row["reached"] for row in manifest] == pytest.approx([0.4, 0.4])
    assert [row["note"] for row in manifest] == ["", ""]
    labels[0, 10:30, 25:35] = 3
    _, manifest = injected(labels[:, :, ::-1].copy(), ["a"], Wider(), beta=0.4)
    assert [row["reached"] for row in manifest] == pytest.approx([0.4, 0.4, 0.4])
    labels[0, 10:30, 15:17] = 0  # a gap, into which both grow
    _, manifest = injected(labels, ["a"], Wider(), beta=0.4)
    left = manifest[0]
    assert left["reached"] == pytest.approx(0.2)  # of four columns gained two are left
    assert left["note"] == f"{UNREACHED}another class lies over it"


def test_swapped_maps_are_maps_of_the_set(maps):
    labels, ids = maps(5)
    labels[labels == 255] = 0
    noisy, manifest = injected(labels, ids, Swap())
    clean = {labels[at].tobytes(): name for at, name in enumerate(ids)}
    for at, name in enumerate(ids):
        donor = clean[noisy[at].tobytes()]
        assert donor != name
        assert manifest[3 * at]["parameters"] == f'{{"donor":"{donor}"}}'


@given(beta=st.floats(0.05, 1), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_confused_objects_are_whole_and_as_many_as_asked_for(beta, seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros((1, 120, 120), np.uint8)
    for row in range(10):
        for column in range(10):
            side = rng.integers(3, 9)
            top, left = 12 * row + 1, 12 * column + 1
            labels[0, top : top + side, left : left + side] = rng.integers(1, 4)
    noisy, manifest = injected(labels, ["a"], Confuse(), seed=seed, beta=beta)
    assert ((noisy > 0) == (labels > 0)).all()
    objects = components(labels[0] > 0, connectivity=2)
    for number in range(1, objects.max() + 1):
        assert len(np.unique(noisy[0][objects == number])) == 1
    for value, row in zip((1, 2, 3), manifest, strict=True):
        own = labels[0] == value
        largest = np.bincount(objects[own])[1:].max()
        given = np.count_nonzero(own & (noisy[0] != value))
        # No further object would bring it nearer, so it is off by half of one at most.
        assert abs(given - beta * own.sum()) <= largest
        gained = np.count_nonzero(~own & (noisy[0] == value))
        assert row["type"] == ("confuse" if given or gained else "clean")
        assert row["reached"] >= given / own.sum()


def test_what_cannot_be_confused_says_so():
    labels = np.zeros((1, 20, 20), np.uint8)
    labels[0, 5:10, 5:10] = 1
    with pytest.raises(ValueError, match="two or more foreground classes"):
        injected(labels, ["a"], Confuse(), classes=CLASSES[:2])
    noisy, manifest = injected(labels, ["a"], Confuse(), beta=0.3)
    np.testing.assert_array_equal(noisy, labels)
    assert manifest[0]["note"].startswith(UNREACHED)
    assert manifest[1]["note"] == "empty mask left as it is"


def test_a_class_that_only_gains_is_confused():
    labels = np.zeros((1, 40, 40), np.uint8)
    labels[0, 2:10, 2:10] = labels[0, 2:10, 20:28] = labels[0, 20:28, 2:10] = 1
    noisy, manifest = injected(labels, ["a"], Confuse(), beta=0.7)
    assert {row["type"] for row in manifest} == {"confuse", "clean"}
    for value, row in enumerate(manifest, 1):
        changed = ((noisy == value) != (labels == value)).any()
        assert row["type"] == ("confuse" if changed else "clean")
        assert (row["note"] == "empty mask left as it is") == (not changed)


def test_what_a_model_of_label_maps_draws_must_be_one(maps):
    class Shifted:
        def corrupt_labels(self, labels, classes, beta, rng, donors):
            return labels + 1, {}

    class Bright:
        def corrupt(self, mask, beta, rng, donors):
            return Corruption(mask * 255, "bright")

    labels, ids = maps(2)
    for model, said in ((Shifted(), "hold 0 to 3; it is"), (Bright(), "hold 0 and 1; it is")):
        with pytest.raises(ValueError, match=said):
            injected(labels, ids, model)


@pytest.mark.parametrize("classes", [None, 2, 3])
def test_a_mixture_is_fit_if_all_that_it_draws_are(classes, maps):
    def mixture(weight):
        return Mixture({"a": Confuse(), "b": Missed()}, weights={"a": weight, "b": 1})

    for model in (mixture(1), Mixture({"both": mixture(1)}, weights={"both": 1})):
        assert "noise=mixture: a corrupts whole label maps" in unfit(model, classes)
    assert unfit(mixture(0), classes) == ""
    if classes:
        labels, ids = maps(2, 24)
        labels[(labels > classes - 1) & (labels != 255)] = 0
        with pytest.raises(ValueError, match="cannot be in a mixture"):
            injected(labels, ids, mixture(1), classes=CLASSES[:classes])
        injected(labels, ids, mixture(0), classes=CLASSES[:classes])


def test_what_is_refused(maps):
    labels, ids = maps(2, 24)
    with pytest.raises(ValueError, match="noise=legacy is for binary masks only"):
        injected(labels, ids, instantiate(config("legacy")["model"]))
    with pytest.raises(ValueError, match=r"must hold 0 to 2 and 255 \(ignored\) only"):
        injected(labels, ids, Missed(), classes=CLASSES[:3])
