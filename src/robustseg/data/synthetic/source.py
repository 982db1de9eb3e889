"""Drawn datasets: pictures and exact masks from a seed, nothing to download."""

import hashlib
from pathlib import Path

import numpy as np

from robustseg.data.source import SPLITS, DataError, Record, in_order
from robustseg.data.synthetic import dermoscopy
from robustseg.data.synthetic.texture import Array

VERSION = 1  # raise it whenever a picture changes: it is part of the data's fingerprint

KINDS = {"dermoscopy": dermoscopy.draw}
CHANNELS = {"dermoscopy": 3}


class Synthetic:
    """Pictures drawn by a procedure; picture i of a split depends on (kind, seed, split, i, size).

    It depends neither on how many pictures there are nor on the order in which they are read.

    Args:
        kind: "dermoscopy".
        size: Side of the square pictures in pixels, 16 to 2048.
        train: Number of training pictures.
        val: Number of validation pictures; 0 for none.
        test: Number of test pictures.
        seed: Non-negative; another seed gives other pictures.

    Raises:
        DataError: An argument is out of its range.
    """

    def __init__(
        self,
        kind: str = "dermoscopy",
        size: int = 64,
        train: int = 200,
        val: int = 0,
        test: int = 100,
        seed: int = 0,
    ) -> None:
        if kind not in KINDS:
            raise DataError(f"dataset.source.kind={kind!r}: choose one of {', '.join(KINDS)}")
        if not 16 <= size <= 2048:
            raise DataError(f"dataset.source.size={size}: choose 16 to 2048 pixels")
        self.counts = dict(zip(SPLITS, (train, val, test), strict=True))
        for split, count in self.counts.items():
            if count < 0:
                raise DataError(f"dataset.source.{split}={count}: choose 0 or more pictures")
        if train + val + test == 0:
            raise DataError("dataset.source: no pictures; give train, val or test a number above 0")
        if seed < 0:
            raise DataError(f"dataset.source.seed={seed}: choose 0 or more")
        self.kind, self.size, self.seed = kind, size, seed
        self.channels = CHANNELS[kind]

    def records(self) -> list[Record]:
        """Return the records of train, val and test, in this order and by id within each."""
        return in_order(
            [
                Record(id=f"synthetic_{split}_{index:04d}", split=split)
                for split, count in self.counts.items()
                for index in range(count)
            ]
        )

    def read(self, record: Record) -> tuple[Array, Array]:
        """Draw the image (size, size, channels) uint8 and the mask (size, size) uint8 of a record."""
        index = int(record.id.rsplit("_", 1)[1])
        key = [self.seed, list(KINDS).index(self.kind), SPLITS.index(record.split), index]
        return KINDS[self.kind](np.random.default_rng(key), self.size)

    def fingerprint(self, cache: Path | None = None) -> str:
        """Return a SHA-256 over everything the pictures depend on; no file is read or remembered."""
        facts = (VERSION, self.kind, self.size, self.seed, sorted(self.counts.items()))
        return hashlib.sha256(repr(facts).encode()).hexdigest()
