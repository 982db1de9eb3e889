"""`robustseg results`: what an experiment's folder keeps of its runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli import figures
from robustseg.cli.run_filters import selected, split
from robustseg.cli.table_options import add_images, add_table, question
from robustseg.errors import ConfigError
from robustseg.terminal.remarks import tell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from robustseg.results.figures.figure_specs import FigureSpec
    from robustseg.results.sources import Sources


def add_parser(subparsers: Any) -> None:
    """Add the command ``results``."""
    parser = subparsers.add_parser(
        "results",
        help="results.csv, table.md and figures of an experiment, to keep beside its README",
        description="Write OUT/EXPERIMENT/results.csv (means, deviations, intervals, p-values), "
        "table.md, which robustseg table --from results.csv prints again, and the "
        "figures.",
        epilog="robustseg results tloss_isic2017_small --out results",
    )
    parser.add_argument("experiment", help="only runs of this experiment")
    add_table(parser)
    add_images(parser, "none", "none, since the folder is published")
    parser.add_argument(
        *("-o", "--out"),
        type=Path,
        default=Path("experiments"),
        help="folder (default: experiments)",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Write the files."""
    from robustseg.results.tables.query import answer
    from robustseg.results.tables.render import render
    from robustseg.runs.files import write_text

    folder = options.out / options.experiment
    runs, sources = selected(options)
    table, remarks = answer(runs, sources, question(options), intervals=True)
    text = render(table, "md", options.decimals, options.layout, options.ci)
    # Drawn before anything is written: they belong together.
    drawn, without = _draw(runs, sources, options)
    write_text(folder / "results.csv", render(table, "csv"))
    write_text(folder / "table.md", text)
    tell(remarks)
    print(f"Table in {folder}: results.csv, table.md")
    figures.save(drawn, without, folder, ["png"], small=True)
    return 0  # there is a table, also of runs that have nothing to draw


def _draw(
    runs: pd.DataFrame, sources: Sources, options: argparse.Namespace
) -> tuple[list[tuple[FigureSpec, Figure]], list[str]]:
    try:
        return figures.draw(runs, sources, options.images, split(options.loss))
    except ConfigError as error:  # several noise models, which a table can show
        return [], [f"No figures: {error}; robustseg figures takes that too."]
