"""The report of a data check for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from robustseg.data.checking.check import SHARES, Report
from robustseg.data.checking.duplicates import Pair
from robustseg.data.sources.label_rule import LEFT_OUT
from robustseg.terminal.aligned import aligned

_FEW = 3  # sizes that are listed
_VALUES = 8  # values of masks that are listed
LISTED = 20  # errors and pairs shown in the text; JSON has all


def to_json(report: Report) -> str:
    """The whole report as JSON; `share_classes` are the upper ends of the foreground classes."""
    return json.dumps({**asdict(report), "share_classes": SHARES}, indent=2, ensure_ascii=False)


def render_text(report: Report) -> str:
    """The report as a page of plain text."""
    lines = [f"{report.name} {report.root}".rstrip()]
    lines += _listed("recognised", report.recognised)
    if report.images:
        lines += ["", _split_table(report)]
    if any(report.read.values()):
        lines += ["", "sizes   " + _sizes(report.sizes), "modes   " + _counts(report.modes)]
        if report.values and not report.classes:
            lines.append("values  " + _mask_values(report.values))
        if report.levels and (report.classes or report.label_maps):
            lines.append("values  " + _level_shares(report.levels))
        lines += ["", _class_table(report) if report.classes else _foreground_table(report)]
        if report.overlaps:
            lines += ["", _overlap_text(report.overlaps)]
    lines += _listed("duplicates", [_pair_text(p) for p in report.duplicates])
    lines += _listed("warnings", report.warnings)
    lines += _listed("errors", report.errors)
    if report.label_maps:
        if not any(report.read.values()):
            lines += ["", "values  " + _level_shares(report.levels)]
        lines += ["", _to_train(report.label_maps), f"  {' '.join(report.label_maps)}"]
    total = len(report.errors)
    lines += ["", f"{total} error{'s' * (total != 1)}" if total else "no errors"]
    return "\n".join(lines)


def _to_train(overrides: Sequence[str]) -> str:
    """The line above a proposal of classes, which says so if it leaves pixels out."""
    ignored = any(f":{LEFT_OUT}" in one.replace(" ", "") for one in overrides)
    more = " (pixels of 255 are ignored: name it, too, if it is a class)"
    return f"to train on the values as classes, add{more if ignored else ''}"


def _pair_text(pair: Pair) -> str:
    return (
        f"{pair.kind:5}  {pair.first_split} {pair.first}  {pair.second_split} {pair.second}  "
        f"correlation of the grey levels {pair.correlation:.4f}, "
        f"{pair.distance} of 64 marks of the coarse pattern differ"
    )


def _split_table(report: Report) -> str:
    """Images, cases and empty masks by split; what could not be read is not counted as zero."""
    whole = report.read == report.images
    rows = [["split", "images", *([] if whole else ["read"]), "cases", "empty masks"]]
    for split, count in report.images.items():
        read = report.read.get(split, 0)
        rows.append(
            [
                split,
                str(count),
                *([] if whole else [str(read)]),
                str(report.cases.get(split, "-")),
                str(report.empty_masks.get(split, 0)) if read else "-",
            ]
        )
    return aligned(rows, right=True)


def _foreground_table(report: Report) -> str:
    """Images by share of foreground, a column per split of which any could be read."""
    splits = [split for split in report.foreground if report.read.get(split)]
    rows = [["foreground", *splits]]
    for index, upper in enumerate(SHARES):
        name = "none" if index == 0 else f"{SHARES[index - 1] * 100:g}–{upper * 100:g} %"
        rows.append([name, *(str(report.foreground[split][index]) for split in splits)])
    return aligned(rows, right=True)


def _sizes(sizes: dict[str, int]) -> str:
    """All sizes if there are few; else how many, the smallest, the largest and the commonest."""
    if len(sizes) <= _FEW:
        return _counts(sizes)
    by_area = sorted(sizes, key=lambda size: (math.prod(map(int, size.split("×"))), size))
    (common, count), *_ = sizes.items()
    often = f", most often {common} ({count})" if count > 1 else ""
    return f"{len(sizes)} different, {by_area[0]} to {by_area[-1]}{often}"


def _mask_values(values: dict[str, int]) -> str:
    """The values of the masks of the whole set, with the number of masks that hold each."""
    first = [f"{value} in {count}" for value, count in list(values.items())[:_VALUES]]
    rest = len(values) - len(first)
    more = f", and {rest} more values, up to {list(values)[-1]}" if rest > 0 else ""
    return f"{', '.join(first)} masks{more}"


def _level_shares(levels: dict[str, float]) -> str:
    """The values of label maps with their share of all pixels."""
    first = [f"{value} ({share:.2%})" for value, share in list(levels.items())[:_VALUES]]
    rest = len(levels) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "") + " of all pixels"


def _class_table(report: Report) -> str:
    """Each class with its share of the pixels and the images of each split that have it."""
    splits = [split for split in report.images if report.read.get(split)]
    rows = [["class", "pixels", *splits]]
    for name, of in report.classes.items():
        rows.append([name, f"{of['share']:.2%}", *(str(of[split]) for split in splits)])
    return aligned(rows, right=True)


def _overlap_text(overlaps: dict[str, float | int]) -> str:
    if not overlaps["images"]:
        return "no two classes overlap"
    return (
        f"classes overlap in {overlaps['images']} images, {overlaps['share']:.2%} of the "
        "foreground: the later of dataset.classes counts"
    )


def _counts(counts: dict[str, int]) -> str:
    shown = [f"{name} ({count})" for name, count in list(counts.items())[:6]]
    rest = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")


def _listed(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    lines = ["", title, *(f"  {item}" for item in items[:LISTED])]
    if len(items) > LISTED:
        lines.append(f"  and {len(items) - LISTED} more (--format json has all)")
    return lines
