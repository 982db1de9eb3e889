"""Pictures that are in two splits: the same pixels, or the same scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.fft import dctn

THUMBNAIL = 32  # pixels a side
DISTANCE = 10  # bits of 64
CORRELATION = 0.98
ROWS = 1024  # compared with all others at a time
MOST = 100_000  # pairs that are kept: n frames of one film make n²/2


@dataclass(frozen=True)
class Appearance:
    """What is compared of a picture.

    Attributes:
        id: of its record.
        split: of its record.
        pixels: a hash of all pixels.
        thumbnail: (32 * 32,) grey values of mean 0 and length 1; zeros if all are equal.
    """

    id: str
    split: str
    pixels: str
    thumbnail: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Two pictures that are alike.

    Attributes:
        kind: "exact" if all pixels are equal, else "near".
        first: the id of one.
        first_split: its split.
        second: the id of the other.
        second_split: its split.
        correlation: of the thumbnails, at most 1.
        distance: bits of 64 in which the perceptual hashes differ.
    """

    kind: str
    first: str
    first_split: str
    second: str
    second_split: str
    correlation: float
    distance: int


def thumbnail(image: np.ndarray) -> np.ndarray:
    """(1024,) grey values of a (H, W, 1 or 3) uint8 image at 32×32, of mean 0 and length 1."""
    pillow = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).convert("L")
    small = pillow.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    grey = np.asarray(small, dtype=np.float32).ravel()
    grey = grey - grey.mean()
    length = np.linalg.norm(grey)
    return grey / length if length > 0 else grey


def perceptual_hash(thumb: np.ndarray) -> np.ndarray:
    """(64,) bits: which of the 8×8 lowest cosine coefficients of a thumbnail pass their median.

    The constant coefficient is left out of the median. Source: pHash, Zauner 2010.
    """
    low = dctn(thumb.reshape(THUMBNAIL, THUMBNAIL), norm="ortho")[:8, :8].ravel()
    return low > np.median(low[1:])


def across_splits(
    appearances: Sequence[Appearance], parts: Sequence[str] | None = None
) -> list[Pair]:
    """Pairs of different splits that are alike, the most alike first.

    With `parts`, one for each picture, pairs of different parts, whatever their splits; of equal
    pictures, however many, the first is paired with each.

    Near means a correlation of the thumbnails of 0.98 and perceptual hashes that differ in at
    most 10 of 64 bits. That finds pictures saved again and most second photographs of a lesion,
    and none of two chest X-rays or tissue tiles of different patients. Of more than `MOST` pairs
    the most alike are given.
    """
    if not appearances:
        return []
    thumbs = np.stack([appearance.thumbnail for appearance in appearances])
    splits = np.array(parts or [appearance.split for appearance in appearances])
    pixels = np.array([appearance.pixels for appearance in appearances])
    _, firsts, which = np.unique(pixels, return_index=True, return_inverse=True)
    first = firsts[which] == np.arange(len(pixels))
    order = np.argsort(np.argsort([appearance.id for appearance in appearances]))
    hashes = _Hashes(appearances)
    found = np.empty((4, 0))  # two pictures, correlation, distance
    for start in range(0, len(appearances), ROWS):
        rows = slice(start, start + ROWS)
        correlation = thumbs[rows] @ thumbs.T
        same = which[rows, None] == which[None]
        alike = (correlation >= CORRELATION) | same
        alike &= splits[rows, None] != splits[None]
        if parts is not None:
            alike &= first[rows, None] & (first[None] | same)
        i, j = np.nonzero(np.triu(alike, start + 1))
        of = correlation[i, j]
        i += start
        distance = hashes.distance(i, j)
        near = (which[i] == which[j]) | (distance <= DISTANCE)
        new = np.stack([i, j, of, distance])[:, near]
        found = _most_alike(np.concatenate([found, new], axis=1), which, order)
    pairs = [
        _pair(appearances[int(i)], appearances[int(j)], float(of), int(distance))
        for i, j, of, distance in found.T
    ]
    return sorted(pairs, key=lambda pair: (pair.kind, -pair.correlation, pair.first, pair.second))


class _Hashes:
    """Perceptual hashes of pictures, each made when it is first asked for."""

    def __init__(self, appearances: Sequence[Appearance]) -> None:
        self._thumbs = [appearance.thumbnail for appearance in appearances]
        self._bits = np.zeros(len(appearances), np.uint64)
        self._made = np.zeros(len(appearances), bool)

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """In how many of 64 bits the hashes of pictures differ, by their numbers."""
        for at in np.unique(np.concatenate([first, second])):
            if not self._made[at]:
                self._bits[at] = np.packbits(perceptual_hash(self._thumbs[at])).view(np.uint64)[0]
                self._made[at] = True
        return np.bitwise_count(self._bits[first] ^ self._bits[second])


def _most_alike(found: np.ndarray, which: np.ndarray, order: np.ndarray) -> np.ndarray:
    """At most `MOST` columns of pairs, as `across_splits` sorts them."""
    if found.shape[1] <= MOST:
        return found
    i, j = found[:2].astype(int)
    near = which[i] != which[j]
    correlation = np.where(near, np.round(np.minimum(found[2], 1), 4), 1)
    return found[:, np.lexsort((order[j], order[i], -correlation, near))[:MOST]]


def _pair(first: Appearance, second: Appearance, correlation: float, distance: int) -> Pair:
    exact = first.pixels == second.pixels
    return Pair(
        kind="exact" if exact else "near",
        first=first.id,
        first_split=first.split,
        second=second.id,
        second_split=second.split,
        correlation=1.0 if exact else round(min(correlation, 1.0), 4),
        distance=distance,
    )
