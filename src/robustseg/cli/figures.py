"""`robustseg figures`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_filters import add_filters, selected, split
from robustseg.cli.run_sources import add_runs
from robustseg.cli.table_options import add_images
from robustseg.errors import NoRuns
from robustseg.terminal.remarks import tell

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from robustseg.results.figures.figure_specs import FigureSpec
    from robustseg.results.sources import Sources

FORMATS = ("png", "svg", "pdf")
WIDTHS = {"single": 3.5, "double": 7.2}  # inches
_SCREEN, _PRINT = 120, 300  # dots per inch


def add_parser(subparsers: Any) -> None:
    """Add the command ``figures``."""
    parser = subparsers.add_parser(
        "figures",
        help="memorisation, ν, Dice against α, example images and more, as PNG, SVG or PDF",
        description="Draw what the finished runs show, and write each figure as files of the "
        "formats to OUT/EXPERIMENT; what the runs have nothing for is left out.",
        epilog="robustseg figures demo --format pdf --width double --out figures",
    )
    add_runs(parser)
    add_filters(parser)
    parser.add_argument("--noise", help="only runs with this noise model (and clean ones)")
    add_images(parser, "all", "all, for your own eyes")
    parser.add_argument(
        "--format", nargs="+", choices=FORMATS, default=["png", "svg"], help="(default: png svg)"
    )
    parser.add_argument(
        "--width",
        choices=tuple(WIDTHS),
        help="width of one or two journal columns, 3.5 or 7.2 inches (default: as the panels need)",
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("figures"), help="folder (default: figures)"
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Draw the figures of finished runs; 1 if there is none."""
    from robustseg.terminal.suggestion import suggestion

    runs, sources = selected(options)
    noted = [*runs.attrs["absent"], *runs.attrs["remarks"], *runs.attrs["unfinished"]]
    if options.noise:
        present = set(runs["noise"].dropna())
        if options.noise not in present:
            there = suggestion(options.noise, present)
            raise NoRuns(f"no finished run has noise={options.noise}; {there}")
        runs = runs[(runs["noise"] == options.noise) | (runs["alpha"] == 0)]
    figures, remarks = draw(runs, sources, options.images, split(options.loss))
    if options.width:
        from robustseg.results.figures.style import resize

        for _, figure in figures:
            resize(figure, WIDTHS[options.width])
    folder = options.out / (options.experiment or "")
    dots = _PRINT if options.width else _SCREEN
    return save(figures, [*noted, *remarks], folder, options.format, dots=dots)


def draw(
    runs: pd.DataFrame, sources: Sources, images: str, losses: Sequence[str] = ()
) -> tuple[list[tuple[FigureSpec, Figure]], list[str]]:
    """Draw them, and write nothing yet.

    Args:
        runs: as `load_runs` gives them.
        sources: of the runs.
        images: of the data set that may be shown, one of `IMAGES`.
        losses: that come first, in this order; none: the paper's order.

    Returns:
        The figures, and remarks for the error channel.

    Raises:
        ConfigError: the runs are of several data sets or noise models.
    """
    from robustseg.results.figures.figure_specs import FIGURES, allowed, drawn
    from robustseg.results.figures.lines import line_names

    named = line_names(runs, losses)
    also = _predicted(named, sources) if images == "all" else []
    figures, remarks = drawn(named, sources, images, also)
    hidden = [spec.name for spec in FIGURES if spec not in allowed(images)]
    if hidden:
        remarks.append(f"Left out, for their images (see --images): {', '.join(hidden)}.")
    return figures, remarks


def _predicted(runs: pd.DataFrame, sources: Sources) -> list[FigureSpec]:
    """The figure for which networks predict again, if a run has weights: only it needs torch."""
    folders = [sources.find(run_id).folder for run_id in runs["run_id"]]
    if not any(folder is not None and folder.weights.is_file() for folder in folders):
        return []
    from robustseg.finished.threshold_masks import threshold_masks
    from robustseg.results.figures.figure_specs import FigureSpec

    return [
        FigureSpec(
            "threshold_masks",
            "What a threshold makes of a prediction",
            "Test images with their clean masks, the probability of the foreground and the masks "
            "at ¼, ½ and ¾; for the hardest noise setting, one row per loss and image, first "
            "seed.",
            threshold_masks,
            images="all",
        )
    ]


def save(
    figures: Sequence[tuple[FigureSpec, Figure]],
    remarks: Sequence[str],
    folder: Path,
    formats: Sequence[str],
    small: bool = False,
    dots: int = _SCREEN,
) -> int:
    """Write what `draw` gave, and say so.

    Args:
        figures: with their specs.
        remarks: for the error channel.
        folder: to write to.
        formats: some of `FORMATS`.
        small: pictures in 256 colours: to be kept in git.
        dots: per inch of a PNG.

    Returns:
        Exit code; 1 if there is no figure.
    """
    from robustseg.results.figures.figure_specs import FIGURES

    tell(remarks)
    names = [spec.name for spec, _ in figures]
    old = [spec.name for spec in FIGURES if spec.name not in names]
    old = [name for name in old if any((folder / f"{name}.{kind}").exists() for kind in FORMATS)]
    if old:
        print(f"Left in {folder} from an earlier command: {', '.join(old)}.", file=sys.stderr)
    if not figures:
        print("These runs have nothing to draw.", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for spec, figure in figures:
        for kind in formats:
            file = folder / f"{spec.name}.{kind}"
            figure.savefig(file, dpi=dots, metadata=_words(spec, kind))
            if small and kind == "png" and spec.images != "none":
                _reduce(file)
    said = " and ".join(kind.upper() for kind in formats)
    print(f"Figures in {folder}: {', '.join(names)} ({said})")
    return 0


def _words(spec: FigureSpec, kind: str) -> dict[str, str | None]:
    """Title and caption as a file of a format keeps them, without the date."""
    caption = "Subject" if kind == "pdf" else "Description"
    dates = {"svg": "Date", "pdf": "CreationDate"}
    undated = {dates[kind]: None} if kind in dates else {}
    return {"Title": spec.title, caption: spec.caption, **undated}


def _reduce(file: Path) -> None:
    """Write a picture with 256 colours, a third of its size."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    words = PngInfo()
    with Image.open(file, formats=["PNG"]) as picture:
        for name in ("Title", "Description"):
            words.add_itxt(name, picture.info[name])
        reduced = picture.convert("RGB").quantize(256)
    reduced.save(file, optimize=True, pnginfo=words)
