"""Draw the ratios of the benchmarks, robustseg against its peer, one bar each.

    python benchmarks/plot.py [--results FOLDER] [--out performance.png]

Reads what the benchmarks wrote with --out into benchmarks/results and draws the files
that are there. A bar goes from 1 (as fast as the peer) to the ratio of speeds; a thin line is the
range over turns where there are turns, a black tick the goal where there is one.
"""

import argparse
import csv
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
NOISE_GOALS = {"256": 10.0, "1536": 30.0}  # by height of the frame


class Ratio(NamedTuple):
    """One bar: speed of ours over the peer's."""

    label: str
    ratio: float
    low: float | None = None
    high: float | None = None
    goal: float | None = None


Row = dict[str, str]


def training(rows: list[Row]) -> list[Ratio]:
    """The turns of bench_training.py are one ratio."""
    ratios = [float(row["ratio"]) for row in rows]
    median = statistics.median(ratios)
    return [Ratio("64×64, bare PyTorch loop", median, min(ratios), max(ratios), 0.95)]


def epoch(rows: list[Row]) -> list[Ratio]:
    """The last rows of bench_epoch.py."""
    return [
        _ratio(row, row["what"].removeprefix("robustseg / "), row["goal"])
        for row in rows
        if row["ratio"]
    ]


def data(rows: list[Row]) -> list[Ratio]:
    """The pipeline alone of bench_data.py."""
    return [_ratio(row, row["what"]) for row in rows if row["part"] == "alone"]


def evaluation(rows: list[Row]) -> list[Ratio]:
    """All rows of bench_evaluation.py."""
    return [_ratio(row, row["what"]) for row in rows]


def metrics(rows: list[Row]) -> list[Ratio]:
    """All rows of bench_metrics.py."""
    return [Ratio(f"{row['operation']} ({row['peer']})", float(row["ratio"])) for row in rows]


def noise(rows: list[Row]) -> list[Ratio]:
    """All rows of bench_noise.py."""
    return [
        Ratio(
            f"{row['operation']}, {row['height']}×{row['width']}",
            float(row["ratio"]),
            goal=NOISE_GOALS.get(row["height"]),
        )
        for row in rows
    ]


def losses(rows: list[Row]) -> list[Ratio]:
    """The losses of bench_losses.py that have a peer."""
    return [
        Ratio(f"{row['loss']} ({row['peer']})", float(row["speed_up"]), goal=1.0)
        for row in rows
        if row["peer"]
    ]


def _ratio(row: Row, label: str, goal: str = "") -> Ratio:
    numbers = (float(row[name]) for name in ("ratio", "low", "high"))
    return Ratio(label, *numbers, float(goal) if goal else None)


# Okabe and Ito's colours, which in grey are told apart by place and title alone.
GROUPS: dict[str, tuple[str, Callable[[list[Row]], list[Ratio]], str]] = {
    "training": ("Training step", training, "#0072B2"),
    "epoch": ("Whole epoch", epoch, "#D55E00"),
    "data": ("Data alone, user's pipeline", data, "#009E73"),
    "evaluation": ("Evaluation, loop over images", evaluation, "#CC79A7"),
    "metrics": ("Metrics", metrics, "#56B4E9"),
    "noise": ("Noise, step by step", noise, "#E69F00"),
    "losses": ("Losses, forward and backward", losses, "#999999"),
}


def read(folder: Path) -> dict[str, list[Ratio]]:
    """The ratios of every group whose file is there."""
    groups = {}
    for name, (_, ratios, _) in GROUPS.items():
        path = folder / f"{name}.csv"
        if path.exists():
            with path.open(newline="") as file:
                groups[name] = ratios(list(csv.DictReader(file)))
    return groups


def draw(groups: dict[str, list[Ratio]]) -> pyplot.Figure:
    """One panel a group below another, on one logarithmic axis."""
    heights = [len(group) + 0.6 for group in groups.values()]
    figure, panels = pyplot.subplots(
        len(groups),
        figsize=(7.2, 0.19 * sum(heights) + 0.32 * len(groups) + 0.5),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for panel, (name, group) in zip(panels[:, 0], groups.items(), strict=True):
        title, _, colour = GROUPS[name]
        for place, bar in enumerate(group):
            panel.barh(place, bar.ratio - 1, left=1, height=0.7, color=colour)
            if bar.low is not None and bar.high is not None:
                panel.hlines(place, bar.low, bar.high, color="black", linewidth=0.8)
            if bar.goal is not None:
                panel.vlines(bar.goal, place - 0.45, place + 0.45, color="black", linewidth=2)
            end = max(1.0, bar.ratio, bar.high or 0, bar.goal or 0)
            panel.text(1.07 * end, place, f"{bar.ratio:.3g}×", va="center", fontsize=7)
        panel.set_yticks(range(len(group)), [bar.label for bar in group], fontsize=7)
        panel.set_ylim(len(group) - 0.5, -0.6)
        panel.set_title(title, fontsize=8, loc="left", fontweight="bold", pad=2)
        panel.axvline(1, color="black", linewidth=0.6)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    last = panels[-1, 0]
    last.set_xscale("log")
    ends = [bar.high or bar.ratio for group in groups.values() for bar in group]
    starts = [bar.low or bar.ratio for group in groups.values() for bar in group]
    last.set_xlim(min(0.6, 0.9 * min(starts)), 1.8 * max(ends))
    ticks = [tick for tick in (0.5, 1, 2, 5, 10, 20, 50, 100, 200) if tick < 1.5 * max(ends)]
    last.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
    last.minorticks_off()
    last.set_xlabel("speed of robustseg over its peer's (line: range over turns; tick: goal)")
    last.xaxis.label.set_fontsize(8)
    return figure


def main() -> None:
    """Read the results and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE / "performance.png")
    options = parser.parse_args()
    groups = read(options.results)
    if not groups:
        parser.error(f"no results in {options.results}: run the benchmarks with --out there first")
    draw(groups).savefig(options.out, dpi=180)


if __name__ == "__main__":
    main()
