"""Where the time of a training epoch goes: phases by a clock, operators by torch.profiler.

phases     `train.py` itself on drawn pictures, its parts wrapped in a clock; each moment belongs
           to the innermost part that is at work, and what no part claims is Lightning's loop and
           the loader. A run of one epoch is subtracted, and with it start and end.
operators  20 steps of the same network, loss and optimiser on one batch, outside Lightning; the
           share of the profiled time each of torch's operators spends in itself

    python benchmarks/profile_epoch.py [--sides 64 128] [--images 480] [--epochs 3]
                                        [--top 8] [--out FILE.csv] [hydra overrides …]
"""

import functools
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import harness
import torch

from robustseg.configuration.checks import resolve
from robustseg.data.batches.augmented import AugmentedImages
from robustseg.data.batches.sampler import EpochBatches
from robustseg.losses.regularizers import Regularized
from robustseg.training.build import build_module
from robustseg.training.module import SegmentationModule
from robustseg.training.recorder import Recorder
from robustseg.training.run import run

COLUMNS = {
    "side": ("size", "d"),
    "kind": ("", ""),
    "what": ("what", ""),
    "ms_per_image": ("ms an image", ".3f"),
    "share": ("share", ".1%"),
}
REST = "Lightning's loop, loader"
PARTS = [
    (AugmentedImages, "__getitem__", "augmentation"),
    (EpochBatches, "_permutation", "order of images"),
    (SegmentationModule, "forward", "forward"),
    (Regularized, "forward", "loss"),
    (torch.Tensor, "backward", "backward"),
    (torch.optim.Adam, "step", "optimiser"),
    (Recorder, "on_train_epoch_end", "recorder: evaluation, files"),
]


class Clock:
    """Seconds of each phase; of nested phases the inner one counts."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._stack = [REST]
        self._last = time.perf_counter()

    def _pass_to(self) -> None:
        now = time.perf_counter()
        self.seconds[self._stack[-1]] += now - self._last
        self._last = now

    def timed(self, function: Any, phase: str) -> Any:
        """The function, with its time given to a phase."""

        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            self._pass_to()
            self._stack.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self._pass_to()
                self._stack.pop()

        return wrapped

    def stop(self) -> Counter[str]:
        """All seconds since the start, by phase."""
        self._pass_to()
        return self.seconds


@contextmanager
def clocked() -> Iterator[Clock]:
    """A clock in the parts of the program."""
    clock = Clock()
    patches = [
        mock.patch.object(owner, name, clock.timed(getattr(owner, name), phase))
        for owner, name, phase in PARTS
    ]
    for patch in patches:
        patch.start()
    try:
        yield clock
    finally:
        for patch in patches:
            patch.stop()


def phases(settings: list[str], folder: str, epochs: int, images: int) -> list[tuple]:
    """Phase, milliseconds an image and share of the epoch, longest first."""
    run(harness.composed(settings, folder, 1, 999))  # imports, cache
    taken = []
    for length in (1, epochs + 1):
        with clocked() as clock:
            run(harness.composed(settings, folder, length, 0))
            taken.append(clock.stop())
    # Not Counter's own subtraction, which drops what noise makes negative.
    each = {name: (taken[1][name] - taken[0][name]) / epochs for name in taken[1]}
    whole = sum(each.values())
    ordered = sorted(each.items(), key=lambda item: -item[1])
    rows = [(name, 1e3 * value / images, value / whole) for name, value in ordered]
    return [("all", 1e3 * whole / images, 1.0), *rows]


def operators(settings: list[str], folder: str, top: int) -> list[tuple]:
    """Operator, milliseconds an image and share of the steps, longest first."""
    config = resolve(harness.composed(settings, folder, 1, 0))
    torch.set_num_threads(config.trainer.threads)
    module = build_module(config, 3)
    optimizer = module.configure_optimizers()
    side, batch, steps = config.dataset.image_size, config.dataset.batch_size, 20
    images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
    masks = torch.randint(0, 2, (batch, side, side), dtype=torch.uint8)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, config.trainer.precision == "bf16-mixed"):
            loss = module.training_step((images, masks), 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for _ in range(5):
        step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(steps):
            step()
    events = profile.key_averages()
    whole = sum(event.self_cpu_time_total for event in events)
    longest = sorted(events, key=lambda event: -event.self_cpu_time_total)[:top]
    return [
        (
            event.key,
            event.self_cpu_time_total / 1e3 / steps / batch,
            event.self_cpu_time_total / whole,
        )
        for event in longest
    ]


def main() -> None:
    """Measure, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128], help="sizes, pixels")
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--epochs", type=int, default=3, help="epochs of the clock")
    parser.add_argument("--top", type=int, default=8, help="operators listed")
    options, overrides = parser.parse_known_args()
    rows: list[tuple] = []
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            settings = [
                f"dataset.image_size={side}",
                f"dataset.source.train={options.images}",
                "dataset.source.test=16",
                "trainer.accelerator=cpu",
                *overrides,
            ]
            clock = phases(settings, folder, options.epochs, options.images)
            rows += [(side, "phase", *row) for row in clock]
            rows += [(side, "operator", *row) for row in operators(settings, folder, options.top)]
    print(f"\n{torch.get_num_threads()} threads, torch {torch.__version__}\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
