"""A data set of label maps, and what a miniature run on it is called with."""

import hashlib

import numpy as np

from robustseg.data.sources.source import Record, in_order

NAMES = ("background", "left", "right")
LABEL_MAPS = (
    "dataset.name=label_maps",
    "dataset.source._target_=tests.label_maps.LabelMaps",
    "~dataset.source.kind",
    "~dataset.source.val",
    f"dataset.classes=[{','.join(NAMES)}]",
)


class LabelMaps:
    """A bright box on the left, a dark one on the right, on grey; some images lack the right one.

    Args:
        size: side of an image.
        train: training images.
        test: test images.
        seed: another one gives others.
        classes: their names.
    """

    channels = 3
    drawn_test = True

    def __init__(self, size, train, test, seed=0, classes=NAMES):
        assert len(classes) == len(NAMES)
        self.size, self.train, self.test, self.seed = size, train, test, seed

    def records(self):
        """Ids of all images."""
        counts = {"train": self.train, "test": self.test}
        return in_order([Record(f"{s}_{i:03d}", s) for s, n in counts.items() for i in range(n)])

    def read(self, record):
        """An image and its label map."""
        rng = np.random.default_rng([self.seed, *record.id.encode()])
        labels = np.zeros((self.size, self.size), np.uint8)
        half = self.size // 2
        for value, first in ((1, 0), (2, half)):
            if value == 2 and int(record.id[-3:]) % 4 == 3:
                continue
            top, left = rng.integers(0, half // 2, 2)
            height, width = rng.integers(half // 4, half // 2, 2)
            labels[top : top + height, first + left : first + left + width] = value
        grey = np.array([120, 200, 40])[labels] + rng.normal(0, 20, labels.shape)
        image = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
        return image, labels

    def fingerprint(self, cache=None):
        """Of the arguments."""
        facts = f"{self.size} {self.train} {self.test} {self.seed}"
        return hashlib.sha256(facts.encode()).hexdigest()
