"""Sources that read image files: what they share."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from robustseg.data.fingerprint import Known, fingerprint_of, known_files
from robustseg.data.sources.label_rule import LabelRule, UnnamedValues
from robustseg.data.sources.masks import MaskRule
from robustseg.data.sources.source import Record, in_order
from robustseg.data.sources.traits import (
    Traits,
    check_blank,
    check_depth,
    check_mask_depth,
    check_palettes,
    reading_of,
    remarks_on,
)
from robustseg.errors import DataError, OptionError
from robustseg.terminal.printable import printable

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Scan:
    """What a look at the folders found, without opening a file.

    Attributes:
        records: the usable pairs.
        errors: what makes the set unusable, each naming the file and the remedy.
        remarks: what is worth knowing, such as masks that have no image.
        recognised: how files are read that no setting asks for.
    """

    records: list[Record] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    recognised: list[str] = field(default_factory=list)


def checked_root(root: str | Path | None) -> Path:
    """The folder of a data set.

    Raises:
        OptionError: none is given.
        DataError: there is none.
    """
    if root is None or str(root) == "":
        raise OptionError(
            "dataset.root is not set: give the folder of the data set, dataset.root=/path/to/it"
        )
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Set dataset.root to the folder of the data")
    return folder


@dataclass(frozen=True)
class FileSource(ABC):
    """Base of the sources that read files; a subclass says where they are with `scan`.

    Args:
        root: folder of the data set.
        mask_threshold: mask values above it are foreground; None accepts only masks of two
            values (0 and one other).
        image_bits: bits that images of 16 bits grey use, 8 to 16, of which the upper eight are
            taken; None takes the upper eight of 16, and refuses a set that would keep 64 levels
            or fewer.
        classes: names of the classes of label maps, the background first; None for binary masks.
            Two classes are those of a binary mask.
    """

    root: str | Path | None
    mask_threshold: float | None = None
    image_bits: int | None = field(default=None, kw_only=True)
    classes: Sequence[str] | None = field(default=None, kw_only=True)

    channels: ClassVar[int]
    needed_splits: ClassVar[tuple[str, ...]] = ("train", "test")

    @abstractmethod
    def scan(self) -> Scan:
        """Looks for pairs of files; continues past those that do not fit."""

    def rule(self) -> MaskRule:
        """How the values of a mask file are read."""
        return MaskRule(threshold=self.mask_threshold)

    def labels(self) -> LabelRule | None:
        """How the values of a label map are read; None if mask files are binary."""
        return None

    def reading(self) -> dict[str, object]:
        """What else than the rules changes the reading, as plain values, for the fingerprint."""
        return {}

    def check_classes(self) -> None:
        """Refuses names of classes that its masks do not have.

        Raises:
            OptionError: there are more than two.
        """
        if self.classes is not None and len(self.classes) > 2:
            raise OptionError(
                f"{type(self).__name__} has binary masks: dataset.classes can name two classes, "
                f"such as dataset.classes=[background,{self.classes[1]}], and not "
                f"{len(self.classes)}"
            )

    def folder(self) -> Path:
        """The root, checked to be a folder."""
        return checked_root(self.root)

    def checked_scan(self, splits: Sequence[str] = ()) -> Scan:
        """`scan`, with what holds for every source checked: ids and groups.

        Args:
            splits: those that must have images.
        """
        self._check_options()
        scan = self.scan()
        errors = [*scan.errors, *_id_errors(scan.records), *_group_errors(scan.records)]
        filled = {record.split for record in scan.records}
        for split in splits:
            if split not in filled and not scan.errors:
                errors.append(f"{self.folder()}: the split {split!r} is empty. Add images to it")
        return Scan(in_order(scan.records), errors, scan.remarks, scan.recognised)

    def records(self) -> list[Record]:
        """Every pair of files; see `Source.records`."""
        return _usable(self.checked_scan())

    def check_trainable(self) -> None:
        """Refuses files that a run cannot be trained on and tested with.

        Raises:
            DataError: `records` would raise it, or a split that training needs is empty.
        """
        _usable(self.checked_scan(self.needed_splits))

    def read(self, record: Record) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask of one record; see `Source.read`."""
        from robustseg.data.sources.reading import read_pair

        return read_pair(record, self.channels, self.labels() or self.rule(), self.image_bits)

    def fingerprint(self, cache: Path | None = None) -> str:
        """SHA-256 over ids, splits, file contents and how they are read; see `Source`.

        Options and rules of reading that came later count only where they change what is read.

        Raises:
            DataError: also if 16-bit images would lose most of their grey levels, or label maps
                hold values that belong to no class.
        """
        records, labels = self.records(), self.labels()
        known = known_files(records, cache, labels=labels is not None)
        images, masks = traits_by_role(records, known)
        check_depth(images, self.image_bits)
        check_mask_depth(masks)
        rule = self.rule()
        reading: dict[str, object] = {"channels": self.channels, "mask": rule.as_dict()}
        reading |= self.reading()
        if self.image_bits not in (None, 16):
            reading["image_bits"] = self.image_bits
        if any("turned_tiff" in traits for traits in (*images.values(), *masks.values())):
            reading["tiff"] = "as stored"
        if labels is not None:
            check_values(labels, masks)
            reading["labels"] = labels.as_dict()
        else:
            check_blank(masks)
            check_palettes(masks, rule)
            latest = max((reading_of(traits, rule) for traits in masks.values()), default=1)
            reading |= {"mask_pixels": latest} if latest > 1 else {}
        return fingerprint_of(records, reading, known=known)

    def drawn_by(self, folds: bool) -> dict[str, object]:
        """What folds and validation splits follow that neither fingerprint nor settings have.

        Plain values, for the fingerprint of runs with folds or a drawn validation split; of others
        it changes nothing.

        Args:
            folds: whether there are folds.
        """
        cases = {record.id: record.group for record in self.records() if record.group}
        return {"cases": cases} if cases else {}

    def remarks(self, cache: Path | None = None) -> list[str]:
        """What a person who trains on it should know: of folders and of files."""
        scan = self.checked_scan()
        known = known_files(scan.records, cache, labels=self.labels() is not None)
        return [*scan.remarks, *remarks_on(*traits_by_role(scan.records, known))]

    def _check_options(self) -> None:
        bits = self.image_bits
        if bits is not None and (type(bits) is not int or not 8 <= bits <= 16):
            raise OptionError(f"dataset.source.image_bits must be 8 to 16, or null, got {bits!r}")
        self.rule()
        self.check_classes()


def check_values(rule: LabelRule, masks: Mapping[Path, Traits]) -> None:
    """Refuses label maps with values that belong to no class, with those of the whole set.

    Raises:
        UnnamedValues: there are some.
    """
    from robustseg.data.sources.label_levels import Level

    levels = {
        path: [Level(number, colour, pixels) for number, colour, pixels in traits["levels"]]
        for path, traits in masks.items()
        if "levels" in traits
    }
    if error := rule.unnamed(levels):
        raise UnnamedValues(error)


def traits_by_role(
    records: Iterable[Record], known: Mapping[Path, Known]
) -> tuple[dict[Path, Traits], dict[Path, Traits]]:
    """The traits of the image files of records, and of their mask files."""
    images, masks = {}, {}
    for record in records:
        if record.image is not None:
            images[record.image] = known[record.image].traits
        for path in record.mask_files:
            masks[path] = known[path].traits
    return images, masks


def named_folder(root: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` that is a folder in `root`; where none is, in any case.

    Raises:
        DataError: two folders differ in case only.
    """
    names = list(names)
    for name in names:
        if (root / name).is_dir():
            return root / name
    there = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    for name in names:
        alike = [one for one in there if one.lower() == name.lower()]
        if len(alike) > 1:
            raise DataError(
                f"{root}: {' and '.join(alike)} differ in case only. Rename the one that is not "
                f"to be read, or the other to {name}"
            )
        if alike:
            return root / alike[0]
    return None


def subfolder(root: Path, names: Iterable[str], remedy: str = "Check dataset.root") -> Path:
    """`named_folder`, which must be there.

    Raises:
        DataError: it is not; with the remedy.
    """
    names = list(names)
    found = named_folder(root, names)
    if found is not None:
        return found
    there = sorted(printable(entry.name) for entry in os.scandir(root))
    listed = ", ".join(there[:6]) + (", …" if len(there) > 6 else "") if there else "nothing"
    wanted = " or ".join(names)
    raise DataError(f"{root}: no folder {wanted} in it (it holds {listed}). {remedy}")


def _usable(scan: Scan) -> list[Record]:
    """The records of a scan without errors.

    Raises:
        DataError: it has some; with the first.
    """
    if scan.errors:
        more = len(scan.errors) - 1
        rest = f" (and {more} more: robustseg data check lists all)" if more else ""
        raise DataError(scan.errors[0] + rest)
    return scan.records


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
