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
        record: that holds all of them now.
        added: runs that came with a new packing.
        files: how many parts were copied.
        damages: what was not copied, each with its file.
    """

    record: Path
    added: set[str] = field(default_factory=set)
    files: int = 0
    damages: list[str] = field(default_factory=list)


def merge(records: Sequence[Path], target: Path) -> MergeReport:
    """Copy the parts of some records into another, which may be one of them.

    A packing with a damaged part is reported and not copied.

    Args:
        records: folders; in the target, those of an earlier one come first.
        target: folder; what is there stays.

    Raises:
        DamagedRecord: the index of one cannot be used.
        FileNotFoundError: one is not a record.

    Examples:
        >>> merge([Path("here/record"), Path("there/record")], Path("both")).files
        6
    """
    for record in records:
        if not record.is_dir():
            raise FileNotFoundError(f"no such directory: {record}")
        if not is_record(record):
            raise FileNotFoundError(f"{record} is not a record: record.json is missing")
    report = MergeReport(target)
    with locked(target):
        packings = read_index(target)
        for record in records:
            for packing in read_index(record):
                if packing in packings:
                    continue
                try:
                    report.files += _copy(record, packing, target)
                except DamagedRecord as error:
                    report.damages.append(f"{error}; its {len(packing.runs)} runs are not copied")
                    continue
                packings.append(packing)
                report.added.update(packing.runs)
        if report.added:
            write_index(target, packings)
            from robustseg.records.readme import write_readme

            write_readme(target)
    return report


def _copy(record: Path, packing: Packing, target: Path) -> int:
    """Copy the parts of a packing; how many were not there."""
    Record(record).check(packing)
    copied = 0
    for part in packing.parts:
        copied += not (target / part.file).exists()
        write_part(target, part, read_part(record, part))
    return copied
