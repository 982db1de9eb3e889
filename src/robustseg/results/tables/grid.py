"""The texts of a table's cells, in lines, before any markup."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robustseg.errors import ConfigError
from robustseg.results.names import loss_name
from robustseg.results.tables.meaning import heading
from robustseg.results.tables.notation import difference, mean_std
from robustseg.results.tables.table_model import (
    EMPTY,
    Cell,
    Column,
    Key,
    Row,
    Table,
    direction,
    label,
)

DIFFERS, COLLAPSED, STAR = "†", "‡", "*"
# The Tversky slides' table of results.
SLIDES = ("average_precision", "balanced_accuracy", "dice_image", "jaccard_image", "hd95")
_ARROWS = {1: " ↑", -1: " ↓", 0: ""}


@dataclass(frozen=True)
class Grid:
    """A table as texts.

    Attributes:
        headings: one line or more.
        lines: below them.
        bold: places of bold cells, by line and column.
        labels: how many columns at the left name a line.
        kinds: of each line: ours, published or difference.
    """

    headings: list[list[str]]
    lines: list[list[str]]
    bold: set[tuple[int, int]]
    labels: int
    kinds: list[str]


def by_noise(table: Table, decimals: int, intervals: bool) -> Grid:
    """Losses × noise settings, as in the T-Loss paper."""
    blocks = [
        (_shown(table.labels, row), [(row, column) for column in table.columns])
        for row in table.rows
    ]
    return _grid(table, [[*table.labels]], [_headings(table)], blocks, decimals, intervals)


def by_domain(table: Table, decimals: int, intervals: bool) -> Grid:
    """Metrics × batch sizes and loss domains, as in the Tversky slides; a block a tile subset.

    Raises:
        ConfigError: the rows do not differ in domain.
    """
    if "domain" not in table.labels:
        raise ConfigError("the rows do not differ in domain, which this layout compares")
    across = [name for name in ("batch_size", "domain") if name in table.labels]
    down = [name for name in table.labels if name not in across]
    # Batch sizes rise, and image comes before batch.
    places = sorted({_part(table, row, across) for row in table.rows}, key=_rising)
    names = dict.fromkeys(_part(table, row, down) for row in table.rows)
    rows = {(_part(table, row, down), _part(table, row, across)): row for row in table.rows}
    settings = dict.fromkeys(column.setting for column in table.columns)
    blocks = []
    for name, setting in itertools.product(names, settings):
        for column in table.columns:
            if column.setting == setting:
                words = [*_shown(down, name), *_noise_if_several(table, column)]
                words.append(heading(column.metric) + _ARROWS[direction(column.metric)])
                # A row that is not there has no cells.
                blocks.append((words, [(rows.get((name, place), ()), column) for place in places]))
    blank = [""] * (len(blocks[0][0]) - 1)
    corner = [[*blank, name] for name in across]
    corner[0][: len(down)] = down
    heads = [[label(place[level]) for place in places] for level in range(len(across))]
    return _grid(table, corner, heads, blocks, decimals, intervals)


def by_loss(table: Table, decimals: int, intervals: bool) -> Grid:
    """Noise settings × losses, a block a metric: for many noise settings."""
    down = [name for name in table.labels if name != "loss"]
    losses = list(dict.fromkeys(_part(table, row, ["loss"]) for row in table.rows))
    names = list(dict.fromkeys(_part(table, row, down) for row in table.rows))
    rows = {(_part(table, row, down), _part(table, row, ["loss"])): row for row in table.rows}
    metrics = list(dict.fromkeys(column.metric for column in table.columns))
    blocks, told = [], ""
    for metric, column, name in itertools.product(metrics, table.columns, names):
        keys = [(rows.get((name, loss), ()), column) for loss in losses]
        if column.metric != metric or not any(key in table.cells for key in keys):
            continue
        head = heading(metric) + _ARROWS[direction(metric)]
        words = [table.noise_words(column), *_shown(down, name)]
        if len(metrics) > 1:
            words.insert(0, "" if head == told else head)
        told = head
        blocks.append((words, keys))
    corner = [*(["metric"] if len(metrics) > 1 else []), "noise", *down]
    heads = [_shown(["loss"], loss)[0] for loss in losses]
    return _grid(table, [corner], [heads], blocks, decimals, intervals)


def _shown(names: Sequence[str], values: Row) -> list[str]:
    """Values of labels as texts, losses as papers write them."""
    return [
        loss_name(value) if name == "loss" else label(value)
        for name, value in zip(names, values, strict=True)
    ]


def _part(table: Table, row: Row, names: Sequence[str]) -> Row:
    return tuple(row[table.labels.index(name)] for name in names)


def _rising(place: Row) -> tuple:
    *sizes, domain = place
    return (*sizes, {None: 0, "image": 1, "batch": 2}.get(domain, 3), domain or "")


def _noise_if_several(table: Table, column: Column) -> list[str]:
    """The noise setting in words, where there are several."""
    settings = {other.setting for other in table.columns}
    return [table.noise_words(column)] if len(settings) > 1 else []


LAYOUTS: dict[str, Callable[[Table, int, bool], Grid]] = {
    "noise": by_noise,
    "losses": by_loss,
    "domain": by_domain,
}


def _grid(
    table: Table,
    corner: list[list[str]],
    heads: list[list[str]],
    blocks: Sequence[tuple[list[str], Sequence[Key]]],
    decimals: int,
    intervals: bool,
) -> Grid:
    """Lines for each block: ours, and where the paper has values, those and the difference."""
    compared = table.has_published and table.has_runs
    headings = [
        [*names, *([""] if compared else []), *texts]
        for names, texts in zip(corner, heads, strict=True)
    ]
    lines: list[list[str]] = []
    bold, kinds_of, n = set(), [], table.n
    for names, keys in blocks:
        cells = [table.cells.get(key, EMPTY) for key in keys]
        offset = len(names) + compared
        bold |= {
            (len(lines), offset + at) for at, cell in enumerate(cells) if cell.best or cell.group
        }
        kinds = _kinds(cells, table.has_runs)
        for kind in kinds:
            texts = [_text(kind, cell, n, decimals, intervals) for cell in cells]
            first = names if kind == kinds[0] else [""] * len(names)
            lines.append([*first, *([kind] if compared else []), *texts])
        kinds_of += kinds
    return Grid(headings, lines, bold, len(corner[0]) + compared, kinds_of)


def _kinds(cells: Sequence[Cell], has_runs: bool) -> list[str]:
    if not has_runs:
        return ["published"]
    compared = any(cell.published for cell in cells)
    return ["ours", "published", "difference"] if compared else ["ours"]


def _text(kind: str, cell: Cell, n: int, decimals: int, intervals: bool) -> str:
    value = cell.published
    if kind == "published":
        if value is None:
            return "–"
        return mean_std(value.mean, value.std, decimals) + (STAR if value.starred else "")
    if kind == "difference":
        return difference(cell.mean, value.mean if value else math.nan, decimals)
    of_all = f" [{cell.n} of {cell.n + cell.without}]" if cell.without else ""
    if not cell.n:
        return f"–{of_all}"
    text = mean_std(cell.mean, cell.std, decimals)
    text += DIFFERS if cell.comparison and cell.comparison.significant else ""
    text += COLLAPSED if cell.collapsed else ""
    if intervals and cell.interval:
        text += " {{{}, {}}}".format(*(mean_std(end, decimals=decimals) for end in cell.interval))
    if cell.folds and cell.folds.missing:
        text += f" [{cell.folds.there} of {cell.folds.of} folds]"
    return text + (of_all or (f" [{cell.n}]" if cell.n < n else ""))


def _headings(table: Table) -> list[str]:
    several = len({column.metric for column in table.columns}) > 1
    if not several:
        return [table.noise_words(column) for column in table.columns]
    return [" ".join([heading(c.metric), *_noise_if_several(table, c)]) for c in table.columns]


def column_words(table: Table, column: Column) -> str:
    """A column in words, such as ``dice_image, α=0.7 β=0.7``."""
    return f"{column.metric}, {table.noise_words(column)}"
