"""`robustseg results`: what an experiment's folder keeps of its runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli import figures
from robustseg.results.figures.shown import IMAGES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from robustseg.results.figures.catalogue import Plate
    from robustseg.results.sources import Sources


def add_parser(subparsers: Any) -> None:
    """Add the command ``results``."""
    from robustseg.results.tables.query import add_options

    parser = subparsers.add_parser(
        "results",
        help="results.csv, table.md and figures of an experiment, to keep beside its README",
        description="Write OUT/EXPERIMENT/results.csv (means, deviations, intervals, p-values), "
        "table.md, which robustseg table --from results.csv gives again, and the figures.",
        epilog="robustseg results tloss_isic2017 --runs runs --out experiments",
    )
    parser.add_argument("experiment", help="only runs of this experiment")
    add_options(parser)
    parser.add_argument(
        "--images",
        choices=IMAGES,
        default="none",
        help="figures with images of the data set: none, those of training images only, or all "
        "(default: none, for the folder is published; their licence says what may be)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("experiments"), help="folder (default: experiments)"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Write the files.

    Returns:
        0; 1 if there is no such run, or no figure of them; 2 if the question cannot be answered.
    """
    from robustseg.errors import NoRuns
    from robustseg.results.tables.query import answer, selected
    from robustseg.results.tables.render import render
    from robustseg.runs.files import write_text

    folder = options.out / options.experiment
    try:
        runs, sources = selected(options)
        table, remarks = answer(runs, sources, options, intervals=True)
        text = render(table, "md", options.decimals, options.layout, options.ci)
        drawn, without = _draw(
            runs, sources, options.images
        )  # before anything is written: they belong together
    except NoRuns as error:
        print(f"robustseg results: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"robustseg results: {error}", file=sys.stderr)
        return 2
    write_text(folder / "results.csv", render(table, "csv"))
    write_text(folder / "table.md", text)
    for remark in remarks:
        print(remark, file=sys.stderr)
    print(f"Table in {folder}: results.csv, table.md")
    return figures.save(drawn, without, folder, small=True)


def _draw(
    runs: pd.DataFrame, sources: Sources, images: str
) -> tuple[list[tuple[Plate, Figure]], list[str]]:
    try:
        return figures.draw(runs, sources, images)
    except ValueError as error:  # several noise models, which a table can show
        return [], [f"No figures: {error}."]
