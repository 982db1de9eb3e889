"""`robustseg figures`."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command ``figures``."""
    parser = subparsers.add_parser(
        "figures",
        help="memorisation, ν, Dice against α and example images, as SVG and PNG",
        epilog="robustseg figures demo --out figures",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder (default: runs)")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder to write to")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Draw the figures of finished runs; 1 if there is none."""
    from robustseg.results import curves, panels
    from robustseg.results.runs import NoRuns, load_runs

    filters = {"experiment": options.experiment} if options.experiment else {}
    try:
        runs = load_runs(options.runs, **filters)
    except NoRuns as error:
        print(error, file=sys.stderr)
        return 1
    figures = {
        "memorisation": curves.memorisation(runs, options.runs),
        "nu": curves.nu(runs, options.runs),
        "dice_against_alpha": curves.dice_against_alpha(runs),
        "examples": panels.examples(runs, options.runs),
    }
    folder = options.out / (options.experiment or "")
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: figure for name, figure in figures.items() if figure is not None}
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    print(f"Figures in {folder}: {', '.join(drawn)} (PNG and SVG)")
    return 0
