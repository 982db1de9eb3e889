"""`robustseg predict`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_argument import add_run, begin, loaded, positive, share
from robustseg.errors import ConfigError

if TYPE_CHECKING:
    from robustseg.finished.predict import Predicted


def add_parser(subparsers: Any) -> None:
    """Add the command ``predict``."""
    parser = subparsers.add_parser(
        "predict",
        help="masks and probabilities of new images",
        description="Predict images of any size and write OUT/masks (8-bit PNG: 0, 255), "
        "OUT/probabilities (16-bit PNG: 65535 p) and OUT/predictions.csv, at the images' own size; "
        "of several classes OUT/masks are label maps (8-bit PNG with a palette: k for class k). "
        "Exit code 1 if a file could not be read; the others are predicted nevertheless.",
        epilog="robustseg predict runs/isic2017-tloss-clean-s0-1f2e3d4c photos '*.tif' -o out",
    )
    add_run(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="files, folders or patterns")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--threshold",
        type=share,
        metavar="P",
        help="foreground where the probability is above it, in [0, 1) (default: 0.5); of several "
        "classes the largest probability decides",
    )
    parser.add_argument(
        "--class-probabilities",
        action="store_true",
        help="OUT/probabilities/CLASS of each class, where there are several",
    )
    parser.add_argument("--overlay", action="store_true", help="OUT/overlays: outline on image")
    parser.add_argument("--batch-size", type=positive, default=8, help="images (default: 8)")
    parser.add_argument(
        "--image-bits",
        type=int,
        choices=range(8, 17),
        metavar="N",
        help="bits that images of 16 bits grey use, 8 to 16, for example 12 for values up to 4095 "
        "(default: the run's dataset.source.image_bits)",
    )
    parser.add_argument("--force", action="store_true", help="overwrite files in OUT")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Predict images; 1 if a file could not be read."""
    begin(options)
    from robustseg.finished.predict import (
        bits_of,
        find_images,
        outputs,
        predict_files,
        warn_of_depth,
    )
    from robustseg.runs.files import write_csv
    from robustseg.terminal.progress import track

    images = find_images(options.images)
    table = options.out / "predictions.csv"
    run = loaded(options)
    files = outputs(images, options.out, run.classes)
    there = [file for file in (*files, table) if file.exists()]
    if there and not table.exists() and _holds(options.out, images):
        raise FileExistsError(
            f"{there[0]} exists below the folder of the images, which has no {table.name}: it may "
            "be a data set's own mask. Nothing was written. Choose another folder"
        )
    if there and not options.force:
        raise FileExistsError(
            f"{there[0]} exists: nothing was written. Choose another folder, or add --force"
        )
    if run.classes and options.threshold is not None:
        raise ConfigError(
            f"--threshold: {run.folder.run_id} predicts {len(run.classes)} classes, of which the "
            "most probable is taken; leave it out"
        )
    if options.class_probabilities and not run.classes:
        raise ConfigError(
            f"--class-probabilities: {run.folder.run_id} has one class of foreground, whose "
            "probabilities are always written; leave it out"
        )
    predictions = predict_files(
        run,
        images,
        options.out,
        threshold=0.5 if options.threshold is None else options.threshold,
        overlay=options.overlay,
        batch_size=options.batch_size,
        bits=options.image_bits,
        each_class=options.class_probabilities,
    )
    done = list(track(predictions, len(images), "Predicting"))
    write_csv(table, [_row(one, run.classes) for one in done])
    failed = [one for one in done if one.error]
    print(f"{len(done) - len(failed)} of {len(done)} images are predicted in {options.out}")
    for one in failed:
        print(f"{options.prog}: {one.error}", file=sys.stderr)
    warning = warn_of_depth(done, bits_of(run, options.image_bits))
    if warning:
        print(f"{options.prog}: warning: {warning}", file=sys.stderr)
    return int(bool(failed))


def _holds(folder: Path, images: Sequence[Path]) -> bool:
    """Whether any of the images is below a folder."""
    return any(folder.resolve() in image.resolve().parents for image in images)


def _row(one: "Predicted", classes: Sequence[str]) -> dict[str, Any]:
    height, width = one.size or (None, None)
    return {
        "id": one.name,
        "image": str(one.image),
        "height": height,
        "width": width,
        "foreground": None if one.error else one.foreground,
        **{f"foreground/{name}": one.shares.get(name) for name in classes},
        "error": one.error or None,
    }
