"""Masks that are too large, too small, or in the wrong place."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from robustseg.noise.city_block import Rings, dilate, dilation_rings, erode, erosion_rings
from robustseg.noise.model import (
    EMPTY,
    UNREACHED,
    Corruption,
    Donors,
    note_if_off,
    unchanged,
)
from robustseg.noise.moving import DIRECTIONS, Piece, Shift, best_shift, place, rotate, shifted

TYPES = ("dilate", "erode", "affine")


class Morphological:
    """Dilates, erodes or moves a mask, one of them at random for each mask.

    β is the error |noisy △ clean| / |clean|. For dilation and erosion, by 4-neighbour steps, that
    is the relative change of the area, and the number of steps that comes nearest is taken (never
    one that fills the frame or empties the mask). An affine error is a rotation by a uniform angle
    about the mask's own centre (halved while it alone is more than β), then a shift in one of eight
    directions, of the size that comes nearest; the direction is drawn from those in which nothing
    leaves the frame, if there are any.
    Dice(noisy, clean) is 2/(2+β), 2(1−β)/(2−β) and, where nothing leaves the frame, 1−β/2. An
    empty mask stays as it is; a β that is out of reach, or missed by more than 0.05, is noted.

    After Gonzalez-Jimenez et al., MICCAI 2023 (arXiv 2306.00753) and Li, Gao and He, MICCAI 2021;
    their code as it stands is `legacy`.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Morphological, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> model = Morphological(types=["dilate"])
        >>> noisy, manifest = inject(masks, ["a", "b"], model, alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('dilate', 0.41), ('dilate', 0.41)]
    """

    def __init__(self, types: Sequence[str] = TYPES, max_angle: float = 30.0) -> None:
        """Which errors are made.

        Args:
            types: Some of dilate, erode and affine, each equally likely.
            max_angle: The angle is uniform in [−max_angle, max_angle], degrees.
        """
        unknown = [kind for kind in types if kind not in TYPES]
        if unknown or not types:
            raise ValueError(f"noise.model.types must be some of {TYPES}, not {types}")
        if not 0 <= max_angle <= 180:
            raise ValueError(f"noise.model.max_angle must be in [0, 180] degrees, not {max_angle}")
        self.types = tuple(types)
        self.max_angle = max_angle

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        if not mask.any():
            return unchanged(mask, EMPTY)
        kind = self.types[rng.integers(len(self.types))]
        if kind == "affine":
            angle = float(rng.uniform(-self.max_angle, self.max_angle))
            return move(
                mask, beta, angle, [DIRECTIONS[i] for i in rng.permutation(len(DIRECTIONS))]
            )
        return resize(mask, beta, kind)


def resize(mask: np.ndarray, beta: float, kind: str) -> Corruption:
    """Dilates or erodes a mask with foreground by the number of steps that comes nearest to β.

    Of equally near ones the larger number is taken.
    """
    grow = kind == "dilate"
    area = (1 + beta if grow else 1 - beta) * np.count_nonzero(mask)
    rings = dilation_rings(mask, area) if grow else erosion_rings(mask)
    steps, note = _nearest_step(rings, area, grow)
    noisy = dilate(rings, steps) if grow else erode(rings, steps)
    return Corruption(noisy, kind, {"steps": steps}, note or note_if_off(mask, noisy, beta))


def _nearest_step(rings: Rings, area: float, grow: bool) -> tuple[int, str]:
    """The number of steps that comes nearest to an area, and a note."""
    off = np.abs(rings.areas - area)
    allowed = rings.areas < math.prod(rings.shape) if grow else rings.areas > 0
    if not allowed[0]:
        return 0, UNREACHED + "mask fills the frame"
    last = int(np.flatnonzero(allowed)[-1])
    steps = last - int(np.argmin(off[: last + 1][::-1]))
    if last + 1 < len(off) and off[last + 1] < off[steps]:
        return steps, UNREACHED + ("mask would fill the frame" if grow else "mask would be empty")
    if steps == 0:
        return 0, UNREACHED + "one step changes too much"
    return steps, ""


def _turn(mask: np.ndarray, beta: float, angle: float) -> tuple[float, Piece]:
    """The mask turned by the angle, halved until the turned mask is within β of the clean one."""
    for halvings in range(6):
        piece = rotate(mask, angle / 2**halvings)
        frame = place(piece, mask.shape)
        if frame.any() and np.count_nonzero(frame != mask) <= beta * np.count_nonzero(mask):
            return angle / 2**halvings, piece
    return 0.0, Piece(mask.astype(bool), 0, 0)


def move(
    mask: np.ndarray, beta: float, angle: float, directions: Iterable[tuple[int, int]]
) -> Corruption:
    """Rotates a mask with foreground and shifts it as far as comes nearest to β.

    The angle is halved until the rotation alone changes no more than β, and the first of the
    directions is taken in which β is reached and nothing leaves the frame; if there is none, the
    one that loses least of those that reach β; if that is none, the one that comes nearest.
    """
    angle, turned = _turn(mask, beta, angle)
    best: Shift | None = None
    for direction in directions:
        found = best_shift(turned, mask, direction, beta)
        if best is None or _rank(found, beta) < _rank(best, beta):
            best = found
        if best.reached and not best.lost:
            break
    assert best is not None
    noisy = place(shifted(turned, best.rows, best.columns), mask.shape)
    parameters = {"angle": round(angle, 6), "rows": best.rows, "columns": best.columns}
    note = ""
    if not best.reached:
        note = UNREACHED + "no shift changes the mask as much"
    elif best.error == 0:
        note = UNREACHED + "one pixel changes too much"
    return Corruption(noisy, "affine", parameters, note or note_if_off(mask, noisy, beta))


def _rank(shift: Shift, beta: float) -> tuple[float, int]:
    """Smaller is better: first how far β is out of reach, then what leaves the frame."""
    return (0.0 if shift.reached else beta - shift.error, shift.lost)
