"""Anybody's folders of images and masks; histopathology tiles are read by it too."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import regex

from robustseg.data.sources.class_masks import (
    check_templates,
    missing_parts,
    part_naming,
    parts_of,
)
from robustseg.data.sources.files import FileSource, Scan
from robustseg.data.sources.label_rule import LabelRule
from robustseg.data.sources.layouts import Place, lone_splits, places
from robustseg.data.sources.listing import (
    Listing,
    composed_alike,
    files_by_stem,
    orphans,
    require_images,
)
from robustseg.data.sources.masks import MaskRule
from robustseg.data.sources.naming import Match, Naming, matches, recognised
from robustseg.data.sources.source import Record, in_order
from robustseg.data.sources.split import SplitRow, caseless, read_split_file, seeded_split
from robustseg.data.sources.unpaired import (
    equal_names,
    hints,
    like_split_file,
    missing_masks,
    rows_without_image,
    unused_masks,
)
from robustseg.errors import DataError, OptionError
from robustseg.terminal.count import count

_PATTERN_S = 1.0  # seconds for one name
DEFAULT_FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
PLAIN = Naming(None, "{stem}")  # a mask is named as its image


@dataclass(frozen=True)
class Folder(FileSource):
    """Images and masks in two folders, matched by the stem of their names.

    The split is that of `split.csv` in the root if there is one (columns id, split, and case if
    known); else that of folders: `train/images`, `train/masks` and so on, or `images/train`,
    `masks/train`, in the spellings of `SPLIT_WORDS`; else a seeded one.

    Usual layouts are recognised where they are not ambiguous: folders of `MASK_WORDS`, those of
    nnU-Net, one folder of both, and the names of `USUAL`.

    Args:
        root: folder of the data set.
        mask_threshold: see `FileSource`.
        image_bits: see `FileSource`.
        channels: 3 reads images as RGB, 1 as grey.
        image_folders: names of the image folder; the first that exists is taken.
        mask_folders: names of the mask folder.
        glob: pattern of the names of the image files.
        mask_suffix: what a mask's stem has behind that of its image, such as "_mask".
        mask_template: rule of masks' names, such as "{stem}_mask"; null: that of `mask_suffix`.
        image_template: rule of images' names, such as "{case}_0000"; other files are not images.
        recursive: whether subfolders are read too; "sub/a.png" has the id "sub_a" then.
        missing_mask: "error", or "empty": an image without a mask has no foreground.
        positive_values: mask values of the foreground; null: every value but 0 in a mask of two.
        ignore_values: mask values that count neither as foreground nor as background.
        keep_column: a column of split.csv of 0 and 1; only images with 1 in it are used.
        group_pattern: regular expression whose first group, found in the id, names the case;
            images of a case stay in one split.
        fractions: share of train, val and test in the seeded split.
        split_seed: another seed gives another split.
        classes: see `FileSource`.
        values: the class of each value of a label map; see `LabelRule`.
        class_masks: instead of a label map, the template of the binary mask's name of each
            foreground class, below the mask folder: "left/{stem}" or "{stem}_left".
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
    mask_template: str | None = None
    image_template: str | None = None
    recursive: bool = False
    values: Mapping[int | str, str] | None = None
    class_masks: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.missing_mask not in ("error", "empty"):
            raise OptionError(
                f"dataset.source.missing_mask must be error or empty, got {self.missing_mask!r}"
            )
        if self.channels not in (1, 3):
            raise OptionError(f"channels must be 1 (grey) or 3 (RGB), got {self.channels}")
        for name in ("image_folders", "mask_folders"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise OptionError(
                    f"dataset.source.{name} is a list: write dataset.source.{name}=[{value}]"
                )
        if self.mask_suffix and self.mask_template is not None:
            raise OptionError(
                "set either dataset.source.mask_suffix or dataset.source.mask_template, not both"
            )
        self.naming()
        self._check_labels()
        try:
            re.compile(self.group_pattern or "")
        except re.error as error:
            raise OptionError(
                f"dataset.source.group_pattern={self.group_pattern}: {error}"
            ) from error

    def rule(self) -> MaskRule:
        """How the values of a mask file are read."""
        return MaskRule(self.mask_threshold, self.positive_values, self.ignore_values)

    def labels(self) -> LabelRule | None:
        """How the values of a label map are read; None if mask files are binary."""
        if self.classes is None or self.class_masks is not None:
            return None
        if self.values is None and len(self.classes) == 2:
            return None
        return LabelRule(list(self.classes), self.values, list(self.ignore_values))

    def check_classes(self) -> None:
        """Any number of classes is read; see `labels`."""

    def _check_labels(self) -> None:
        """Refuses options of label maps that contradict each other."""
        if self.class_masks is not None:
            check_templates(self.class_masks, self.classes)
            for template in self.class_masks.values():
                part_naming(self.image_template, template)
        if self.values is not None and self.classes is None:
            names = ",".join(["background", *dict.fromkeys(self.values.values())])
            raise OptionError(
                "dataset.source.values needs the names of the classes, the background first: "
                f"'dataset.classes=[{names}]'"
            )
        if self.values is not None and self.class_masks is not None:
            raise OptionError(
                "set either dataset.source.values, for label maps, or "
                "dataset.source.class_masks, for one binary mask per class, not both"
            )
        if self.labels() is None:
            return
        for name in ("mask_threshold", "positive_values"):
            if getattr(self, name) is not None:
                raise OptionError(
                    f"dataset.source.{name} is for binary masks. With dataset.classes name the "
                    "class of each value: 'dataset.source.values={1: CLASS, 2: CLASS}'"
                )

    def naming(self) -> Naming | None:
        """The rule of names that the settings ask for; None if they leave it open."""
        if self.mask_template is None and self.image_template is None:
            return Naming(None, "{stem}" + self.mask_suffix) if self.mask_suffix else None
        return Naming(self.image_template, self.mask_template or "{stem}" + self.mask_suffix)

    @property
    def drawn_test(self) -> bool:
        """Whether neither split.csv nor folders tell the test split, so that it is drawn."""
        root = self.folder()
        if os.path.lexists(root / "split.csv"):
            return False
        return all(not place.split for place in self._places(root))

    def drawn_by(self, folds: bool) -> dict[str, object]:
        """See `FileSource`: the cases of split.csv, and that the test split is not drawn.

        Settings and ids tell the cases that `group_pattern` finds. A test split that is given
        differs from the one that would be drawn, as a rule, and the fingerprint has the splits.
        """
        records = self.records()
        cases = {
            record.id: record.group
            for record in records
            if record.split != "test" and record.group != self._case(record.id, Path(), Scan())
        }
        if cases:
            return {"cases": cases}
        if not folds or self.drawn_test:
            return {}
        undecided = [replace(record, split="") for record in records]
        alike = in_order(self._split_by_draw(undecided)) == records
        return {"test": "given"} if alike else {}

    def scan(self) -> Scan:
        """Looks for pairs of files and gives each its split."""
        root = self.folder()
        table = root / "split.csv"
        rows = read_split_file(table, self.keep_column) if os.path.lexists(table) else None
        if rows is None and self.keep_column is not None:
            raise DataError(
                f"{table}: no such file, and dataset.source.keep_column={self.keep_column} needs it"
            )
        scan = Scan(remarks=like_split_file(root) if rows is None else [])
        if rows is not None and self.group_pattern is None:
            scan.remarks.extend(caseless(table, self.keep_column))
        labels = self.labels()
        if labels is not None and labels.values is None:
            scan.recognised.append(f"the values of masks are {labels}; 255 is ignored")
        seen: set[str] = set()
        found = self._places(root)
        scan.recognised.extend(dict.fromkeys(place.told for place in found if place.told))
        for folder in dict.fromkeys([root, *(place.images for place in found)]):
            scan.remarks.extend(lone_splits(folder))
        for place in found:
            seen |= self._pair(place, rows, scan)
        if rows is not None:
            scan.errors.extend(rows_without_image(table, rows, seen))
            if len(seen) > len(rows):
                unused = len(seen) - len(rows)
                are = "is" if unused == 1 else "are"
                scan.remarks.append(f"{count(unused, 'image')} {are} not used by {table.name}")
        bare = sum(not record.mask_files for record in scan.records)
        if scan.records and bare == len(scan.records):
            scan.errors.append(
                f"{root}: dataset.source.missing_mask=empty, and none of the {len(scan.records)} "
                "images has a mask. Set dataset.source.mask_suffix or dataset.source.mask_folders"
            )
        elif bare:
            scan.remarks.append(
                f"{bare} of {len(scan.records)} images have no mask and count as empty "
                "(dataset.source.missing_mask=empty)"
            )
        return replace(scan, records=self._split_by_draw(scan.records))

    def _places(self, root: Path) -> list[Place]:
        return places(root, self.image_folders, self.mask_folders)

    def _pair(self, place: Place, rows: dict[str, SplitRow] | None, scan: Scan) -> set[str]:
        """Adds the pairs of two folders to the scan; returns the ids of all images."""
        if self.class_masks is not None:
            return self._pair_classes(place, rows, scan)
        listed = files_by_stem(place.images, glob=self.glob, recursive=self.recursive)
        truths = files_by_stem(place.masks, recursive=self.recursive)
        require_images(listed.files, listed, self.glob)
        together = place.images == place.masks
        naming, found = self._naming(listed, truths, together)
        if self.naming() is None and naming != PLAIN:
            scan.recognised.append(f"{place.images}: {naming}, which fits all images")
        stems = [stem for stem in listed.files if naming.mask_of(stem) is not None]
        if together:
            stems = naming.images_in_one_folder(stems, truths.files)
        images = {stem: listed.files[stem] for stem in stems}
        require_images(images, listed, self.image_template or self.glob)
        errors = truths.errors
        if self.mask_suffix:  # other files need not be fit to be masks
            errors = files_by_stem(place.masks, self.mask_suffix, recursive=self.recursive).errors
        scan.errors.extend(dict.fromkeys(listed.errors + errors))
        scan.remarks.extend(dict.fromkeys(listed.remarks + truths.remarks))
        like_masks = naming.masks_in_one_folder(truths.files) if together else [*truths.files]
        others = {stem for stem in listed.files if naming.mask_of(stem) is None}
        others -= {*like_masks} if together else set()
        if others:
            scan.remarks.append(
                f"{place.images}: {len(others)} files do not match "
                f"dataset.source.image_template={naming.image}, and are left out"
            )
        if rows is not None:
            images = composed_alike(images, rows)
        masks = _masks_of(images, truths, naming)
        maybe = {stem: truths.files[stem] for stem in like_masks}
        scan.remarks.extend(unused_masks(maybe, images, masks, naming))
        used = {k: v for k, v in images.items() if rows is None or k in rows}
        if self.missing_mask == "error":
            if together and naming == PLAIN:
                raise DataError(self._no_folders(truths, found))
            scan.errors.extend(missing_masks(used, masks, truths, naming, found))
            used = {k: v for k, v in used.items() if k in masks}
        for stem, image in used.items():
            scan.records.append(self._record(stem, image, masks.get(stem), place, rows, scan))
        return set(images)

    def _pair_classes(self, place: Place, rows: dict[str, SplitRow] | None, scan: Scan) -> set[str]:
        """The same where each class has its own masks."""
        assert self.class_masks is not None and self.classes is not None
        templates = [self.class_masks[name] for name in self.classes[1:]]
        namings = [part_naming(self.image_template, template) for template in templates]
        listed = files_by_stem(place.images, glob=self.glob, recursive=self.recursive)
        stems = {stem for stem in listed.files if namings[0][1].mask_of(stem) is not None}
        for below, naming in namings:
            if place.images == place.masks / below:
                among = files_by_stem(place.images, recursive=self.recursive).files
                stems &= {*naming.images_in_one_folder(listed.files, among)}
        images = {stem: listed.files[stem] for stem in listed.files if stem in stems}
        require_images(images, listed, self.image_template or self.glob)
        scan.errors.extend(dict.fromkeys(listed.errors))
        scan.remarks.extend(dict.fromkeys(listed.remarks))
        if rows is not None:
            images = composed_alike(images, rows)
        used = {k: v for k, v in images.items() if rows is None or k in rows}
        parts, errors, unused = parts_of(images, place.masks, namings, self.recursive)
        parts = {stem: of for stem, of in parts.items() if stem in used}
        scan.errors.extend(errors)
        scan.remarks.extend(orphans(unused, {}))
        if self.missing_mask == "error" and not errors:
            scan.errors.extend(missing_parts(place.masks, parts, templates, self.classes))
        for stem, image in used.items():
            record = self._record(stem, image, None, place, rows, scan)
            scan.records.append(replace(record, parts=parts[stem]))
        return set(images)

    def _record(
        self,
        stem: str,
        image: Path,
        mask: Path | None,
        place: Place,
        rows: dict[str, SplitRow] | None,
        scan: Scan,
    ) -> Record:
        """A pair with its split and case."""
        part = place.split if rows is None else rows[stem].split
        case = "" if rows is None else rows[stem].case
        return Record(stem, part, image, mask, case or self._case(stem, image, scan))

    def _naming(
        self, listed: Listing, truths: Listing, together: bool
    ) -> tuple[Naming, list[Match]]:
        """The rule of names, and usual ones that fit where that of the settings leaves some out.

        It is that of the settings; else equal names; else one that fits all files.
        """
        asked = self.naming()
        plain = {} if together else _masks_of(listed.files, truths, PLAIN)
        if asked is None and len(plain) == len(listed.files):
            return PLAIN, []
        found = matches([*listed.files], [*truths.files], together)
        if asked is not None or plain:
            return asked or PLAIN, found
        return recognised(found) or PLAIN, found

    def _no_folders(self, truths: Listing, found: Sequence[Match]) -> str:
        offers = hints([*truths.files], truths, PLAIN, found)
        return (
            f"{truths.folder}: no folder {' or '.join(self.image_folders)} in it, and its "
            f"{len(truths.files) + len(truths.twins)} image files have no names that distinguish "
            f"masks from images. {equal_names(truths) or offers or 'Check dataset.root'}"
        )

    def _case(self, name: str, image: Path, scan: Scan) -> str:
        """The case that the pattern finds in an id; "" without a pattern."""
        if self.group_pattern is None:
            return ""
        try:  # an untrusted pattern could keep re busy forever
            match = regex.search(self.group_pattern, name, timeout=_PATTERN_S)
        except TimeoutError:
            raise OptionError(
                f"group_pattern {self.group_pattern!r} takes more than {_PATTERN_S:g} s on "
                f"{name!r}: simplify it; a repetition within a repetition, such as (a+)+, may "
                "take forever"
            ) from None
        case = match and (match[1] if match.re.groups else match[0])
        if not case:
            scan.errors.append(
                f"{image}: dataset.source.group_pattern={self.group_pattern} finds no case in "
                f"{name!r}. Correct the pattern"
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


def _masks_of(images: Mapping[str, Path], truths: Listing, naming: Naming) -> dict[str, Path]:
    """The mask file of each image that has one."""
    wanted = {stem: mask for stem in images if (mask := naming.mask_of(stem)) is not None}
    there = composed_alike(truths.files, wanted.values())
    return {
        stem: there[mask]
        for stem, mask in wanted.items()
        if mask in there and there[mask] != images[stem]
    }
