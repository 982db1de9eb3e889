"""`robustseg evaluate`."""

import argparse
import json
import logging
import math
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from robustseg.cli.overrides import add_overrides, check_only
from robustseg.cli.run_argument import add_run, begin, loaded, positive
from robustseg.errors import ConfigError, DataError
from robustseg.metrics.catalogue import diagonal, find
from robustseg.runs.files import DamagedFile, without_nan, write_csv, write_json
from robustseg.runs.folder import RunFolder
from robustseg.terminal.aligned import aligned
from robustseg.training.reported import said

if TYPE_CHECKING:
    from robustseg.data.imageset import ImageSet
    from robustseg.data.sources.source import Source
    from robustseg.finished.evaluate import Overlap
    from robustseg.finished.load import FinishedRun
    from robustseg.settings import DatasetSettings

_OVERRIDES = ("dataset", "paths.cache")

_log = logging.getLogger(__name__)


def add_parser(subparsers: Any) -> None:
    """Add the command ``evaluate``."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a finished run on another data set",
        description="Score a finished run's network on another data set with the metrics of its "
        "own test. The images are resized to the run's dataset.image_size.",
        epilog="robustseg evaluate runs/RUN dataset=folder dataset.root=clinic --split all",
    )
    add_run(parser)
    add_overrides(parser, "the data set, as for `robustseg train`: dataset=… dataset.root=…")
    parser.add_argument(
        "--split",
        choices=("train", "val", "test", "all"),
        default="test",
        help="images to score (default: test); for a folder without a split, use all",
    )
    parser.add_argument(
        "--without-training",
        action="store_true",
        help="leave out images that the run was trained on",
    )
    parser.add_argument("-o", "--out", type=Path, help="folder for images.csv and metrics.json")
    parser.add_argument("--batch-size", type=positive, help="images (default: as in training)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Print the scores and write them."""
    if not any(override.startswith("dataset=") for override in options.overrides):
        raise ConfigError("name the data set to score on: dataset=folder dataset.root=/path/to/it")
    check_only(options.overrides, _OVERRIDES, "evaluate")
    begin(options)
    from robustseg.finished.evaluate import evaluate_external, output_files

    files = output_files(options.out) if options.out else None
    run = loaded(options)
    data = _data(run, options)
    rows, numbers = evaluate_external(
        run, data.images, batch_size=options.batch_size or run.batch_size
    )
    metrics = {
        **numbers,
        "test_images": len(rows),
        "training_images": data.trained,
        "split": options.split,
        "dataset": data.settings.plain(),
        "fingerprint": data.fingerprint,
        "run_id": run.folder.run_id,
    }
    if files:
        write_csv(files[0], rows)
        write_json(files[1], metrics)
    if options.format == "json":
        print(json.dumps(without_nan(metrics), indent=2, default=str))
        return 0
    shown, own = (_in_pixels(of, run.image_size) for of in (numbers, _own(run.folder)))
    print(_table(shown, own, len(rows), data.settings.name))
    if own.get("evaluations", 1) > 1:
        print(
            f"\nown test: {said(own['evaluations'])}; the other scores are those of the final "
            "network"
        )
    return 0


@dataclass(frozen=True)
class _Data:
    """The images to score.

    Attributes:
        images: after --split and --without-training.
        trained: how many of them the run was trained on.
        settings: of their data set.
        fingerprint: of its files.
    """

    images: "ImageSet"
    trained: int
    settings: "DatasetSettings"
    fingerprint: str


def _data(run: "FinishedRun", options: argparse.Namespace) -> _Data:
    """The images that the options ask for, with warnings of what makes their scores doubtful.

    Raises:
        ConfigError: the settings do not fit the run.
        DataError: files are damaged, or no image is left.
    """
    import numpy as np
    from hydra.utils import instantiate

    from robustseg.configuration.compose import composed
    from robustseg.data.prepare import load_selected
    from robustseg.finished.evaluate import check_channels, check_classes, check_size, overlap

    size = f"dataset.image_size={run.image_size}"
    settings = composed([size, *options.overrides], "dataset")
    dataset = settings.dataset
    check_size(run, dataset.image_size)
    source = instantiate(dataset.source.arguments())
    check_channels(run, source.channels, dataset.name)
    check_classes(run, dataset.classes, dataset.name)
    cache = Path(settings.paths.cache)
    images = load_selected(source, cache, dataset)
    known = overlap(run, images)
    if options.split != "all":
        chosen = np.flatnonzero(images.splits == options.split)
        drawn = getattr(source, "drawn_test", False)
        if drawn and 0 < len(chosen) < len(images) and not known.trained.any():
            _log.warning("%s", _partial(chosen, images, run, dataset.name, options.split))
        images, known = images.subset(chosen), known.subset(chosen)
    images, trained = _known(run, images, known, options.without_training)
    _warn_of_foreground(images, run, source)
    return _Data(images, trained, dataset, source.fingerprint(cache))


def _known(
    run: "FinishedRun", images: "ImageSet", known: "Overlap", without_training: bool
) -> tuple["ImageSet", int]:
    """The images to score, and how many of them the run was trained on, with a warning of those.

    Raises:
        DataError: all are left out.
    """
    import numpy as np

    trained = int(known.trained.sum())
    if trained and without_training:
        if trained == len(images):
            raise DataError(
                f"all {trained} images are training images of {run.folder.run_id}, so "
                "--without-training leaves none: choose others with --split, or another data set"
            )
        images, trained = images.subset(np.flatnonzero(~known.trained)), 0
    for line in _told(known, run, without_training):
        _log.warning("%s", line)
    return images, trained


def _warn_of_foreground(images: "ImageSet", run: "FinishedRun", source: "Source") -> None:
    from robustseg.data.checking.foreground import foreground_of, troubles

    errors, warnings = troubles(foreground_of(images), run.image_size, source, source.records())
    for line in (*errors, *warnings):
        _log.warning("%s", line)


def _partial(scored: Sized, images: Sized, run: "FinishedRun", dataset: str, split: str) -> str:
    """That only a part is scored, though all images are new to the run."""
    return (
        f"only {len(scored)} of {len(images)} images of {dataset} are scored, the {split} part of "
        f"a random split, though {run.folder.run_id} was trained on none of them. Add --split all"
    )


def _told(known: "Overlap", run: "FinishedRun", left_out: bool) -> list[str]:
    """What there is to say of the images that the run was trained on."""
    told = []
    count, alike, total = int(known.trained.sum()), int(known.alike.sum()), len(known.trained)
    if count:
        how = "by their pixels" if known.by_pixels else "by their ids; it keeps no pixels"
        rest = (
            "left out"
            if left_out
            else "the scores are not those of unseen images; --without-training leaves them out"
        )
        told.append(
            f"{count} of {total} are training images of {run.folder.run_id} ({how}): {rest}"
        )
    if alike:
        told.append(
            f"{alike} of {total} have the id of a training image of {run.folder.run_id}, "
            "but different pixels: are they different images?"
        )
    return told


def _in_pixels(numbers: Mapping[str, Any], image_size: int) -> dict[str, Any]:
    """With HD95 in pixels, too."""
    shown = {}
    for name, value in numbers.items():
        shown[name] = value
        if name in ("hd95", "hd95_pos") and isinstance(value, float):
            shown[name.replace("hd95", "hd95_pixels")] = value * diagonal(image_size)
    return shown


def _table(numbers: Mapping[str, float], own: Mapping[str, Any], count: int, dataset: str) -> str:
    """The numbers beside those of the run's own test."""
    name = f"{dataset} ({count})"
    lines = [("", name, "own test" if own else "")]
    for key, value in numbers.items():
        before = own.get(key)
        ours = f"{before:.4f}" if isinstance(before, float) else ""
        metric = find(key)
        words = f"{key}, {metric.unit}" if metric and metric.unit else key
        lines.append((words, "–" if math.isnan(value) else f"{value:.4f}", ours))
    return aligned(lines, right=True)


def _own(folder: RunFolder) -> dict[str, Any]:
    """The numbers of the run's own test; empty if it has none.

    Raises:
        DataError: they are damaged.
    """
    try:
        return folder.read_metrics(folder.read_status())
    except FileNotFoundError:
        return {}
    except DamagedFile as error:
        raise DataError(f"{error.path} {error.reason}") from error
