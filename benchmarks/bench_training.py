"""Images a second of training: the whole program against a bare PyTorch loop, in one run.

Both train the same network on the same batches with the same augmentation, loss, optimiser,
precision and memory format. The program's side is what `train.py` does between evaluations: the
Lightning loop, the run folder's files and wandb (offline). Turns alternate, so that a drift of the
machine meets both; the ratio is the median over turns.

    python benchmarks/bench_training.py [--epochs 10] [--turns 5] [--out FILE.csv]
                                                     [hydra overrides …]
"""

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from robustseg.configuration.checks import resolve
from robustseg.data.batches.augmented import training_batches
from robustseg.data.prepare import prepare
from robustseg.training.run import run
from robustseg.training.train import build_module

ROOT = Path(__file__).parents[1]
DRAWN = ["dataset.source.train=480", "dataset.source.test=16"]


def composed(overrides: list[str], folder: str, epochs: int, seed: int):
    """The configuration of one turn: nothing is evaluated before the last epoch."""
    fixed = [
        "evaluation.every=1000",
        "evaluation.train_sample=16",
        "trainer.progress=lines",
        "hydra.mode=RUN",
        "force=true",  # a run that differs in nothing that matters would be skipped
        f"trainer.max_epochs={epochs}",
        f"seed={seed}",
        f"paths.runs={folder}/runs",
        f"paths.logs={folder}/logs",
        f"paths.cache={folder}/cache",
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*fixed, *overrides])


def time_program(overrides: list[str], folder: str, epochs: int, seed: int) -> float:
    """Seconds an epoch of the program; start and end of a run are subtracted."""
    seconds = []
    for length in (1, epochs + 1):
        begin = time.perf_counter()
        run(composed(overrides, folder, length, seed))
        seconds.append(time.perf_counter() - begin)
    return (seconds[1] - seconds[0]) / epochs


def time_bare_loop(cfg, epochs: int) -> float:
    """Seconds an epoch of a PyTorch loop that does nothing else."""
    settings = resolve(cfg)
    source = instantiate(settings.dataset.source.arguments())
    noise = instantiate(settings.noise.model.arguments())
    cache = Path(settings.paths.cache)
    data = prepare(source, cache, settings.dataset, settings.noise, noise)
    torch.set_num_threads(settings.trainer.threads)
    device = torch.device("cuda" if settings.trainer.accelerator == "gpu" else "cpu")
    module = build_module(settings, source.channels).to(device)
    layout = torch.channels_last if settings.trainer.channels_last else torch.contiguous_format
    network, loss, optimizer = module.network, module.loss, module.configure_optimizers()
    mixed = settings.trainer.precision == "bf16-mixed"
    loader = training_batches(
        data.train.images,
        data.noisy,
        transforms=[instantiate(t.arguments()) for t in settings.augmentation.transforms],
        batch_size=settings.dataset.batch_size,
        seed=settings.seed,
        num_workers=settings.dataset.num_workers,
    )
    network.train()
    for epoch in range(epochs + 1):
        if epoch == 1:  # the first warms up
            begin = time.perf_counter()
        loader.sampler.set_epoch(epoch)
        for images, masks in loader:
            images, masks = images.to(device), masks.to(device)
            pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
            with torch.autocast(device.type, torch.bfloat16, mixed):
                logits = network(pixels.contiguous(memory_format=layout))
                value = loss(logits.float(), masks.unsqueeze(1).float())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / epochs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=10, help="epochs a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the turns as CSV")
    options, overrides = parser.parse_known_args()
    overrides = [*DRAWN, *overrides]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        time_program(overrides, folder, 1, 999)  # imports, cache
        for turn in range(options.turns):
            ours = time_program(overrides, folder, options.epochs, turn)
            cfg = composed(overrides, folder, 1, turn)
            bare = time_bare_loop(cfg, options.epochs)
            images = OmegaConf.select(cfg, "dataset.source.train")
            rows.append((images / ours, images / bare, bare / ours))
    ours, bare, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
    spread = np.array([row[2] for row in rows])
    print(f"\n{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads\n")
    print("| | images/s |\n|---|---|")
    print(f"| bare PyTorch loop | {bare:.0f} |\n| robustseg with all logging | {ours:.0f} |")
    print(f"\nratio {ratio:.3f} (turns {spread.min():.3f} to {spread.max():.3f}, goal 0.95)")
    if options.out:
        header = "program_images_per_s,bare_images_per_s,ratio"
        np.savetxt(options.out, rows, "%.4f", ",", header=header, comments="")


if __name__ == "__main__":
    main()
