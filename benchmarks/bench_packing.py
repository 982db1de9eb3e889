"""Runs an hour by how many are trained at a time on one processor or GPU.

    python benchmarks/bench_packing.py [--jobs 1 2 4] [--runs 8] [--epochs 5]
                                                    [--out FILE.csv] [hydra overrides …]

The peer is Hydra's own launcher: one run after another, each with all processors. `--jobs` are runs
at a time with hydra/launcher=local: n_jobs on a CPU, which share the processors, and jobs_per_gpu
on a GPU; what gives the most runs an hour is the setting for this machine. Start-up counts. Each
number trains the same runs; the distance of a run's test Dice from the peer's is reported beside
the spread over seeds. The goal on two cores is 1.3 times the peer, on a GPU 3 times, there with
model=nnunet dataset.image_size=128 dataset.device=cuda.
"""

import os
import statistics
import tempfile
from pathlib import Path

import harness

from robustseg.configuration import hardware
from robustseg.runs.files import read_json

DRAWN = ["dataset.source.train=240", "dataset.source.test=16"]
COLUMNS = {
    "what": ("runs", ""),
    "seconds": ("s", ".3g"),
    "runs_per_hour": ("runs an hour", ".3g"),
    "ratio": ("ratio", ".3g"),
    "dice_difference": ("Dice, furthest from alone", ".3g"),
    "dice_std_seeds": ("std over seeds", ".3g"),
}


def dice(folder: Path) -> dict[str, float]:
    """Test Dice of every run by its id."""
    files = folder.glob("runs/*/metrics.json")
    return {file.parent.name: read_json(file)["dice_image"] for file in files}


def measure(folder: Path, jobs: list[int], grid: list[str], runs: int) -> list[tuple]:
    """Rows of the table; the peer is the first."""
    setting = "jobs_per_gpu" if hardware.cuda_devices() else "n_jobs"
    ways = {"one after another": ["hydra/launcher=basic"]}
    ways |= {
        f"{n} at a time": ["hydra/launcher=local", f"hydra.launcher.{setting}={n}"] for n in jobs
    }
    harness.sweep_seconds(
        folder / "warm", *grid, "seed=0", "trainer.max_epochs=1"
    )  # caches of files and disk
    rows: list[tuple] = []
    alone: dict[str, float] = {}
    for way, launcher in ways.items():
        seconds = harness.sweep_seconds(folder / way, *grid, f"seed=range({runs})", *launcher)
        ends = dice(folder / way)
        alone = alone or ends
        off = max(abs(ends[run_id] - value) for run_id, value in alone.items())
        ratio = rows[0][1] / seconds if rows else 1.0
        rows.append(
            (way, seconds, 3600 * runs / seconds, ratio, off, statistics.stdev(ends.values()))
        )
    return rows


def main() -> None:
    """Measure, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2, 4], help="runs at a time")
    parser.add_argument("--runs", type=int, default=8, help="seeds trained, at least two")
    parser.add_argument("--epochs", type=int, default=5, help="epochs a run")
    options, overrides = parser.parse_known_args()
    grid = [*DRAWN, f"trainer.max_epochs={options.epochs}", *overrides]
    with tempfile.TemporaryDirectory() as name:
        rows = measure(Path(name), options.jobs, grid, options.runs)
    gpus = hardware.cuda_devices()
    print(f"{options.runs} runs, {os.cpu_count()} processors, {gpus} GPUs\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
