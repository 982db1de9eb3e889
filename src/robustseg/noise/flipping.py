"""Flipping the pixels that are first in some order, as many as make the wanted error."""

import numpy as np

from robustseg.noise.model import UNREACHED, note_if_off


def flip_first(mask: np.ndarray, score: np.ndarray, beta: float) -> tuple[np.ndarray, str]:
    """Flips the pixels of the lowest score, so many that |noisy △ clean| / |clean| is nearest to β.

    Pixels of one score flip together. The last pixel of the foreground and the last of the
    background stay, so that the mask is neither emptied nor fills the frame.

    Args:
        mask: uint8 (H, W), 0 and 1, with some foreground.
        score: float (H, W), the order of flipping; inf for what never flips.
        beta: The error asked for.

    Returns:
        The mask and a note, empty if β is reached to within `TOLERANCE`.
    """
    order = score.copy()
    for value in (0, 1):
        own = mask == value
        if own.any() and np.isfinite(score[own]).all():
            order.flat[np.argmax(np.where(own, score, -np.inf))] = np.inf
    pool = order[np.isfinite(order)]
    wanted = beta * np.count_nonzero(mask)
    if wanted >= pool.size:
        return mask ^ np.isfinite(order), UNREACHED + "all that may change has changed"
    limit = np.partition(pool, int(wanted))[int(wanted)]
    below, within = np.count_nonzero(pool < limit), np.count_nonzero(pool <= limit)
    flips = order < limit if wanted - below < within - wanted else order <= limit
    noisy = mask ^ flips
    if not flips.any():
        return noisy, UNREACHED + "one step changes too much"
    return noisy, note_if_off(mask, noisy, beta)
