"""`robustseg data check` and `robustseg data download`."""

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.overrides import add_overrides

if TYPE_CHECKING:
    from robustseg.data.sources.source import Source
    from robustseg.settings import Settings


def add_parser(subparsers: Any) -> None:
    """Add the command ``data`` and its subcommands."""
    parser = subparsers.add_parser("data", help="check a data set, or download a public one")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    checker = commands.add_parser(
        "check",
        help="counts, sizes, damaged files, duplicates",
        description="Read every image and mask as a run would, and report their properties and "
        "problems. Exit code 1 if a run would refuse something.",
        epilog="robustseg data check dataset=isic2017 dataset.root=/data/isic2017",
    )
    add_overrides(checker)
    checker.add_argument("--format", choices=("text", "json"), default="text")
    checker.set_defaults(main=check)
    fetcher = commands.add_parser(
        "download",
        help="download a public data set; resumes an interrupted download",
        epilog="robustseg data download isic2017 data/isic2017",
    )
    fetcher.add_argument("name", help="isic2017 or shenzhen")
    fetcher.add_argument("folder", nargs="?", type=Path, help="default: data/NAME")
    fetcher.set_defaults(main=download)


def check(options: argparse.Namespace) -> int:
    """Print what is in a data set and what is wrong with it; 1 if a run would refuse it."""
    from hydra.utils import instantiate

    from robustseg.configuration.compose import composed
    from robustseg.data.checking.check import check as check_source
    from robustseg.data.checking.check_report import render_text, to_json

    settings = composed(options.overrides, "dataset")
    source = instantiate(settings.dataset.source.arguments())
    report = check_source(source, settings.dataset.image_size)
    used = {} if report.errors else _used(settings, source)
    if options.format == "json":
        more = {"used": used, "call": "" if report.errors else _call(options.overrides)}
        print(json.dumps(json.loads(to_json(report)) | more, indent=2))
    else:
        print(render_text(report))
        if used:
            print("a run uses " + ", ".join(f"{n} {split}" for split, n in used.items()))
        if not report.errors:
            print(f"\nto train on it:\n  {_call(options.overrides)}")
    return int(bool(report.errors))


def _call(overrides: list[str]) -> str:
    """The call that trains on what was checked, as a shell takes it."""
    return shlex.join(["robustseg", "train", *overrides])


def _used(settings: "Settings", source: "Source") -> dict[str, int]:
    """Images by split after the selection that the overrides ask for; empty if they ask for none.

    Raises:
        DataError: a run would refuse the selection.
    """
    dataset = settings.dataset
    chosen = (dataset.positive_fraction, dataset.train_size, dataset.folds)
    if dataset.subset == "all" and chosen == (None, None, None) and not dataset.val_fraction:
        return {}
    from robustseg.data.prepare import load_selected

    images = load_selected(source, Path(settings.paths.cache), dataset)
    counts = {split: len(images.split(split)) for split in ("train", "val", "test")}
    return {split: count for split, count in counts.items() if count or split != "val"}


def download(options: argparse.Namespace) -> int:
    """Fetch a public data set."""
    from robustseg.data.fetching.download import download as fetch

    print(fetch(options.name, options.folder or Path("data") / options.name))
    return 0
