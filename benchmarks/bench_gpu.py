"""A training step on a GPU by what computes it, and what the GPU does meanwhile.

Each row changes one thing of the row above it; network, loss and optimiser are those of `train.py`,
the batch is random and stays on the GPU, Lightning is left out. Kernels are counted by
torch.profiler: their number a step, and the share of the step's wall time in which one was at work.
Where that share is small the host cannot launch kernels fast enough; where it is near 1 the kernels
themselves are the limit.

    python benchmarks/bench_gpu.py [--steps 200] [--top 8] [--out FILE.csv]
                                                [hydra overrides …]

The network is that of the T-Loss paper (model=nnunet) at 128×128 with 16 images a batch, unless
the overrides name others. Compiling takes a minute.
"""

import tempfile
import time

import harness
import torch

from robustseg.configuration.checks import resolve
from robustseg.training.build import build_module

NETWORK = ["model=nnunet", "dataset.image_size=128", "dataset.batch_size=16"]
COLUMNS = {
    "what": ("", ""),
    "ms_per_step": ("ms a step", ".2f"),
    "images_per_s": ("images/s", ".0f"),
    "kernels": ("kernels a step", ".0f"),
    "kernel_ms": ("their ms", ".2f"),
    "busy": ("GPU busy", ".0%"),
}
KERNELS = [("kernel of the default", ""), ("ms", ".3f"), ("share", ".0%")]
FP32 = ["trainer.precision=32-true", "trainer.channels_last=false"]
WAYS = {
    "32 bits, NCHW": FP32,
    "bf16, NCHW": ["trainer.precision=bf16-mixed", "trainer.channels_last=false"],
    "bf16, NHWC (default)": [],
    "and optimizer.fused": ["optimizer.fused=true"],
    "and trainer.compile": ["optimizer.fused=true", "trainer.compile=true"],
    "and trainer.compile=graphs": ["optimizer.fused=true", "trainer.compile=graphs"],
}


def stepper(settings: list[str], folder: str):
    """A function that makes one training step on the GPU, and its batch size."""
    config = resolve(harness.composed(settings, folder, 1, 0))
    module = build_module(config, 3).cuda()
    optimizer = module.configure_optimizers()
    side, batch = config.dataset.image_size, config.dataset.batch_size
    images = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8, device="cuda")
    masks = torch.randint(0, 2, (batch, side, side), dtype=torch.uint8, device="cuda")
    mixed = config.trainer.precision == "bf16-mixed"

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16, mixed):
            loss = module.training_step((images, masks), 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step, batch


def kernels(step, steps: int = 20) -> tuple[list[tuple[str, float]], int]:
    """Name and milliseconds, divided by the steps, of every kernel of some steps; and the steps."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
    on_gpu = [
        event
        for event in profile.events()
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.is_user_annotation
    ]
    return [(event.name, event.device_time_total / 1e3 / steps) for event in on_gpu], steps


def measure(settings: list[str], folder: str, steps: int, top: int) -> tuple[tuple, list[tuple]]:
    """The numbers of one way, and its longest kernels with their share of all kernels' time."""
    step, batch = stepper(settings, folder)
    for _ in range(20):
        step()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    wall = 1e3 * (time.perf_counter() - begin) / steps
    found, profiled = kernels(step)
    busy = sum(taken for _, taken in found)
    each: dict[str, float] = {}
    for name, taken in found:
        each[name] = each.get(name, 0.0) + taken
    longest = sorted(each.items(), key=lambda item: -item[1])[:top]
    numbers = (wall, 1e3 * batch / wall, len(found) / profiled, busy, busy / wall)
    return numbers, [(name, taken, taken / busy) for name, taken in longest]


def main() -> None:
    """Measure, print the tables, and write the first as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--steps", type=int, default=200, help="steps timed")
    parser.add_argument("--top", type=int, default=8, help="kernels listed of the default")
    parser.add_argument("--ways", type=int, default=len(WAYS), help="only the first so many rows")
    options, overrides = parser.parse_known_args()
    if not torch.cuda.is_available():
        print("bench_gpu.py: there is no CUDA device here")
        return
    rows, longest = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for what, settings in list(WAYS.items())[: options.ways]:
            all_settings = [*NETWORK, *overrides, *settings]
            numbers, longest[what] = measure(all_settings, folder, options.steps, options.top)
            rows.append((what, *numbers))
            print(f"{what}: {numbers[0]:.2f} ms a step", flush=True)
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}\n")
    harness.report(COLUMNS, rows, options.out)
    slowest = longest.get("bf16, NHWC (default)", [])
    print("\n" + harness.markdown(KERNELS, [(name[:90], *numbers) for name, *numbers in slowest]))


if __name__ == "__main__":
    main()
