"""The peer of `bench_epoch.py` and `bench_data.py`: training as one would write it in an afternoon.

A data set that opens its JPEG and its mask each time, albumentations with Normalize and
ToTensorV2, a shuffled DataLoader, and a LightningModule that logs its loss and Dice at each step.
Also the folders that both sides read: in ISIC 2017's layout, of links to real images or drawn.
"""

import time
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import pytorch_lightning as pl
import torch
from albumentations.pytorch import ToTensorV2
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchmetrics.classification import BinaryF1Score

from robustseg.data.sources.isic2017 import PARTS, Isic2017
from robustseg.data.synthetic import Synthetic

OTHERS = 16  # images of the validation and of the test split: only training is timed


class DecodedEachTime(Dataset[tuple[Tensor, Tensor]]):
    """Training images of a folder in ISIC 2017's layout, decoded whenever they are asked for."""

    def __init__(self, root: Path, side: int) -> None:
        self.images = sorted((root / "ISIC-2017_Training_Data").glob("*.jpg"))
        self.masks = root / "ISIC-2017_Training_Part1_GroundTruth"
        self.transform = A.Compose(
            [
                A.Resize(side, side),
                A.HorizontalFlip(p=0.5),
                A.VerticalFlip(p=0.5),
                A.RandomGamma(gamma_limit=(70, 150), p=0.3),
                A.Normalize(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
                ToTensorV2(),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Image (3, H, W) in [-1, 1] and mask (1, H, W) of 0 and 1, float32."""
        path = self.images[index]
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(str(self.masks / f"{path.stem}_segmentation.png"), cv2.IMREAD_GRAYSCALE)
        out = self.transform(image=image, mask=mask)
        return out["image"], (out["mask"] > 127).float().unsqueeze(0)


class UserModule(pl.LightningModule):
    """Cross-entropy, Adam, and loss and Dice logged at each step."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.loss = nn.BCEWithLogitsLoss()
        self.dice = BinaryF1Score()  # of two classes Dice and F1 are one

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Loss of a batch."""
        images, masks = batch
        logits = self.network(images)
        loss = self.loss(logits, masks)
        self.dice(logits, masks.int())
        self.log("loss", loss)
        self.log("dice", self.dice)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with the rate of `conf/optimizer/adam.yaml`."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


class Stopwatch(pl.Callback):
    """Begin and end of the epochs after the first, which warms up."""

    begin = end = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the watch at the second epoch."""
        if trainer.current_epoch == 1:
            self.begin = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the time so far."""
        self.end = time.perf_counter()


def loader(root: Path, side: int, workers: int, batch_size: int = 16) -> DataLoader[Any]:
    """The shuffled training loader; its processes stay over epochs, which is to its advantage."""
    return DataLoader(
        DecodedEachTime(root, side),
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def time_user(
    network: nn.Module, batches: DataLoader[Any], folder: Path, epochs: int, precision: Any
) -> float:
    """Seconds an epoch of a Lightning training of the network."""
    watch = Stopwatch()
    trainer = pl.Trainer(
        max_epochs=epochs + 1,
        precision=precision,
        default_root_dir=folder,
        callbacks=[watch],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(UserModule(network), batches)
    return (watch.end - watch.begin) / epochs


def isic_folder(folder: Path, root: Path | None, images: int | None, side: int) -> int:
    """Make a folder in ISIC 2017's layout and return how many training images are in it.

    Args:
        folder: where to.
        root: real images, which are linked to; None draws some.
        images: training images, the first in order; None for all, or 320 drawn ones.
        side: of drawn images in pixels.
    """
    for part in PARTS.values():
        (folder / f"ISIC-2017_{part}_Data").mkdir(parents=True)
        (folder / f"ISIC-2017_{part}_Part1_GroundTruth").mkdir()
    counts = {"train": images, "val": OTHERS, "test": OTHERS}
    if root is None:
        return _draw(folder, {**counts, "train": images or 320}, side)
    records = Isic2017(str(root)).records()
    for split, part in PARTS.items():
        for record in [record for record in records if record.split == split][: counts[split]]:
            image, mask = folder / f"ISIC-2017_{part}_Data", record.mask
            (image / record.image.name).symlink_to(record.image.resolve())
            truth = folder / f"ISIC-2017_{part}_Part1_GroundTruth"
            (truth / mask.name).symlink_to(mask.resolve())
    return len(list((folder / "ISIC-2017_Training_Data").iterdir()))


def _draw(folder: Path, counts: dict[str, int], side: int) -> int:
    source = Synthetic("dermoscopy", side, **counts)
    for record in source.records():
        image, mask = source.read(record)
        part, name = PARTS[record.split], record.id
        Image.fromarray(image).save(folder / f"ISIC-2017_{part}_Data" / f"{name}.jpg", quality=90)
        truth = folder / f"ISIC-2017_{part}_Part1_GroundTruth" / f"{name}_segmentation.png"
        Image.fromarray(255 * mask).save(truth)
    return counts["train"]
