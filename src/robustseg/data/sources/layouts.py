"""Where the images and masks of a folder lie."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from robustseg.data.sources.files import named_folder, subfolder
from robustseg.data.sources.listing import IMAGE_ENDINGS, ending_of, files_by_stem
from robustseg.data.sources.naming import Naming, matches
from robustseg.data.sources.reading import is_picture
from robustseg.data.sources.source import SPLITS
from robustseg.errors import DataError

# Names of folders of splits, in any case.
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
# Usual names of mask folders beside those of the settings.
MASK_WORDS = ("labels", "label", "segmentations", "annotations", "ground_truth", "gt")
DRIVE_MASKS = "1st_manual"
_LIKE_MASKS = re.compile("mas|seg|lab|ann|gt|ground|truth", re.IGNORECASE)  # máscaras, Masken, …
_NNUNET = ("imagesTr", "labelsTr", "imagesTs", "labelsTs")


@dataclass(frozen=True)
class Place:
    """A folder of images and one of masks; the same if they lie together.

    Attributes:
        split: of the images; "" if it is not known by folders.
        images: the folder of images.
        masks: the folder of masks.
        told: what was recognised, in words; "" if the settings name it.
    """

    split: str
    images: Path
    masks: Path
    told: str = ""


def places(root: Path, image_folders: Sequence[str], mask_folders: Sequence[str]) -> list[Place]:
    """The folders of images and masks below a root, and which split each is.

    Args:
        root: folder of the data set.
        image_folders: names of the image folder; the first that exists is taken, where none does
            the first in any case.
        mask_folders: names of the mask folder. If there is none, one of `MASK_WORDS`, if only one
            of them is there, and without an image folder the folder itself, if it holds images.

    Raises:
        DataError: a folder is missing, or two belong to one split.
    """
    nnunet = _nnunet(root)
    if nnunet:
        return nnunet
    apart = split_folders(root)
    if any((root / name / DRIVE_MASKS).is_dir() for name in apart.values()):
        return _drive(root, apart, image_folders)
    if apart:
        return [
            _two(split, root / name, image_folders, mask_folders) for split, name in apart.items()
        ]
    place = _two("", root, image_folders, mask_folders)
    inside = split_folders(place.images)
    if not inside or place.images == root:
        return [place]
    of_masks = split_folders(place.masks)
    return [
        Place(
            split,
            place.images / name,
            place.masks / of_masks[split] if split in of_masks else subfolder(place.masks, [name]),
            place.told,
        )
        for split, name in inside.items()
    ]


def lone_splits(place: Path) -> list[str]:
    """A remark on folders of `SPLIT_WORDS` that are not used, for want of train and test."""
    names = sorted(entry.name for entry in os.scandir(place) if entry.is_dir())
    lone = [name for name in names if name.lower() in SPLIT_WORDS]
    if not lone or split_folders(place):
        return []
    return [f"{place}: not used as a split, without train or test beside it: {', '.join(lone)}"]


def split_folders(place: Path) -> dict[str, str]:
    """The names of the folders of splits in a place, by split; none without train and test.

    Raises:
        DataError: two folders belong to the same split.
    """
    found: dict[str, str] = {}
    for name in sorted(entry.name for entry in os.scandir(place) if entry.is_dir()):
        split = SPLIT_WORDS.get(name.lower())
        if split is None:
            continue
        if split in found:
            raise DataError(
                f"{place}: {found[split]} and {name} are both folders of the split {split!r}. "
                "Put their files together, or rename the one that is not a split"
            )
        found[split] = name
    if not {"train", "test"} & found.keys():
        return {}
    return {split: found[split] for split in SPLITS if split in found}


def _nnunet(root: Path) -> list[Place]:
    """The folders of nnU-Net's raw data; none if they are not there."""
    images, masks, test_images, test_masks = (root / name for name in _NNUNET)
    if not (images.is_dir() and masks.is_dir()):
        return []
    told = "nnU-Net's folders imagesTr and labelsTr"
    if _has_images(test_images) and _has_images(test_masks):
        told += ", and for testing imagesTs and labelsTs"
        return [
            Place("train", images, masks, told),
            Place("test", test_images, test_masks, told),
        ]
    return [Place("", images, masks, f"{told}; there is no imagesTs with labelsTs to test on")]


def _drive(root: Path, apart: dict[str, str], image_folders: Sequence[str]) -> list[Place]:
    """The folders of DRIVE, whose folders `mask` hold fields of view and no vessels."""
    told = f"DRIVE's folders, masks in {DRIVE_MASKS}"
    whole = {s: name for s, name in apart.items() if (root / name / DRIVE_MASKS).is_dir()}
    if not {"train", "test"} <= whole.keys():
        lost = ", ".join(name for split, name in apart.items() if split not in whole)
        told += f"; {lost or 'no other folder'} is not used, having no {DRIVE_MASKS}"
    return [
        Place(
            split if {"train", "test"} <= whole.keys() else "",
            subfolder(root / name, image_folders),
            root / name / DRIVE_MASKS,
            told,
        )
        for split, name in whole.items()
    ]


def _two(
    split: str, place: Path, image_folders: Sequence[str], mask_folders: Sequence[str]
) -> Place:
    known = {*image_folders, *mask_folders, *MASK_WORDS}
    there = [entry.name for entry in os.scandir(place) if entry.is_dir() and entry.name in known]
    if not there and _has_images(place):
        return Place(split, place, place, "one folder of images and masks")
    images = named_folder(place, image_folders)
    usual = [name for name in MASK_WORDS if name in there and name not in image_folders]
    masks = None
    if {*mask_folders} & {*there} or len(usual) != 1:
        masks = named_folder(place, mask_folders)
    if masks is None and not usual:
        folders = (entry.name for entry in os.scandir(place) if entry.is_dir())
        usual = [one for one in folders if one.lower() in MASK_WORDS and place / one != images]
    if masks is None and images is not None and len(usual) == 1:
        return Place(split, images, place / usual[0], f"the mask folder {usual[0]}")
    remedy = _remedy(place, images, masks)
    return Place(
        split,
        images or subfolder(place, image_folders, remedy),
        masks or subfolder(place, mask_folders, remedy),
    )


def _remedy(place: Path, images: Path | None, masks: Path | None) -> str:
    """What helps where a folder is missing: settings for other names, or for a folder per case."""
    missing = ["image_folders"] * (images is None) + ["mask_folders"] * (masks is None)
    if not missing:
        return ""
    folders = sorted(Path(entry.path) for entry in os.scandir(place) if entry.is_dir())
    folders = [one for one in folders if one not in (images, masks) and _has_images(one)]
    if len(missing) == 2 and (naming := _naming_inside(folders)):
        return (
            "If images and masks lie side by side in subfolders, add dataset.source.recursive=true "
            f"'dataset.source.image_folders=[.]' 'dataset.source.mask_folders=[.]' {naming}"
        )
    if len(folders) != len(missing):
        return "Check dataset.root"
    if len(folders) == 2 and not (folders := _images_first(folders)):
        return (
            "If folders have other names, set dataset.source.image_folders and "
            "dataset.source.mask_folders"
        )
    settings = (
        shlex.quote(f"dataset.source.{setting}=[{_in_list(one.name)}]")
        for setting, one in zip(missing, folders, strict=True)
    )
    return f"If folders have other names, add {' '.join(settings)}"


def _images_first(folders: Sequence[Path]) -> list[Path]:
    """A folder of images and one of masks in this order, by a file of each; else by their names.

    Returns:
        none if neither tells them apart.
    """
    by_file = {one: _holds_masks(one) for one in folders}
    by_name = {one: bool(_LIKE_MASKS.search(one.name)) for one in folders}
    for masks in (by_file, by_name):
        if {*masks.values()} == {False, True}:
            return sorted(folders, key=lambda one: masks[one] is True)
    return []


def _holds_masks(folder: Path) -> bool | None:
    """Whether the first file that can be read is no picture; None if there is none."""
    pictures = map(is_picture, files_by_stem(folder).files.values())
    return next((not one for one in pictures if one is not None), None)


def _naming_inside(folders: Sequence[Path]) -> Naming | None:
    """The usual ending of masks that lie beside their images in one of the folders, if any."""
    for folder in folders:
        stems = [*files_by_stem(folder).files]
        for match in matches(stems, stems, True):
            if match.naming.image is None:
                return match.naming
    return None


def _in_list(name: str) -> str:
    """A name as an item of a list in Hydra's grammar."""
    plain = re.fullmatch(r"[A-Za-z_][\w-]*", name, re.ASCII)
    return name if plain else '"' + name.replace('"', '\\"') + '"'


def _has_images(place: Path) -> bool:
    return place.is_dir() and any(
        ending_of(entry.name).lower() in IMAGE_ENDINGS and not entry.name.startswith(".")
        for entry in os.scandir(place)
    )
