"""What lies in a folder of images: files by their stem, and what is passed over."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from robustseg.data.sources.opening import name_trouble
from robustseg.errors import DataError
from robustseg.terminal.count import count
from robustseg.terminal.printable import printable

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")
# Formats of images that are not read, and what to do with them.
OTHER_FORMATS = {
    ".jfif": "rename them to .jpg",
    ".npy": "save the arrays as PNG with Pillow",
    ".npz": "save the arrays as PNG with Pillow",
    ".nii": "save the slices as PNG, for example with nibabel and Pillow",
    ".nii.gz": "save the slices as PNG, for example with nibabel and Pillow",
    ".nrrd": "save the slices as PNG, for example with SimpleITK",
    ".mha": "save the slices as PNG, for example with SimpleITK",
    ".mhd": "save the slices as PNG, for example with SimpleITK",
    ".dcm": "convert them to PNG, for example with pydicom or dcm2img",
    ".dicom": "convert them to PNG, for example with pydicom or dcm2img",
    ".mat": "save the arrays as PNG, for example with scipy.io and Pillow",
    ".svs": "cut the slides into PNG tiles, for example with OpenSlide",
    ".heic": "convert them to PNG or JPEG",
    ".avif": "convert them to PNG or JPEG",
    ".jp2": "convert them to PNG",
    ".pgm": "convert them to PNG",
    ".ppm": "convert them to PNG",
}


@dataclass(frozen=True)
class Listing:
    """Image files of a folder.

    Attributes:
        folder: where they are.
        files: by stem.
        errors: files that cannot be used, and stems that two files share.
        twins: names of files whose stem another has, each with that of the other.
        others: how many files of each of `OTHER_FORMATS` there are.
        bare: files without an ending, such as README or what a scanner exports.
        below: images in each subfolder, where there are any.
        links: to folders with images, which reading subfolders does not follow.
    """

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    twins: list[tuple[str, str]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    bare: list[Path] = field(default_factory=list)
    below: dict[str, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)

    @property
    def remarks(self) -> list[str]:
        """What is passed over, a sentence each."""
        remarks = [f"{self.folder}: {text}" for text in self._not_images()]
        if self.below:
            listed = named([f"{name} ({count})" for name, count in self.below.items()])
            remarks.append(
                f"{self.folder}: images in its subfolders {listed} are not read. Set "
                "dataset.source.recursive=true, or name those folders train, val and test"
            )
        return remarks

    def unread(self) -> list[str]:
        """A clause for each kind of file that may be an image and is not read, for an error."""
        clauses = self._not_images()
        if self.bare:
            are = "is" if len(self.bare) == 1 else "are"
            clauses.append(
                f"{count(len(self.bare), 'file')} without an ending {are} not read: name the "
                f"format, such as {printable(self.bare[0].name)}.png"
            )
        return clauses

    def _not_images(self) -> list[str]:
        """A clause for each of `OTHER_FORMATS` that is there, and one for links."""
        clauses = unread_formats(self.others)
        if self.links:
            clauses.append(
                f"links to folders are not followed: replace {named(self.links)} by the folders"
            )
        return clauses


def unread_formats(others: Mapping[str, int]) -> list[str]:
    """A clause for each of `OTHER_FORMATS`, by the number of its files."""
    return [
        f"{number} {ending} {'files are' if number > 1 else 'file is'} not read: "
        f"{OTHER_FORMATS[ending]}"
        for ending, number in sorted(others.items())
    ]


def files_by_stem(
    folder: Path,
    suffix: str = "",
    optional_suffix: str = "",
    glob: str = "*",
    recursive: bool = False,
) -> Listing:
    """Image files in a folder by the stem of their name.

    Args:
        folder: looked at without its subfolders; hidden files are passed over.
        suffix: what the stem must end with; it is cut off. Other files are passed over.
        optional_suffix: cut off where it is there.
        glob: pattern of the file names that count.
        recursive: whether to look into subfolders; "sub/a.png" has the stem "sub_a" then.
    """
    found = Listing(folder)
    for entry, prefix in _entries(folder, "", recursive):
        name = entry.name
        ending = ending_of(name)
        stem = name[: len(name) - len(ending)]
        if ending.lower() not in IMAGE_ENDINGS:
            if ending.lower() in OTHER_FORMATS:
                found.others[ending.lower()] += 1
            elif entry.is_dir() and (inside := _images_in(entry)):
                if recursive:
                    found.links.append(printable(prefix + name))
                else:
                    found.below[printable(name)] = inside
            elif not ending and entry.is_file():
                found.bare.append(Path(entry.path))
            continue
        if not stem.endswith(suffix) or not fnmatchcase(name, glob):
            continue
        stem = prefix + stem.removesuffix(suffix).removesuffix(optional_suffix)
        trouble = name_trouble(prefix + name)
        if trouble:
            found.errors.append(f"{printable(entry.path)}: {trouble}. Rename it")
        elif not entry.is_file():
            kind = "a link to nothing" if entry.is_symlink() else "not a regular file"
            found.errors.append(f"{entry.path}: {kind}. Remove it or replace it by an image")
        elif stem in found.files:
            twin = found.files[stem].relative_to(folder)
            found.twins.append((name, twin.name))
            found.errors.append(
                f"{entry.path}: the same id as {twin}. Remove or rename one of them"
            )
        else:
            found.files[stem] = Path(entry.path)
    return found


def _entries(folder: Path, prefix: str, recursive: bool) -> Iterator[tuple[os.DirEntry[str], str]]:
    """What is in a folder, by name, each with its subfolders; hidden ones are passed over."""
    with os.scandir(folder) as opened:
        entries = sorted(opened, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if recursive and entry.is_dir(follow_symlinks=False):
            yield from _entries(Path(entry.path), f"{prefix}{entry.name}_", recursive)
        else:
            yield entry, prefix


def ending_of(name: str) -> str:
    """The ending of a file name with its dot; ".nii.gz" is one."""
    return name[-7:] if name.lower().endswith(".nii.gz") else os.path.splitext(name)[1]


def _images_in(entry: os.DirEntry[str]) -> int:
    try:
        with os.scandir(entry.path) as inside:
            return sum(ending_of(one.name).lower() in IMAGE_ENDINGS for one in inside)
    except PermissionError:
        return 0


def require_images(images: Mapping[str, Path], listing: Listing, glob: str = "*") -> None:
    """Raises DataError if no image is left of a folder, with what is there instead."""
    if images:
        return
    if listing.errors:
        raise DataError(listing.errors[0])
    hints = listing.unread()
    if listing.below:
        hints.append(
            f"images are in its subfolders {named(list(listing.below))}, which "
            "dataset.source.recursive=true reads"
        )
    if glob != "*":
        hints.append(f"no name fits dataset.source.glob={glob}")
        if "[" in glob:
            hints.append("a [ in a name is written [[] in a pattern")
    remedy = f": {'; '.join(hints)}" if hints else ". Check dataset.root"
    raise DataError(f"{listing.folder}: no images in it (of {', '.join(IMAGE_ENDINGS)}){remedy}")


def composed_alike(names: Mapping[str, Path], wanted: Iterable[str]) -> dict[str, Path]:
    """Files by the spelling of their stems in `wanted`, where only Unicode's composition differs.

    A Mac writes ü as u and two dots; elsewhere it is one character.
    """
    wanted = list(wanted)
    missing = {unicodedata.normalize("NFC", name): name for name in wanted if name not in names}
    exact = set(wanted)
    return {
        name if name in exact else missing.get(unicodedata.normalize("NFC", name), name): path
        for name, path in names.items()
    }


def common_suffix(stems: Iterable[str], masks: Iterable[str]) -> tuple[str, int]:
    """What most mask stems have behind the stem of an image, and how many images it would match."""
    stems = set(stems)
    counts = Counter(
        mask[at:] for mask in masks for at in range(1, len(mask)) if mask[:at] in stems
    )
    return max(counts.items(), key=lambda item: item[1], default=("", 0))


def orphans(masks: Mapping[str, Path], images: Mapping[str, Path]) -> list[str]:
    """A remark if there are masks without an image."""
    lost = [path.name for stem, path in masks.items() if stem not in images]
    if not lost:
        return []
    have = "has no image and is" if len(lost) == 1 else "have no image and are"
    return [f"{count(len(lost), 'mask')} {have} left out: {named(lost)}"]


def named(names: list[str]) -> str:
    """The first of some names, as a message lists them."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
