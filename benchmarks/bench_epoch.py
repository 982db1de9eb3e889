"""Images a second of a whole training epoch, data included, against a pipeline of one's own.

ours     `train.py` as it is: decoded once into a cache, precision and memory format chosen for
         the processor, run folder, wandb offline
user     `user_pipeline.py`: each image decoded, resized and augmented in each epoch, Lightning's
         own precision (32 bits); with 0 and with 2 loader processes (--workers), the faster is the
         peer
user16   the same with precision="bf16-mixed": what is left then is data, memory format, logging

All train the same network class on the same files with cross-entropy, Adam and 16 images a batch;
nobody evaluates between epochs. Turns alternate; a ratio is taken within a turn, and the median
over turns counts.

    python benchmarks/bench_epoch.py [--root ISIC_FOLDER] [--images 320] [--side 128]
        [--epochs 3] [--turns 3] [--out FILE.csv] [hydra overrides …]

Without --root, dermoscopic pictures are drawn and written as JPEG and PNG at 256×256.
"""

import argparse
import logging
import os
import statistics
import tempfile
import warnings
from pathlib import Path

import harness
import torch
from hydra.utils import instantiate
from user_pipeline import isic_folder, loader, time_user

COLUMNS = {
    "what": ("", ""),
    "images_per_s": ("images/s", ".3g"),
    "ratio": ("ratio", ".3g"),
    "low": ("from", ".3g"),
    "high": ("to", ".3g"),
    "goal": ("goal", ".1f"),
}
GOAL = 2.0


def time_turn(options: argparse.Namespace, overrides: list[str], data: Path, seed: int) -> dict:
    """Seconds an epoch of each side."""
    folder = data.parent
    seconds = {"robustseg": harness.epoch_seconds(overrides, str(folder), options.epochs, seed)}
    config = harness.composed(overrides, str(folder), 1, seed)
    model = {key: value for key, value in config.model.items() if key != "name"}
    torch.set_num_threads(os.cpu_count() or 1)
    for precision in ("32-true", "bf16-mixed"):
        for workers in options.workers:
            name = f"user, {precision}, {workers} workers"
            seconds[name] = time_user(
                instantiate(model, in_channels=3),
                loader(data, options.side, workers),
                folder,
                options.epochs,
                precision,
            )
    return seconds


def table(images: int, turns: list[dict[str, float]], workers: list[int]) -> list[tuple]:
    """A row a side, and the ratios to the faster number of loader processes of each precision."""
    rows = []
    for name in turns[0]:
        rates = [images / turn[name] for turn in turns]
        rows.append((name, statistics.median(rates), "", min(rates), max(rates), ""))
    for precision, goal in (("32-true", GOAL), ("bf16-mixed", "")):
        names = [f"user, {precision}, {number} workers" for number in workers]
        ratios = [min(turn[name] for name in names) / turn["robustseg"] for turn in turns]
        what = f"robustseg / user, {precision}"
        rows.append((what, "", statistics.median(ratios), min(ratios), max(ratios), goal))
    return rows


def main() -> None:
    """Measure, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--root", type=Path, help="folder of ISIC 2017; drawn pictures without it")
    parser.add_argument("--images", type=int, default=320, help="training images, 0 for all")
    parser.add_argument("--side", type=int, default=128, help="size trained at, pixels")
    parser.add_argument("--epochs", type=int, default=3, help="epochs a turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 2], help="loader processes of the user's side"
    )
    options, overrides = parser.parse_known_args()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")  # advice on loader processes
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        images = isic_folder(data, options.root, options.images or None, 256)
        settings = [
            "dataset=isic2017",
            f"dataset.root={data}",
            f"dataset.image_size={options.side}",
            "noise.alpha=0.0",
            "loss=ce",
            *overrides,
        ]
        harness.epoch_seconds(settings, name, 1, 999)  # imports, cache
        turns = []
        for turn in range(options.turns):
            turns.append(time_turn(options, settings, data, turn))
            rates = (f"{side} {images / taken:.1f}" for side, taken in turns[-1].items())
            print(f"turn {turn + 1}, images/s: {'; '.join(rates)}", flush=True)
    rows = table(images, turns, options.workers)
    print(f"\n{images} images, {options.side}×{options.side}, {os.cpu_count()} processors\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
