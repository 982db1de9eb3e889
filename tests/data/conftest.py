"""Miniature data sets, written into a temporary folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def picture(seed: int, size: int = 32, channels: int = 3) -> np.ndarray:
    """A smooth random picture; another seed gives another one."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, channels), dtype=np.uint8)
    coarse = coarse[..., 0] if channels == 1 else coarse
    return np.array(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def disc(radius: float, size: int = 32) -> np.ndarray:
    """A mask 0/255 with a disc in its middle."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.where(x**2 + y**2 <= radius**2, 255, 0).astype(np.uint8)


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def isic_root(tmp_path: Path) -> Path:
    """Four training, two validation and two test images in the official folders."""
    root = tmp_path / "isic"
    number = 0
    for part, count in (("Training", 4), ("Validation", 2), ("Test_v2", 2)):
        for _ in range(count):
            stem = f"ISIC_{number:07d}"
            save(root / f"ISIC-2017_{part}_Data" / f"{stem}.jpg", picture(number))
            truth = root / f"ISIC-2017_{part}_Part1_GroundTruth"
            save(truth / f"{stem}_segmentation.png", disc(4 + number))
            number += 1
        save(root / f"ISIC-2017_{part}_Data" / f"{stem}_superpixels.png", picture(99))
        (root / f"ISIC-2017_{part}_Data" / f"ISIC-2017_{part}_metadata.csv").write_text("id\n")
    return root


@pytest.fixture
def tiles_root(tmp_path: Path) -> Path:
    """Twelve tiles of four cases, every second one without foreground."""
    root = tmp_path / "tiles"
    for number in range(12):
        stem = f"P{number // 3}_tile{number}"
        save(root / "images" / f"{stem}.png", picture(number))
        save(root / "masks" / f"{stem}.png", disc(8 if number % 2 else 0))
    return root
