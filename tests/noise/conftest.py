"""Masks to corrupt: drawn blobs and awkward ones."""

import numpy as np
import pytest
from scipy import ndimage


@pytest.fixture(scope="session")
def blobs():
    """A function: n smooth blobs of different size and place, none at the frame, and their ids."""

    def draw(n: int, side: int = 96, seed: int = 0) -> tuple[np.ndarray, list[str]]:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:side, :side] / side
        masks = np.zeros((n, side, side), np.uint8)
        for mask in masks:
            cy, cx = rng.uniform(0.44, 0.56, 2)
            ry, rx = rng.uniform(0.11, 0.22, 2)
            bumps = ndimage.gaussian_filter(rng.standard_normal((side, side)), side / 12)
            edge = 1 + 0.15 * bumps / bumps.std()
            mask[((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < edge] = 1
        labels = [ndimage.label(mask)[0] for mask in masks]
        keep = [label == np.argmax(np.bincount(label.ravel())[1:]) + 1 for label in labels]
        return np.stack(keep).astype(np.uint8), [f"case_{i:04d}" for i in range(n)]

    return draw


@pytest.fixture(scope="session")
def awkward():
    """Masks that break careless code, by name."""
    masks = {name: np.zeros((24, 32), np.uint8) for name in ("empty", "corner", "pixel", "border")}
    masks["corner"][0, 0] = 1
    masks["pixel"][11, 15] = 1
    masks["border"][:, 0] = masks["border"][0] = 1
    masks["full"] = np.ones((24, 32), np.uint8)
    masks["hole"] = masks["full"].copy()
    masks["hole"][10, 10] = 0
    masks["pair"] = np.zeros((24, 32), np.uint8)
    masks["pair"][5:8, 5:8] = masks["pair"][15:21, 20:29] = 1
    return masks
