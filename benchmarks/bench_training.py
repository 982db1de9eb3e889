"""Images a second of training: the whole program against a bare PyTorch loop, in one run.

Both train the same network on the same batches with the same augmentation, loss, optimiser,
precision and memory format. The program's side is what `train.py` does between evaluations: the
Lightning loop, the run folder's files and wandb (offline). Turns alternate, so that a drift of the
machine meets both; the ratio is the median over turns.

    python benchmarks/bench_training.py [--epochs 10] [--turns 5] [--out FILE.csv]
                                                     [hydra overrides …]
"""

import platform
import tempfile
import time
from pathlib import Path

import harness
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from robustseg.configuration.checks import resolve
from robustseg.data.batches.augmented import training_batches
from robustseg.data.prepare import prepare
from robustseg.training.build import build_module

COLUMNS = {
    "program_images_per_s": ("robustseg with all logging, images/s", ".0f"),
    "bare_images_per_s": ("bare PyTorch loop, images/s", ".0f"),
    "ratio": ("ratio", ".3f"),
}
DRAWN = ["dataset.source.train=480", "dataset.source.test=16"]


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
    parser = harness.parser(__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="epochs a turn")
    parser.add_argument("--turns", type=int, default=5)
    options, overrides = parser.parse_known_args()
    overrides = [*DRAWN, *overrides]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        harness.epoch_seconds(overrides, folder, 1, 999)  # imports, cache
        for turn in range(options.turns):
            ours = harness.epoch_seconds(overrides, folder, options.epochs, turn)
            cfg = harness.composed(overrides, folder, 1, turn)
            bare = time_bare_loop(cfg, options.epochs)
            images = OmegaConf.select(cfg, "dataset.source.train")
            rows.append((images / ours, images / bare, bare / ours))
    print(f"\n{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads\n")
    harness.report(COLUMNS, rows, options.out)
    _, _, ratio, low, high = harness.medians(*zip(*rows, strict=True))
    print(f"\nmedian ratio {ratio:.3f} ({low:.3f} to {high:.3f}; goal 0.95)")


if __name__ == "__main__":
    main()
