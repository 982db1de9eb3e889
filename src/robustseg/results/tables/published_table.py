"""A paper's own table, from its numbers alone."""

import math
from collections.abc import Iterable, Sequence

from robustseg.errors import ConfigError
from robustseg.results.tables.published import Published
from robustseg.results.tables.table_model import Cell, Column, Key, Table, direction

_SETTING = ("noise", "alpha", "beta")


def published_table(
    published: Published,
    metrics: Sequence[str] = (),
    losses: Sequence[str] = (),
    versus: str | None = None,
) -> Table:
    """Put the numbers of a published.csv into a table, in the paper's order.

    Args:
        published: the paper's numbers.
        metrics: those wanted; none: all.
        losses: those wanted; none: all.
        versus: as for `make_table`.

    Raises:
        ConfigError: there is no such number.
    """
    entries = [
        (found, metric, value)
        for found, metric, value in published.entries
        if (not metrics or metric in metrics) and (not losses or found["loss"] in losses)
    ]
    if not entries:
        known = ", ".join(dict.fromkeys(metric for _, metric, _ in published.entries))
        raise ConfigError(
            f"{published.path} has no such number; it has the metrics {known} of the losses "
            f"{', '.join(published.losses)}"
        )
    values = {name: {found[name] for found, _, _ in entries} for name in entries[0][0]}
    labels = [name for name, of in values.items() if name == "loss" or len(of) > 1]
    labels = [name for name in labels if name not in _SETTING]
    cells: dict[Key, Cell] = {}
    for found, metric, value in entries:
        alpha, beta = found.get("alpha", 0.0), found.get("beta")
        column = Column("morphological" if alpha else None, alpha, beta, metric)
        row = tuple(found[name] for name in labels)
        cells[row, column] = Cell(math.nan, math.nan, 0, False, value)
    order = list(metrics) or [metric for _, metric, _ in entries]
    columns = dict.fromkeys(column for _, column in cells)
    if versus is not None and versus not in labels:
        raise ConfigError(f"the numbers of {published.path} do not differ in {versus}")
    place = None if versus is None else labels.index(versus)
    best = _best(cells, place)
    return Table(
        labels=tuple(labels),
        rows=tuple(dict.fromkeys(row for row, _ in cells)),
        columns=tuple(sorted(columns, key=lambda c: (c.alpha, c.beta or 0, order.index(c.metric)))),
        cells={key: Cell(c.mean, c.std, 0, key in best, c.published) for key, c in cells.items()},
        datasets=(),
        versus=versus,
    )


def _best(cells: dict[Key, Cell], place: int | None) -> set[Key]:
    """The best of each column; with a place in the rows, among rows that differ in it only."""
    contests: dict[tuple, list[tuple[float, Key]]] = {}
    for (row, column), cell in cells.items():
        others: Iterable = () if place is None else row[:place] + row[place + 1 :]
        if direction(column.metric) and cell.published:
            score = direction(column.metric) * cell.published.mean
            contests.setdefault((column, *others), []).append((score, (row, column)))
    return {
        key
        for contest in contests.values()
        for score, key in contest
        if len(contest) > 1 and score == max(contest, key=lambda one: one[0])[0]
    }
