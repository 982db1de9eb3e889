"""The cells of a table as losses × places in which they are ranked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robustseg.errors import NoRuns
from robustseg.results.names import loss_name
from robustseg.results.ranking.columns import Array
from robustseg.results.tables.order import DATA, data_labels, data_of, score, tested_on
from robustseg.results.tables.table_model import (
    Column,
    Folds,
    Key,
    Row,
    Table,
    in_words,
    label,
)


@dataclass(frozen=True)
class Place:
    """A column in which losses are ranked.

    Attributes:
        data: that the losses were tested on, with the folds.
        data_words: what distinguishes them from others, for readers.
        column: noise setting and metric.
        words: data and noise, for people.
    """

    data: tuple[Any, ...]
    data_words: str
    column: Column
    words: str


def loss_names(table: Table, shown: bool = False) -> dict[Row, str]:
    """By row its labels in words, without what its data are; other labels have other words.

    Args:
        table: of the rows.
        shown: with losses as papers write them.
    """
    of_data = data_labels(table)
    labels = {
        row: {
            name: value
            for name, value in zip(table.labels, row, strict=True)
            if name not in of_data
        }
        for row in table.rows
    }
    several = {tuple(own.values()) for own in labels.values()}
    # A text stands without its name, which two labels with the same texts need.
    named = len({in_words(own) for own in labels.values()}) < len(several)
    found = {}
    for row, own in labels.items():
        if shown:
            own = {**own, "loss": loss_name(own["loss"])}
        written = [f"{name}={label(value)}" for name, value in own.items()]
        found[row] = " ".join(written) if named else in_words(own)
    return found


def _words_of_data(table: Table) -> dict[tuple[Any, ...], str]:
    """What tells the data of the rows apart, in words."""
    of_data = data_labels(table)
    words: dict[tuple[Any, ...], str] = {}
    for row in table.rows:
        labels = dict(zip(table.labels, row, strict=True))
        told = [
            str(labels[name]) if name in DATA else in_words({name: labels[name]})
            for name in of_data
        ]
        words.setdefault(data_of(table, row), " ".join(told))
    if len(set(words.values())) < len(words):
        whole = {data: in_words(dict(zip(DATA, data, strict=True))) for data in words}
        return {data: " ".join(filter(None, [words[data], whole[data]])) for data in words}
    return words


def _words_of_folds(folds: Folds | None) -> str:
    """The folds of a cell, where some are missing or its seeds have different ones."""
    if folds is None or (folds.which is not None and not folds.missing):
        return ""
    if folds.which is None:
        return "with other folds for other seeds"
    return f"on {'fold' if len(folds.which) == 1 else 'folds'} {', '.join(map(str, folds.which))}"


class RankedCells:
    """The cells of a table as losses × places.

    Attributes:
        names: of the losses.
        titles: the same for readers, by name.
        places: in which two losses or more have a number.
        alone: other places, in words.
        keys: of the cells, (K, C); None where there is no number.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        names, titles = loss_names(table), loss_names(table, shown=True)
        data = _words_of_data(table)
        found = {
            (name, tested_on(table, (row, column)), column): (row, column)
            for row, name in names.items()
            for column in table.columns
            if (row, column) in table.cells and table.cells[row, column].n
        }
        self.names = list(dict.fromkeys(names.values()))
        self.titles = {name: titles[row] for row, name in names.items()}
        self.places, self.alone = [], []
        for (of, told), column in itertools.product(data.items(), table.columns):
            places = dict.fromkeys(at for _, at, own in found if own == column and at[:-1] == of)
            for at in places:
                folds = at[-1]
                words = [told, table.noise_words(column), _words_of_folds(folds)]
                place = Place(at, told, column, " ".join(filter(None, words)))
                present = [name for name in self.names if (name, at, column) in found]
                if len(present) > 1 and not (folds and folds.which is None):
                    self.places.append(place)
                else:
                    self.alone += [f"{place.words} ({self.titles[name]})" for name in present]
        ranked = {name for name, at, column in found
                  if any((at, column) == (p.data, p.column) for p in self.places)}  # fmt: skip
        self.names = [name for name in self.names if name in ranked]
        if not self.places:
            raise NoRuns("no column has two losses to rank; choose more runs")
        self.keys = [
            [found.get((name, place.data, place.column)) for place in self.places]
            for name in self.names
        ]

    def means(self) -> Array:
        """(K, C), higher is better; NaN where there is none."""
        return np.array(
            [
                [score(self.table.cells[key].mean, key[1].metric) if key else np.nan for key in row]
                for row in self.keys
            ]
        )

    def meet(self) -> NDArray[np.bool_]:
        """(K, K): whether two losses are in the same place anywhere."""
        there = np.array([[key is not None for key in row] for row in self.keys], int)
        return np.asarray(there @ there.T > 0)

    def together(self) -> list[list[Key]]:
        """The cells of each place."""
        return [[key for key in column if key] for column in zip(*self.keys, strict=True)]

    def missing(self) -> list[str]:
        """The cells that there are not."""
        return [
            f"{self.titles[name]} at {place.words}"
            for name, row in zip(self.names, self.keys, strict=True)
            for place, key in zip(self.places, row, strict=True)
            if key is None
        ]
