"""What a sweep costs beside training: start, skip, status.

    python benchmarks/bench_sweep.py [--parts fixed skip status] [--out FILE.csv]
                                                  [--runs 20] [--skips 100] [--folders 10000]

fixed   seconds a run spends outside training and evaluation: the time from the end of one run to
        the end of the next (Hydra, data, network, wandb offline, files), less its epochs; the
        median over a sweep of small runs after the first. Goal 1.5 s.
skip    milliseconds to skip a finished run, beside an empty job of Hydra's on the same grid;
        the shortest of three alternating turns. Goal 10 ms.
status  seconds of `robustseg status` over many run folders. Goal 5 s for 10,000.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

from robustseg.runs.files import read_csv

COLUMNS = {"what": ("what", ""), "value": ("value", ".3g"), "unit": ("unit", "")}
SKIP_TURNS = 3
SMALL = [
    "dataset.image_size=32",
    "dataset.source.train=32",
    "dataset.source.test=8",
    "model.features=[8,16]",
    "trainer.max_epochs=2",
]
EMPTY = """
import hydra

@hydra.main(version_base="1.3", config_path={conf!r}, config_name="train")
def job(cfg):
    pass

job()
"""


def fixed_cost(folder: Path, runs: int) -> list[float]:
    """Seconds outside of epochs for every run but the first."""
    harness.sweep_seconds(folder, *SMALL, f"seed=range({runs})")
    (outcomes,) = folder.glob("logs/sweeps/*/*/outcomes")
    files = sorted(outcomes.iterdir(), key=lambda file: int(file.stem))
    ends = [file.stat().st_mtime for file in files]
    costs = []
    for before, end, file in zip(ends, ends[1:], files[1:], strict=False):
        run_id = json.loads(file.read_text())["run_id"]
        epochs = read_csv(folder / "runs" / run_id / "epochs.csv")
        costs.append(end - before - sum(row["seconds"] for row in epochs))
    return costs


def skip_cost(folder: Path, runs: int, skips: int) -> tuple[float, float]:
    """Milliseconds a job of a sweep of finished runs, and of one of empty jobs."""
    # Without noise its strength does not matter: each run is found again for every strength.
    strengths = ",".join(f"{0.1 + n / 100:.2f}" for n in range(skips // runs))
    grid = [*SMALL, f"seed=range({runs})", f"noise.beta={strengths}"]
    empty = folder / "empty.py"
    empty.write_text(EMPTY.format(conf=str(harness.ROOT / "conf")))
    # Starts and ends are subtracted by a sweep of a single job.
    programs = {"skip": harness.ROOT / "train.py", "empty": empty}
    seconds: dict[str, list[float]] = {name: [] for name in ("skip", "empty", "skip 1", "empty 1")}
    for _ in range(SKIP_TURNS):
        for name, program in programs.items():
            one = harness.sweep_seconds(folder, *SMALL, "seed=0", "noise.beta=0.1", program=program)
            seconds[f"{name} 1"].append(one)
            seconds[name].append(harness.sweep_seconds(folder, *grid, program=program))
    shortest = {name: min(times) for name, times in seconds.items()}
    jobs = skips // runs * runs - 1
    skip, vacant = (1e3 * (shortest[name] - shortest[f"{name} 1"]) / jobs for name in programs)
    return skip, vacant


def status_time(folder: Path, folders: int) -> float:
    """Seconds of the command over copies of one finished run."""
    harness.sweep_seconds(folder / "one", *SMALL, "seed=0")
    (one,) = (folder / "one" / "runs").iterdir()
    files = {name: (one / name).read_bytes() for name in ("status.json", "metrics.json")}
    for number in range(folders):
        copy = folder / "many" / f"{one.name}-{number}"
        copy.mkdir(parents=True)
        for name, content in files.items():
            (copy / name).write_bytes(content)
    command = [
        sys.executable,
        "-c",
        "from robustseg.cli.main import main; raise SystemExit(main())",
    ]
    begin = time.perf_counter()
    subprocess.run(
        [*command, "status", "--runs", str(folder / "many")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def main() -> None:
    """Measure the parts asked for, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    known = ("fixed", "skip", "status")
    parser.add_argument("--parts", nargs="+", choices=known, default=known)
    parser.add_argument("--runs", type=int, default=20, help="runs of `fixed` and `skip`")
    parser.add_argument("--skips", type=int, default=100)
    parser.add_argument("--folders", type=int, default=10000)
    options = parser.parse_args()
    rows: list[tuple[str, float, str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "fixed" in options.parts or "skip" in options.parts:
            costs = fixed_cost(folder / "fixed", options.runs)
            median = statistics.median(costs)
            rows.append(("outside training and evaluation, median a run", median, "s"))
            rows.append(("the same, longest", max(costs), "s"))
        if "skip" in options.parts:
            skip, empty = skip_cost(folder / "fixed", options.runs, options.skips)
            rows.append(("a skipped run", skip, "ms"))
            rows.append(("an empty job of Hydra's", empty, "ms"))
            rows.append(("skipping, our share", skip - empty, "ms"))
        if "status" in options.parts:
            seconds = status_time(folder, options.folders)
            rows.append((f"robustseg status, {options.folders} runs", seconds, "s"))
    print(f"{os.cpu_count()} processors\n")
    harness.report(COLUMNS, rows, options.out)


if __name__ == "__main__":
    main()
