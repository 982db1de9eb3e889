"""Drawn datasets: pictures and exact masks from a seed, nothing to download."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robustseg.data.sources.source import SPLITS, Record, in_order
from robustseg.data.synthetic import chest, dermoscopy, histopathology
from robustseg.data.synthetic.texture import Array
from robustseg.errors import OptionError

VERSION = 3  # raise it whenever a picture changes: it is part of the data's fingerprint

CHANNELS = {"dermoscopy": 3, "chest": 1, "histopathology": 3, "chest_classes": 1}
KINDS = tuple(CHANNELS)
CLASSES = {"chest_classes": ("background", "left lung", "right lung", "heart")}
POSITIVE_FRACTION = 0.129  # of histopathology tiles; the other kinds have foreground always


class Synthetic:
    """Generated pictures; picture i of a split depends on (kind, seed, split, i, size).

    It depends neither on how many pictures there are nor on the order in which they are read.

    Args:
        kind: "dermoscopy" (a lesion on skin, RGB), "chest" (both lungs on an X-ray, grey),
            "histopathology" (tumour in a stained tile, RGB; most tiles have none) or
            "chest_classes" (label maps: left lung, right lung and heart, grey).
        size: Side of the square pictures in pixels, 16 to 2048.
        train: Number of training pictures.
        val: Number of validation pictures; 0 for none.
        test: Number of test pictures.
        seed: Non-negative; another seed gives other pictures.
        positive_fraction: Share of histopathology tiles with tumour in [0, 1], kept to within two
            tiles in every split; None for the kind's own: 0.129, and 1 for the other kinds.
        classes: Names of the classes of label maps, the background first: four for
            "chest_classes", which needs them, and two for the other kinds, or None.

    Raises:
        OptionError: An argument is out of its range.
    """

    drawn_test = True

    def __init__(
        self,
        kind: str,
        size: int = 64,
        train: int = 200,
        val: int = 0,
        test: int = 100,
        seed: int = 0,
        positive_fraction: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        _check(kind, size, (train, val, test), seed, positive_fraction)
        _check_classes(kind, classes)
        self.classes = classes
        self.kind, self.size, self.seed = kind, size, seed
        self.counts = dict(zip(SPLITS, (train, val, test), strict=True))
        self.channels = CHANNELS[kind]
        if positive_fraction is None:
            positive_fraction = POSITIVE_FRACTION if kind == "histopathology" else 1.0
        self.positive_fraction = float(positive_fraction)

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
        """Draw the image (size, size, channels) and the mask (size, size) of a record, uint8."""
        index = int(record.id.rsplit("_", 1)[1])
        split = SPLITS.index(record.split)
        rng = np.random.default_rng([self.seed, KINDS.index(self.kind), split, index])
        if self.kind == "dermoscopy":
            return dermoscopy.draw(rng, self.size)
        if self.kind == "chest":
            return chest.draw(rng, self.size)
        if self.kind == "chest_classes":
            return chest.draw_classes(rng, self.size)
        return histopathology.draw(rng, self.size, self._positive(split, index))

    def _positive(self, split: int, index: int) -> bool:
        """Say whether a tile has tumour.

        Steps of the golden ratio fill [0, 1) evenly from any start, so that every split holds the
        wanted share whatever its length, and a larger share keeps the tiles of a smaller one.
        """
        start = np.random.default_rng([self.seed, split]).random()
        return (start + index * (math.sqrt(5) - 1) / 2) % 1 < self.positive_fraction

    def fingerprint(self, cache: Path | None = None) -> str:
        """Return a SHA-256 (hex) over everything the pictures depend on; ``cache`` is not used."""
        facts = (VERSION, self.kind, self.size, self.seed, self.positive_fraction)
        return hashlib.sha256(repr((facts, sorted(self.counts.items()))).encode()).hexdigest()


def _check(
    kind: str, size: int, counts: tuple[int, ...], seed: int, positive_fraction: float | None
) -> None:
    """Raise OptionError with the remedy for an argument out of its range."""
    if kind not in KINDS:
        raise OptionError(f"dataset.source.kind={kind!r}: choose one of {', '.join(KINDS)}")
    if not 16 <= size <= 2048:
        raise OptionError(f"dataset.source.size={size}: choose 16 to 2048 pixels (image_size)")
    for split, count in zip(SPLITS, counts, strict=True):
        if count < 0:
            raise OptionError(f"dataset.source.{split}={count}: choose 0 or more pictures")
    if not sum(counts):
        raise OptionError("dataset.source has no pictures: set train, val or test above 0")
    if seed < 0:
        raise OptionError(f"dataset.source.seed={seed}: choose 0 or more")
    if positive_fraction is None:
        return
    if kind != "histopathology":
        raise OptionError(
            f"dataset.source.positive_fraction={positive_fraction}: every {kind} picture has "
            "foreground; leave it null, or choose kind=histopathology"
        )
    if not 0 <= positive_fraction <= 1:
        raise OptionError(
            f"dataset.source.positive_fraction={positive_fraction}: choose a share from 0 to 1"
        )


def _check_classes(kind: str, classes: Sequence[str] | None) -> None:
    """Raise OptionError unless the names are as many as the classes that a kind draws."""
    if classes is None and kind not in CLASSES:
        return
    if kind in CLASSES and (classes is None or len(classes) != len(CLASSES[kind])):
        raise OptionError(
            f"dataset.source.kind={kind} draws {len(CLASSES[kind])} classes, the background "
            f"included: 'dataset.classes=[{','.join(CLASSES[kind])}]'"
        )
    if kind not in CLASSES and classes is not None and len(classes) != 2:
        raise OptionError(
            f"dataset.source.kind={kind} draws binary masks: dataset.classes=null or two names"
        )
