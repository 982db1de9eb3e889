"""What the benchmarks share: the command line, turns, the table they print and the CSV they write.

A benchmark compares two sides in the same run. Sides alternate, so that a drift of the machine
meets both; a ratio is taken within a turn, and its median over turns counts.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from robustseg.training.run import run

ROOT = Path(__file__).parents[1]
Row = Sequence[object]


def parser(text: str | None) -> argparse.ArgumentParser:
    """A command line with the text of the benchmark as its help, and --out."""
    made = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--out", type=Path, help="also write the table to this CSV file")
    return made


def report(columns: Mapping[str, tuple[str, str]], rows: Sequence[Row], out: Path | None) -> None:
    """Print rows as a Markdown table and write them, unrounded, as CSV where asked.

    Args:
        columns: the CSV's names; for each the printed title and the format of its numbers. Empty
            strings stay empty.
        rows: one value a column.
        out: the CSV file.
    """
    print(markdown(columns.values(), rows))
    if out:
        with out.open("w", newline="") as file:
            csv.writer(file).writerows([[*columns], *rows])


def markdown(columns: Sequence[tuple[str, str]], rows: Sequence[Row]) -> str:
    """Rows as a Markdown table; columns are titles with the format of their numbers."""
    columns = list(columns)
    lines = [[title for title, _ in columns], ["--:" if form else "---" for _, form in columns]]
    for row in rows:
        pairs = zip(row, columns, strict=True)
        lines.append(["" if value == "" else format(value, form) for value, (_, form) in pairs])
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def shortest(repeats: int, *sides: Callable[[], object]) -> list[float]:
    """Milliseconds of each side, the shortest of several turns, after one that is not timed."""
    best = [float("inf")] * len(sides)
    for repeat in range(repeats + 1):
        for which, side in enumerate(sides):
            begin = time.perf_counter()
            side()
            if repeat:
                best[which] = min(best[which], 1e3 * (time.perf_counter() - begin))
    return best


def medians(ours: Sequence[float], peer: Sequence[float], ratio: Sequence[float]) -> Row:
    """Median of ours, of the peer's, of the ratio within a turn, and the ratio's range."""
    return (*map(statistics.median, (ours, peer, ratio)), min(ratio), max(ratio))


def composed(overrides: Sequence[str], folder: str, epochs: int, seed: int) -> DictConfig:
    """The configuration of one turn: nothing is evaluated before the last epoch."""
    fixed = [
        "evaluation.every=1000",
        "evaluation.train_sample=16",
        "trainer.progress=lines",
        "hydra.mode=RUN",
        "force=true",  # a run that differs in nothing that matters would be skipped
        f"trainer.max_epochs={epochs}",
        f"seed={seed}",
        *_places(folder),
    ]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*fixed, *overrides])


def epoch_seconds(overrides: Sequence[str], folder: str, epochs: int, seed: int) -> float:
    """Seconds an epoch of the program; start and end of a run are subtracted."""
    seconds = []
    for length in (1, epochs + 1):
        begin = time.perf_counter()
        run(composed(overrides, folder, length, seed))
        seconds.append(time.perf_counter() - begin)
    return (seconds[1] - seconds[0]) / epochs


def sweep_seconds(folder: Path, *overrides: str, program: Path = ROOT / "train.py") -> float:
    """Wall seconds of a sweep whose files lie below a folder."""
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, str(program), "-m", *_places(str(folder)), *overrides],
        cwd=ROOT,
        env={**os.environ, "WANDB_MODE": "offline"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin


def _places(folder: str) -> list[str]:
    return [f"paths.{name}={folder}/{name}" for name in ("runs", "logs", "cache")]
