import csv
import io
import json
import re
from pathlib import Path

import pytest

from robustseg.results.load import load_runs
from robustseg.results.tables.comparison import compare
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.published import Published, Value
from robustseg.results.tables.render import render

PUBLISHED = Value(0.8, 0.01, False)


@pytest.fixture
def table(add_run):
    for seed, value in enumerate([0.755, 0.761, 0.767]):
        add_run("nce_rce", 0.7, value, seed=seed)
    for seed, value in enumerate([0.80, 0.81]):
        add_run("tloss", 0.7, value, seed=seed)
    add_run("tloss", 0.0, 0.9)
    return make_table(load_runs(add_run.runs), ["dice_image"])


def test_markdown(table):
    assert render(table, "md") == (
        "| loss      | clean     | α=0.7 β=0.5      |\n"
        "|-----------|-----------|------------------|\n"
        "| NCE + RCE | –         | 0.761(6)         |\n"
        "| T-Loss    | 0.900 [1] | **0.805(7) [2]** |\n"
        "\n"
        "dice_image on synthetic: mean(std) over 3 runs. [n]: over n runs only. –: no run.\n"
    )


def test_runs_without_a_number_are_told_apart_from_no_run(add_run):
    for seed, value in enumerate([0.70, None]):
        add_run("gce", 0.7, {"dice_image": value}, seed=seed)
        add_run("mae", 0.7, {"dice_image": None}, seed=seed)
        add_run("tloss", 0.0, {"dice_image": 0.9 + seed / 100}, seed=seed)
    assert render(make_table(load_runs(add_run.runs), ["dice_image"]), "md") == (
        "| loss   | clean    | α=0.7 β=0.5    |\n"
        "|--------|----------|----------------|\n"
        "| GCE    | –        | 0.700 [1 of 2] |\n"
        "| MAE    | –        | – [0 of 2]     |\n"
        "| T-Loss | 0.905(7) | –              |\n"
        "\n"
        "dice_image on synthetic: mean(std) over 2 runs. [n of m]: m − n of the m finished runs "
        "have no such number. –: no run.\n"
    )


def test_what_no_run_has_is_not_called_published(add_run):
    for loss in ("gce", "mae"):
        add_run(loss, 0.7, {"dice_image": 0.8, "dice_image_pos": None})
    assert render(make_table(load_runs(add_run.runs), ["dice_image_pos"]), "md") == (
        "| loss | α=0.7 β=0.5 |\n"
        "|------|-------------|\n"
        "| GCE  | – [0 of 1]  |\n"
        "| MAE  | – [0 of 1]  |\n"
        "\n"
        "dice_image_pos on synthetic: no run has such a number. [n of m]: m − n of the m finished "
        "runs have no such number.\n"
    )


def test_runs_without_a_number_stand_beside_published_ones(add_run):
    add_run("gce", 0.7, {"dice_image": None}, dataset="isic2017")
    published = Published(Path("published.csv"), [({"loss": "gce"}, "dice_image", PUBLISHED)])
    text = render(make_table(load_runs(add_run.runs), ["dice_image"], published), "md")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert [[cell.strip() for cell in line.split("|")[2:4]] for line in lines[2:]] == [
        ["ours", "– [0 of 1]"],
        ["published", "0.800(10)"],
        ["difference", "–"],
    ]
    assert "isic2017: no run has such a number; as published, mean(std)." in text


def test_latex(table):
    text = render(table, "latex")
    assert text.splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lll}",
        r"\toprule",
        r"loss & clean & $\alpha$=0.7 $\beta$=0.5 \\",
        r"\midrule",
        r"NCE + RCE & -- & 0.761(6) \\",
        r"T-Loss & 0.900 [1] & \textbf{0.805(7) [2]} \\",
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"{\footnotesize dice\_image on synthetic: mean(std) over 3 runs. [n]: over n runs only. "
        r"--: no run.\par}",
    ]


def test_latex_says_what_was_tested_in_characters_it_has(add_run):
    for loss, shift in (("gce", 0.0), ("mae", 0.1)):
        add_run(loss, 0.7, images={f"i{at}": 0.5 + shift + at / 1000 for at in range(9)})
    table = compare(make_table(load_runs(add_run.runs), ["dice_image"]), Images(add_run.runs))
    text = render(table, "latex")
    assert r"$^{\dagger}$: differs from the best of its column, of these networks (p $<$" in text
    assert text.isascii()


def test_html_is_well_formed_and_escaped(add_run):
    from xml.etree import ElementTree

    add_run("<script>&", 0.3, 0.7)
    add_run("gce", 0.3, 0.8)
    text = render(make_table(load_runs(add_run.runs), ["dice_image"]), "html")
    tree = ElementTree.fromstring(text)
    assert [cell.text for cell in tree.find("thead").iter("th")] == ["loss", "α=0.3 β=0.5"]
    assert [["".join(cell.itertext()) for cell in line] for line in tree.find("tbody")] == [
        ["<script>&", "0.700"],
        ["GCE", "0.800"],
    ]
    assert [cell.text for cell in tree.iter("b")] == ["0.800"]


def test_csv_and_json_hold_the_same_full_numbers(table):
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    records = json.loads(render(table, "json"))
    assert len(rows) == len(records) == 4
    for row, record in zip(rows, records, strict=True):
        for name in ("mean", "std"):
            assert (float(row[name]) if row[name] else None) == record[name]
    missing, noisy, clean, best = records
    assert (missing["runs"], missing["mean"], noisy["loss"]) == (0, None, "nce_rce")
    assert (clean["loss"], clean["alpha"], clean["beta"], clean["runs"]) == ("tloss", 0, None, 1)
    assert noisy["mean"] == pytest.approx(0.761)
    assert [record["best"] for record in records] == [False, False, False, True]
    assert best["std"] == pytest.approx(0.01 / 2**0.5)


def test_a_heading_says_no_more_than_is_needed(add_run):
    def headings(*metrics):
        text = render(make_table(load_runs(add_run.runs), metrics), "md")
        return re.findall(r"[^|]*[^| ]", text.splitlines()[0])[1:]

    add_run("gce")
    assert [h.strip() for h in headings("dice_image")] == ["clean"]
    assert [h.strip() for h in headings("dice_image", "dice_pooled")] == [
        "dice_image",
        "dice_pooled",
    ]
    add_run("gce", 0.3)
    add_run("gce", 0.3, noise="legacy")
    assert [h.strip() for h in headings("dice_image")] == [
        "clean",
        "legacy α=0.3 β=0.5",
        "morphological α=0.3 β=0.5",
    ]
    assert headings("dice_image", "dice_pooled")[0].strip() == "dice_image clean"


def test_decimals(table):
    assert "0.76(1)" in render(table, "md", decimals=2)
