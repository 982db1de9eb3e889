"""What tables cost: over many run folders, of one paper's size, and the import.

    python benchmarks/bench_results.py [--parts import many record tests]
                                                    [--folders 10000] [--turns 3] [--out FILE.csv]

import  seconds to import robustseg.results and its command in a fresh interpreter. Goal 1 s.
many    seconds of `robustseg table` over many synthetic run folders, start-up included: means
        only, beside the bare reading of the same files by json. Goal 5 s for 10,000.
record  the same of a record of those runs, beside the bare reading of its rows by pandas; and the
        seconds that packing takes. Goal 2 s for 10,000.
tests   seconds of a table of 210 runs and 600 test images (the T-Loss paper's) with significance
        and intervals, and of the claims of all its pairs, the first time and again. Goals for the
        claims: 20 s, and 2 s again.

Wall and processor time, each the shortest of several turns, since other programs only add to it.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import harness
import numpy as np

from robustseg.runs.files import write_csv, write_json
from robustseg.runs.folder import RunFolder
from robustseg.runs.identity import SCHEMA

COLUMNS = {
    "what": ("what", ""),
    "wall_seconds": ("wall s", ".3g"),
    "processor_seconds": ("processor s", ".3g"),
}
LOSSES = ("tloss", "gce", "mae", "rce", "sce", "ngce", "nce_rce", "ngce_mae", "ngce_rce", "ce")
NOISE = [(0.0, None), *itertools.product((0.3, 0.5, 0.7), (0.5, 0.7))]
LABELS = {
    "dataset": "isic2017",
    "subset": "all",
    "batch_size": 16,
    "image_size": 256,
    "model": "nnunet",
    "domain": None,
    "regularizer": "none",
    "epsilon": 0,
}
COMMAND = "from robustseg.cli.main import main; raise SystemExit(main())"
ROWS = "import sys, pandas; pandas.read_parquet(sys.argv[1])"
READING = """
import json, pathlib, sys
for path in pathlib.Path(sys.argv[1]).iterdir():
    for name in ("status.json", "metrics.json"):
        json.loads((path / name).read_bytes())
"""


def seconds(
    arguments: list[str], turns: int, before: Callable[[], None] | None = None
) -> tuple[float, float]:
    """Shortest wall time of a Python program, and shortest processor time."""
    taken = []
    for _ in range(turns):
        if before:
            before()
        begin, used = time.perf_counter(), os.times()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        end = os.times()
        processor = end.children_user + end.children_system
        processor -= used.children_user + used.children_system
        taken.append((time.perf_counter() - begin, processor))
    wall, processors = zip(*taken, strict=True)
    return min(wall), min(processors)


def write_run(
    folder: RunFolder, loss: str, noise: tuple, seed: int, dice: float, **counts: int
) -> None:
    """The files of a finished run that tables read, as long as real ones."""
    alpha, beta = noise
    labels = {**LABELS, "run_id": folder.run_id, "loss": loss, "alpha": alpha, "beta": beta}
    labels |= {"seed": seed, "noise": "morphological" if alpha else None}
    labels["noise_seed"] = 0 if alpha else None
    settings = {
        "seed": float(seed),
        "loss": {"name": loss},
        "noise": {"name": "morphological", "alpha": alpha, "beta": beta},
        "trainer": {f"setting{n}": float(n) for n in range(12)},
        "dataset": {f"setting{n}": "value" for n in range(12)},
    }
    numbers = {f"number{n}": dice + n for n in range(30)}
    whole = {"dice_image": dice, **numbers, **counts, "collapsed": None}
    whole |= {"run": labels, "settings": settings}
    write_json(folder.metrics, whole)
    versions = {f"package{n}": "1.2.3" for n in range(8)}
    status = {"schema": SCHEMA, "state": "done", "run": labels, "experiments": ["bench"]}
    write_json(folder.status, {**status, "versions": versions})


def grid(count: int) -> Iterator[tuple[str, tuple, int]]:
    """Losses × noise settings × as many seeds as it takes."""
    cells = list(itertools.product(LOSSES, NOISE))
    for number in range(count):
        loss, noise = cells[number % len(cells)]
        yield loss, noise, number // len(cells)


def write_many(folder: Path, count: int) -> None:
    """Run folders without images.csv."""
    rng = np.random.default_rng(0)
    for number, cell in enumerate(grid(count)):
        write_run(RunFolder(folder / f"run{number:05d}"), *cell, float(rng.uniform(0.7, 0.8)))


def write_paper(folder: Path, images: int = 600, evaluations: int = 10, seeds: int = 3) -> None:
    """Run folders of the T-Loss paper's table."""
    rng = np.random.default_rng(0)
    for number, cell in enumerate(grid(len(LOSSES) * len(NOISE) * seeds)):
        run = RunFolder(folder / f"run{number:05d}")
        dice = rng.beta(7, 2, size=(evaluations, images))
        counts = {"tp": 1000, "fp": 200, "fn": 200, "tn": 4000, "hd95": 0.1}
        write_csv(
            run.images,
            [
                {"epoch": e, "id": f"ISIC_{i:07d}", **counts, "dice": float(dice[e, i]),
                 "jaccard": float(dice[e, i])}
                for e, i in itertools.product(range(evaluations), range(images))
            ],
        )  # fmt: skip
        write_run(run, *cell, float(dice.mean()), test_images=images, evaluations=evaluations)


def main() -> None:
    """Measure the parts asked for, print a table, and write it as CSV if asked to."""
    parser = harness.parser(__doc__)
    known = ("import", "many", "record", "tests")
    parser.add_argument("--parts", nargs="+", choices=known, default=known)
    parser.add_argument("--folders", type=int, default=10000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    rows: list[tuple[str, tuple[float, float]]] = []
    with tempfile.TemporaryDirectory() as name:
        folder, turns = Path(name), options.turns
        cache = folder / "cache"
        os.environ["ROBUSTSEG_CACHE"] = str(cache)
        if "import" in options.parts:
            rows.append(("an empty interpreter", seconds(["-c", "pass"], turns)))
            program = "import robustseg.cli.table"
            rows.append(("the import of robustseg.cli.table", seconds(["-c", program], turns)))
        if {"many", "record"} & {*options.parts}:
            write_many(folder / "many", options.folders)
        if "many" in options.parts:
            table = ["-c", COMMAND, "table", "--runs", str(folder / "many"), "--test", "none"]
            rows.append((f"robustseg table, {options.folders} runs", seconds(table, turns)))
            bare = seconds(["-c", READING, str(folder / "many")], turns)
            rows.append(("json alone on the same files", bare))
        if "record" in options.parts:
            record, runs = folder / "record", ["--runs", str(folder / "many")]
            packing = ["-c", COMMAND, "runs", "pack", "bench", *runs, "-o", str(record)]
            rows.append((f"robustseg runs pack, {options.folders} runs", seconds(packing, 1)))
            table = ["-c", COMMAND, "table", "--runs", str(record), "--test", "none"]
            rows.append(
                (f"robustseg table, {options.folders} recorded runs", seconds(table, turns))
            )
            bare = seconds(["-c", ROWS, str(record / "runs")], turns)
            rows.append(("pandas alone on the same rows", bare))
        if "tests" in options.parts:
            write_paper(folder / "paper")
            table = ["-c", COMMAND, "table", "--runs", str(folder / "paper"), "--ci"]

            def forget() -> None:
                for file in cache.rglob("*.json"):
                    file.unlink()

            rows.append(("210 runs with significance, first time", seconds(table, turns, forget)))
            rows.append(("the same again", seconds(table, turns)))
            claims = ["-c", COMMAND, "claims", "--runs", str(folder / "paper")]
            rows.append(("claims of 210 runs, first time", seconds(claims, turns, forget)))
            rows.append(("the same again", seconds(claims, turns)))
    print(f"{os.cpu_count()} processors\n")
    harness.report(COLUMNS, [(what, *taken) for what, taken in rows], options.out)


if __name__ == "__main__":
    main()
