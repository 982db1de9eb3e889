"""Anybody's folders of images and masks; histopathology tiles are read by it too."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from robustseg.data.sources.files import FileSource, Scan, subfolder
from robustseg.data.sources.listing import (
    Listing,
    common_suffix,
    composed_alike,
    files_by_stem,
    orphans,
    require_images,
)
from robustseg.data.sources.masks import MaskRule
from robustseg.data.sources.opening import shown
from robustseg.data.sources.source import SPLITS, Record
from robustseg.data.sources.split import SplitRow, read_split_file, seeded_split
from robustseg.errors import DataError, OptionError

DEFAULT_FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
# Other names of folders of splits: not read, but told.
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Folder(FileSource):
    """Images and masks in two folders, matched by the stem of their names.

    The split is that of `split.csv` in the root if there is one (columns id, split, and case if
    known); else that of folders: `train/images`, `train/masks` and so on, or `images/train`,
    `masks/train`; else a seeded one.

    Args:
        root: folder of the data set.
        mask_threshold: see `FileSource`.
        image_bits: see `FileSource`.
        channels: 3 reads images as RGB, 1 as grey.
        image_folders: names of the image folder; the first that exists is taken.
        mask_folders: names of the mask folder.
        glob: pattern of the names of the image files.
        mask_suffix: what a mask's stem has behind that of its image, such as "_mask".
        missing_mask: "error", or "empty": an image without a mask has no foreground.
        positive_values: mask values of the foreground; null: every value but 0 in a mask of two.
        ignore_values: mask values that count neither as foreground nor as background.
        keep_column: a column of split.csv of 0 and 1; only images with 1 in it are used.
        group_pattern: regular expression whose first group, found in the id, names the case;
            images of a case stay in one split.
        fractions: share of train, val and test in the seeded split.
        split_seed: another seed gives another split.
    """

    channels: int = 3  # type: ignore[misc]  # other sources fix it
    image_folders: Sequence[str] = ("images", "img")
    mask_folders: Sequence[str] = ("masks", "mask")
    glob: str = "*"
    mask_suffix: str = ""
    missing_mask: str = "error"
    positive_values: Sequence[float] | None = None
    ignore_values: Sequence[float] = ()
    keep_column: str | None = None
    group_pattern: str | None = None
    fractions: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_FRACTIONS))
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.missing_mask not in ("error", "empty"):
            raise OptionError(f"missing_mask must be error or empty, got {self.missing_mask!r}")
        if self.channels not in (1, 3):
            raise OptionError(f"channels must be 1 (grey) or 3 (RGB), got {self.channels}")
        for name in ("image_folders", "mask_folders"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise OptionError(f"{name} is a list: write dataset.source.{name}=[{value}]")
        try:
            re.compile(self.group_pattern or "")
        except re.error as error:
            raise OptionError(f"group_pattern {self.group_pattern!r}: {error}") from error

    def rule(self) -> MaskRule:
        """How the values of a mask file are read."""
        return MaskRule(self.mask_threshold, self.positive_values, self.ignore_values)

    @property
    def drawn_test(self) -> bool:
        """Whether neither split.csv nor folders tell the test split, so that it is drawn."""
        root = self.folder()
        if os.path.lexists(root / "split.csv"):
            return False
        return all(not split for split, *_ in self._folders(root, Scan()))

    def scan(self) -> Scan:
        """Looks for pairs of files and gives each its split."""
        root = self.folder()
        table = root / "split.csv"
        rows = read_split_file(table, self.keep_column) if os.path.lexists(table) else None
        if rows is None and self.keep_column is not None:
            raise DataError(f"{table}: no such file, and keep_column={self.keep_column} needs it")
        scan = Scan(remarks=_like_split_file(root) if rows is None else [])
        seen: set[str] = set()
        for split, folder, truth in self._folders(root, scan):
            seen |= self._pair(folder, truth, split, rows, scan)
        if rows is not None:
            scan.errors.extend(_rows_without_image(table, rows, seen))
            if len(seen) > len(rows):
                scan.remarks.append(f"{len(seen) - len(rows)} images are not used by {table.name}")
        if scan.records and all(record.mask is None for record in scan.records):
            scan.errors.append(
                f"{root}: missing_mask=empty, and none of the {len(scan.records)} images has a "
                "mask. Set dataset.source.mask_suffix or mask_folders"
            )
        elif any(record.mask is None for record in scan.records):
            count = sum(record.mask is None for record in scan.records)
            scan.remarks.append(
                f"{count} of {len(scan.records)} images have no mask and count as empty "
                "(missing_mask=empty)"
            )
        return Scan(self._split_by_draw(scan.records), scan.errors, scan.remarks)

    def _folders(self, root: Path, scan: Scan) -> list[tuple[str, Path, Path]]:
        """Split ("" if not known by folders), image folder and mask folder."""
        apart = _split_folders(root, scan)
        if apart:
            return [(split, *self._two(root / split)) for split in apart]
        images, masks = self._two(root)
        inside = _split_folders(images, scan)
        if inside:
            return [(s, subfolder(images, [s]), subfolder(masks, [s])) for s in inside]
        return [("", images, masks)]

    def _two(self, place: Path) -> tuple[Path, Path]:
        return subfolder(place, self.image_folders), subfolder(place, self.mask_folders)

    def _pair(
        self, folder: Path, truth: Path, split: str, rows: dict[str, SplitRow] | None, scan: Scan
    ) -> set[str]:
        """Adds the pairs of two folders to the scan; returns the ids of all images."""
        listed, truths = files_by_stem(folder, glob=self.glob), files_by_stem(truth)
        images = listed.files
        if folder == truth:
            truths.below.clear()
            truths.others.clear()
            if self.mask_suffix:
                images = {k: v for k, v in images.items() if not k.endswith(self.mask_suffix)}
        require_images(images, listed, self.glob)
        masks = files_by_stem(truth, self.mask_suffix) if self.mask_suffix else truths
        scan.errors.extend(dict.fromkeys(listed.errors + masks.errors))
        scan.remarks.extend(listed.remarks + truths.remarks)
        if rows is not None:
            images = composed_alike(images, rows)
        found = composed_alike(masks.files, images)
        scan.remarks.extend(orphans(found, images))
        used = {k: v for k, v in images.items() if rows is None or k in rows}
        if self.missing_mask == "error":
            scan.errors.extend(_missing_masks(used, found, truths, self.mask_suffix))
            used = {k: v for k, v in used.items() if k in found}
        for stem, image in used.items():
            part = split if rows is None else rows[stem].split
            case = "" if rows is None else rows[stem].case
            case = case or self._case(stem, image, scan)
            scan.records.append(Record(stem, part, image, found.get(stem), case))
        return set(images)

    def _case(self, name: str, image: Path, scan: Scan) -> str:
        """The case that the pattern finds in an id; "" without a pattern."""
        if self.group_pattern is None:
            return ""
        match = re.search(self.group_pattern, name)
        case = match and (match[1] if match.re.groups else match[0])
        if not case:
            scan.errors.append(
                f"{image}: group_pattern {self.group_pattern!r} finds no case in {name!r}. "
                "Correct the pattern"
            )
        return case or ""

    def _split_by_draw(self, records: list[Record]) -> list[Record]:
        """Gives a split to the records that have none yet."""
        if all(record.split for record in records):
            return records
        ids = [record.id for record in records]
        groups = {record.id: record.group or record.id for record in records}
        split = seeded_split(ids, self.fractions, self.split_seed, groups)
        return [replace(record, split=split[record.id]) for record in records]


def _split_folders(place: Path, scan: Scan) -> list[str]:
    """The folders of splits in a place; others that look like one are refused, or remarked.

    Raises:
        DataError: there are only others.
    """
    names = sorted(entry.name for entry in os.scandir(place) if entry.is_dir())
    known = [split for split in SPLITS if split in names]
    others = [name for name in names if name.lower() in SPLIT_WORDS and name not in SPLITS]
    if not others:
        return known
    meant = {SPLIT_WORDS[name.lower()] for name in others}
    told = ", ".join(f"{name} (rename it to {SPLIT_WORDS[name.lower()]})" for name in others)
    if len(meant | set(known)) > 1 and {"train", "test"} & meant - set(known):
        raise DataError(f"{place}: folders of splits are named train, val and test, not {told}")
    scan.remarks.append(f"{place}: not used as a split: {told}")
    return known


def _like_split_file(root: Path) -> list[str]:
    """A remark for each file that seems to be meant as split.csv."""
    return [
        f"{root / name}: not read. Name it split.csv if it tells the split"
        for name in sorted(map(shown, os.listdir(root)))
        if re.fullmatch(r"splits?\.(csv|tsv|txt|json)", name, re.IGNORECASE)
    ]


def _rows_without_image(table: Path, rows: Mapping[str, SplitRow], seen: set[str]) -> list[str]:
    """Errors of the ids of a split file that have no image."""
    missing = sorted(rows.keys() - seen)
    files = [name for name in missing if os.path.splitext(name)[0] in seen]
    if files:
        stem = os.path.splitext(files[0])[0]
        return [
            f"{table}: {len(files)} ids are names of files, such as {files[0]!r}. Write them "
            f"without the ending: {stem!r}"
        ]
    return [
        f"{table}: the id {name!r} has no image. Add the image or remove the row"
        for name in missing
    ]


def _missing_masks(
    images: Mapping[str, Path], masks: Mapping[str, Path], truths: Listing, suffix: str
) -> list[str]:
    """Errors of images without a mask; one for all where one setting would help."""
    missing = [stem for stem in images if stem not in masks]
    if not missing:
        return []
    first = f"{images[missing[0]]}: no mask {missing[0]}{suffix}.* in {truths.folder}"
    first += f", nor one of {len(missing) - 1} other images. " if len(missing) > 1 else ". "
    found, count = common_suffix(missing, truths.files)
    if found and found != suffix and count > 1:
        return [
            f"{first}dataset.source.mask_suffix={found} would match {count} of {len(missing)} of "
            "them"
        ]
    unread = truths.unread()
    if unread:
        return [f"{first}There, {'; '.join(unread)}"]
    return [
        f"{images[stem]}: no mask {stem}{suffix}.* in {truths.folder}. Add it, set mask_suffix, or "
        "set missing_mask=empty if it has no foreground"
        for stem in missing
    ]
