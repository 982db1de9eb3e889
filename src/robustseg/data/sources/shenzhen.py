"""Shenzhen chest X-rays with lung masks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from robustseg.data.sources.files import FileSource, Scan, subfolder
from robustseg.data.sources.listing import files_by_stem, orphans, require_images
from robustseg.data.sources.source import Record
from robustseg.data.sources.split import seeded_split
from robustseg.errors import DataError, OptionError

if TYPE_CHECKING:
    import numpy as np

LEFT, RIGHT = "left lung", "right lung"  # the patient's
FILM = re.compile(r"CHNCXR_\d+_(?P<tuberculosis>[01])")


@dataclass(frozen=True)
class Shenzhen(FileSource):
    """The films that have a lung mask, grey, in a seeded split stratified by tuberculosis.

    Expects images in `CXR_png`, `img` or `images` and masks in `mask` or `masks`, named as the
    image with or without `_mask` behind it. The last digit of a film's id is 1 for tuberculosis.
    Of the 662 films 566 have a mask; 0.7 of them are the 396 of the T-Loss paper.

    Args:
        root: folder of the data set.
        mask_threshold: see `FileSource`.
        image_bits: see `FileSource`.
        train_fraction: share of training films, in (0, 1); the others are for testing.
        split_seed: the paper publishes no split, so this one is random; see `seeded_split`.
        sides: whether masks become label maps of the left and the right lung; see `sides_of`.
        classes: see `FileSource`; with `sides` the background, "left lung" and "right lung".

    Source: Jaeger et al., Quant Imaging Med Surg 2014; masks: Stirenko et al., arXiv 1803.01199.
    """

    train_fraction: float = 0.7
    split_seed: int = 0
    sides: bool = False

    channels: ClassVar[int] = 1
    drawn_test: ClassVar[bool] = True

    def check_classes(self) -> None:
        """Refuses names of other classes than the masks have."""
        if not self.sides:
            if self.classes is not None and len(self.classes) > 2:
                raise OptionError(
                    "Shenzhen's masks contain both lungs together. To separate them: "
                    "dataset.source.sides=true"
                )
        elif sorted([*(self.classes or [])][1:]) != [LEFT, RIGHT]:
            raise OptionError(
                "dataset.source.sides=true gives two classes with the patient's sides: "
                f"'dataset.classes=[background,{LEFT},{RIGHT}]'"
            )

    def read(self, record: Record) -> tuple[np.ndarray, np.ndarray]:
        """Image and mask of one film; see `Source.read`."""
        image, mask = super().read(record)
        if not self.sides:
            return image, mask
        from robustseg.data.sources.sides import sides_of

        left, right = (list(self.classes or ()).index(name) for name in (LEFT, RIGHT))
        return image, sides_of(mask, left, right)

    def reading(self) -> dict[str, object]:
        """What else changes the reading, for the fingerprint."""
        return {"sides": [*(self.classes or ())].index(LEFT)} if self.sides else {}

    def scan(self) -> Scan:
        """Looks for films and their masks."""
        root = self.folder()
        folder = subfolder(root, ["CXR_png", "img", "images"])
        truth = subfolder(root, ["mask", "masks"])
        listed, truths = files_by_stem(folder), files_by_stem(truth, optional_suffix="_mask")
        images, masks = listed.files, truths.files
        require_images(images, listed)
        films = {stem: path for stem, path in images.items() if FILM.fullmatch(stem)}
        errors = listed.errors + truths.errors
        paired = sorted(films.keys() & masks.keys())
        if not paired:
            raise DataError(
                f"{truth}: no mask of a film in {folder}, such as CHNCXR_0001_0_mask.png or "
                "CHNCXR_0001_0.png. Put the lung masks there"
            )
        remarks = listed.remarks + truths.remarks
        remarks += orphans({k: v for k, v in masks.items() if FILM.fullmatch(k)}, films)
        if len(films) > len(paired):
            remarks.append(f"{len(films) - len(paired)} films have no lung mask and are left out")
        if len(images) > len(films):
            remarks.append(f"{len(images) - len(films)} images are not films CHNCXR_*: left out")
        split = seeded_split(
            paired,
            {"train": self.train_fraction, "test": 1 - self.train_fraction},
            self.split_seed,
            strata={stem: self.stratum(stem) for stem in paired},
        )
        records = [Record(stem, split[stem], films[stem], masks[stem]) for stem in paired]
        return Scan(records, errors, remarks)

    @staticmethod
    def stratum(name: str) -> str:
        """Whether the film with this id shows tuberculosis: "1" or "0"."""
        return name[-1]
