import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robustseg.noise.moving import DIRECTIONS, Piece, best_shift, place, rotate, shifted


@given(seed=st.integers(0, 10**6), angle=st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_rotation_keeps_the_area(blobs, seed, angle):
    mask = blobs(1, 160, seed)[0][0]
    piece = rotate(mask, angle)
    assert piece.pixels.sum() == pytest.approx(mask.sum(), rel=0.02)


@pytest.mark.parametrize("angle", [-30, -7.5, 12, 90])
def test_rotation_is_that_of_skimage(blobs, angle):
    transform = pytest.importorskip("skimage.transform")
    mask = blobs(1, 96)[0][0]
    rows, columns = np.nonzero(mask)
    centre = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    peer = transform.rotate(mask.astype(float), angle, center=centre) >= 0.5
    ours = place(rotate(mask, angle), mask.shape)
    assert np.count_nonzero(ours != peer) <= 4  # values of exactly one half


def test_no_rotation_is_none(awkward):
    for name in ("corner", "pixel", "border", "full", "hole", "pair"):
        assert np.array_equal(place(rotate(awkward[name], 0), (24, 32)), awkward[name])


def test_directions():
    assert sorted(DIRECTIONS) == [
        (y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)
    ]


@given(
    seed=st.integers(0, 10**6),
    angle=st.floats(-30, 30),
    direction=st.sampled_from(DIRECTIONS),
    wanted=st.floats(0.05, 1.9),
)
@settings(max_examples=60, deadline=None)
def test_first_shift_that_reaches_the_error(blobs, seed, angle, direction, wanted):
    mask = blobs(1, 48, seed)[0][0]
    piece = rotate(mask, angle)
    found = best_shift(piece, mask, direction, wanted)
    moved = [
        place(shifted(piece, step * direction[0], step * direction[1]), mask.shape)
        for step in range(60)
    ]
    errors = np.array([np.count_nonzero(each != mask) for each in moved]) / mask.sum()
    inside = np.array([each.any() for each in moved])
    reaching = np.flatnonzero((errors >= wanted) & inside)
    assert found.reached == bool(len(reaching))
    if found.reached:
        around = errors[max(0, reaching[0] - 1) : reaching[0] + 1]
        assert abs(found.error - wanted) == pytest.approx(np.abs(around - wanted).min())
    step = max(abs(found.rows), abs(found.columns))
    assert found.error == errors[step]
    assert found.lost == piece.pixels.sum() - moved[step].sum()


def test_what_leaves_the_frame_may_come_back():
    piece = Piece(np.ones((4, 4), bool), -2, 0)
    assert place(piece, (8, 8)).sum() == 8
    assert place(shifted(piece, 2, 0), (8, 8)).sum() == 16
    assert place(shifted(piece, -5, 0), (8, 8)).sum() == 0
