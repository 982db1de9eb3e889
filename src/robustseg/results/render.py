"""A table as text: Markdown, LaTeX, HTML; or its cells as CSV or JSON records."""

import csv
import html
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from robustseg.results.notation import difference, mean_std
from robustseg.results.table import Cell, Column, Table

Grid = list[list[str]]


def render(table: Table, style: str, decimals: int = 3) -> str:
    """Write a table.

    Markdown, LaTeX (booktabs) and HTML show mean(std) over runs, the best of a column in bold, "–"
    where there is no run, and the number of runs in brackets where it is smaller than elsewhere.
    Where there are published values, they and the difference to ours come in rows of their own.
    CSV and JSON have one record a cell, in full precision.

    Args:
        table: what to write.
        style: one of ``STYLES``.
        decimals: of means; CSV and JSON ignore it.
    """
    if style in _RECORDS:
        return _RECORDS[style](records(table))
    style_of = _GRIDS[style]
    return style_of.write(_grid(table, decimals, style_of), _notes(table))


def records(table: Table) -> list[dict[str, Any]]:
    """Return the cells as plain values, row after row; missing ones are left out or None."""
    result = []
    for row in table.rows:
        for column in table.columns:
            cell = table.cells.get((row, column))
            if cell:
                published = cell.published
                record = {
                    **dict(zip(table.labels, row, strict=True)),
                    **vars(column),
                    "runs": cell.n,
                    "mean": cell.mean,
                    "std": cell.std,
                    "best": cell.best,
                    "published_mean": published.mean if published else None,
                    "published_std": published.std if published else None,
                    "difference": cell.mean - published.mean if published else None,
                }
                result.append({key: _none_for_nan(value) for key, value in record.items()})
    return result


@dataclass(frozen=True)
class _Style:
    escape: Callable[[str], str]
    bold: Callable[[str], str]
    write: Callable[[Grid, list[str]], str]


def _grid(table: Table, decimals: int, style: _Style) -> Grid:
    """All cells as text, under a line of headings."""
    compared = any(cell.published for cell in table.cells.values())
    lines = [[*table.labels, *([""] if compared else []), *_headings(table)]]
    best = {}
    for row in table.rows:
        cells = [table.cells.get((row, column)) for column in table.columns]
        names = [_name(value) for value in row]
        offset = len(names) + compared
        best[len(lines)] = {offset + at for at, cell in enumerate(cells) if cell and cell.best}
        ours = [_ours(cell, table.n, decimals) for cell in cells]
        if not compared:
            lines.append([*names, *ours])
            continue
        blank = [""] * len(names)
        lines.append([*names, "ours", *ours])
        lines.append([*blank, "published", *(_published(cell, decimals) for cell in cells)])
        lines.append([*blank, "difference", *(_difference(cell, decimals) for cell in cells)])
    return [
        [
            style.bold(style.escape(text)) if at in best.get(number, ()) else style.escape(text)
            for at, text in enumerate(line)
        ]
        for number, line in enumerate(lines)
    ]


def _headings(table: Table) -> list[str]:
    kinds = {column.noise for column in table.columns if column.noise}
    settings = {(column.noise, column.alpha, column.beta) for column in table.columns}
    several = len({column.metric for column in table.columns}) > 1

    def heading(column: Column) -> str:
        words = [column.metric] if several else []
        if len(settings) == 1 and several:
            return column.metric
        if column.noise is None:
            return " ".join([*words, "clean"])
        words += [column.noise] if len(kinds) > 1 else []
        return " ".join([*words, f"α={column.alpha:g}", f"β={column.beta:g}"])

    return [heading(column) for column in table.columns]


def _ours(cell: Cell | None, n: int, decimals: int) -> str:
    if cell is None or not cell.n:
        return "–"
    text = mean_std(cell.mean, cell.std, decimals)
    return f"{text} [{cell.n}]" if cell.n < n else text


def _published(cell: Cell | None, decimals: int) -> str:
    if cell is None or cell.published is None:
        return "–"
    value = cell.published
    return mean_std(value.mean, value.std, decimals) + ("*" if value.starred else "")


def _difference(cell: Cell | None, decimals: int) -> str:
    published = cell.published if cell else None
    return difference(
        cell.mean if cell else math.nan, published.mean if published else math.nan, decimals
    )


def _notes(table: Table) -> list[str]:
    metrics = ", ".join(dict.fromkeys(column.metric for column in table.columns))
    spread = f"mean(std) over {table.n} runs" if table.n > 1 else "one run a cell"
    notes = [f"{metrics} on {', '.join(table.datasets)}: {spread}."]
    if any(0 < cell.n < table.n for cell in table.cells.values()):
        notes.append("[n]: over n runs only.")
    if any(cell.published and cell.published.starred for cell in table.cells.values()):
        notes.append("*: significant according to the paper.")
    return [*notes, *table.notes]


def _name(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _none_for_nan(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _markdown(grid: Grid, notes: list[str]) -> str:
    widths = [max(3, *map(len, column)) for column in zip(*grid, strict=True)]
    lines = [
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |"
        for line in grid
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:], "", " ".join(notes)]) + "\n"


_LATEX = str.maketrans(
    {
        "α": r"$\alpha$",
        "β": r"$\beta$",
        "−": "$-$",
        "–": "--",
        "*": "$^{*}$",
        "_": r"\_",
        "%": r"\%",
        "#": r"\#",
        "&": r"\&",
    }
)


def _latex(grid: Grid, notes: list[str]) -> str:
    lines = [" & ".join(line) + r" \\" for line in grid]
    return "\n".join(
        [
            f"% {' '.join(notes)}",
            rf"\begin{{tabular}}{{{'l' * len(grid[0])}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _html(grid: Grid, notes: list[str]) -> str:
    def line(texts: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts) + "</tr>"

    return "\n".join(
        [
            "<table>",
            f"<caption>{html.escape(' '.join(notes))}</caption>",
            f"<thead>{line(grid[0], 'th')}</thead>",
            "<tbody>",
            *(line(texts, "td") for texts in grid[1:]),
            "</tbody>",
            "</table>",
            "",
        ]
    )


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


_GRIDS = {
    "md": _Style(lambda text: text.replace("|", r"\|"), "**{}**".format, _markdown),
    "latex": _Style(lambda text: text.translate(_LATEX), r"\textbf{{{}}}".format, _latex),
    "html": _Style(html.escape, "<b>{}</b>".format, _html),
}
_RECORDS: dict[str, Callable[[list[dict[str, Any]]], str]] = {"csv": _csv, "json": _json}
STYLES = (*_GRIDS, *_RECORDS)
