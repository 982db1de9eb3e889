"""Boundaries that have wandered, pixel by pixel."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from robustseg.noise.model import EMPTY, TOLERANCE, UNREACHED, Corruption, Donors, unchanged


class Markov:
    """Grows and shrinks a mask at random pixels of its boundary.

    At every step the mask grows with probability θ1, else it shrinks: each background pixel that
    touches it (4-neighbours; for a shrinking one each foreground pixel that touches the background)
    changes with probability θ2. At the end every pixel of the frame flips with probability θ3 and
    a Gaussian (σ 2, 5×5) smooths the result, cut at one half, which leaves ragged edges and a few
    specks. Where the paper fixes the number of steps T, here β does: the chain continues until the
    finished mask has |noisy △ clean| / |clean| = β.

    Source: Yao et al., Learning to Segment from Noisy Annotations, ICLR 2023 (arXiv 2308.02498);
    ISIC there: T = 200, θ1 = 0.2 or 0.8, θ2 = 0.05, θ3 = 0.2.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Markov, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> noisy, manifest = inject(masks, ["a", "b"], Markov(), alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('markov', 0.48), ('markov', 0.51)]
    """

    def __init__(
        self,
        theta1: Sequence[float] = (0.2, 0.8),
        theta2: float = 0.05,
        theta3: float = 0.2,
        max_steps: int = 2000,
    ) -> None:
        """The chain's probabilities.

        Args:
            theta1: Probabilities of growing; one is drawn for each mask.
            theta2: Probability that a pixel of the ring changes, (0, 1].
            theta3: Probability that a pixel flips at the end, [0, 0.5).
            max_steps: Where the chain ends if β is not reached.
        """
        if not theta1 or not all(0 <= value <= 1 for value in theta1):
            raise ValueError(f"noise.model.theta1 must be probabilities, not {theta1}")
        if not (0 < theta2 <= 1 and 0 <= theta3 < 0.5):
            raise ValueError(
                f"noise.model needs 0 < theta2 <= 1 and 0 <= theta3 < 0.5, not {theta2}, {theta3}"
            )
        self.theta1, self.theta2, self.theta3 = tuple(theta1), theta2, theta3
        self.max_steps = max_steps

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        if not mask.any():
            return unchanged(mask, EMPTY)
        growth = self.theta1[rng.integers(len(self.theta1))]
        flips = rng.random(mask.shape) < self.theta3
        clean = mask.astype(bool)
        chain, area, wrong = clean.copy(), np.count_nonzero(clean), 0
        best, error, steps = clean, 0.0, 0
        ask = 0.9 * beta  # the smoothing adds its own error, so look before the chain is there
        for step in range(1, self.max_steps + 1):
            wrong += self._step(chain, clean, growth, rng)
            last = step == self.max_steps or chain.all() or not chain.any()
            if wrong / area < ask and not last:
                continue
            finished = _smooth(chain ^ flips)
            found = np.count_nonzero(finished != clean) / area
            if abs(found - beta) < abs(error - beta) and finished.any() and not finished.all():
                best, error, steps = finished, found, step
            if found >= beta or last:
                break
            ask = wrong / area + (beta - found) / 2
        note = (
            UNREACHED + "the chain ended first or jumped over it"
            if abs(error - beta) > TOLERANCE
            else ""
        )
        return Corruption(best.astype(np.uint8), "markov", {"theta1": growth, "steps": steps}, note)

    def _step(
        self, chain: np.ndarray, clean: np.ndarray, growth: float, rng: np.random.Generator
    ) -> int:
        """One step of the chain, in place; returns by how much the wrong pixels increase."""
        grow = rng.random() < growth
        inner = chain if grow else ~chain
        ring = np.flatnonzero(_touched(inner) & ~inner)
        changed = ring[rng.random(len(ring)) < self.theta2]
        chain.flat[changed] = grow
        return len(changed) - 2 * int(np.count_nonzero(clean.flat[changed] == grow))


def _touched(inner: np.ndarray) -> np.ndarray:
    """The pixels with a 4-neighbour in a bool mask."""
    touched = np.zeros_like(inner)
    touched[1:] |= inner[:-1]
    touched[:-1] |= inner[1:]
    touched[:, 1:] |= inner[:, :-1]
    touched[:, :-1] |= inner[:, 1:]
    return touched


def _smooth(mask: np.ndarray) -> np.ndarray:
    """A 5×5 Gaussian of σ = 2, cut at one half."""
    return ndimage.gaussian_filter(mask.astype(np.float32), 2, radius=2, mode="mirror") > 0.5
