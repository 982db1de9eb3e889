"""Sources that read image files: what they share."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from robustseg.data.fingerprint import fingerprint_of
from robustseg.data.sources.masks import MaskRule
from robustseg.data.sources.source import Record, in_order
from robustseg.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")


@dataclass(frozen=True)
class Scan:
    """What a look at the folders found, without opening a file.

    Attributes:
        records: the usable pairs.
        errors: what makes the set unusable, each naming the file and the remedy.
        remarks: what is worth knowing, such as masks that have no image.
    """

    records: list[Record] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FileSource(ABC):
    """Base of the sources that read files; a subclass says where they are with `scan`.

    Args:
        root: folder of the data set.
        mask_threshold: mask values above it are foreground; None accepts only masks of two
            values (0 and one other).
    """

    root: str | Path | None
    mask_threshold: int | None = None

    channels: ClassVar[int]
    needed_splits: ClassVar[tuple[str, ...]] = ("train", "test")

    @abstractmethod
    def scan(self) -> Scan:
        """Looks for pairs of files; continues past those that do not fit."""

    def rule(self) -> MaskRule:
        """How the values of a mask file are read."""
        return MaskRule(threshold=self.mask_threshold)

    def folder(self) -> Path:
        """The root, checked to be a folder."""
        if self.root is None or str(self.root) == "":
            raise OptionError(
                "dataset.root is not set: give the folder of the data set, dataset.root=/path/to/it"
            )
        root = Path(self.root).expanduser()
        if not root.is_dir():
            raise DataError(f"{root}: no such folder. Set dataset.root to the folder of the data")
        return root

    def checked_scan(self) -> Scan:
        """`scan`, with what holds for every source checked: ids, groups and splits."""
        scan = self.scan()
        errors = [*scan.errors, *_id_errors(scan.records), *_group_errors(scan.records)]
        filled = {record.split for record in scan.records}
        for split in self.needed_splits:
            if split not in filled and not scan.errors:
                errors.append(f"{self.folder()}: the split {split!r} is empty. Add images to it")
        return Scan(in_order(scan.records), errors, scan.remarks)

    def records(self) -> list[Record]:
        """Every pair of files; see `Source.records`."""
        scan = self.checked_scan()
        if scan.errors:
            more = len(scan.errors) - 1
            rest = f" (and {more} more: robustseg data check lists all)" if more else ""
            raise DataError(scan.errors[0] + rest)
        return scan.records

    def read(self, record: Record) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask of one record; see `Source.read`."""
        from robustseg.data.sources.reading import read_pair

        return read_pair(record, self.channels, self.rule())

    def fingerprint(self, cache: Path | None = None) -> str:
        """SHA-256 over ids, splits, file contents and how they are read; see `Source`."""
        reading = {"channels": self.channels, "mask": self.rule().as_dict()}
        return fingerprint_of(self.records(), reading, cache)


def subfolder(root: Path, names: Iterable[str]) -> Path:
    """The first of `names` that is a folder in `root`."""
    names = list(names)
    for name in names:
        if (root / name).is_dir():
            return root / name
    there = sorted(entry.name for entry in os.scandir(root))
    listed = ", ".join(there[:6]) + (", …" if len(there) > 6 else "") if there else "nothing"
    wanted = " or ".join(names)
    raise DataError(f"{root}: no folder {wanted} in it (it holds {listed}). Check dataset.root")


def files_by_stem(
    folder: Path, suffix: str = "", optional_suffix: str = "", glob: str = "*"
) -> tuple[dict[str, Path], list[str]]:
    """Image files in a folder by the stem of their name, and errors for stems seen twice.

    Args:
        folder: looked at without its subfolders; hidden files are passed over.
        suffix: what the stem must end with; it is cut off. Other files are passed over.
        optional_suffix: cut off where it is there.
        glob: pattern of the file names that count.
    """
    found: dict[str, Path] = {}
    errors = []
    base = str(folder)
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        stem, ending = os.path.splitext(name)
        if name.startswith(".") or ending.lower() not in IMAGE_ENDINGS:
            continue
        if not stem.endswith(suffix) or not fnmatchcase(name, glob):
            continue
        stem = stem.removesuffix(suffix).removesuffix(optional_suffix)
        if stem in found:
            errors.append(
                f"{folder / name}: the same id as {found[stem].name}. Remove or rename one of them"
            )
            continue
        found[stem] = Path(base, name)
    return found, errors


def require_images(images: Mapping[str, Path], folder: Path) -> None:
    """Raises DataError if a folder holds no image."""
    if not images:
        raise DataError(
            f"{folder}: no images in it (of {', '.join(IMAGE_ENDINGS)}). Check dataset.root"
        )


def orphans(masks: Mapping[str, Path], images: Mapping[str, Path]) -> list[str]:
    """A remark if there are masks without an image."""
    lost = [path.name for stem, path in masks.items() if stem not in images]
    if not lost:
        return []
    listed = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
    return [f"{len(lost)} masks have no image and are left out: {listed}"]


def _id_errors(records: list[Record]) -> list[str]:
    """An error for each id that is there twice, in one split or in two."""
    counts = Counter(record.id for record in records)
    errors = []
    for name in sorted(name for name, count in counts.items() if count > 1):
        twins = [record for record in records if record.id == name]
        splits = sorted({record.split for record in twins})
        where = f"in the splits {' and '.join(splits)}" if len(splits) > 1 else "twice"
        files = ", ".join(str(record.image) for record in twins)
        errors.append(f"{files}: the id {name!r} is {where}. Keep one of them, or rename")
    return errors


def _group_errors(records: list[Record]) -> list[str]:
    """An error for each group that is in two splits: the test would know its patients."""
    splits: dict[str, dict[str, Record]] = {}
    for record in records:
        if record.group:
            splits.setdefault(record.group, {})[record.split] = record
    errors = []
    for group, of_split in sorted(splits.items()):
        if len(of_split) > 1:
            files = ", ".join(str(record.image) for record in of_split.values())
            errors.append(
                f"{files}: the case {group!r} is in the splits {' and '.join(sorted(of_split))}. "
                "Keep it in one of them"
            )
    return errors
