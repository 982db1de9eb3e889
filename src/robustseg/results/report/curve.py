"""A run's scores over epochs as a few points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robustseg.results.one_run import Run
from robustseg.runs.files import read_csv

WIDTH, HEIGHT = 240, 80
_POINTS = 60  # a line, at most
_LINES = {
    "test": "test_dice_image",
    "clean": "train_dice_clean",
    "given": "train_dice_noisy",
}


@dataclass(frozen=True)
class Curve:
    """Dice over epochs, in a box of `WIDTH` × `HEIGHT`, from 0 at the bottom to 1 at the top.

    Attributes:
        lines: "test", "clean", "given" → points of an SVG polyline.
        epochs: the last epoch.
        words: what the lines show, for those who do not see them.
    """

    lines: dict[str, str]
    epochs: int
    words: str


def read_curve(source: Run | Path) -> Curve | None:
    """The curve of a run or an epochs.csv; None if there is none, no evaluation, or damage."""
    try:
        return _curve(read_csv(source) if isinstance(source, Path) else source.epoch_rows())
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError):
        return None


def _curve(rows: Sequence[Mapping[str, Any]]) -> Curve | None:
    rows = [row for row in rows if _LINES["test"] in row and "epoch" in row]
    if not rows:
        return None
    last = rows[-1]["epoch"]
    step = -(-len(rows) // _POINTS)
    kept = rows[::-1][::step][::-1]  # the last one always
    lines = {
        name: " ".join(
            f"{WIDTH * row['epoch'] / last:.1f},{HEIGHT * (1 - row[column]):.1f}"
            for row in kept
            if column in row
        )
        for name, column in _LINES.items()
    }
    first, end = rows[0][_LINES["test"]], rows[-1][_LINES["test"]]
    words = f"Test Dice goes from {first:.2f} to {end:.2f} in {last} epochs"
    return Curve({name: line for name, line in lines.items() if line}, last, words)
