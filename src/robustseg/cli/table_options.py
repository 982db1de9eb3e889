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
        choices=("class",),
        help="class: each number is followed by that of each class of foreground",
    )
    parser.add_argument("--decimals", type=_decimals, default=3, help="of means (default: 3)")


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
        "numbers of metrics.json, side by side (default: dice_image, with dice_pooled and "
        "area_ratio where they rank losses differently; or the layout's)",
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
        help="which cells differ: by Wilcoxon's test over test images (default, where it can be "
        "made) or over six or more seeds, Holm's correction over all pairs of all columns; by the "
        "T-Loss paper's ANOVA and Tukey's test; or best, the former rule, which corrects for the "
        "pairs with the best only and marks too much",
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
        by_class=options.by == "class",
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
        help="figures with images of the data set: none, those of training images only, or all; "
        f"their licence says what may be passed on (default: {why})",
    )
