"""Brightness, contrast and gamma of channels, as batchgenerators 0.21 changes them."""

from collections.abc import Sequence
from typing import Any

import albumentations as A
import numpy as np

from robustseg.data.transforms.drawing import check_factors, two_sided

_TINY = 1e-8


class _Levels(A.ImageOnlyTransform):
    """A map of each channel's values, with a factor drawn for each.

    Args:
        factors: [low, high] with 0 < low ≤ 1 ≤ high.
        p: probability that an image is changed.
    """

    def __init__(self, factors: Sequence[float], p: float = 0.5) -> None:
        super().__init__(p=p)
        self.factors = check_factors(f"{type(self).__name__}: factors", factors)

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """One factor a channel."""
        return {"drawn": [self.draw() for _ in range(data["image"].shape[2])]}

    def draw(self) -> float:
        """A factor: below or above 1 with equal probability, uniform on either side."""
        return two_sided(self.factors, self.py_random)

    def apply(self, img: np.ndarray, drawn: Sequence[float] = (), **params: Any) -> np.ndarray:
        """Change image (H, W, C), uint8."""
        # The scale of the network's input, see `robustseg.models.normalisation`.
        half, middle = (127.5, 1.0) if img.shape[2] == 3 else (255.0, 0.0)
        values = img / half - middle
        for channel, factor in enumerate(drawn):
            values[..., channel] = self.change(values[..., channel], factor)
        return np.clip(np.rint((values + middle) * half), 0, 255).astype(np.uint8)

    def change(self, x: np.ndarray, factor: float) -> np.ndarray:
        """Values (H, W) of a channel, on the scale of the network's input, changed."""
        raise NotImplementedError


class Brightness(_Levels):
    """Multiply each channel by a factor: x → f·x with f ~ U(low, high).

    In colour x is in [-1, 1], so that this turns about the middle grey: it is rather a contrast.
    """

    def draw(self) -> float:
        """A uniform factor."""
        return self.py_random.uniform(*self.factors)

    def change(self, x: np.ndarray, factor: float) -> np.ndarray:
        """Return f·x."""
        return x * factor


class Contrast(_Levels):
    """Stretch each channel about its mean m, within its range: x → m + f·(x - m).

    Below its least value and above its largest the result is cut off.
    """

    def change(self, x: np.ndarray, factor: float) -> np.ndarray:
        """Return m + f·(x - m), cut off."""
        return np.clip(x.mean() + factor * (x - x.mean()), x.min(), x.max())


class Gamma(_Levels):
    """Raise each channel, scaled from its own range to [0, 1], to the power of a factor γ.

    With g the result on the channel's range [a, b], a + (b - a)·((x - a)/(b - a))^γ, the channel
    gets back its mean m and standard deviation s in the way of batchgenerators 0.21, which scales
    after it has moved: x → (g - mean(g) + m)·s/std(g). So s is kept and m becomes m·s/std(g).

    Args:
        factors: [low, high] of γ with 0 < low ≤ 1 ≤ high.
        inverted: whether it is done to -x.
        p: probability that an image is changed.
    """

    def __init__(self, factors: Sequence[float], inverted: bool = False, p: float = 0.5) -> None:
        super().__init__(factors, p)
        self.inverted = inverted

    def change(self, x: np.ndarray, factor: float) -> np.ndarray:
        """Return the channel with its gamma changed."""
        x = -x if self.inverted else x
        least, span = x.min(), np.ptp(x)
        g = least + span * ((x - least) / (span + _TINY)) ** factor
        g = (g - g.mean() + x.mean()) / (g.std() + _TINY) * x.std()
        return -g if self.inverted else g
