"""A table as text: Markdown, LaTeX, HTML; or its cells as CSV or JSON records."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from robustseg.results.tables.grid import LAYOUTS, Grid
from robustseg.results.tables.notes import notes
from robustseg.results.tables.results_file import Record, records, write_csv, write_json
from robustseg.results.tables.table_model import Table
from robustseg.terminal.printable import printable


def render(
    table: Table, style: str, decimals: int = 3, layout: str = "noise", intervals: bool = False
) -> str:
    """Write a table.

    Markdown, LaTeX (booktabs) and HTML show mean(std) over runs, the best of a column in bold, "–"
    where there is no run, and the number of runs in brackets where it is smaller than elsewhere;
    "†" marks what differs from the best and "‡" collapsed networks. Where there are published
    values, they and the difference to ours come in rows of their own, and alone where there is no
    run. Notes below say what was tested. CSV and JSON have one record per cell, in full precision.

    Args:
        table: what to write.
        style: one of ``STYLES``.
        decimals: of means; CSV and JSON ignore it.
        layout: one of `LAYOUTS`: ``noise``, rows × noise settings, ``losses``, noise settings ×
            losses, or ``domain``, metrics × batch sizes and loss domains. CSV and JSON ignore it.
        intervals: whether to show confidence intervals; CSV and JSON always do.

    Raises:
        ValueError: the table has nothing to lay out in this way.
    """
    if style in _RECORDS:
        return _RECORDS[style](records(table))
    # What competes at a noise setting is a column; with losses across it is a line or several.
    place = "noise setting" if layout == "losses" else "column"
    said = notes(table, intervals, place)
    return write_grid(LAYOUTS[layout](table, decimals, intervals), said, style)


def write_grid(grid: Grid, sentences: list[str], style: str) -> str:
    """Write texts in a grid, with sentences below, as Markdown, LaTeX or HTML."""
    return _MARKUPS[style].write(grid, sentences)


def escaped(text: str, style: str) -> str:
    """A text as Markdown, LaTeX or HTML."""
    return _MARKUPS[style].escape(text)


@dataclass(frozen=True)
class _Markup:
    escape: Callable[[str], str]
    own: Callable[[str], str]  # of cells, which hold no names
    bold: Callable[[str], str]
    assemble: Callable[[Grid, list[str]], str]

    def write(self, grid: Grid, sentences: list[str]) -> str:
        lines = [
            [
                (self.bold if (number, at) in grid.bold else str)(
                    (self.escape if at < grid.labels else self.own)(text)
                )
                for at, text in enumerate(line)
            ]
            for number, line in enumerate(grid.lines)
        ]
        headings = [[self.escape(text) for text in line] for line in grid.headings]
        marked = Grid(headings, lines, grid.bold, grid.labels, grid.kinds)
        return self.assemble(marked, [self.escape(sentence) for sentence in sentences])


# What Markdown acts on, HTML and GitHub's mathematics included; "_" within a word is plain, and so
# is a star at the beginning, with which a note on a mark begins.
_MARKDOWN = re.compile(
    r"[\\`|~$]|(?!^)\*|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|\](?=[(\[])"
)


def _escape_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def _escape_latex(text: str) -> str:
    return printable(text).translate(_LATEX)


def _escape_html(text: str) -> str:
    return html.escape(printable(text))


def _markdown(grid: Grid, sentences: list[str]) -> str:
    everything = [*grid.headings, *grid.lines]
    widths = [max(3, *map(len, column)) for column in zip(*everything, strict=True)]
    lines = [
        "| " + " | ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)) + " |"
        for line in everything
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:], "", " ".join(sentences)]) + "\n"


_LATEX = str.maketrans(
    {
        "α": r"$\alpha$",
        "β": r"$\beta$",
        "−": "$-$",
        "±": r"$\pm$",
        "–": "--",
        "*": "$^{*}$",
        "†": r"$^{\dagger}$",
        "‡": r"$^{\ddagger}$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "{": r"\{",
        "}": r"\}",
        "_": r"\_",
        "$": r"\$",
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "%": r"\%",
        "#": r"\#",
        "&": r"\&",
        "<": "$<$",
        ">": "$>$",
    }
)


def _latex(grid: Grid, sentences: list[str]) -> str:
    def line(texts: list[str]) -> str:
        text = " & ".join(texts) + r" \\"
        # Behind the end of a line, a bracket would begin an option of it.
        return f"{{[}}{text[1:]}" if text.startswith("[") else text

    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{'l' * len(grid.headings[0])}}}",
            r"\toprule",
            *map(line, grid.headings),
            r"\midrule",
            *map(line, grid.lines),
            r"\bottomrule",
            r"\end{tabular}",
            "",
            rf"{{\footnotesize {' '.join(sentences)}\par}}",
            "",
        ]
    )


def _html(grid: Grid, sentences: list[str]) -> str:
    """A table whose lines carry their kind as class, for a style sheet to distinguish them."""

    def line(texts: list[str], kind: str) -> str:
        names = "".join(f'<th scope="row">{text}</th>' for text in texts[: grid.labels])
        cells = "".join(f"<td>{text}</td>" for text in texts[grid.labels :])
        return f'<tr class="{kind}">{names}{cells}</tr>'

    def heading(texts: list[str]) -> str:
        return "<tr>" + "".join(f'<th scope="col">{text}</th>' for text in texts) + "</tr>"

    return "\n".join(
        [
            '<table class="results">',
            f"<caption>{' '.join(sentences)}</caption>",
            "<thead>",
            *map(heading, grid.headings),
            "</thead>",
            "<tbody>",
            *map(line, grid.lines, grid.kinds),
            "</tbody>",
            "</table>",
            "",
        ]
    )


_MARKUPS = {
    "md": _Markup(_escape_markdown, str, "**{}**".format, _markdown),
    "latex": _Markup(_escape_latex, _escape_latex, r"\textbf{{{}}}".format, _latex),
    "html": _Markup(_escape_html, _escape_html, "<b>{}</b>".format, _html),
}
_RECORDS: dict[str, Callable[[Sequence[Record]], str]] = {"csv": write_csv, "json": write_json}
MARKUPS = tuple(_MARKUPS)
STYLES = (*MARKUPS, *_RECORDS)
