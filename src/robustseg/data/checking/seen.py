"""What one record of a source looks like: its files are read as a run would."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from robustseg import IGNORED
from robustseg.data.checking.classes import class_shares
from robustseg.data.checking.duplicates import Appearance, thumbnail
from robustseg.data.checking.foreground import foreground_share
from robustseg.data.resizing import resize_mask
from robustseg.data.selection import is_foreground
from robustseg.data.sources.class_masks import laid_over
from robustseg.data.sources.files import FileSource
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.label_levels import Level
from robustseg.data.sources.label_rule import UnnamedValues
from robustseg.data.sources.reading import FileFacts, file_facts, label_levels, read_parts
from robustseg.data.sources.source import Record, Source
from robustseg.data.sources.traits import Traits, traits_of
from robustseg.errors import DataError


@dataclass(frozen=True)
class Seen:
    """What one record looks like; an error instead if it cannot be read."""

    record: Record
    error: str = ""
    unnamed: bool = False  # the error is that of values of no class
    size: str = ""
    square: bool = True
    foreground: float = 0.0  # share of the pixels that are not ignored
    own_share: float = 0.0  # share of all pixels
    small_share: float = 0.0  # the same at the size trained at; see `foreground_share`
    image: FileFacts | None = None
    mask: FileFacts | None = None
    appearance: Appearance | None = None
    traits: tuple[Traits, dict[Path, Traits]] = ({}, {})  # of the files of image and mask
    counts: tuple[int, ...] = ()  # pixels of each class of a label map, the background first
    small_shares: tuple[float, ...] = ()  # see `class_shares`
    twice: int = 0  # pixels that several classes claim
    undecided: bool = False  # a lung's side is
    levels: Mapping[Path, Sequence[Level]] = field(default_factory=dict)


def see(source: Source, image_size: int | None, record: Record) -> Seen:
    """Reads one record.

    Args:
        source: of the record.
        image_size: pixels a side that a run trains at; None: the mask is looked at as it is.
        record: which image and mask.
    """
    levels = _levels(source, record)
    try:
        image, mask = source.read(record)
        counted = int((mask != IGNORED).sum())
        small = mask if image_size is None else resize_mask(mask, image_size)
        foreground = is_foreground(mask)
        classes = len(class_names(source))
        return Seen(
            record,
            counts=tuple(np.bincount(mask.ravel(), minlength=classes)[:classes].tolist()),
            small_shares=tuple(class_shares(small, classes)),
            twice=_claimed_twice(source, record, image),
            undecided=getattr(source, "sides", False) and counted < mask.size,
            levels=levels,
            size=f"{image.shape[1]}×{image.shape[0]}",
            square=image.shape[0] == image.shape[1],
            foreground=int(foreground.sum()) / max(counted, 1),
            own_share=float(foreground.mean()),
            small_share=foreground_share(small),
            image=None if record.image is None else file_facts(record.image),
            mask=_mask_facts(record),
            appearance=Appearance(
                record.id,
                record.split,
                hashlib.sha256(str(image.shape).encode() + image.tobytes()).hexdigest(),
                thumbnail(image),
            ),
            traits=(
                {} if record.image is None else traits_of(record.image, mask=False),
                {path: traits_of(path, mask=True) for path in record.mask_files},
            ),
        )
    except DataError as error:
        return Seen(
            record,
            error=str(error),
            unnamed=isinstance(error, UnnamedValues),
            mask=_facts_if_any(record),
            levels=levels,
        )


def _mask_facts(record: Record) -> FileFacts | None:
    """What the mask files of a record hold together; None if there are none."""
    facts = [file_facts(path, values=True) for path in record.mask_files]
    if not facts:
        return None
    return replace(facts[0], values=tuple(sorted({v for one in facts for v in one.values})))


def _facts_if_any(record: Record) -> FileFacts | None:
    """What a mask holds, if it can be opened, for what is said of all masks together."""
    try:
        return _mask_facts(record)
    except DataError:
        return None


def class_names(source: Source) -> Sequence[str]:
    """The names of the classes of label maps; none of binary masks."""
    names = getattr(source, "classes", None) or ()
    return names if len(names) > 2 else ()


def _levels(source: Source, record: Record) -> dict[Path, Sequence[Level]]:
    """The values of a record's label map, or of a mask file that might be one."""
    may_be = isinstance(source, Folder) and source.class_masks is None
    return {record.mask: label_levels(record.mask)} if may_be and record.mask else {}


def _claimed_twice(source: Source, record: Record, image: np.ndarray) -> int:
    """How many pixels several classes claim where each has its own mask."""
    if not record.parts or not isinstance(source, FileSource):
        return 0
    return laid_over(read_parts(record, image, source.rule()), image.shape[:2])[1]
