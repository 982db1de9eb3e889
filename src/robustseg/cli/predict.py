"""`robustseg predict`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.run_argument import (
    add_run,
    begin,
    loaded,
    positive,
    share,
    threshold_of,
)
from robustseg.errors import ConfigError, DataError
from robustseg.terminal.printable import printable
from robustseg.terminal.remarks import tell

if TYPE_CHECKING:
    from robustseg.finished.earlier import Earlier
    from robustseg.finished.predict import Predicted


def add_parser(subparsers: Any) -> None:
    """Add the command ``predict``."""
    parser = subparsers.add_parser(
        "predict",
        help="predict masks and probabilities of new images",
        description="Predict images of any size and write OUT/masks (8-bit PNG: 0, 255), "
        "OUT/probabilities (16-bit PNG: 65535 p) and OUT/predictions.csv, at the "
        "images' own size; with several classes OUT/masks are label maps (8-bit PNG "
        "with a palette: k for class k). Exit code 1 if a file could not be read; "
        "the others are still predicted.",
        epilog="robustseg predict runs/isic2017-tloss-clean-s0-1f2e3d4c photos '*.tif' -o out",
    )
    add_run(parser)
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="files, folders or patterns")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--threshold",
        type=share,
        metavar="P",
        help="pixels with a probability above it are foreground, in [0, 1) (default: 0.5); with "
        "several classes the largest probability decides",
    )
    parser.add_argument(
        "--class-probabilities",
        action="store_true",
        help="with several classes, also write OUT/probabilities/CLASS",
    )
    parser.add_argument(
        "--overlay", action="store_true", help="also write OUT/overlays: the outline on the image"
    )
    parser.add_argument(
        "--batch-size", type=positive, default=8, help="images per batch (default: 8)"
    )
    parser.add_argument(
        "--image-bits",
        type=int,
        choices=range(8, 17),
        metavar="N",
        help="number of bits that 16-bit grey images actually use, 8 to 16, for example 12 for "
        "values up to 4095 (default: the run's dataset.source.image_bits)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace the predictions that an earlier command wrote to OUT",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Predict images; 1 if a file could not be read."""
    begin(options)
    from robustseg.finished.earlier import TABLE, earlier
    from robustseg.finished.new_images import find_images, output_names, passed_over
    from robustseg.finished.predict import (
        Predicted,
        Wanted,
        bits_of,
        make_folder,
        predict_files,
        remarks_on_files,
    )
    from robustseg.runs.files import write_csv
    from robustseg.terminal.progress import track

    images = find_images(options.images)
    before = earlier(options.out)
    run = loaded(options)
    _check_out(options, before)
    threshold = threshold_of(options, run)
    if options.class_probabilities and not run.classes:
        raise ConfigError(
            f"--class-probabilities: {run.folder.run_id} has one class of foreground, whose "
            "probabilities are always written; leave it out"
        )
    images, unread = _without(images, before.own), passed_over(options.images)
    table = options.out / TABLE
    each_class = options.class_probabilities
    wanted = Wanted(options.out, threshold, options.overlay, run.classes, each_class)
    make_folder(options.out)
    for file in before.own:
        file.unlink()
    # Listed before they are written, so that what a killed call leaves is known to be its own.
    rows = {
        name: Predicted(image, name, error=f"{image}: not predicted, the command was interrupted")
        for image, name in zip(images, output_names(images), strict=True)
    }
    write_csv(table, [_row(one, run.classes) for one in rows.values()])
    predictions = predict_files(
        run, images, wanted, batch_size=options.batch_size, bits=options.image_bits
    )
    try:
        for one in track(predictions, len(images), "Predicting"):
            rows[one.name] = one
    finally:
        done = list(rows.values())
        write_csv(table, [_row(one, run.classes) for one in done])
    failed = [one for one in done if one.error]
    print(f"{len(done) - len(failed)} of {len(done)} images are predicted in {options.out}")
    tell(f"{options.prog}: {one.error}" for one in failed)
    remarks = [*unread, *remarks_on_files(done, bits_of(run, options.image_bits))]
    tell(f"{options.prog}: warning: {remark}" for remark in remarks)
    return int(bool(failed))


def _check_out(options: argparse.Namespace, before: "Earlier") -> None:
    """Refuse a folder with other files in it, or, without --force, with earlier predictions.

    Raises:
        FileExistsError: naming a file.
    """
    from robustseg.finished.earlier import TABLE

    if before.foreign:
        raise FileExistsError(
            f"{before.foreign[0]} is not listed in {options.out / TABLE}, so no earlier command "
            "wrote it: it may be a data set's own mask. Nothing was written. Choose another "
            "folder"
        )
    if (before.own or before.table) and not options.force:
        raise FileExistsError(
            f"{options.out} has earlier predictions: nothing was written. Choose another folder, "
            "or add --force, which replaces them"
        )


def _without(images: Sequence[Path], own: Sequence[Path]) -> list[Path]:
    """The images but for outputs of an earlier call, which a pattern may find.

    Raises:
        DataError: none is left.
    """
    outputs = {os.path.realpath(file) for file in own}
    left = [image for image in images if os.path.realpath(image) not in outputs]
    if not left:
        raise DataError(f"all images are outputs of an earlier command, such as {images[0]}")
    return left


def _row(one: "Predicted", classes: Sequence[str]) -> dict[str, Any]:
    height, width = one.size or (None, None)
    return {
        "id": printable(one.name),
        "image": printable(str(one.image)),
        "height": height,
        "width": width,
        "foreground": None if one.error else one.foreground,
        **{f"foreground/{name}": one.shares.get(name) for name in classes},
        "error": printable(one.error) or None,
    }
