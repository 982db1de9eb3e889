"""Masks that belong to another image."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from robustseg.noise.model import (
    TOLERANCE,
    UNREACHED,
    Corruption,
    Donors,
    LabelDonors,
    unchanged,
)


class Swap:
    """Puts the clean mask of another image in the place of a mask.

    Some donors are drawn from the other images of the set, and the one whose
    |donor △ clean| / |clean| is nearest to β is taken; how near that is depends on the set, and
    Dice(noisy, clean) is 1 − β/2 only for a donor of the same area. One candidate is a swap at
    random, whatever β says. An empty mask gets the first candidate, since no error relative to it
    can be asked for. The donor depends on (seed, id, β) and on the set of ids and their clean
    masks, not on their order or on α.

    The error of mixed-up files; a mask's counterpart of the uniform label noise of classification
    (Zhang et al., Understanding deep learning requires rethinking generalization, ICLR 2017).

    A label map of several classes is swapped as a whole, the error being the share of pixels with
    another label, relative to the foreground.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Swap, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> masks[1] = np.roll(masks[0], 5, axis=0)
        >>> noisy, manifest = inject(masks, ["a", "b"], Swap(), alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], row["parameters"], row["reached"]) for row in manifest]
        [('swap', '{"donor":"b"}', 0.5), ('swap', '{"donor":"a"}', 0.5)]
    """

    def __init__(self, candidates: int = 64) -> None:
        """How many donors are drawn.

        Args:
            candidates: At least 1; with fewer other images than that, all of them.
        """
        if candidates < 1:
            raise ValueError(f"noise.model.candidates must be at least 1, not {candidates}")
        self.candidates = candidates

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        return self._swapped(mask, beta, rng, donors)

    def corrupt_labels(
        self,
        labels: np.ndarray,
        classes: int,
        beta: float,
        rng: np.random.Generator,
        donors: LabelDonors,
    ) -> tuple[np.ndarray, Mapping[int, Corruption]]:
        """See `robustseg.noise.model.LabelMapModel`."""
        done = self._swapped(labels, beta, rng, donors)
        said = {
            value: replace(done, mask=(done.mask == value).astype(np.uint8))
            for value in range(1, classes)
        }
        return done.mask, said

    def _swapped(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        if len(donors) == 0:
            return unchanged(mask, UNREACHED + "there is no other image")
        drawn = rng.permutation(len(donors))[: self.candidates]
        area = int(np.count_nonzero(mask))
        best, name, error = mask, "", float("inf")
        for index in drawn:
            other, donor = donors[int(index)]
            found = int(np.count_nonzero(donor != mask)) / max(area, 1)
            if abs(found - beta) < abs(error - beta):
                best, name, error = donor, other, found
            if area == 0:
                break
        note = ""
        if abs(error - beta) > TOLERANCE and self.candidates > 1 and area:
            note = UNREACHED + "no donor is as different, or as alike"
        return Corruption(best, "swap", {"donor": name}, note)
