"""Options that ask for a table: its numbers, its layout and its test."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from robustseg.cli.run_filters import add_filters, split
from robustseg.cli.run_sources import add_sources
from robustseg.results.figures.shown import IMAGES

if TYPE_CHECKING:
    from robustseg.results.tables.query import TableQuestion


def add_metrics(parser: argparse.ArgumentParser, words: str) -> None:
    """Add --metric, --by and --decimals.

    Args:
        parser: of the command.
        words: what --metric takes, and its default.
    """
    parser.add_argument("--metric", nargs="+", action="extend", default=[], help=words)
    parser.add_argument(
        "--by",
        choices=("class", "size"),
        help="class: each number is followed by those of the foreground classes; size: by those "
        "of four quarters of the test images, from the smallest objects to the largest",
    )
    parser.add_argument(
        "--decimals", type=_decimals, default=3, help="decimals of means (default: 3)"
    )


def _decimals(text: str) -> int:
    if text not in map(str, range(1, 16)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 15")
    return int(text)


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose runs and ask for a table of them, which `question` reads."""
    from robustseg.results.tables.grid import LAYOUTS

    add_sources(parser)
    add_filters(parser)
    add_metrics(
        parser,
        "metrics, side by side (default: dice_image, with dice_pooled and area_ratio where they "
        "rank losses differently; or those of the layout)",
    )
    parser.add_argument(
        "--layout",
        choices=tuple(LAYOUTS),
        default="noise",
        help="noise: losses × noise settings (default); losses: noise settings × losses, for many "
        "settings; domain: metrics × batch sizes and loss domains",
    )
    parser.add_argument(
        "--test",
        choices=("images", "seeds", "tukey", "best", "none"),
        help="test behind the marks. images: Wilcoxon over test images (default); seeds: over "
        "six or more seeds (with many pairs more); both with Holm's correction over all pairs. "
        "tukey: the T-Loss "
        "paper's procedure. best: corrects only for pairs with the best, and marks too much",
    )
    parser.add_argument(
        "--against",
        metavar="LOSS",
        help="compare with this loss (layout domain: this domain) instead of the best",
    )
    parser.add_argument(
        "--ci", action="store_true", help="show 95 %% intervals (csv and json always have them)"
    )
    add_published(parser)


def add_published(parser: argparse.ArgumentParser) -> None:
    """Add --published and --no-published."""
    parser.add_argument(
        "--published",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show the paper's values where there are any (default: yes)",
    )


def question(options: argparse.Namespace) -> TableQuestion:
    """What a table is asked for by the options of `add_table`."""
    from robustseg.results.tables.query import TableQuestion

    return TableQuestion(
        experiment=options.experiment,
        metrics=split(options.metric),
        losses=split(options.loss),
        layout=options.layout,
        test=options.test,
        against=options.against,
        intervals=options.ci,
        published=options.published,
        by=options.by,
    )


def add_images(parser: argparse.ArgumentParser, default: str | None, why: str) -> None:
    """Add --images.

    Args:
        parser: of the command.
        default: one of `IMAGES`, or None.
        why: the default in words.
    """
    parser.add_argument(
        "--images",
        choices=IMAGES,
        default=default,
        help="figures with images of the data set: none, those with training images only, or "
        f"all; check the licence before you share them (default: {why})",
    )
