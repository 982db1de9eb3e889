"""A look at every file of a data set before a run does it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from robustseg import IGNORED
from robustseg.data.checking.classes import (
    class_shares,
    class_troubles,
    measured_classes,
    proposal,
    undecided_text,
)
from robustseg.data.checking.duplicates import Appearance, Pair, across_splits, thumbnail
from robustseg.data.checking.foreground import Foreground, foreground_share, measured, troubles
from robustseg.data.checking.once import once
from robustseg.data.resizing import resize_mask
from robustseg.data.selection import is_foreground
from robustseg.data.sources.class_masks import laid_over
from robustseg.data.sources.files import FileSource, Scan
from robustseg.data.sources.folder import Folder
from robustseg.data.sources.label_levels import Level, level_text, shares_of
from robustseg.data.sources.label_rule import LabelRule, UnnamedValues
from robustseg.data.sources.masks import not_binary
from robustseg.data.sources.reading import FileFacts, file_facts, label_levels, read_parts
from robustseg.data.sources.source import SPLITS, Record, Source
from robustseg.data.sources.traits import Traits, check_depth, remarks_on, traits_of
from robustseg.errors import DataError
from robustseg.terminal.progress import track

# Upper ends of the classes of foreground share; the first is that of empty masks.
SHARES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        name: the kind of source.
        root: its folder; "" if it reads no files.
        images: pairs by split.
        cases: different groups by split; empty where groups are unknown.
        sizes: images by "width×height".
        modes: images by the Pillow modes "image/mask", such as "RGB/L".
        empty_masks: images without foreground by split.
        foreground: for each split the number of images in each class of `SHARES`.
        duplicates: pictures in two splits.
        vanished: masks whose foreground is gone at the size trained at, by split.
        errors: what a run would refuse.
        warnings: what a run would take and a person should know.
        recognised: how files are read that no setting asks for.
        read: images by split that could be read with their masks; all else but `images` and
            `cases` is of these.
        values: masks by the values that they hold; empty if masks are drawn.
        levels: share of the pixels of all label maps by value, the commonest first; of mask files
            of several values also where they are not read as label maps.
        classes: of each foreground class of label maps its share of the pixels that are not
            ignored, and the images that have it by split.
        overlaps: where each class has its own mask, in how many images several claim a pixel, and
            the share of such pixels of all foreground.
        label_maps: overrides that read masks of several values as label maps.
    """

    name: str
    root: str
    images: dict[str, int] = field(default_factory=dict)
    cases: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    empty_masks: dict[str, int] = field(default_factory=dict)
    foreground: dict[str, list[int]] = field(default_factory=dict)
    duplicates: list[Pair] = field(default_factory=list)
    vanished: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    recognised: list[str] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    levels: dict[str, float] = field(default_factory=dict)
    classes: dict[str, dict[str, float | int]] = field(default_factory=dict)
    overlaps: dict[str, float | int] = field(default_factory=dict)
    label_maps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Seen:
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


def check(source: Source, image_size: int | None = None) -> Report:
    """Reads every file of a source, continues past broken ones, and reports.

    Args:
        source: what is checked.
        image_size: pixels a side that a run trains at; None: masks are looked at as they are.
    """
    name = type(source).__name__
    root = str(getattr(source, "root", None) or "")
    try:
        if isinstance(source, FileSource):
            scan = source.checked_scan()
        else:
            scan = Scan(source.records())
    except DataError as error:
        return Report(name, root, errors=[str(error)])
    records, errors, remarks = scan.records, scan.errors, scan.remarks
    with ThreadPoolExecutor() as pool:
        see = partial(_see, source, image_size)
        seen = list(track(pool.map(see, records), len(records), "Checking"))
    whole = [one for one in seen if not one.error]
    splits = [split for split in SPLITS if any(r.split == split for r in records)]
    duplicates = across_splits([one.appearance for one in whole if one.appearance is not None])
    found = [_foreground(whole, split) for split in splits]
    empty, remarkable = troubles(
        [one for one in found if one.images], image_size, source, [one.record for one in whole]
    )
    names = _classes(source)
    lost, worth = class_troubles(_by_class(whole, names), image_size)
    empty, remarkable = [*empty, *lost], [*remarkable, *worth]
    remarkable += undecided_text(one.record.id for one in whole if one.undecided)
    levels, colours = _level_shares(source, seen)
    return Report(
        name=name,
        root=root,
        images={split: sum(r.split == split for r in records) for split in splits},
        cases=_cases(records),
        sizes=_counted(one.size for one in whole),
        modes=_counted(_modes(one) for one in whole),
        empty_masks={s: _histogram(whole, s)[0] for s in splits},
        foreground={s: _histogram(whole, s) for s in splits},
        duplicates=duplicates,
        vanished={one.split: one.vanished for one in found},
        errors=[
            *once([*errors, *_unreadable(seen)]),
            *_unnamed(source, seen),
            *_shallow(source, whole),
            *(empty if whole and not errors else []),
        ],
        warnings=[*remarks, *_of_files(whole), *remarkable, *_warnings(whole, duplicates, names)],
        recognised=scan.recognised,
        read={split: sum(one.record.split == split for one in whole) for split in splits},
        values=_values(seen),
        levels=levels,
        classes=_class_table(whole, names),
        overlaps=_overlaps(whole),
        label_maps=proposal(levels, colours) if _labels(source) is None else [],
    )


def _labels(source: Source) -> LabelRule | None:
    return source.labels() if isinstance(source, FileSource) else None


def _unnamed(source: Source, seen: Sequence[_Seen]) -> list[str]:
    """The error of values that are of no class, with those of the whole set."""
    rule = _labels(source)
    if rule is None:
        return []
    text = rule.unnamed({path: of for one in seen for path, of in one.levels.items()})
    return [text] if text else []


def _level_shares(source: Source, seen: Sequence[_Seen]) -> tuple[dict[str, float], bool]:
    """The share of pixels of each value of label maps, and whether they are colours."""
    rule = _labels(source)
    files = [levels for one in seen for levels in one.levels.values()]
    colours = any(one.number is None for levels in files for one in levels)
    colours = colours if rule is None else rule.colours
    shares = shares_of(files, colours)
    return {level_text(c, colours): share for c, share in shares.items() if c is not None}, colours


def _by_class(seen: Sequence[_Seen], names: Sequence[str]) -> dict[str, list[Foreground]]:
    if not seen or not names:
        return {}
    counts = np.array([one.counts for one in seen], float)
    pixels = np.array([[np.prod([*map(int, one.size.split("×"))])] for one in seen])
    small = np.array([one.small_shares for one in seen])
    splits = np.array([one.record.split for one in seen])
    return measured_classes(splits, small, counts[:, 1:] / pixels, names)


def _class_table(seen: Sequence[_Seen], names: Sequence[str]) -> dict[str, dict[str, float | int]]:
    """The share of pixels of each class, and how many images of each split have it."""
    if not seen or not names:
        return {}
    counts = np.array([one.counts for one in seen])
    splits = [split for split in SPLITS if any(one.record.split == split for one in seen)]
    return {
        name: {"share": float(counts[:, at].sum() / max(counts.sum(), 1))}
        | {
            split: sum(one.counts[at] > 0 for one in seen if one.record.split == split)
            for split in splits
        }
        for at, name in enumerate(names)
    }


def _overlaps(seen: Sequence[_Seen]) -> dict[str, float | int]:
    """In how many images several classes claim a pixel, and the share of such pixels."""
    if not any(one.record.parts for one in seen):
        return {}
    foreground = sum(sum(one.counts[1:]) for one in seen)
    twice = sum(one.twice for one in seen)
    return {
        "images": sum(one.twice > 0 for one in seen),
        "share": twice / max(foreground, 1),
    }


def _see(source: Source, image_size: int | None, record: Record) -> _Seen:
    levels = _levels(source, record)
    try:
        image, mask = source.read(record)
        counted = int((mask != IGNORED).sum())
        small = mask if image_size is None else resize_mask(mask, image_size)
        foreground = is_foreground(mask)
        classes = len(_classes(source))
        return _Seen(
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
        return _Seen(
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


def _classes(source: Source) -> Sequence[str]:
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


def _unreadable(seen: Sequence[_Seen]) -> list[str]:
    """What is wrong with files; of masks that are not binary with the values of all of them."""
    errors: list[str] = []
    levels: dict[str, tuple[float, ...]] = {}
    for one in seen:
        if one.unnamed:
            continue
        if one.error and one.mask and one.error == f"{one.record.mask}: {_too_many(one.mask)}":
            levels[str(one.record.mask)] = one.mask.values
        elif one.error:
            errors.append(one.error)
    together = not_binary(sorted({value for found in levels.values() for value in found} or {0}))
    return [*errors, *(f"{mask}: {together}" for mask in levels)]


def _too_many(mask: FileFacts) -> str:
    return not_binary(mask.values) if mask.values and np.isfinite(mask.values).all() else ""


def _values(seen: Sequence[_Seen]) -> dict[str, int]:
    """In how many masks each value is, in order of the values."""
    counts = Counter(
        value for one in seen if one.mask for value in one.mask.values if np.isfinite(value)
    )
    return {f"{value:g}": counts[value] for value in sorted(counts)}


def _foreground(seen: Sequence[_Seen], split: str) -> Foreground:
    of_split = [one for one in seen if one.record.split == split]
    own = np.array([one.own_share for one in of_split])
    return measured(split, (one.small_share for one in of_split), own)


def _files_of(seen: Sequence[_Seen]) -> tuple[dict[Path, Traits], dict[Path, Traits]]:
    images = {one.record.image: one.traits[0] for one in seen if one.record.image is not None}
    masks = {path: traits for one in seen for path, traits in one.traits[1].items()}
    return images, masks


def _of_files(seen: Sequence[_Seen]) -> list[str]:
    return remarks_on(*_files_of(seen))


def _shallow(source: Source, seen: Sequence[_Seen]) -> list[str]:
    """The error of 16-bit images that use few bits."""
    if isinstance(source, FileSource):
        try:
            check_depth(_files_of(seen)[0], source.image_bits)
        except DataError as error:
            return [str(error)]
    return []


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _cases(records: Sequence[Record]) -> dict[str, int]:
    groups: dict[str, set[str]] = {}
    for record in records:
        if record.group:
            groups.setdefault(record.split, set()).add(record.group)
    return {split: len(groups[split]) for split in SPLITS if split in groups}


def _modes(one: _Seen) -> str:
    image = "drawn" if one.image is None else one.image.mode
    mask = one.mask.mode if one.mask is not None else "drawn" if one.image is None else "none"
    return f"{image}/{mask}"


def _histogram(seen: Sequence[_Seen], split: str) -> list[int]:
    """How many images of a split have a foreground share in each class of SHARES."""
    shares = [one.foreground for one in seen if one.record.split == split]
    return np.bincount(np.searchsorted(SHARES, shares), minlength=len(SHARES)).tolist()


def _warnings(seen: Sequence[_Seen], duplicates: Sequence[Pair], names: Sequence[str]) -> list[str]:
    warnings = []
    long = sum(not one.square for one in seen)
    if long:
        warnings.append(
            f"{long} images are not square and will be squeezed to a square of dataset.image_size"
        )
    full = [one.record.mask for one in seen if one.foreground == 1]
    if full and not names:
        warnings.append(f"{_files(full)}: foreground everywhere")
    values = Counter(one.mask.values[-1] for one in seen if one.mask and one.mask.binary)
    if len(values) > 1 and not names:
        listed = ", ".join(f"{value:g} in {count}" for value, count in values.most_common(6))
        warnings.append(f"the foreground has different values ({listed} masks): one class or more?")
    for kind, text in (("exact", "the same pixels"), ("near", "nearly the same picture")):
        count = sum(pair.kind == kind for pair in duplicates)
        if count:
            warnings.append(f"{count} pairs across splits have {text}")
    return warnings


def _files(paths: Sequence[Path | None]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"
