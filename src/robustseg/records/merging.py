"""Merging: the parts of several records in one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from robustseg.records.layout import (
    DamagedRecord,
    Packing,
    is_record,
    read_index,
    read_part,
    write_index,
    write_part,
)
from robustseg.records.packing import locked
from robustseg.records.record import Record


@dataclass
class MergeReport:
    """What merging did.

    Attributes:
        added: runs that came with a new packing.
        mended: runs that it had in damaged parts, which are whole again.
        files: how many parts were written.
        damages: what was not copied, or is not mended, each with its file.
    """

    added: set[str] = field(default_factory=set)
    mended: set[str] = field(default_factory=set)
    files: int = 0
    damages: list[str] = field(default_factory=list)


def merge(records: Sequence[Path], target: Path) -> MergeReport:
    """Copy the parts of some records into another, which may be one of them.

    A packing with a damaged part is reported and not copied. Damaged parts of the target are
    written again from a record that has them whole.

    Args:
        records: folders; in the target, those of an earlier one come first.
        target: folder; what is there stays.

    Raises:
        DamagedRecord: the index of one cannot be used.
        FileNotFoundError: one is not a record.

    Examples:
        >>> here, there = Path("here/record"), Path("there/record")
        >>> merge([here, there], Path("both")).files  # doctest: +SKIP
        6
    """
    for record in records:
        if not record.is_dir():
            raise FileNotFoundError(f"no such directory: {record}")
        if not is_record(record):
            raise FileNotFoundError(f"{record} is not a record: record.json is missing")
    report = MergeReport()
    with locked(target):
        packings = read_index(target)
        damaged = _damaged(target, packings)
        for record in records:
            if is_record(target) and record.samefile(target):
                continue
            for packing in read_index(record):
                known = packing in packings
                if known and packing not in damaged:
                    continue
                try:
                    report.files += _copy(record, packing, target)
                except DamagedRecord as error:
                    report.damages.append(f"{error}; its {len(packing.runs)} runs are not copied")
                    continue
                if known:
                    del damaged[packing]
                    report.mended.update(packing.runs)
                else:
                    packings.append(packing)
                    report.added.update(packing.runs)
        report.damages += damaged.values()
        if report.added:
            write_index(target, packings)
        if report.added or report.mended:
            from robustseg.records.readme import write_readme

            write_readme(target)
    return report


def _damaged(target: Path, packings: Sequence[Packing]) -> dict[Packing, str]:
    """Those of which a part cannot be used, and what to say of them."""
    damaged = {}
    for packing in packings:
        try:
            Record(target).check(packing)
        except DamagedRecord as error:
            damaged[packing] = f"{error}; its {len(packing.runs)} runs are not used"
    return damaged


def _copy(record: Path, packing: Packing, target: Path) -> int:
    """Copy the parts of a packing; how many were not there, or damaged."""
    Record(record).check(packing)
    return sum(write_part(target, part, read_part(record, part)) for part in packing.parts)
