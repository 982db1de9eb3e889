"""The cells of a table as records: plain values, CSV, JSON, and back."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any

from robustseg.errors import DataError
from robustseg.results.tables.published import Value
from robustseg.results.tables.table_model import (
    EMPTY,
    Cell,
    Column,
    Comparison,
    Folds,
    Key,
    Row,
    Table,
    Test,
)
from robustseg.runs.files import read_csv
from robustseg.terminal.printable import plain_json, printable

Record = dict[str, str | float | bool | None]  # plain values by the names of columns

_LOGICAL = {"True": True, "False": False}
_NUMBERS = ("alpha", "beta", "mean", "std", "low", "high", "p", "p_corrected")
_KINDS: dict[str, type | UnionType] = {
    **dict.fromkeys((*_NUMBERS, "published_mean", "published_std"), int | float),
    **dict.fromkeys(("runs", "collapsed", "pairs", "family", "folds", "of_folds"), int),
    **dict.fromkeys(("best", "group", "repeated", "of_cases", "same_images"), bool),
    "published_star": bool,
    **dict.fromkeys(("noise", "metric", "test"), str),
}
_OF_FOLDS = ("folds", "of_folds", "same_images")
_TESTS = ("images", "seeds", "tukey", "best")


def records(table: Table) -> list[Record]:
    """Return a record for each row and column, row after row; what is missing is None.

    A table without published values, intervals or tests has the same columns, so that files can
    be joined; only one of folds has those of folds besides, and one whose tests are over cases
    says so. `from_records` makes the table again.
    """
    cells = table.cells.values()
    left_out = () if any(cell.folds for cell in cells) else _OF_FOLDS
    if not any(cell.comparison and cell.comparison.of_cases for cell in cells):
        left_out = (*left_out, "of_cases")
    names = setting_names(table.columns)
    return [
        {
            key: _none_for_nan(value)
            for key, value in _record(table, row, column, names).items()
            if key not in left_out
        }
        for row in table.rows
        for column in table.columns
    ]


def write_csv(rows: Sequence[Record]) -> str:
    """Records as CSV text, in full precision."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_as_cell, rows[0]))
    writer.writerows([_as_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


_FORMULA = re.compile(r"'*[=+\-@]")  # what a spreadsheet computes, or what `_as_cell` made of it


def _as_cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula has an apostrophe before it."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _from_cell(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def write_json(rows: Sequence[Record]) -> str:
    """Records as JSON text, control characters escaped, as all of `printable`'s are."""
    return plain_json(rows) + "\n"


def read_results(path: Path) -> Table:
    """The table of a results.csv that ``robustseg table --format csv`` wrote.

    Raises:
        DataError: it is not such a file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header = [*map(_from_cell, next(csv.reader(file), []))]
        lacking = [name for name in ("noise", "alpha", "metric", "runs") if name not in header]
        if lacking:
            raise LookupError(f"its first line names no column {lacking[0]}")
        rows = [
            {_from_cell(key): _from_record(value) for key, value in row.items()}
            for row in read_csv(path)
        ]
        return from_records(rows, header[: header.index("noise")])
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (LookupError, ValueError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path} is not a table of results ({_reason(error)}); "
            "robustseg table EXPERIMENT --format csv writes one"
        ) from error


def _reason(error: Exception) -> str:
    """What is wrong with a file, in words."""
    if isinstance(error, KeyError):
        return f"a line has no {error.args[0]}"
    return "it has no lines" if isinstance(error, IndexError) else str(error)


def from_records(rows: list[dict[str, Any]], labels: list[str]) -> Table:
    """The table that gave some records; runs by name are not among them.

    Args:
        rows: as `records` gives them; what is None may be left out.
        labels: the columns that distinguish the rows.

    Records of several tables may be joined: then data sets are told apart, and marks are left out
    where the tables were tested differently.

    Raises:
        LookupError: a record lacks a value.
        ValueError: a value is not what `records` gives, or two are of the same row and column.
    """
    datasets = {str(record["dataset"]) for record in rows if "dataset" in record}
    if len(datasets) > 1 and "dataset" not in labels:
        labels = ["dataset", *labels]
    cells: dict[Key, Cell] = {}
    of_noise = sorted({name for of in rows for name in of if name.startswith("noise.")})
    of_noise = [name for name in of_noise if name not in labels]  # where older files have them
    for record in rows:
        _check(record)
        row = tuple(record.get(name) for name in labels)
        alpha, beta = float(record["alpha"]), record.get("beta")
        own = tuple((name, record[name]) for name in of_noise if name in record)
        column = Column(record.get("noise"), alpha, beta, record["metric"], own)
        if (row, column) in cells:
            raise ValueError(f"two lines are of {record['metric']} of {_named(labels, row)}")
        cells[row, column] = _cell(record)
    test = _test(rows)
    if test is None:
        cells = {key: replace(cell, comparison=None, group=False) for key, cell in cells.items()}
    elif "group" not in rows[0]:
        test, cells = _before_groups(test, cells)
    return Table(
        labels=tuple(labels),
        rows=tuple(dict.fromkeys(row for row, _ in cells)),
        columns=tuple(dict.fromkeys(column for _, column in cells)),
        cells={
            key: cell for key, cell in cells.items() if cell.n or cell.without or cell.published
        },
        datasets=tuple(sorted(datasets)),
        test=test,
        tested_unlike=len(_tests(rows)) > 1,
    )


def _named(labels: Sequence[str], row: Row) -> str:
    return ", ".join(f"{name}={value}" for name, value in zip(labels, row, strict=True))


def _test(rows: Sequence[Mapping[str, Any]]) -> Test | None:
    """What was tested, if all records say the same."""
    if len(_tests(rows)) > 1 or "test" not in rows[0]:
        return None
    return Test(rows[0]["test"], str(rows[0]["against"]), rows[0]["family"])


def _tests(rows: Sequence[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    return {tuple(record.get(name) for name in ("test", "against", "family")) for record in rows}


def _before_groups(test: Test, cells: dict[Key, Cell]) -> tuple[Test, dict[Key, Cell]]:
    """What a file says that was written when p-values were corrected for the pairs with the best.

    Where no more than two cells compete, and with Tukey's test, all pairs were corrected for.
    """
    if not test.against.startswith("the best "):
        return test, cells
    compared = [
        (column, cell.comparison.reference)
        for (_, column), cell in cells.items()
        if cell.comparison
    ]
    if test.kind == "tukey" or len(set(compared)) == len(compared):
        return test, {
            key: replace(cell, group=bool(cell.comparison and not cell.comparison.significant))
            for key, cell in cells.items()
        }
    if test.kind == "seeds":
        raise ValueError("its tests over seeds are corrected for too few pairs")
    return replace(test, kind="best"), cells


def setting_names(columns: Iterable[Column]) -> list[str]:
    """The settings of the noise that some columns have."""
    return sorted({name for column in columns for name, _ in column.settings})


def column_record(column: Column, names: Iterable[str]) -> Record:
    """A column as plain values, with those settings of its noise."""
    of_noise = dict.fromkeys(names) | dict(column.settings)
    noise: Record = {"noise": column.noise, "alpha": column.alpha, "beta": column.beta}
    return {**noise, **of_noise, "metric": column.metric}


def _record(table: Table, row: Row, column: Column, names: Iterable[str]) -> Record:
    cell = table.cells.get((row, column), EMPTY)
    published, comparison, test = cell.published, cell.comparison, table.test
    low, high = cell.interval or (None, None)
    labels = dict(zip(table.labels, row, strict=True))
    return {
        **labels,
        **column_record(column, names),
        "runs": cell.n,
        "without": cell.without,
        "folds": cell.folds.there if cell.folds else None,
        "of_folds": cell.folds.of if cell.folds else None,
        "same_images": cell.folds.same_images if cell.folds else None,
        "mean": cell.mean,
        "std": cell.std,
        "low": low,
        "high": high,
        "best": cell.best,
        "group": cell.group,
        "collapsed": cell.collapsed,
        "repeated": cell.repeated,
        "reference": comparison.reference if comparison else None,
        "p": comparison.p if comparison else None,
        "p_corrected": comparison.p_corrected if comparison else None,
        "pairs": comparison.n if comparison else None,
        "of_cases": comparison.of_cases if comparison else None,
        "test": test.kind if test else None,
        "against": test.against if test else None,
        "family": test.family if test else None,
        "published_mean": published.mean if published else None,
        "published_std": published.std if published else None,
        "published_star": published.starred if published else None,
        "difference": cell.mean - published.mean if published else None,
        "dataset": labels.get("dataset", ", ".join(table.datasets) or None),
    }


def _check(record: Mapping[str, Any]) -> None:
    """Refuse values of another kind than `_record` gives."""
    for name, kind in _KINDS.items():
        value = record.get(name)
        if value is not None and (
            not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)
        ):
            raise ValueError(f"{name} is {value!r}")
    if record.get("test", _TESTS[0]) not in _TESTS:
        raise ValueError(f"test is {record['test']!r}")
    if ("noise" in record) != ("beta" in record):
        raise ValueError("noise and beta contradict each other")


def _cell(record: Mapping[str, Any]) -> Cell:
    published = comparison = interval = None
    if "published_mean" in record:
        std = record.get("published_std", math.nan)
        published = Value(record["published_mean"], std, record["published_star"])
    if "p" in record:
        p, corrected = record["p"], record["p_corrected"]
        of_cases = record.get("of_cases", False)  # older files do not tell
        comparison = Comparison(str(record["reference"]), p, corrected, record["pairs"], of_cases)
    if "low" in record:
        interval = record["low"], record["high"]
    return Cell(
        mean=record.get("mean", math.nan),
        std=record.get("std", math.nan),
        n=record["runs"],
        best=record["best"],
        published=published,
        collapsed=record["collapsed"],
        repeated=record["repeated"],
        interval=interval,
        comparison=comparison,
        without=record.get("without", 0),
        group=record.get("group", False),
        folds=_folds(record),
    )


def _folds(record: Mapping[str, Any]) -> Folds | None:
    if "folds" not in record:
        return None
    return Folds(record["folds"], record["of_folds"], same_images=record.get("same_images"))


def _from_record(value: Any) -> Any:
    return _LOGICAL.get(value, _from_cell(value)) if isinstance(value, str) else value


def _none_for_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
