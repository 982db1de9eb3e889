"""A finished run on images that it was not trained for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from robustseg.data.imageset import ImageSet
from robustseg.data.prepare import pixels_name
from robustseg.errors import ConfigError, DataError, NaNPredicted
from robustseg.finished.load import FinishedRun
from robustseg.metrics import summarise
from robustseg.metrics.evaluation import evaluate_fully
from robustseg.runs.files import read_csv, trouble


def check_channels(run: FinishedRun, channels: int, dataset: str) -> None:
    """Raise DataError unless images of a data set have the channels that the network takes."""
    if channels != run.channels:
        kinds = {1: "grey", 3: "RGB"}
        raise DataError(
            f"{run.folder.run_id} takes {kinds[run.channels]} images, and those of {dataset} are "
            f"{kinds[channels]}. Read your own with dataset=folder "
            f"dataset.source.channels={run.channels}, or take another run"
        )


def check_size(run: FinishedRun, image_size: int) -> None:
    """Raise ConfigError unless images have the size that a run was trained at."""
    if image_size != run.image_size:
        raise ConfigError(
            f"dataset.image_size={image_size}: {run.folder.run_id} takes images of "
            f"{run.image_size} pixels, to which all images are resized; leave it out"
        )


def check_classes(run: FinishedRun, classes: Sequence[str] | None, dataset: str) -> None:
    """Raise DataError unless the masks of a data set have the classes of the run.

    Args:
        run: whose network predicts.
        classes: of the data set, the background first; None: its masks are binary.
        dataset: its name.
    """
    own = run.settings.dataset.classes
    if (None if classes is None else list(classes)) == own:
        return
    kinds = [
        "binary masks" if names is None else f"label maps of {', '.join(names)}"
        for names in (own, classes)
    ]
    remedy = "null" if own is None else f"'[{','.join(own)}]'"
    raise DataError(
        f"{run.folder.run_id} predicts {kinds[0]}, and {dataset} has {kinds[1]}. Set "
        f"dataset.classes={remedy}, and dataset.source.values for other values in the files"
    )


def evaluate_external(
    run: FinishedRun, images: ImageSet, *, batch_size: int, hd95: bool = True
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Score a run on images with the metrics of its own test.

    Args:
        run: whose network predicts.
        images: at the size and with the channels of the run.
        batch_size: images per batch.
        hd95: whether to measure HD95, which takes some milliseconds an image.

    Returns:
        One row per image, with the columns of a run's images.csv but for the epoch; and the numbers
        of `robustseg.metrics.summarise` with average precision and calibration error.

    Raises:
        DataError: there are no images, or the network predicts what is not a number.
    """
    if not len(images):
        raise DataError("there are no images in this split: choose another with --split")
    try:
        columns, pooled = evaluate_fully(
            run.predictor,
            images.images,
            images.masks,
            batch_size=batch_size,
            precision=run.precision,
            hd95=hd95,
            classes=run.classes,
        )
    except NaNPredicted as error:
        raise DataError(
            f"{run.folder.run_id}: {error}, so there is nothing to score: take another run, or "
            "train it again with a smaller optimizer.lr or trainer.precision=32-true"
        ) from error
    columns.pop("index")
    values = {name: column.tolist() for name, column in columns.items()}
    names = ("id", "split", *values)
    lines = zip(images.ids, images.splits.tolist(), *values.values(), strict=True)
    rows = [dict(zip(names, line, strict=True)) for line in lines]
    return rows, summarise(columns) | pooled


@dataclass(frozen=True, eq=False)
class Overlap:
    """Which of some images a run was trained on.

    Attributes:
        trained: (N,) whether an image is one of the run's training images.
        alike: (N,) whether it has the id of a training image and other pixels.
        by_pixels: whether pixels tell; else, in a run that keeps no checksums, ids.
    """

    trained: np.ndarray
    alike: np.ndarray
    by_pixels: bool

    def subset(self, rows: np.ndarray) -> Overlap:
        """The same of some of the images."""
        return replace(self, trained=self.trained[rows], alike=self.alike[rows])


def training_rows(run: FinishedRun) -> list[dict[str, Any]]:
    """The rows of the training images in a run's split.csv; older versions kept no file, or pixels.

    Raises:
        DataError: it is there and cannot be read.
    """
    try:
        rows = read_csv(run.folder.split) if run.folder.split.exists() else []
    except (OSError, ValueError) as error:
        raise DataError(f"{run.folder.split} {trouble(error)}") from error
    return [row for row in rows if row.get("split") == "train"]


def overlap(run: FinishedRun, images: ImageSet) -> Overlap:
    """Compare images with the training images that a run's split.csv lists.

    An image is a training image if its pixels, at the run's size, have the checksum of one; where
    the run keeps no checksums, as those of older versions, if its id is that of one.

    Raises:
        DataError: split.csv is there and cannot be read.
    """
    training = training_rows(run)
    ids = {str(row.get("id")) for row in training}
    pixels = {str(row["pixels"]) for row in training if "pixels" in row}
    same_id = np.array([name in ids for name in images.ids], dtype=bool)
    if not pixels or images.digests is None:
        return Overlap(same_id, np.zeros_like(same_id), by_pixels=False)
    same = np.array([pixels_name(digest) in pixels for digest in images.digests], dtype=bool)
    return Overlap(same, same_id & ~same, by_pixels=True)


def output_files(folder: Path) -> tuple[Path, Path]:
    """Where to write images.csv and metrics.json.

    Raises:
        FileExistsError: one of them is there; it may be a run's own.
    """
    files = folder / "images.csv", folder / "metrics.json"
    for file in files:
        if file.exists():
            raise FileExistsError(f"{file} exists: nothing was written. Choose another folder")
    return files
