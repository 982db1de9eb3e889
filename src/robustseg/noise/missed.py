"""Objects, or parts of them, that were overlooked."""

import numpy as np
from scipy import ndimage

from robustseg.noise.model import (
    EMPTY,
    UNREACHED,
    Corruption,
    Donors,
    note_if_off,
    unchanged,
)


class Missed:
    """Leaves out objects in random order until the share β of the foreground is missing.

    Objects are 8-connected. The one that would be too much is cut: what lies beyond a straight
    line of random direction is missing too. β is |noisy △ clean| / |clean|, here the area that is
    gone, and Dice(noisy, clean) is 2(1−β)/(2−β), up to a pixel. With β = 1 the mask is blank; more
    cannot be. An empty mask stays as it is.

    On missing annotations among other wrong masks: Karimi et al., Deep learning with noisy labels,
    Medical Image Analysis 2020 (arXiv 1912.02911). The cut is for images of a single object.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Missed, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> noisy, manifest = inject(masks, ["a", "b"], Missed(), alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('missed', 0.5), ('missed', 0.5)]
    """

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        if not mask.any():
            return unchanged(mask, EMPTY)
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())
        wanted = min(round(beta * int(sizes[1:].sum())), int(sizes[1:].sum()))
        noisy = mask.copy()
        left, whole = wanted, 0
        for name in rng.permutation(np.arange(1, count + 1)):
            if sizes[name] > left:
                noisy.flat[_beyond_line(labels == name, left, rng)] = 0
                break
            noisy[labels == name] = 0
            left -= int(sizes[name])
            whole += 1
        if beta > 1:
            note = UNREACHED + "there is no more to miss"
        elif wanted == 0:
            note = UNREACHED + "less than half a pixel"
        else:
            note = note_if_off(mask, noisy, beta)
        return Corruption(noisy, "missed", {"objects": count, "whole": whole}, note)


def _beyond_line(part: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The flat indices of so many pixels of an object, those farthest in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    inside = np.flatnonzero(part)
    row, column = np.unravel_index(inside, part.shape)
    along = row * np.sin(angle) + column * np.cos(angle)
    return inside[np.argsort(-along, kind="stable")[:count]]
