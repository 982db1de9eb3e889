"""The data pipeline without a network, and how loader processes and compute share processors.

alone     images a second of an epoch of `training_batches` from the cache, against the DataLoader
          of `user_pipeline.py` that decodes, resizes and augments in each epoch; both with 0 and
          with 2 loader processes, the same transforms, 16 images a batch, one epoch to warm up
training  images a second of whole training epochs of `train.py` at (loader processes, compute
          threads), against (0, as many as processors), which is what `auto` chooses on a CPU

Both sides read the same files. Sides alternate within a turn; a ratio is taken within a turn, and
the median over turns counts. The first is at 128×128 and 256×256, the second at 64×64, where an
epoch has least to compute and loader processes have most to give.

    python benchmarks/bench_data.py [--parts alone training] [--root ISIC_FOLDER]
        [--images 320] [--epochs 3] [--turns 3] [--out FILE.csv] [hydra overrides …]

Without --root, dermoscopic pictures are drawn and written as JPEG and PNG at 256×256.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import harness
from hydra.utils import instantiate
from torch.utils.data import DataLoader
from user_pipeline import isic_folder, loader

from robustseg.data.batches.augmented import training_batches
from robustseg.data.cache import load
from robustseg.data.sources.isic2017 import Isic2017

COLUMNS = {
    "part": ("part", ""),
    "what": ("what", ""),
    "images_per_s": ("images/s", ".0f"),
    "peer": ("peer", ""),
    "peer_images_per_s": ("its images/s", ".0f"),
    "ratio": ("ratio", ".3g"),
    "low": ("from", ".3g"),
    "high": ("to", ".3g"),
}
PROCESSORS = os.cpu_count() or 1
DEFAULT = (0, PROCESSORS)
SPLITS = tuple(dict.fromkeys([DEFAULT, (1, 1), (1, 2), (2, 1), (2, 2)]))


def loading_seconds(batches: DataLoader, epochs: int) -> float:
    """Seconds an epoch of taking every batch, after a first that is not timed."""
    for epoch in range(epochs + 1):
        if epoch == 1:
            begin = time.perf_counter()
        if hasattr(batches.sampler, "set_epoch"):
            batches.sampler.set_epoch(epoch)
        for _ in batches:
            pass
    return (time.perf_counter() - begin) / epochs


def alone(options: argparse.Namespace, settings: list[str], data: Path) -> list[tuple]:
    """A row a size and number of loader processes: ours, the user's, their ratio."""
    folder = str(data.parent)
    rows = []
    for side in options.sides:
        images = load(Isic2017(str(data)), side, data.parent / "cache").split("train")
        config = harness.composed(settings, folder, 1, 0)
        for workers in (0, 2):
            turns = []
            for turn in range(options.turns):
                ours = training_batches(
                    images.images,
                    images.masks,
                    transforms=[instantiate(t) for t in config.augmentation.transforms],
                    batch_size=16,
                    seed=turn,
                    num_workers=workers,
                )
                mine = len(images) / loading_seconds(ours, options.epochs)
                users = len(images) / loading_seconds(loader(data, side, workers), options.epochs)
                turns.append((mine, users, mine / users))
            what = f"{side}×{side}, {workers} workers"
            rows.append(row("alone", what, f"user, {workers} workers", turns))
    return rows


def training(
    options: argparse.Namespace, settings: list[str], data: Path, images: int
) -> list[tuple]:
    """A row a division of the processors: images a second beside those of the default."""
    folder = str(data.parent)
    rates = []
    harness.epoch_seconds(settings, folder, 1, 999)  # imports, cache
    for turn in range(options.turns):
        rates.append({})
        for workers, threads in SPLITS:
            chosen = [f"dataset.num_workers={workers}", f"trainer.threads={threads}"]
            seconds = harness.epoch_seconds([*settings, *chosen], folder, options.epochs, turn)
            rates[-1][workers, threads] = images / seconds
    rows = []
    for workers, threads in SPLITS:
        turns = [(r[workers, threads], r[DEFAULT], r[workers, threads] / r[DEFAULT]) for r in rates]
        what = f"{workers} workers, {threads} threads"
        rows.append(row("training", what, f"0 workers, {PROCESSORS} threads", turns))
    return rows


def row(part: str, what: str, peer: str, turns: list[tuple[float, float, float]]) -> tuple:
    """A row of the table from turns of (ours, the peer's, their ratio)."""
    ours, theirs, *ratios = harness.medians(*zip(*turns, strict=True))
    return part, what, ours, peer, theirs, *ratios


def main() -> None:
    """Measure the parts asked for, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parts = ("alone", "training")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--root", type=Path, help="folder of ISIC 2017; drawn pictures without it")
    parser.add_argument("--images", type=int, default=320, help="training images, 0 for all")
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 256], help="of `alone`")
    parser.add_argument("--epochs", type=int, default=3, help="epochs a turn")
    parser.add_argument("--turns", type=int, default=3)
    options, overrides = parser.parse_known_args()
    rows: list[tuple] = []
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        images = isic_folder(data, options.root, options.images or None, 256)
        settings = ["dataset=isic2017", f"dataset.root={data}", "dataset.image_size=64", *overrides]
        if "alone" in options.parts:
            rows += alone(options, settings, data)
        if "training" in options.parts:
            rows += training(options, settings, data, images)
    print(f"\n{images} images, {PROCESSORS} processors\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
