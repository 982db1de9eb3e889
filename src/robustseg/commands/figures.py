"""`robustseg figures`."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def add_parser(subparsers: Any) -> None:
    """Add the command ``figures``."""
    parser = subparsers.add_parser(
        "figures",
        help="memorisation, ν, Dice against α and example images, as SVG and PNG",
        epilog="robustseg figures demo --out figures",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.add_argument("--dataset", help="only runs on this data set")
    parser.add_argument("--noise", help="only runs with this noise model (and clean ones)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder (default: runs)")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder to write to")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Draw the figures of finished runs; 1 if there is none."""
    from robustseg.results import curves, panels
    from robustseg.results.runs import NoRuns, load_runs

    chosen = ("experiment", "dataset")
    filters = {name: getattr(options, name) for name in chosen if getattr(options, name)}
    try:
        runs = load_runs(options.runs, **filters)
        if options.noise:
            runs = runs[(runs["noise"] == options.noise) | (runs["alpha"] == 0)]
        runs = _told_apart(runs)
    except (NoRuns, ValueError) as error:
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


def _told_apart(runs: "pd.DataFrame") -> "pd.DataFrame":
    """The runs with their loss named by all that tells a line of the table from another.

    Raises:
        ValueError: they are of several data sets or noise models, which no axis shows.
    """
    from robustseg.results.distinct import row_labels

    for name, option in (("dataset", "--dataset"), ("noise", "--noise")):
        kinds = sorted(runs[name].dropna().unique())
        if len(kinds) > 1:
            raise ValueError(
                f"the runs differ in {name} ({', '.join(kinds)}): choose with {option}"
            )
    runs, names = row_labels(runs)
    parts = runs[names].astype(object).where(runs[names].notna(), "")
    return runs.assign(loss=[" ".join(str(p) for p in row if p != "") for row in parts.to_numpy()])
