"""`robustseg data check` and `robustseg data download`."""

import argparse
from pathlib import Path
from typing import Any

from robustseg.commands.composed import composed


def add_parser(subparsers: Any) -> None:
    """Add the command ``data`` and its subcommands."""
    parser = subparsers.add_parser("data", help="look at a data set, or fetch a public one")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    checker = commands.add_parser(
        "check",
        help="counts, sizes, damaged files, duplicates across splits",
        description="Read every image and mask as a run would and report what is there and what "
        "is wrong. Exit code 1 if a run would refuse something.",
        epilog="robustseg data check dataset=isic2017 dataset.root=/data/isic2017",
    )
    checker.add_argument("overrides", nargs="*", metavar="NAME=VALUE", help="as for train.py")
    checker.add_argument("--format", choices=("text", "json"), default="text")
    checker.set_defaults(main=check)
    fetcher = commands.add_parser(
        "download",
        help="fetch a public data set; goes on where it broke off",
        epilog="robustseg data download isic2017 data/isic2017",
    )
    fetcher.add_argument("name", help="isic2017 or shenzhen")
    fetcher.add_argument("folder", nargs="?", type=Path, help="default: data/NAME")
    fetcher.set_defaults(main=download)


def check(options: argparse.Namespace) -> int:
    """Print what is in a data set and what is wrong with it; 1 if a run would refuse it."""
    from hydra.utils import instantiate

    from robustseg.data.check import check as check_source
    from robustseg.data.check_report import render_text, to_json

    config = composed(options.overrides, "dataset")
    report = check_source(instantiate(config["dataset"]["source"]))
    print(to_json(report) if options.format == "json" else render_text(report))
    return int(bool(report.errors))


def download(options: argparse.Namespace) -> int:
    """Fetch a public data set."""
    from robustseg.data.download import download as fetch

    print(fetch(options.name, options.folder or Path("data") / options.name))
    return 0
