"""What is said of images and masks that do not pair, with the setting that would help."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from robustseg.data.sources.listing import Listing, common_suffix, named, orphans
from robustseg.data.sources.naming import Match, Naming, extends
from robustseg.data.sources.split import SplitRow
from robustseg.terminal.count import count
from robustseg.terminal.printable import printable


def like_split_file(root: Path) -> list[str]:
    """A remark for each file that seems to be meant as split.csv."""
    return [
        f"{root / name}: not read. Name it split.csv if it defines the split"
        for name in sorted(map(printable, os.listdir(root)))
        if re.fullmatch(r"splits?\.(csv|tsv|txt|json)", name, re.IGNORECASE)
    ]


def rows_without_image(table: Path, rows: Mapping[str, SplitRow], seen: set[str]) -> list[str]:
    """Errors of the ids of a split file that have no image."""
    missing = sorted(rows.keys() - seen)
    files = [name for name in missing if os.path.splitext(name)[0] in seen]
    if files:
        stem = os.path.splitext(files[0])[0]
        return [
            f"{table}: {len(files)} ids are names of files, such as {files[0]!r}. Write them "
            f"without the extension: {stem!r}"
        ]
    if len(missing) > 1:
        listed = ", ".join(map(repr, missing[:3])) + (", …" if len(missing) > 3 else "")
        return [
            f"{table}: {len(missing)} ids have no image: {listed}. Add the images or remove the "
            "rows"
        ]
    return [
        f"{table}: the id {name!r} has no image. Add the image or remove the row"
        for name in missing
    ]


def unused_masks(
    there: Mapping[str, Path],
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    naming: Naming,
) -> list[str]:
    """Remarks on masks that no image uses, and on those that seem to be further ones of an image.

    Args:
        there: files that may be masks, by stem.
        images: by stem.
        masks: the mask of each image that has one.
        naming: the rule of names.
    """
    used = {*images.values(), *masks.values()}
    unused = {stem: path for stem, path in there.items() if path not in used}
    wanted = {*filter(None, map(naming.mask_of, images))}
    known = {*masks, *(wanted - images.keys())}
    further = {stem: path for stem, path in unused.items() if extends(stem, known)}
    remarks = orphans(unused, further)
    if further:
        one = len(further) == 1
        seem = "seems to be a further mask" if one else "seem to be further masks"
        remarks.append(
            f"{count(len(further), 'file')} {seem} of an image and {'is' if one else 'are'} left "
            f"out: {named([path.name for path in further.values()])}. An image may have several "
            "masks, which are not merged: put them into one file"
        )
    return remarks


def missing_masks(
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    truths: Listing,
    naming: Naming,
    found: Sequence[Match],
) -> list[str]:
    """The error of images without a mask, with the setting that would help."""
    missing = [stem for stem in images if stem not in masks]
    if not missing:
        return []
    more = ", …" if len(missing) > 3 else ""
    listed = ", ".join(f"{naming.mask_of(stem)}.*" for stem in missing[:3]) + more
    first = f"{truths.folder}: no mask for {len(missing)} of {len(images)} images ({listed}). "
    offers = "; ".join(
        filter(None, (_other_case(missing, truths, naming), hints(missing, truths, naming, found)))
    )
    if offers:
        return [first + offers]
    if 2 * len(missing) > len(images):
        names = "Set dataset.source.mask_suffix or dataset.source.mask_template, or add them"
        return [f"{first}{names}"]
    one = len(missing) == 1
    return [
        f"{first}Add {'it' if one else 'them'}; or, if {'it is' if one else 'they are'} not "
        f"annotated, move {'the image' if one else 'those images'} away or narrow "
        "dataset.source.glob. Only if there is nothing to annotate, set "
        "dataset.source.missing_mask=empty"
    ]


def equal_names(listed: Listing) -> str:
    """What is said of files whose names differ in their endings only; "" if there are none."""
    if not listed.twins:
        return ""
    twin, other = listed.twins[0]
    more = f", {count(len(listed.twins), 'such file')} in all" if len(listed.twins) > 1 else ""
    return (
        f"{twin} has the same id as {other}{more}. If one of the two is the mask, rename the "
        f"masks, such as {os.path.splitext(twin)[0]}_mask, or move images and masks into folders "
        "of their own, images and masks"
    )


def _other_case(missing: Sequence[str], truths: Listing, naming: Naming) -> str:
    """What is said of masks whose names have other capitals; "" if there are none."""
    folded = {stem.casefold(): path.name for stem, path in truths.files.items()}
    wanted = [(stem, mask) for stem in missing if (mask := naming.mask_of(stem)) is not None]
    found = [(mask, folded[mask.casefold()]) for _, mask in wanted if mask.casefold() in folded]
    if not found:
        return ""
    mask, there = found[0]
    return (
        f"Of {count(len(found), 'name')} only the capitals differ, such as {there} for {mask}: "
        "rename the masks or the images"
    )


def hints(missing: Sequence[str], truths: Listing, naming: Naming, found: Sequence[Match]) -> str:
    """The settings that would match; what is not read, if none would; "" for neither."""
    offers = {str(one.naming): (len(one.pairs), one.images) for one in found[:3]}
    suffix, count = common_suffix(missing, truths.files)
    if suffix and count > 1:
        offers.setdefault(f"dataset.source.mask_suffix={suffix}", (count, len(missing)))
    offers.pop(str(naming), None)
    told = [
        f"{setting} would match {'all' if of == n else f'{n} of'} {of}"
        for setting, (n, of) in sorted(offers.items(), key=lambda item: -item[1][0])
    ]
    if told:
        return "; ".join(told)
    unread = truths.unread()
    return f"There, {'; '.join(unread)}" if unread else ""
