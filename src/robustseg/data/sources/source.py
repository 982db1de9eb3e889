"""What a data source is: a list of records, a way to read one, and a fingerprint of them all.

Imports nothing heavy: the program asks for fingerprints before it knows whether there is anything
to train.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Record:
    """One image and its mask.

    Attributes:
        id: unique in its source; the stem of the image file.
        split: "train", "val" or "test".
        image: the image file; None where images are generated, not read.
        mask: the mask file; None where it is generated, or missing and allowed to be.
        parts: instead of one mask file, one per foreground class; None where a class has none.
        group: images of one group (a patient, a case) belong into one split; "" if unknown.
    """

    id: str
    split: str
    image: Path | None = None
    mask: Path | None = None
    group: str = ""
    parts: tuple[Path | None, ...] = ()

    @property
    def mask_files(self) -> list[Path]:
        """The files of its mask that there are."""
        return [path for path in (self.mask, *self.parts) if path is not None]


@runtime_checkable
class Source(Protocol):
    """Where images come from. Sources know files; sizes and batches are others' business.

    A source may also have `stratum`, which gives the stratum of an id that validation splits and
    folds keep in proportion; `split_seed`, of the draws; and `drawn_test`: True if its test split
    is one draw of many, which folds may replace, and not one that others report on; `classes`, the
    names of the classes of its label maps, the background first, or None where masks are binary.
    """

    channels: int

    def records(self) -> list[Record]:
        """Every image, in the order train, val, test and by id within a split.

        Raises:
            DataError: a file or folder is missing, or an id is in two places.
        """

    def read(self, record: Record) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, channels) and mask (H, W) at their own size, both uint8.

        In the mask 0 is background, 1 foreground, 255 ignored; in a label map k is class k.

        Raises:
            DataError: a file cannot be read, the sizes differ, or the mask is not a mask.
        """

    def fingerprint(self, cache: Path | None = None) -> str:
        """SHA-256 (hex) over all that `records` and `read` return, equal on every machine.

        A source may leave out groups if its `drawn_by` has them: see `FileSource`.

        Args:
            cache: folder in which hashes of unchanged files may be remembered; a source that
                reads no files ignores it.
        """


def in_order(records: list[Record]) -> list[Record]:
    """The records in the order train, val, test and by id within a split."""
    return sorted(records, key=lambda record: (SPLITS.index(record.split), record.id))
