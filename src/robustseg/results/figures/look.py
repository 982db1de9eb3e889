"""How figures look: a colour, a dash and a marker for each line, panels in a grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import LineStyleType

# Okabe and Ito's colours for the colour-blind; dashes and markers for grey paper.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_DASHES: tuple[LineStyleType, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_WIDTH, _HEIGHT = 3.4, 2.8  # inches a panel


@dataclass(frozen=True)
class Look:
    """What tells a line from the others: two of the three on grey paper."""

    color: str
    dash: LineStyleType
    marker: str


def looks(names: Iterable[object]) -> dict[str, Look]:
    """A look for each name, T-Losses first; names beyond the seventh repeat a colour only."""
    ordered = sorted(set(map(str, names)), key=lambda name: (not name.startswith("tloss"), name))
    return {
        name: Look(
            _COLORS[at % len(_COLORS)], _DASHES[at % len(_DASHES)], _MARKERS[at % len(_MARKERS)]
        )
        for at, name in enumerate(ordered)
    }


def grid(
    rows: int, columns: int, x: str, y: str, height: float = _HEIGHT
) -> tuple[Figure, np.ndarray]:
    """A figure of equal panels with common axes, and its (rows, columns) axes.

    Args:
        rows: of panels.
        columns: of panels.
        x: label below the lowest panels.
        y: label left of the first ones.
        height: of a panel, in inches.
    """
    size = (max(_WIDTH * columns, 5.4), height * rows + 0.7)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        axis.tick_params(labelsize=8)
        axis.label_outer()
    for axis in axes[-1]:
        axis.set_xlabel(x, fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel(y, fontsize=9)
    return figure, axes


def tiles(count: int, x: str, y: str, height: float = _HEIGHT) -> tuple[Figure, list[Axes]]:
    """As `grid`, of some panels, three in a row at most."""
    columns = 2 if count == 4 else min(3, count)
    rows = -(-count // columns)
    figure, axes = grid(rows, columns, x, y, height)
    for spare in axes.flat[count:]:
        spare.axis("off")
    for axis in axes.flat[max(0, count - columns) : count]:  # the lowest ones of their columns
        axis.set_xlabel(x, fontsize=9)
        axis.tick_params(labelbottom=True)
    return figure, list(axes.flat[:count])


def legend(figure: Figure, axes: Iterable[Axes]) -> None:
    """One legend below the panels, of all that any of them shows."""
    found: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    longest = max(map(len, found), default=1)
    columns = max(1, int(figure.get_figwidth() / (0.5 + 0.057 * longest)))
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside lower center",
        ncols=min(columns, len(found)),
        frameon=False,
        fontsize=8,
    )
