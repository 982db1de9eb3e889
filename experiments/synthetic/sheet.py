"""Draw a contact sheet of each synthetic dataset beside this file.

Usage: ``python experiments/synthetic/sheet.py [--seed 0] [--size 96]``
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from robustseg import CLASS_COLORS
from robustseg.data.synthetic import Synthetic
from robustseg.data.synthetic.source import CLASSES, KINDS

COLUMNS, ROWS = 8, 3
POSITIVE_SHARE = 0.5  # of the tiles on the sheet; most tiles of the dataset are negative


def sheet(kind: str, size: int, seed: int) -> np.ndarray:
    """Return rows of pictures, and under each row the same with the outline of each class."""
    share = POSITIVE_SHARE if kind == "histopathology" else None
    names = CLASSES.get(kind)
    source = Synthetic(
        kind,
        size,
        train=COLUMNS * ROWS,
        val=0,
        test=0,
        seed=seed,
        positive_fraction=share,
        classes=names,
    )
    colours = CLASS_COLORS[: len(names) - 1] if names else ("#00FF00",)
    plain, outlined = [], []
    for record in source.records():
        image, mask = source.read(record)
        image = np.repeat(image, 3 // image.shape[2], axis=2)
        drawn = image.copy()
        for value, colour in enumerate(colours, start=1):
            one = (mask == value).astype(np.uint8)
            contours, _ = cv2.findContours(one, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(drawn, contours, -1, tuple(bytes.fromhex(colour[1:])), 1)
        plain.append(image)
        outlined.append(drawn)
    rows = []
    for row in range(ROWS):
        part = slice(row * COLUMNS, (row + 1) * COLUMNS)
        rows += [np.hstack(plain[part]), np.hstack(outlined[part])]
    return np.vstack(rows)


def main() -> None:
    """Write a PNG of each kind, in 255 colours to keep them small."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=96, help="side of a picture in pixels")
    arguments = parser.parse_args()
    for kind in KINDS:
        picture = Image.fromarray(sheet(kind, arguments.size, arguments.seed))
        path = Path(__file__).with_name(f"{kind}.png")
        picture.quantize(255, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)
        print(path.name, path.stat().st_size // 1000, "kB")


if __name__ == "__main__":
    main()
