"""Label maps of several binary masks per image, one per class."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from robustseg import IGNORED
from robustseg.data.sources.listing import Listing, composed_alike, files_by_stem
from robustseg.data.sources.naming import Naming
from robustseg.errors import OptionError
from robustseg.terminal.suggestion import suggestion

if TYPE_CHECKING:
    import numpy as np


def check_templates(templates: Mapping[str, str], classes: Sequence[str] | None) -> None:
    """Refuses templates that are not those of all foreground classes.

    Raises:
        OptionError: a class is unknown or has no template, or a template leaves the mask folder.
    """
    if classes is None:
        names = ",".join(["background", *templates])
        raise OptionError(
            "dataset.source.class_masks needs the names of the classes, the background first: "
            f"'dataset.classes=[{names}]'"
        )
    for name, template in templates.items():
        if name not in classes[1:]:
            raise OptionError(
                f"dataset.source.class_masks: {name!r} is not a foreground class of "
                f"dataset.classes; {suggestion(name, classes[1:])}"
            )
        if not isinstance(template, str) or ".." in Path(template).parts or template[:1] == "/":
            raise OptionError(
                f"dataset.source.class_masks: {template!r} of {name!r} must be a name below the "
                "mask folder, such as left/{stem} or {stem}_left"
            )
    lost = [name for name in classes[1:] if name not in templates]
    if lost:
        raise OptionError(
            f"dataset.source.class_masks has no template for {lost[0]!r} of dataset.classes. Add "
            "it, or leave the class out"
        )


def part_naming(image_template: str | None, template: str) -> tuple[str, Naming]:
    """The folder below the mask folder, "" for itself, and the rule of names in it."""
    folder, name = os.path.split(template)
    return folder, Naming(image_template, name)


def parts_of(
    images: Mapping[str, Path], folder: Path, namings: Sequence[tuple[str, Naming]], recursive: bool
) -> tuple[dict[str, tuple[Path | None, ...]], list[str], dict[str, Path]]:
    """The mask files of each image, one per foreground class, what is wrong, and files of no use.

    Args:
        images: by stem.
        folder: of the masks.
        namings: of each foreground class; see `part_naming`.
        recursive: whether subfolders are read.
    """
    columns: list[dict[str, Path]] = []
    errors: list[str] = []
    listings: dict[Path, Listing] = {}
    for below, naming in namings:
        place = folder / below
        if not place.is_dir():
            errors.append(f"{place}: no such folder. Correct dataset.source.class_masks")
            columns.append({})
            continue
        if place not in listings:
            listings[place] = files_by_stem(place, recursive=recursive)
            errors += listings[place].errors
        wanted = {stem: mask for stem in images if (mask := naming.mask_of(stem)) is not None}
        there = composed_alike(listings[place].files, wanted.values())
        columns.append(
            {
                stem: there[mask]
                for stem, mask in wanted.items()
                if mask in there and there[mask] != images[stem]
            }
        )
    used = {*images.values(), *(path for of in columns for path in of.values())}
    listed = [path for listing in listings.values() for path in listing.files.values()]
    unused = {str(path): path for path in listed if path not in used}
    return {stem: tuple(of.get(stem) for of in columns) for stem in images}, errors, unused


def missing_parts(
    folder: Path,
    parts: Mapping[str, tuple[Path | None, ...]],
    templates: Sequence[str],
    classes: Sequence[str],
) -> list[str]:
    """An error for each class of which images have no mask."""
    errors = []
    for at, template in enumerate(templates):
        lost = [stem for stem, files in parts.items() if files[at] is None]
        if lost:
            listed = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
            errors.append(
                f"{folder}: no mask {template} of {classes[at + 1]!r} for {len(lost)} of "
                f"{len(parts)} images ({listed}). Add {'it' if len(lost) == 1 else 'them'}, "
                "correct dataset.source.class_masks, or set dataset.source.missing_mask=empty if "
                "the class is not in them"
            )
    return errors


def laid_over(masks: Sequence[np.ndarray | None], shape: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """The label map of one binary mask a foreground class, and how many pixels several claim.

    A later class is painted over an earlier one. A pixel that is ignored in one mask is ignored.

    Examples:
        >>> import numpy as np
        >>> labels, twice = laid_over([np.array([[1, 1, 0]]), np.array([[0, 1, 255]])], (1, 3))
        >>> labels.tolist(), twice
        ([[1, 2, 255]], 1)
    """
    import numpy as np

    labels, claims = np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)
    for value, mask in enumerate(masks, start=1):
        if mask is not None:
            labels[mask == 1] = value
            claims += mask == 1
    for mask in masks:
        if mask is not None:
            labels[mask == IGNORED] = IGNORED
    return labels, int((claims > 1).sum())
