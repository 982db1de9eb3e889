"""Boundaries as if drawn with an unsteady hand."""

import numpy as np
from scipy import fft, ndimage

from robustseg.noise.flipping import flip_first
from robustseg.noise.model import EMPTY, Corruption, Donors, unchanged


class Elastic:
    """Moves the boundary in and out along its normal by a smooth random field.

    With d ≥ 0 the Euclidean distance of a pixel to the boundary and g a Gaussian random field read
    at the boundary pixel next to it, the boundary moves by a·g: outwards where g > 0, inwards
    where g < 0. A pixel on that side changes at the amplitude a = d/|g|, so the a with
    |noisy △ clean| / |clean| = β is found by ranking the pixels, without a search, and exactly up
    to equal pixels. The area may change, by up to β, and grows on average, since near a rounded
    outline there are more pixels outside than inside: at β = 0.7 to 1.03 (drawn lesions) and 1.09
    (synthetic lungs) of the clean one at 256 × 256 pixels, 1.07 and 1.12 at 64 × 64. With a the
    relative change, Dice(noisy, clean) is 1 − β/(2 + a). An empty mask stays as it is; what lies
    outside the frame is background.

    Elastic fields after Simard, Steinkraus and Platt, ICDAR 2003, here along the normal of the
    boundary.

    Examples:
        >>> import numpy as np
        >>> from robustseg.noise import Elastic, inject
        >>> masks = np.zeros((2, 64, 64), np.uint8)
        >>> masks[:, 20:40, 20:40] = 1
        >>> noisy, manifest = inject(masks, ["a", "b"], Elastic(), alpha=1.0, beta=0.5, seed=0)
        >>> [(row["type"], round(row["reached"], 2)) for row in manifest]
        [('elastic', 0.5), ('elastic', 0.5)]
    """

    def __init__(self, smoothness: float = 0.15) -> None:
        """The field.

        Args:
            smoothness: Standard deviation of the Gaussian that smooths the field, as a share of
                the root of the mask's area; small is ragged, large is a slow drift.
        """
        if not smoothness > 0:
            raise ValueError(f"noise.model.smoothness must be above 0, not {smoothness}")
        self.smoothness = smoothness

    def corrupt(
        self, mask: np.ndarray, beta: float, rng: np.random.Generator, donors: Donors
    ) -> Corruption:
        """See `NoiseModel`."""
        if not mask.any():
            return unchanged(mask, EMPTY)
        sigma = max(1.0, self.smoothness * float(np.sqrt(np.count_nonzero(mask))))
        spectrum = fft.rfft2(rng.standard_normal(mask.shape))
        field = fft.irfft2(ndimage.fourier_gaussian(spectrum, sigma, n=mask.shape[1]), mask.shape)
        outside, growth = _from_boundary(mask, 0, field)
        inside, shrinkage = _from_boundary(mask, 1, -field)
        distance = np.where(mask == 1, inside, outside)
        speed = np.where(mask == 1, shrinkage, growth)
        amplitude = np.full(mask.shape, np.inf)
        np.divide(distance, speed, out=amplitude, where=speed > 0)
        noisy, note = flip_first(mask, amplitude, beta)
        return Corruption(noisy, "elastic", {"sigma": round(sigma, 3)}, note)


def _from_boundary(mask: np.ndarray, side: int, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of one side of a mask the distance to the other side, and the field there."""
    found = ndimage.distance_transform_edt(np.pad(mask, 1) == side, return_indices=True)
    distance, (rows, columns) = (part[..., 1:-1, 1:-1] for part in found)
    height, width = mask.shape
    nearest = np.clip(rows - 1, 0, height - 1), np.clip(columns - 1, 0, width - 1)
    return distance, field[nearest]
