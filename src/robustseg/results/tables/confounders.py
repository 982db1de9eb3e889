"""In what runs that are compared differ, although no row or column of a table says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from robustseg.results.tables.distinct import plain
from robustseg.results.tables.table_model import Key, Row, Table, label
from robustseg.runs.filter_values import spelled

if TYPE_CHECKING:
    import pandas as pd

# Labels by the names of the settings that they show.
_LABELS = {
    "model.name": "model",
    "dataset.image_size": "image_size",
    "dataset.batch_size": "batch_size",
    "regularizer.name": "regularizer",
    "regularizer.epsilon": "epsilon",
}
# What a table compares, what it averages over, and what changes no number that it shows.
_OWN = ("loss.", "noise.")
_LEFT_OUT = ("seed", "dataset.fold", "evaluation.hd95", "evaluation.batch_size")
_VALUES, _ROWS, _WIDTH = 5, 3, 40  # of a setting's values, their rows and their letters: how many


def settings_of_rows(runs: pd.DataFrame, labels: Sequence[str]) -> dict[Row, dict[str, Any]]:
    """The labels and settings of each row that may make a difference, by name.

    Args:
        runs: as `distinguished` returns them, so that runs of a row have the same settings.
        labels: that distinguish the rows.
    """
    found = {}
    for run in runs.drop_duplicates(list(labels)).to_dict("records"):
        own = {name: plain(run[name]) for name in _LABELS.values()}
        own |= {
            name: spelled(value)
            for name, value in run["settings"].items()
            if name not in (*_LABELS, *_LEFT_OUT) and not name.startswith(_OWN)
        }
        found[tuple(plain(run[name]) for name in labels)] = own
    return found


def confounders(table: Table, groups: Iterable[Collection[Key]]) -> list[str]:
    """Sentences that name what differs within groups of cells, with the values; or nothing.

    Args:
        table: as `make_table` returns it.
        groups: of cells that are compared; of a single one, its runs are averaged.
    """
    groups = [*groups]
    return [*_settings(table, groups), *_processors(table, groups)]


def _settings(table: Table, groups: Sequence[Collection[Key]]) -> list[str]:
    together = dict.fromkeys(tuple(dict.fromkeys(row for row, _ in keys)) for keys in groups)
    names = dict.fromkeys(name for own in table.settings.values() for name in own)
    told = []
    for name in names:
        if name not in table.labels:
            rows = {row for rows in together if _differs(table, rows, name) for row in rows}
            told += [f"{name}: {_values(table, rows, name)}"] if rows else []
    return [f"Runs that are compared also differ in {'; '.join(told)}."] if told else []


def _processors(table: Table, groups: Sequence[Collection[Key]]) -> list[str]:
    several: dict[str, None] = {}
    for keys in groups:
        runs = (sample.run_id for key in keys for sample in table.cells[key].samples)
        found = dict.fromkeys(name for run_id in runs for name in table.processors.get(run_id, ()))
        several |= found if len(found) > 1 else {}
    if not several:
        return []
    return [
        "Runs that are averaged or compared come from several types of processor "
        f"({_some(sorted(several), _VALUES)}), which give the same configuration other numbers."
    ]


def _differs(table: Table, rows: Sequence[Row], name: str) -> bool:
    """Whether rows differ in a setting, and not only since they differ in what it belongs to."""
    head = _head(name)
    pairs = {
        (own.get(head), own.get(name)) for own in (table.settings.get(row, {}) for row in rows)
    }
    values, heads = {value for _, value in pairs}, {of for of, _ in pairs}
    return len(values) > 1 and (head == name or len(pairs) > len(heads))


def _head(name: str) -> str:
    """The choice that brings a setting with it, such as ``model`` of ``model.features``."""
    group = "regularizer" if name == "epsilon" else name.partition(".")[0]
    choice = f"{group}.name"
    return _LABELS.get(choice, choice)


def _values(table: Table, rows: Collection[Row], name: str) -> str:
    """The values of a setting, each with the rows that have it: ``1 (T-Loss), 4 (MAE, GCE)``."""
    having: dict[str, list[str]] = {}
    for row in table.rows:
        if row in rows:
            value = label(table.settings[row].get(name)) or "not set"
            having.setdefault(value, []).append(table.shown(row))
    told = zip(_shortened([*having]), having.values(), strict=True)
    return _some([f"{value} ({_some(of, _ROWS)})" for value, of in told], _VALUES)


def _shortened(values: Sequence[str]) -> list[str]:
    """Different values, cut where they are long, but still different."""
    begin = len([*takewhile(lambda letters: len({*letters}) == 1, zip(*values, strict=False))])
    for texts in (values, [f"…{value[begin:]}" for value in values]):
        cut = [text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…" for text in texts]
        if len(set(cut)) == len(values):
            return cut
    return [*values]


def _some(words: Sequence[str], most: int) -> str:
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
