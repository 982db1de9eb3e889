"""How figures look: a colour, a dash and a marker for each line, panels in a grid."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import LineStyleType

from robustseg import CLASS_COLORS
from robustseg.results.loss_colors import COLORS, loss_color
from robustseg.terminal.printable import printable

_COLORS = tuple(COLORS.values())  # dashes and markers are for grey paper
_DASHES: tuple[LineStyleType, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "<", ">", "d")  # all of an area, however small
HIGH, LOW = 2.8, 1.9  # inches of a panel; of one of many
_WIDTH = 3.4  # inches of a panel
_LOWEST = 1.7  # inches that a row of panels keeps in a narrow figure
_LETTERS = 0.6  # to which letters shrink at most
_LINE, _NAME = 60, 18  # characters of a line of a label, and of the name of a row
_GLYPH = 0.66 / 72  # inches that a character takes for each point of its size
_KEYS, _KEY = 2, 0.17  # rows of a legend for which there is room, and inches that one takes
_LIGHTEST = 0.45  # share of white in the last of a loss's colours


@dataclass(frozen=True)
class Style:
    """What distinguishes a line from the others: two of the three on grey paper."""

    color: str
    dash: LineStyleType
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """As arguments of a line."""
        return {"color": self.color, "linestyle": self.dash, "marker": self.marker}


def class_colors(names: Iterable[str]) -> dict[str, str]:
    """A colour for each class of label maps, in their order."""
    every = dict.fromkeys(names)
    return {name: CLASS_COLORS[at % len(CLASS_COLORS)] for at, name in enumerate(every)}


def styles(names: Iterable[object]) -> dict[str, Style]:
    """A look for each name, in their order; names beyond the seventeenth repeat a colour only."""
    return {str(name): _style(at, at) for at, name in enumerate(dict.fromkeys(names))}


def loss_styles(lines: Mapping[str, str]) -> dict[str, Style]:
    """A look for each line, in their order: one colour per loss, which it has in every figure.

    Lines of one loss differ in marker, dash and, the later the lighter, shade. Where all are of
    one loss, each has a colour.

    Args:
        lines: the loss of each.
    """
    if len(set(lines.values())) == 1:
        return styles(lines)
    taken: set[tuple[int, int]] = set()
    found = {}
    counts, drawn = Counter(lines.values()), Counter[str]()
    for at, (line, loss) in enumerate(lines.items()):
        color = loss_color(loss)
        shifts = range(len(_MARKERS))
        marker = next(
            (m for s in shifts if (color, m := (at + s) % len(_MARKERS)) not in taken),
            at % len(_MARKERS),
        )
        taken.add((color, marker))
        found[line] = _style(color, marker, drawn[loss] / max(1, counts[loss] - 1))
        drawn[loss] += 1
    return found


def _style(color: int, marker: int, light: float = 0.0) -> Style:
    own = to_rgb(_COLORS[color % len(_COLORS)])
    red, green, blue = (part + light * _LIGHTEST * (1 - part) for part in own)
    return Style(
        to_hex((red, green, blue)).upper(),
        _DASHES[marker % len(_DASHES)],
        _MARKERS[marker % len(_MARKERS)],
    )


def grid(
    rows: int, columns: int, x: str, y: str, height: float = HIGH
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
        axis.tick_params(which="both", labelsize=8)
        axis.label_outer()
        if x == "epoch":
            axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    for axis in axes[-1]:
        axis.set_xlabel(x, fontsize=9)
    for axis in axes[:, 0]:
        axis.set_ylabel(y, fontsize=9)
    return figure, axes


def tiles(count: int, x: str, y: str, height: float = HIGH) -> tuple[Figure, list[Axes]]:
    """As `grid`, of some panels, three in a row at most."""
    columns = 2 if count == 4 else min(3, count)
    rows = -(-count // columns)
    figure, axes = grid(rows, columns, x, y, height)
    hide(axes, axes.flat[count:])
    return figure, list(axes.flat[:count])


def hide(axes: np.ndarray, hidden: Iterable[Axes]) -> None:
    """Leave panels of a `grid` empty; the outermost ones of those that remain have the labels.

    Args:
        axes: all panels, (rows, columns).
        hidden: those to leave empty.
    """
    x, y = axes[-1, 0].get_xlabel(), axes[0, 0].get_ylabel()
    gone = set(hidden)
    for axis in gone:
        axis.axis("off")
    for column in axes.T:
        for axis in [one for one in column if one not in gone][-1:]:
            axis.set_xlabel(x, fontsize=9)
            axis.tick_params(labelbottom=True)
    for row in axes:
        for axis in [one for one in row if one not in gone][:1]:
            axis.set_ylabel(y, fontsize=9)
            axis.tick_params(labelleft=True)


def escaped(text: str) -> str:
    """A text as Matplotlib shows it: what is between dollars would be set as mathematics."""
    return printable(text).replace("$", r"\$")


def name_row(first: Axes, name: str) -> None:
    """Write the name of a row of pictures left of its first, where no title can run into it.

    Words that are longer than the row is high are written smaller.
    """
    lines = textwrap.wrap(name, _NAME, break_long_words=False, break_on_hyphens=False)
    first.text(
        *(-0.08, 0.5, "\n".join(lines)),
        transform=first.transAxes,
        rotation=90,
        ha="right",
        va="center",
        fontsize=9 * min(1.0, _NAME / max(map(len, lines), default=1)),
    )


def legend(figure: Figure, axes: Iterable[Axes], order: Iterable[str] = ()) -> None:
    """One legend below the panels, of all that any of them shows; the figure grows by it.

    Args:
        figure: to which it belongs.
        axes: its panels.
        order: of labels; others come last.
    """
    shown: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    labels = [label for label in dict.fromkeys([*order, *shown]) if label in shown]
    found = {textwrap.fill(label, _LINE): shown[label] for label in labels}
    columns = _columns(figure, found)
    figure.set_figheight(figure.get_figheight() + _KEY * max(0, _rows(found, columns) - _KEYS))
    figure.legend(
        list(found.values()),
        list(found),
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=8,
    )


def _wrapped(title: str, room: int) -> str:
    """A title in lines of so many characters, where one is longer."""
    if max(map(len, title.splitlines()), default=0) <= room:
        return title
    return textwrap.fill(title, max(room, _NAME), break_long_words=False, break_on_hyphens=False)


def _columns(figure: Figure, labels: Iterable[str], letters: float = 1.0) -> int:
    """As many columns of a legend as there is room for."""
    lengths = [len(line) for label in labels for line in label.splitlines()]
    room = int(figure.get_figwidth() / (letters * (0.55 + 0.063 * max(lengths, default=1))))
    return max(1, min(room, len([*labels])))


def _rows(labels: Iterable[str], columns: int) -> int:
    """Rows of a legend."""
    return -(-sum(label.count("\n") + 1 for label in labels) // columns)


def resize(figure: Figure, width: float) -> None:
    """Give a figure another width; letters shrink less than panels, and these less in height.

    Args:
        figure: to change.
        width: in inches.
    """
    before, height = figure.get_size_inches()
    keys = [[text.get_text() for text in key.get_texts()] for key in figure.legends]
    tall = sum(_rows(labels, _columns(figure, labels)) for labels in keys)
    grids = [axis.get_gridspec() for axis in figure.axes]
    rows = max((spec.nrows for spec in grids if spec is not None), default=1)
    figure.set_size_inches(width, max(height * width / before, min(height, rows * _LOWEST)))
    letters = max(min(1.0, width / before), _LETTERS)
    columns = max((spec.ncols for spec in grids if spec is not None), default=1)
    for axis in figure.axes:
        room = width / columns / (axis.title.get_fontsize() * letters * _GLYPH)
        axis.set_title(_wrapped(axis.get_title(), int(room)), fontsize=axis.title.get_fontsize())
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontsize(text.get_fontsize() * letters)
    more = sum(_rows(labels, _columns(figure, labels, letters)) for labels in keys) - tall
    figure.set_figheight(figure.get_figheight() + _KEY * letters * max(0, more))
    drawn: dict[str, Artist] = {}
    for axis in figure.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            drawn.setdefault(textwrap.fill(label, _LINE), handle)
    for key, labels in zip([*figure.legends], keys, strict=True):  # columns cannot be changed
        key.remove()
        # A key's own handle of an error bar is its bar, without line and marker.
        handles = [
            drawn.get(label, own) for label, own in zip(labels, key.legend_handles, strict=True)
        ]
        figure.legend(
            [handle for handle in handles if handle is not None],
            labels,
            loc="outside lower center",
            ncols=_columns(figure, labels, letters),
            frameon=key.get_frame_on(),
            facecolor=key.get_frame().get_facecolor(),
            labelcolor=key.get_texts()[0].get_color(),
            fontsize=8 * letters,
        )
