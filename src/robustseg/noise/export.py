"""Noisy masks as files, for any other program to train on."""

import csv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePath

import numpy as np
from PIL import Image

from robustseg import IGNORED, label_palette
from robustseg.errors import DataError
from robustseg.noise.manifest import COLUMNS, Row, write

MANIFEST = "noise.csv"
_WRITTEN = 128  # how an ignored pixel is written, between background 0 and foreground 255


def export(
    folder: Path,
    masks: np.ndarray,
    names: Sequence[str],
    manifest: Sequence[Row],
    *,
    label_maps: bool = False,
) -> list[Path]:
    """Writes masks as 8-bit PNG (0 background, 255 foreground, 128 ignored) and their manifest.

    Label maps are written as palette PNG: the indices are the labels, 255 is ignored.

    Args:
        folder: Where to; made if it is not there. `noise.csv` is written last.
        masks: uint8 (N, H, W) with 0, 1 and 255 = ignored; of label maps the labels.
        names: The original file names of the N masks, without folder; another suffix than .png
            is replaced by .png.
        manifest: Their rows, one per mask, or per class of each label map.
        label_maps: Whether the masks are label maps.

    Returns:
        The PNG files.

    Raises:
        ValueError: Numbers differ, or a name has a folder.
        DataError: Two masks would be one file.
        FileExistsError: The folder holds masks that this export would not replace, or is no
            earlier export.
    """
    rows = len({row["id"] for row in manifest}) if label_maps else len(manifest)
    if not len(masks) == len(names) == rows:
        raise ValueError(f"{len(masks)} masks, {len(names)} names, {rows} manifest rows")
    for name in names:
        if name in ("", ".", "..") or PurePath(name).name != name or "\\" in name:
            raise ValueError(f"{name!r} is not a plain file name")
    files = [folder / PurePath(name).with_suffix(".png") for name in names]
    if len({file.name.lower() for file in files}) < len(files):
        pairs = pairwise(
            sorted((file.name.lower(), name) for file, name in zip(files, names, strict=True))
        )
        one, other = next((a[1], b[1]) for a, b in pairs if a[0] == b[0])
        raise DataError(
            f"{one} and {other} would be written to one file, at least where capitals do not "
            "count: rename one of them"
        )
    _check_folder(folder, files)
    folder.mkdir(parents=True, exist_ok=True)
    grey = np.zeros(256, np.uint8)
    grey[1], grey[IGNORED] = 255, _WRITTEN
    for file, mask in zip(files, masks, strict=True):
        picture = Image.fromarray(np.asarray(mask) if label_maps else grey[mask])
        if label_maps:
            picture.putpalette(label_palette())
        picture.save(file)
    write(folder / MANIFEST, manifest)
    return files


def _check_folder(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a folder that would hold masks of two exports, or of another origin.

    Raises:
        FileExistsError: naming a file.
    """
    masks = {one for one in folder.glob("*") if one.suffix.lower() == ".png"}
    manifest = folder / MANIFEST
    refused = "nothing was written. Choose an empty folder"
    if manifest.exists():
        with manifest.open(newline="", encoding="utf-8", errors="replace") as file:
            header = next(csv.reader(file), [])
        if tuple(header[: len(COLUMNS)]) != COLUMNS or (folder / "status.json").exists():
            raise FileExistsError(f"{manifest} is not that of an earlier export: {refused}")
    elif masks & set(files):
        there = min(masks & set(files))
        raise FileExistsError(
            f"{there} exists and {folder} is not an earlier export (it has no {MANIFEST}): "
            f"{refused}"
        )
    if left := masks - set(files):
        raise FileExistsError(
            f"{min(left)} exists, and is no mask of this export, nor are {len(left) - 1} others in "
            f"{folder}: {refused}"
        )
