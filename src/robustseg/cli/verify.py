"""`robustseg runs verify`."""

import argparse
import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_sources import add_places, chosen_sources
from robustseg.errors import NoRuns
from robustseg.terminal.count import count
from robustseg.terminal.printable import printable
from robustseg.terminal.progress import track

if TYPE_CHECKING:
    from robustseg.runs.verify import Verdict


def add_parser(commands: Any) -> None:
    """Add the subcommand ``verify`` of ``runs``."""
    parser = commands.add_parser(
        "verify",
        help="compare the files of finished runs with their checksums",
        description="Read every file of the finished runs, weights and images included, and "
        "compare it with its size and SHA-256 in status.json; for records, compare "
        "the parts with those in record.json. Runs of older versions have no "
        "checksums and are listed as unverified.",
        epilog="robustseg runs verify --runs experiments/tloss_shenzhen_small/record",
    )
    parser.add_argument("ids", nargs="*", help="run ids; none: all runs")
    add_places(
        parser,
        ", each of which is verified (default: runs; if it has none, experiments/*/record)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print what is not as it was written.

    Returns:
        0; 1 if something is damaged.

    Raises:
        NoRuns: there is nothing to verify.
    """
    from robustseg.records.layout import is_record
    from robustseg.records.verify import verify_record
    from robustseg.runs.folder import run_folders
    from robustseg.runs.verify import verify

    verdicts: list[Verdict] = []
    for place in chosen_sources(options).paths:
        if not place.is_dir():
            raise NoRuns(f"{place} is not a directory")
        if is_record(place):
            verdicts += [one for one in verify_record(place) if _wanted(one.run_id, options.ids)]
            continue
        chosen = [one for one in run_folders(place) if _wanted(one.run_id, options.ids)]
        verdicts += [verify(one) for one in track(chosen, len(chosen), "Verified")]
    unknown = sorted(set(options.ids) - {one.run_id for one in verdicts})
    if unknown:
        raise NoRuns(f"no such run: {', '.join(unknown)}")
    if not verdicts:
        raise NoRuns("no run to verify")
    print(_as_json(verdicts) if options.format == "json" else _as_text(verdicts))
    return int(any(one.state == "damaged" for one in verdicts))


def _wanted(run_id: str, ids: list[str]) -> bool:
    return not ids or run_id in ids


def _as_json(verdicts: "list[Verdict]") -> str:
    return json.dumps([asdict(one) for one in verdicts], indent=2)


def _as_text(verdicts: "list[Verdict]") -> str:
    lines = [
        printable(f"{one.run_id}: {one.state}{f': {one.reason}' if one.reason else ''}")
        for one in verdicts
        if one.state != "verified"
    ]
    counts = Counter(one.state for one in verdicts)
    said = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
    return "\n".join([*lines, f"{count(len(verdicts), 'run')}: {said}"])
