"""Names of strangers do nothing in any output, and are shown there as they are."""

import csv
import io
import json
import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from robustseg.cli.main import main
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results
from robustseg.results.tables.table_model import Cell, Column, Table
from robustseg.runs.survey import RunState
from robustseg.terminal.printable import plain_json, printable
from tests.conftest import SLOW_WITH_FIXTURE

WORST = [
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "a\nb\r\nc",
    "| a | b |",
    "[x](javascript:alert(1))",
    "![x](http://x/y.png)",
    "<script>alert(1)</script>",
    "<b>x</b> &amp; &#65;",
    "\\input{/etc/passwd}",
    "$x^2_i$ ~~y~~ #1 {z} %",
    "**bold** _it_ `code` \\*",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "'=1",
    "\t=1",
    "\u202eevil",
    "\ud800",
    "[optional]",
    "*",
    "NA",
    "_x",
]
NAMES = st.one_of(st.sampled_from(WORST), st.text(min_size=1, max_size=30))
ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def table_of(name):
    column = Column("morphological", 0.3, 0.5, "dice_image")
    row = ("gce", name)
    cells = {(row, column): Cell(0.75, 0.01, 2, True)}
    return Table(("loss", "loss.kind"), (row,), (column,), cells, (name,))


def acting(text):
    """Characters that a terminal acts on; lines end as lines do."""
    return {char for char in text if char != "\n" and unicodedata.category(char) in ACTING}


class Cells(HTMLParser):
    """The tags, and the text of each cell."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells = set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data.removesuffix("\n")


def spaced(text):
    return " ".join(text.split())


@given(NAMES)
def test_no_format_has_a_character_that_a_terminal_acts_on(name):
    for style in ("md", "latex", "html", "csv", "json"):
        text = render(table_of(name), style)
        assert acting(text) == set(), style
        text.encode("utf-8")


@given(NAMES)
def test_markdown_shows_the_name_and_nothing_else(name):
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = parser.parse(render(table_of(name), "md"))
    inline = [token for token in tokens if token.type == "inline"]
    assert [token.type for token in tokens].count("tbody_open") == 1
    assert len(inline) == 2 * 3 + 1  # heading and line of the table, and the note
    for token in inline:
        kinds = {child.type for child in token.children}
        assert kinds <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
    shown = "".join(child.content for child in inline[4].children)
    assert spaced(shown) == spaced(printable(name))


@given(NAMES)
def test_html_shows_the_name_and_nothing_else(name):
    page = Cells(render(table_of(name), "html"))
    assert page.tags <= {*("table", "caption", "thead", "tbody", "tr", "th", "td", "b")}
    assert page.cells[4] == printable(name)


@given(name=NAMES)
def test_csv_has_no_formula_and_gives_the_name_again(name, tmp_path_factory):
    text = render(table_of(name), "csv")
    header, row = csv.reader(io.StringIO(text))
    shown = dict(zip(header, row, strict=True))["loss.kind"]
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert shown in (printable(name), f"'{printable(name)}")
    if read_as_text(printable(name)):
        file = tmp_path_factory.getbasetemp() / "results.csv"
        file.write_text(text, encoding="utf-8")
        assert read_results(file).rows == (("gce", printable(name)),)


def read_as_text(name):
    """Whether no reader could take it for a number, a truth value or nothing."""
    try:
        float(name)
    except ValueError:
        return name not in ("True", "False", "")
    return False


@given(NAMES)
def test_json_gives_the_name_again(name):
    (row,) = json.loads(render(table_of(name), "json"))
    assert row["loss.kind"] == name


LATEX = {
    r"\textbackslash{}": "\\",
    r"\textasciicircum{}": "^",
    r"\textasciitilde{}": "~",
    **{rf"\{char}": char for char in "$_%#&{}"},
}


@given(st.text("\\$^~_%&#{}[]ab ", min_size=1, max_size=20))
def test_latex_has_no_command_but_those_that_write_the_name(name):
    (line,) = [one for one in render(table_of(name), "latex").splitlines() if "0.75" in one]
    cell = line.split(" & ")[1]
    read = re.sub(
        r"\\text\w+\{\}|\\[$_%#&{}]|[\\$^~_%#&{}]",
        lambda found: LATEX.get(found[0], "\0"),  # none that acts is left alone
        cell,
    )
    assert read == name


@given(NAMES)
def test_status_has_a_line_for_each_run(name):
    from robustseg.results.sources import Sources
    from robustseg.results.status import as_json, as_text

    labels = {"dataset": name, "loss": name, "alpha": 0, "beta": None, "noise": None, "seed": 0}
    runs = [RunState(name, "failed", labels, reason=name, data_folder=name, fingerprint="1f")]
    text = as_text(runs, Sources("runs"))
    assert acting(text) == set()
    assert len(text.splitlines()) == len(as_text([RunState("x", "failed", labels)], Sources("runs"))
                                        .splitlines())  # fmt: skip
    assert json.loads(as_json(runs))["runs"][0]["run_id"] == name


@given(st.recursive(st.text() | st.integers(), st.lists, max_leaves=5))
def test_json_values_are_the_same(value):
    assert json.loads(plain_json(value)) == value


@settings(suppress_health_check=SLOW_WITH_FIXTURE, max_examples=25)
@given(name=st.sampled_from(WORST).filter(lambda name: "\ud800" not in name))
def test_commands_print_nothing_that_acts(add_run, name, capsys):
    folder = add_run(name, 0.3, name="hostile", experiments=[name])
    folder.update_status(state="done", fingerprint=name, data_folder=name)
    runs = ["--runs", str(add_run.runs)]
    for words in (["table"], ["status"], ["table", "--metric", name], ["table", "--dataset", name]):
        main([*words, *runs] if not name.startswith("-") else [*words[:1], *runs])
        captured = capsys.readouterr()
        assert acting(captured.out + captured.err) == set()


@pytest.mark.parametrize("name", WORST)
def test_a_page_shows_the_name(name):
    from jinja2 import Environment

    from robustseg.results.report.page import _shown

    page = Environment(autoescape=True, finalize=_shown).from_string("<td>{{ name }}</td>")
    cell = Cells(page.render(name=name))
    assert cell.tags == {"td"}
    assert cell.cells == [printable(name)]
