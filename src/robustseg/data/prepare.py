"""From a source to what a run trains and is tested on."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from robustseg import IGNORED
from robustseg.data.cache import load
from robustseg.data.checking.classes import check_classes
from robustseg.data.checking.foreground import check_foreground
from robustseg.data.checking.leaks import leaks
from robustseg.data.folds import hold_out_fold
from robustseg.data.imageset import ImageSet
from robustseg.data.selection import hold_out, select
from robustseg.data.sources.files import FileSource
from robustseg.data.sources.source import Source
from robustseg.errors import ConfigError, DataError
from robustseg.noise import inject, inject_labels, unfit
from robustseg.noise.model import LabelMapModel, NoiseModel
from robustseg.settings import DatasetSettings, NoiseSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RunData:
    """Training images with clean and noisy masks, held-out and test images.

    Attributes:
        train: training images with their clean masks.
        noisy: (N, H, W) uint8, the masks to train on.
        manifest: what the noise did to each training mask, one row per mask.
        test: test images; their masks are clean.
        heldout: the validation images with masks corrupted as those of training are; None where
            the data set has no validation split.
        classes: names of the foreground classes of label maps; none where masks are binary.
    """

    train: ImageSet
    noisy: np.ndarray
    manifest: list[dict[str, Any]]
    test: ImageSet
    heldout: ImageSet | None = None
    classes: tuple[str, ...] = ()

    @property
    def types(self) -> np.ndarray:
        """(N,) strings: the type of noise of each training mask, "clean" where there is none.

        "several" of a label map whose classes have different types.
        """
        if not self.classes:
            return np.array([row["type"] for row in self.manifest])
        types: dict[str, set[str]] = {row["id"]: set() for row in self.manifest}
        for row in self.manifest:
            types[row["id"]] |= {row["type"]} - {"clean"}
        names = {name: "several" if len(of) > 1 else "".join(of) for name, of in types.items()}
        return np.array([names[name] or "clean" for name in self.train.ids])

    def split_rows(self) -> list[dict[str, str]]:
        """One row per image: id, split, case, and pixels, a checksum of the image as trained on.

        A file of them can be a data set's split.csv.
        """
        parts = (("train", self.train), ("val", self.heldout), ("test", self.test))
        return [
            {"id": name, "split": split, "case": case, "pixels": pixels}
            for split, images in parts
            if images is not None
            for name, case, pixels in zip(images.ids, images.groups, _pixels(images), strict=True)
        ]

    @property
    def has_ignored(self) -> bool:
        """Whether any training mask has pixels that do not count."""
        return bool((self.noisy == IGNORED).any())


def prepare(
    source: Source,
    cache: Path,
    dataset: DatasetSettings,
    noise: NoiseSettings,
    model: NoiseModel,
) -> RunData:
    """Decode (or open) the images, select among them, corrupt training and validation masks.

    Args:
        source: where images come from.
        cache: folder of decoded images.
        dataset: what to take of them.
        noise: how much of it.
        model: what is done to a mask.

    Raises:
        DataError: a file is unusable, or nothing is left to train or test on, or no mask of
            these has foreground.
    """
    images = load_selected(source, cache, dataset)
    train, test = images.split("train"), images.split("test")
    for name, part in (("training", train), ("test", test)):
        if not len(part):
            raise DataError(f"there are no {name} images: check the data set's folders and splits")
    found = [*check_foreground(images, source), *check_classes(images, source)]
    for warning in [*found, *_leaks(images, source, cache)]:
        log.warning("%s", warning)
    noisy, manifest = corrupt(train, noise, model, dataset.classes)
    if none := none_noisy(noise.alpha, len(train)):
        log.warning("%s", none)
    heldout = images.split("val")
    if len(heldout):
        heldout = replace(heldout, masks=corrupt(heldout, noise, model, dataset.classes)[0])
    parts = train, noisy, manifest, test, heldout if len(heldout) else None
    return RunData(*parts, classes=dataset.foreground)


def _leaks(images: ImageSet, source: Source, cache: Path) -> list[str]:
    """What of a run's test images was trained on; drawn images are all different."""
    return leaks(images, cache) if isinstance(source, FileSource) else []


def _pixels(images: ImageSet) -> list[str]:
    """A checksum of each image, named so that no reader takes it for a number; "" if unknown."""
    if images.digests is None:
        return [""] * len(images)
    return [pixels_name(digest) for digest in images.digests]


def pixels_name(digest: str) -> str:
    """A checksum of `ImageSet.digests` as split.csv of a run has it."""
    return f"xxh3:{digest}"


def none_noisy(alpha: float, count: int) -> str:
    """That no mask is noisy, although some are asked for; "" where it is not so.

    Example:
        >>> none_noisy(0.05, 11)
        'noise.alpha=0.05 of 11 masks is none: the smallest that is one is 0.0910'
    """
    if not alpha or int(count * alpha):
        return ""
    least = math.ceil(10_000 / count) / 10_000
    return (
        f"noise.alpha={alpha:g} of {count} masks is none: the smallest that is one is {least:.4f}"
    )


def corrupt(
    images: ImageSet,
    noise: NoiseSettings,
    model: NoiseModel | LabelMapModel,
    classes: Sequence[str] | None = None,
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Noisy masks (N, H, W) of images, and what was done to each.

    Args:
        images: with their clean masks.
        noise: how much of it.
        model: what is done to a mask.
        classes: names of the classes of label maps, the background first; None: masks are binary.

    Returns:
        The masks, and one row per mask, or per foreground class of each.

    Raises:
        ConfigError: the model is not one for such masks.
    """
    if trouble := unfit(model, None if classes is None else len(classes)):
        raise ConfigError(trouble)
    how: dict[str, Any] = {"alpha": noise.alpha, "beta": noise.beta, "seed": noise.seed}
    if classes is not None:
        return inject_labels(images.masks, images.ids, model, classes=classes, **how)
    return inject(images.masks, images.ids, cast(NoiseModel, model), **how)


def load_selected(source: Source, cache: Path, dataset: DatasetSettings) -> ImageSet:
    """The images that a run uses: decoded and resized once, then selected.

    What a person should know of the source is logged as warnings.

    Args:
        source: where images come from.
        cache: folder of decoded images.
        dataset: what to take of them.
    """
    images = load(source, dataset.image_size, cache)
    for remark in source.remarks(cache) if isinstance(source, FileSource) else ():
        log.warning("%s", remark)
    stratum, seed = getattr(source, "stratum", None), getattr(source, "split_seed", 0)
    if dataset.folds is not None and dataset.fold is not None:
        drawn = bool(getattr(source, "drawn_test", False))
        images = hold_out_fold(
            images, dataset.folds, dataset.fold, drawn_test=drawn, stratum=stratum, seed=seed
        )
        if not drawn and (images.splits == "test").any():
            log.info(
                "the data set has a test set of its own, which stays apart: fold %d of %d is its "
                "validation split",
                dataset.fold,
                dataset.folds,
            )
    return select(
        hold_out(images, dataset.val_fraction, stratum, seed),
        subset=dataset.subset,
        positive_fraction=dataset.positive_fraction,
        train_size=dataset.train_size,
    )
