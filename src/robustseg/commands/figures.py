"""`robustseg figures`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from robustseg.results.figures.shown import IMAGES


def add_parser(subparsers: Any) -> None:
    """Add the command ``figures``."""
    parser = subparsers.add_parser(
        "figures",
        help="memorisation, ν, Dice against α, example images and more, as SVG and PNG",
        epilog="robustseg figures demo --out figures",
    )
    parser.add_argument("experiment", nargs="?", help="only runs of this experiment")
    parser.add_argument("--dataset", help="only runs on this data set")
    parser.add_argument("--noise", help="only runs with this noise model (and clean ones)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder (default: runs)")
    parser.add_argument(
        "--images",
        choices=IMAGES,
        default="all",
        help="figures with images of the data set: none, those of training images only, or all "
        "(default: all, for your own eyes; their licence says which may be published)",
    )
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder to write to")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Draw the figures of finished runs; 1 if there is none."""
    return draw(options)


def draw(options: argparse.Namespace, small: bool = False) -> int:
    """Draw them.

    Args:
        options: of the command.
        small: without SVG, and pictures in 256 colours: to be kept in git.

    Returns:
        Exit code.
    """
    from robustseg.results.figures.catalogue import PLATES, allowed, drawn
    from robustseg.results.figures.selection import told_apart
    from robustseg.results.runs import NoRuns, load_runs

    chosen = ("experiment", "dataset")
    filters = {name: getattr(options, name) for name in chosen if getattr(options, name)}
    try:
        runs = load_runs(options.runs, **filters)
        if options.noise:
            load_runs(options.runs, **filters, noise=options.noise)  # refuses what no run has
            runs = runs[(runs["noise"] == options.noise) | (runs["alpha"] == 0)]
        runs = told_apart(runs)
    except (NoRuns, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    folder = options.out / (options.experiment or "")
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for plate, figure in drawn(runs, options.runs, options.images):
        file = folder / f"{plate.name}.png"
        figure.savefig(file, dpi=120)
        if not small:
            figure.savefig(file.with_suffix(".svg"), dpi=120, metadata={"Date": None})
        elif plate.images != "none":
            _reduce(file)
        names.append(plate.name)
    print(f"Figures in {folder}: {', '.join(names)} ({'PNG' if small else 'PNG and SVG'})")
    left_out = [plate.name for plate in PLATES if plate not in allowed(options.images)]
    if left_out:
        print(f"Left out, for their images (see --images): {', '.join(left_out)}")
    return 0


def _reduce(file: Path) -> None:
    """Write a picture with 256 colours, a third of its size."""
    from PIL import Image

    with Image.open(file) as picture:
        reduced = picture.convert("RGB").quantize(256)
    reduced.save(file, optimize=True)
