"""A panel of annotators, each with a habit."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from robustseg.noise.flipping import flip_first
from robustseg.noise.model import EMPTY, Corruption, Donors, unchanged

HABITS = ("over", "under", "fracture")
CUTS = 3  # how many cuts a fractured mask has


class Annotator:
    """Each mask is redrawn by one annotator of a panel, always with that annotator's error.

    One who over-segments puts the contour outside by the same distance everywhere, one who
    under-segments inside, and one who fractures leaves out what is near three straight cuts
    through the object. β is |noisy △ clean| / |clean| for each of them, which is the relative
    change of the area, up to pixels of equal distance: Dice(noisy, clean) is 2/(2+β) for over and
    2(1−β)/(2−β) for the other two. An empty mask stays as it is.

    After Zhang et al., Disentangling Human Error from the Ground Truth in Segmentation of Medical
    Images, NeurIPS 2020 (arXiv 2007.15963). Their annotator who leaves the mask blank is `missed`
    with β = 1.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Annotator, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> model = Annotator(panel=["over"])
        >>> noisy, manifest = inject(masks, ["a", "b"], model, alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('over', 0.44), ('over', 0.44)]
    """

    def __init__(self, panel: Sequence[str] = HABITS) -> None:
        """The panel.

        Args:
            panel: The habit of each annotator (over, under or fracture); each draws as many masks.
        """
        unknown = [habit for habit in panel if habit not in HABITS]
        if unknown or not panel:
            raise ValueError(f"noise.model.panel must name habits of {HABITS}, not {list(panel)}")
        self.panel = tuple(panel)

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        if not mask.any():
            return unchanged(mask, EMPTY)
        annotator = int(rng.integers(len(self.panel)))
        habit = self.panel[annotator]
        if habit == "over":
            distance = ndimage.distance_transform_edt(mask == 0)
        elif habit == "under":
            distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
        else:
            distance = _distance_to_cuts(mask, rng)
        flippable = (mask == 0) if habit == "over" else (mask == 1)
        noisy, note = flip_first(mask, np.where(flippable, distance, np.inf), beta)
        return Corruption(noisy, habit, {"annotator": annotator}, note)


def _distance_to_cuts(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The distance of every pixel to the nearest of some lines through random foreground pixels."""
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    through = rng.permutation(np.flatnonzero(mask))[:CUTS]
    lines = []
    for row, column in (divmod(int(pixel), mask.shape[1]) for pixel in through):
        angle = rng.uniform(0, np.pi)
        lines.append(np.abs((y - row) * np.cos(angle) - (x - column) * np.sin(angle)))
    return np.min(lines, axis=0)
