"""ISIC 2017, part 1: dermoscopic images with lesion masks, in the challenge's own folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from robustseg.data.sources.files import FileSource, Scan, subfolder
from robustseg.data.sources.listing import files_by_stem, orphans, require_images
from robustseg.data.sources.source import Record

PARTS = {"train": "Training", "val": "Validation", "test": "Test_v2"}


@dataclass(frozen=True)
class Isic2017(FileSource):
    """The official split: 2000 training, 150 validation and 600 test images.

    Expects `ISIC-2017_Training_Data/ISIC_*.jpg`, `ISIC-2017_Training_Part1_GroundTruth/
    ISIC_*_segmentation.png`, and the same for `Validation` and `Test_v2`. Superpixels and
    metadata among the images are passed over.

    Source: Codella et al., arXiv 1710.05006.
    """

    channels: ClassVar[int] = 3
    needed_splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")

    def scan(self) -> Scan:
        """Looks for pairs of files in the six folders."""
        root = self.folder()
        scan = Scan()
        for split, part in PARTS.items():
            folder = subfolder(root, [f"ISIC-2017_{part}_Data"])
            truth = subfolder(root, [f"ISIC-2017_{part}_Part1_GroundTruth"])
            listed, truths = files_by_stem(folder), files_by_stem(truth, "_segmentation")
            images = {k: v for k, v in listed.files.items() if not k.endswith("_superpixels")}
            require_images(images, listed)
            masks = truths.files
            scan.errors.extend(listed.errors + truths.errors)
            scan.remarks.extend(listed.remarks + truths.remarks + orphans(masks, images))
            for stem, image in images.items():
                if stem in masks:
                    scan.records.append(Record(stem, split, image, masks[stem]))
                else:
                    scan.errors.append(
                        f"{image}: no mask {stem}_segmentation.png in {truth}. "
                        "Fetch the ground truth again or remove the image"
                    )
        return scan
