import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import binary_dilation, binary_erosion

from robustseg.noise import inject
from robustseg.noise.model import UNREACHED
from robustseg.noise.morphological import Morphological, move, resize

MASKS = hnp.arrays(np.uint8, (12, 15), elements=st.integers(0, 1)).filter(np.any)
BETAS = st.floats(0.02, 2.5)
STEPS = {"dilate": binary_dilation, "erode": binary_erosion}


def stepped(mask, kind):
    """All masks that stepping gives before the frame is full or the mask empty."""
    masks = [mask.astype(bool)]
    end = mask.size if kind == "dilate" else 0
    while np.count_nonzero(masks[-1]) != end:
        masks.append(STEPS[kind](masks[-1]))
    return masks[: max(1, len(masks) - 1)]


@pytest.mark.parametrize("kind", ["dilate", "erode"])
@given(mask=MASKS, beta=BETAS)
def test_nearest_of_all_steps(kind, mask, beta):
    done = resize(mask, beta, kind)
    area = np.count_nonzero(mask)
    target = area * (1 + beta if kind == "dilate" else 1 - beta)
    nearest = min(abs(np.count_nonzero(each) - target) for each in stepped(mask, kind))
    assert abs(np.count_nonzero(done.mask) - target) == pytest.approx(nearest)
    assert 0 < np.count_nonzero(done.mask)


@pytest.mark.parametrize(("kind", "missed"), [("dilate", 0.8), ("erode", 0.7)])
def test_missed_beta_is_noted(kind, missed, awkward):
    assert "mask fills the frame" in resize(awkward["full"], 0.5, "dilate").note
    assert "mask would fill the frame" in resize(awkward["hole"], 3.0, "dilate").note
    assert "mask would be empty" in resize(awkward["pixel"], 0.9, "erode").note
    assert "one step changes too much" in resize(awkward["pixel"], 0.1, kind).note
    assert "off by more than 0.05" in resize(awkward["pair"], missed, kind).note
    reached = abs(np.count_nonzero(stepped(awkward["pair"], kind)[1]) / 63 - 1)
    assert resize(awkward["pair"], reached + 0.04, kind).note == ""


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.7])
def test_memorised_dice(blobs, beta):
    """What a network that learns the errors by heart scores against the clean masks."""
    _, manifest = inject(*blobs(60), Morphological(), alpha=1, beta=beta, seed=0)
    expected = {
        "dilate": 2 / (2 + beta),
        "erode": 2 * (1 - beta) / (2 - beta),
        "affine": 1 - beta / 2,
    }
    for kind, value in expected.items():
        rows = [row for row in manifest if row["type"] == kind]
        assert len(rows) > 10
        assert np.mean([row["dice"] for row in rows]) == pytest.approx(value, abs=0.02)


def test_moved_masks(blobs):
    masks, ids = blobs(150, 160)
    noisy, manifest = inject(masks, ids, Morphological(["affine"]), alpha=1, beta=0.5, seed=0)
    directions = Counter()
    for before, after, row in zip(masks, noisy, manifest, strict=True):
        drawn = json.loads(row["parameters"])
        directions[np.sign(drawn["rows"]), np.sign(drawn["columns"])] += 1
        centre = [np.mean(part) for part in np.nonzero(before)]
        moved = np.subtract([np.mean(part) for part in np.nonzero(after)], centre)
        assert moved == pytest.approx([drawn["rows"], drawn["columns"]], abs=3)
        assert abs(drawn["angle"]) <= 30
        assert row["reached"] == pytest.approx(0.5, abs=0.05)
        assert row["area_change"] == pytest.approx(0, abs=0.02)
        assert row["note"] == ""
    assert len(directions) == 8
    assert min(directions.values()) > 5


def test_a_mask_at_the_frame_moves_inwards(blobs):
    masks, ids = blobs(40, 160)
    masks = np.pad(masks[:, 70:], ((0, 0), (0, 70), (0, 0)))
    assert masks[:, 0].any(axis=-1).mean() > 0.9
    _, manifest = inject(masks, ids, Morphological(["affine"]), alpha=1, beta=0.5, seed=0)
    assert np.mean([row["area_change"] for row in manifest]) > -0.03
    assert [row["reached"] for row in manifest] == pytest.approx([0.5] * 40, abs=0.07)


@pytest.mark.parametrize("name", ["corner", "pixel", "border", "full", "hole", "pair"])
@pytest.mark.parametrize("beta", [0.1, 0.7, 1.8])
def test_awkward_masks_move(awkward, name, beta):
    mask = awkward[name]
    done = move(mask, beta, 23.0, [(-1, 1), (0, 1)])
    assert done.mask.any()
    error = np.count_nonzero(done.mask != mask) / np.count_nonzero(mask)
    assert done.note.startswith(UNREACHED) or error == pytest.approx(beta, abs=0.4)


def test_rotation_gives_way_to_a_small_beta(blobs):
    bar = np.zeros((60, 60), np.uint8)
    bar[28:32, 5:55] = 1
    done = move(bar, 0.2, 30.0, [(0, 1)])
    assert np.count_nonzero(done.mask != bar) / bar.sum() == pytest.approx(0.2, abs=0.05)
    assert 0 < abs(done.parameters["angle"]) < 30


def test_an_empty_mask_stays(awkward):
    noisy, (row,) = inject(
        awkward["empty"][None], ["a"], Morphological(), alpha=1, beta=0.5, seed=0
    )
    assert not noisy.any()
    assert (row["type"], row["reached"], row["dice"]) == ("clean", 0, 1)
    assert row["requested"] == 0.5
    assert "empty" in row["note"]


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_types(blobs, seed):
    _, manifest = inject(*blobs(6, 32), Morphological(["erode"]), alpha=1, beta=0.5, seed=seed)
    assert {row["type"] for row in manifest} == {"erode"}


@pytest.mark.parametrize("wrong", [{"types": ["melt"]}, {"types": []}, {"max_angle": 200}])
def test_wrong_arguments(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Morphological(**wrong)
