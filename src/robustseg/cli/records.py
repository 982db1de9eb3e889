"""`robustseg runs pack` and `robustseg runs merge`."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.errors import DataError, NoRuns
from robustseg.terminal.count import count
from robustseg.terminal.printable import printable
from robustseg.terminal.remarks import tell

if TYPE_CHECKING:
    from robustseg.records.packing import PackReport

_TOLD = 10  # runs that are named


def add_parsers(commands: Any) -> None:
    """Add the subcommands ``pack`` and ``merge`` of ``runs``."""
    packer = commands.add_parser(
        "pack",
        help="keep the numbers of finished runs in a small record, for git",
        description="Add the finished runs of an experiment that a record does not have yet: "
        "numbers, curves and rows of test images, without weights and images. "
        "Existing parts are not changed. A run that a sweep skipped because of "
        "records=[…] is taken from the record that has it. Tables, figures and "
        "reports read records like folders of runs.",
        epilog="robustseg runs pack demo -o record",
    )
    packer.add_argument("experiment", help="experiment to pack, or all")
    packer.add_argument("-o", "--out", type=Path, required=True, help="the record's folder")
    packer.add_argument(
        "--runs",
        type=Path,
        nargs="+",
        metavar="SOURCE",
        help="folders of runs, and records (default: runs, and from every experiments/*/record "
        "the runs that were skipped because a record has them)",
    )
    packer.add_argument(
        "--image-ids",
        action="store_true",
        help="keep image ids in plain text, also for data that are not public (default: salted "
        "hashes)",
    )
    packer.set_defaults(main=pack)
    merger = commands.add_parser(
        "merge",
        help="put several records into one",
        description="Copy the parts of some records into another. Damaged parts are reported and "
        "not copied; parts that are damaged in the target are written again from a "
        "source that has them.",
        epilog="robustseg runs merge here/record there/record -o both",
    )
    merger.add_argument("records", type=Path, nargs="+", metavar="RECORD", help="folders")
    merger.add_argument("-o", "--out", type=Path, required=True, help="the record's folder")
    merger.set_defaults(main=merge)


def pack(options: argparse.Namespace) -> int:
    """Pack; 1 if nothing of the experiment is there, or a part of the record is damaged."""
    from robustseg import records
    from robustseg.records.layout import DamagedRecord, records_here

    experiment = None if options.experiment == "all" else options.experiment
    runs, elsewhere = options.runs or [Path("runs")], [] if options.runs else records_here()
    for place in runs:
        if not place.is_dir():
            raise NoRuns(f"no such directory: {place}")
    try:
        report = records.pack(
            experiment, runs, options.out, image_ids=options.image_ids, elsewhere=elsewhere
        )
    except DamagedRecord as error:
        raise DataError(f"{error}. Nothing was packed") from error
    tell_packed(report)
    if not (report.added or report.known or report.differing):
        has = "has" if len(runs) == 1 else "have"
        whose = f" of experiment {experiment}" if experiment else ""
        raise NoRuns(f"{', '.join(map(str, runs))} {has} no finished run{whose}")
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    print(
        f"{options.out}: {count(len(report.added), 'run')} added in "
        f"{count(len(report.files), 'part')} ({sum(report.files.values()) / 1e6:.2f} MB), "
        f"{len(report.known)} there before; {size / 1e6:.2f} MB in all"
    )
    return int(bool(report.damages))


def tell_packed(report: "PackReport") -> None:
    """Print what a record has not got, or not as it was, on stderr."""
    tell(f"robustseg runs pack: {damage}" for damage in report.damages)
    _list("Left out", report.left_out.items(), "")
    _list("Packed without", ((run, files) for run, files in report.without.items()), "")
    _list(
        "Packed with absolute paths, since settings that can change the result are kept in full",
        report.paths.items(),
        "To keep the folder out of the record, train with a relative path",
    )
    _list(
        "With different numbers in another source; the first are kept",
        report.differing.items(),
        "To keep both, pack them into a separate record; tables name the differences",
    )


def merge(options: argparse.Namespace) -> int:
    """Merge; 1 if something is damaged."""
    from robustseg import records
    from robustseg.records.layout import DamagedRecord

    try:
        report = records.merge(options.records, options.out)
    except (DamagedRecord, FileNotFoundError) as error:
        raise DataError(str(error)) from error
    tell(f"{options.prog}: {damage}" for damage in report.damages)
    mended = f", {count(len(report.mended), 'run')} mended" if report.mended else ""
    print(
        f"{options.out}: {count(len(report.added), 'run')} and {count(report.files, 'part')} "
        f"copied from {count(len(options.records), 'record')}{mended}"
    )
    return int(bool(report.damages))


def _list(title: str, lines: Iterable[tuple[str, str]], remedy: str) -> None:
    lines = list(lines)
    if not lines:
        return
    print(f"{title}:", file=sys.stderr)
    for name, reason in lines[:_TOLD]:
        print(printable(f"  {name}: {reason}"), file=sys.stderr)
    if len(lines) > _TOLD:
        print(f"  and {len(lines) - _TOLD} more", file=sys.stderr)
    if remedy:
        print(f"  {remedy}", file=sys.stderr)
