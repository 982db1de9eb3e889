"""The noise of the public T-Loss code, bit for bit, faults included."""

import random
from collections.abc import Sequence
from typing import cast

import numpy as np

from robustseg.noise.city_block import dilate, dilation_rings, erode, erosion_rings
from robustseg.noise.model import (
    EMPTY,
    UNREACHED,
    Corruption,
    Donors,
    note_if_off,
    unchanged,
)
from robustseg.noise.morphological import TYPES
from robustseg.noise.whole_pixels import rotate_whole

# As published: (−1, −1) is missing and (−1, 1) there twice. The sign is lost anyway.
DIRECTIONS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, 1), (0, -1), (1, -1))
MAX_ANGLE = 30  # degrees
MAX_SHIFT = 100  # pixels


class Legacy:
    """What github Digital-Dermatology/t-loss makes of the same masks, ids and seed.

    β as in `morphological`: the error |noisy △ clean| / |clean|, for dilation and erosion the
    relative change of the area. Kept as they are: a shift never goes up or to the left, the
    rotated mask is cut down to the pixels that are wholly foreground, the bisection takes the last
    shift tried, and a β out of reach goes unnoticed by the operator (here it is noted).

    All draws come from one stream: the sorted ids are shuffled by `random.Random(seed)` (the
    public code has seed 0), the first int(N·α) are noisy, and in the order of their ids each draws
    its type, then what that needs. So unlike with every other model, what is done to a mask depends
    on the other ids and on α. Where the public code crashes (dilating or eroding a mask that is
    empty or whose int(β·area) is 0, dilating one that fills the frame) the mask stays clean.

    Source: Gonzalez-Jimenez et al., MICCAI 2023 (arXiv 2306.00753), whose code adapts that of Li,
    Gao and He, MICCAI 2021 (gaozhitong/SP_guided_Noisy_Label_Seg).

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Legacy, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> noisy, manifest = inject(masks, ["a", "b"], Legacy(), alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('erode', 0.51), ('dilate', 0.41)]
    """

    def streams(self, ids: Sequence[str], alpha: float, seed: int) -> dict[str, random.Random]:
        """The noisy ids, each with the one stream of all. See `OrderedModel`."""
        stream = random.Random(seed)
        shuffled = list(ids)
        stream.shuffle(shuffled)
        return dict.fromkeys(sorted(shuffled[: int(len(shuffled) * alpha)]), stream)

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`; `rng` is what `streams` gave."""
        stream = cast(random.Random, rng)
        kind = stream.choice(TYPES)
        if kind == "affine":
            return _move(mask, beta, stream)
        return _resize(mask, beta, kind)


def _resize(mask: np.ndarray, beta: float, kind: str) -> Corruption:
    """Steps until the area passes the threshold; of the last two masks the nearer."""
    area = int(np.count_nonzero(mask))
    wanted = int(area * beta)
    if area == 0:
        return unchanged(mask, EMPTY + ", the public code crashes")
    if wanted == 0:
        return unchanged(mask, UNREACHED + "less than a pixel, the public code crashes")
    grow = kind == "dilate"
    if grow and area == mask.size:
        return unchanged(mask, UNREACHED + "mask fills the frame, the public code crashes")
    target = area + wanted if grow else area - wanted
    rings = dilation_rings(mask, target) if grow else erosion_rings(mask)
    passed = rings.areas >= target if grow else rings.areas <= target
    limit = mask.size if grow else 0
    steps = int(np.argmax(passed | (rings.areas == limit)))
    stopped = rings.areas[steps] == limit
    if stopped or abs(rings.areas[steps - 1] - target) < abs(rings.areas[steps] - target):
        steps -= 1
    noisy = dilate(rings, steps) if grow else erode(rings, steps)
    note = note_if_off(mask, noisy, beta)
    if stopped:
        note = UNREACHED + ("mask would fill the frame" if grow else "mask would be empty")
    return Corruption(noisy, kind, {"steps": steps}, note)


def _move(mask: np.ndarray, beta: float, stream: random.Random) -> Corruption:
    """Rotates about the frame's centre, then bisects the shift."""
    angle = stream.uniform(-MAX_ANGLE, MAX_ANGLE)
    turned = rotate_whole(mask, angle)
    rows, columns = (abs(part) for part in stream.choice(DIRECTIONS))
    area = int(np.count_nonzero(mask))
    low, high = 0, MAX_SHIFT
    while low < high:
        step = (low + high) // 2
        noisy = _shift(turned, step * rows, step * columns)
        difference = int(np.count_nonzero(noisy != mask))
        if area == 0 or difference / area == beta:
            break
        if difference / area > beta:
            high = step - 1
        else:
            low = step + 1
    parameters = {"angle": round(angle, 6), "rows": step * rows, "columns": step * columns}
    note = note_if_off(mask, noisy, beta) if area else EMPTY
    return Corruption(noisy, "affine", parameters, note)


def _shift(mask: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """A mask moved down and to the right; what leaves the frame is lost."""
    height, width = mask.shape
    moved = np.zeros_like(mask)
    moved[rows:, columns:] = mask[: max(height - rows, 0), : max(width - columns, 0)]
    return moved
