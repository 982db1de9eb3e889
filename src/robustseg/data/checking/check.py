"""A look at every file of a data set before a run does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from robustseg.data.checking.classes import class_troubles, proposal, undecided_text
from robustseg.data.checking.doubts import doubts
from robustseg.data.checking.duplicates import MOST, Pair, across_splits
from robustseg.data.checking.foreground import Foreground, measured, troubles
from robustseg.data.checking.label_check import (
    by_class,
    class_table,
    label_rule,
    level_shares,
    overlaps,
    unnamed,
)
from robustseg.data.checking.once import once
from robustseg.data.checking.seen import Seen, class_names, see
from robustseg.data.sources.files import FileSource, Scan
from robustseg.data.sources.masks import not_binary
from robustseg.data.sources.reading import FileFacts
from robustseg.data.sources.source import SPLITS, Record, Source
from robustseg.data.sources.traits import Traits, check_depth, remarks_on
from robustseg.errors import DataError, OptionError
from robustseg.terminal.count import count
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
        duplicates: pictures in two splits, or where the split is drawn, in two folds perhaps.
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


def check(source: Source, image_size: int | None = None) -> Report:
    """Reads every file of a source, continues past broken ones, and reports.

    Args:
        source: what is checked.
        image_size: pixels a side that a run trains at; None: masks are looked at as they are.

    Raises:
        OptionError: an option of the source cannot work, whatever its files hold.
    """
    name = type(source).__name__
    root = str(getattr(source, "root", None) or "")
    try:
        if isinstance(source, FileSource):
            scan = source.checked_scan(source.needed_splits)
        else:
            scan = Scan(source.records())
    except OptionError:
        raise
    except DataError as error:
        return Report(name, root, errors=[str(error)])
    records, errors, remarks = scan.records, scan.errors, scan.remarks
    with ThreadPoolExecutor() as pool:
        look_at = partial(see, source, image_size)
        seen = list(track(pool.map(look_at, records), len(records), "Checking"))
    whole = [one for one in seen if not one.error]
    splits = [split for split in SPLITS if any(r.split == split for r in records)]
    duplicates = _duplicates(source, whole)
    found = [_foreground(whole, split) for split in splits]
    empty, remarkable = troubles(
        [one for one in found if one.images], image_size, source, [one.record for one in whole]
    )
    names = class_names(source)
    lost, worth = class_troubles(by_class(whole, names), image_size)
    empty, remarkable = [*empty, *lost], [*remarkable, *worth]
    remarkable += undecided_text(one.record.id for one in whole if one.undecided)
    levels, colours = level_shares(source, seen)
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
            *unnamed(source, seen),
            *_shallow(source, whole),
            *(empty if whole and not errors else []),
        ],
        warnings=[
            *doubts(seen, names),
            *remarks,
            *_of_files(whole),
            *remarkable,
            *_warnings(whole, duplicates, names),
        ],
        recognised=scan.recognised,
        read={split: sum(one.record.split == split for one in whole) for split in splits},
        values=_values(seen),
        levels=levels,
        classes=class_table(whole, names),
        overlaps=overlaps(whole),
        label_maps=[] if label_rule(source) or _lossy(seen) else proposal(levels, colours),
    )


def _lossy(seen: Sequence[Seen]) -> bool:
    """Whether masks are of a format that blurs values, so that those between are no classes."""
    return any(
        path.suffix.lower() in (".jpg", ".jpeg") for one in seen for path in one.record.mask_files
    )


def _unreadable(seen: Sequence[Seen]) -> list[str]:
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


def _values(seen: Sequence[Seen]) -> dict[str, int]:
    """In how many masks each value is, in order of the values."""
    counts = Counter(
        value for one in seen if one.mask for value in one.mask.values if np.isfinite(value)
    )
    return {f"{value:g}": counts[value] for value in sorted(counts)}


def _foreground(seen: Sequence[Seen], split: str) -> Foreground:
    of_split = [one for one in seen if one.record.split == split]
    own = np.array([one.own_share for one in of_split])
    return measured(split, (one.small_share for one in of_split), own)


def _files_of(seen: Sequence[Seen]) -> tuple[dict[Path, Traits], dict[Path, Traits]]:
    images = {one.record.image: one.traits[0] for one in seen if one.record.image is not None}
    masks = {path: traits for one in seen for path, traits in one.traits[1].items()}
    return images, masks


def _of_files(seen: Sequence[Seen]) -> list[str]:
    return remarks_on(*_files_of(seen))


def _shallow(source: Source, seen: Sequence[Seen]) -> list[str]:
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


def _modes(one: Seen) -> str:
    image = "drawn" if one.image is None else one.image.mode
    mask = one.mask.mode if one.mask is not None else "drawn" if one.image is None else "none"
    return f"{image}/{mask}"


def _histogram(seen: Sequence[Seen], split: str) -> list[int]:
    """How many images of a split have a foreground share in each class of SHARES."""
    shares = [one.foreground for one in seen if one.record.split == split]
    return np.bincount(np.searchsorted(SHARES, shares), minlength=len(SHARES)).tolist()


def _duplicates(source: Source, seen: Sequence[Seen]) -> list[Pair]:
    """Pictures that are alike, and in two splits, or may be: another draw, or folds, part them."""
    looked = [(one.record, one.appearance) for one in seen if one.appearance is not None]
    drawn = isinstance(source, FileSource) and getattr(source, "drawn_test", False)
    parts = [record.group or record.id for record, _ in looked] if drawn else None
    return across_splits([appearance for _, appearance in looked], parts)


def _warnings(seen: Sequence[Seen], duplicates: Sequence[Pair], names: Sequence[str]) -> list[str]:
    warnings = []
    long = sum(not one.square for one in seen)
    if long:
        are = "is" if long == 1 else "are"
        warnings.append(
            f"{count(long, 'image')} {are} not square and will be squeezed to a square of "
            "dataset.image_size"
        )
    full = [next(iter(one.record.mask_files), one.record.id) for one in seen if one.foreground == 1]
    if full and not names:
        warnings.append(f"{_files(full)}: foreground everywhere")
    if len(duplicates) == MOST:
        warnings.append(f"only the {MOST:,} most similar pairs of pictures are counted")
    values = Counter(one.mask.values[-1] for one in seen if one.mask and one.mask.binary)
    if len(values) > 1 and not names:
        listed = ", ".join(f"{value:g} in {number}" for value, number in values.most_common(6))
        warnings.append(
            f"the foreground has different values ({listed} masks): is this one class, or several?"
        )
    for kind, one, several in (
        ("exact", "has the same pixels", "have the same pixels"),
        ("near", "is a near duplicate", "are near duplicates"),
    ):
        alike = [pair.first_split != pair.second_split for pair in duplicates if pair.kind == kind]
        remedy = "; folds or another split could separate them"
        for where, pairs, more in (
            ("across splits", sum(alike), ""),
            ("within a split", len(alike) - sum(alike), remedy),
        ):
            if pairs:
                told = one if pairs == 1 else several
                warnings.append(f"{count(pairs, 'pair')} {where} {told}{more}")
    return warnings


def _files(paths: Sequence[Path | str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"
