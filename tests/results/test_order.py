"""Default tables show where other metrics order losses otherwise than the Dice of images."""

import itertools
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robustseg.cli.main import main
from robustseg.results.load import load_runs
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.meaning import heading
from robustseg.results.tables.order import OTHERS, REFERENCE, disagreements, without_agreeing
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results
from robustseg.results.tables.table_model import Cell, Column, Table, direction
from robustseg.runs.files import read_csv, read_json, write_csv, write_json
from tests.results.conftest import AREA

METRICS = (REFERENCE, *OTHERS)


def numbers(dice, pooled, ratio):
    return dict(zip(METRICS, (dice, pooled, ratio), strict=True))


def table_of(*values):
    """A table of one noise setting, a row for each triple of values."""
    columns = [Column(None, 0.0, None, metric) for metric in METRICS]
    rows = [(f"loss{at}",) for at in range(len(values))]
    cells = {
        (row, column): Cell(value, math.nan, 1, False)
        for row, own in zip(rows, values, strict=True)
        for column, value in zip(columns, own, strict=True)
    }
    return Table(("loss",), tuple(rows), tuple(columns), cells, ("synthetic",))


@given(st.lists(st.tuples(*[st.integers(1, 2000)] * 3), min_size=2, max_size=7))
def test_pairs_put_the_other_way_round_are_those_of_kendall(triples):
    """Discordant and comparable pairs by their definition, and by scipy where nothing is tied."""
    values = [tuple(one / 1000 for one in triple) for triple in triples]
    found = {one.column.metric: one for one in disagreements(table_of(*values))}
    dice = [one[0] for one in values]
    others = {"dice_pooled": [v[1] for v in values], "area_ratio": [size_error(v) for v in values]}
    for metric, scores in others.items():
        pairs = list(itertools.combinations(range(len(dice)), 2))
        signs = [math.copysign(1, (dice[a] - dice[b]) * (scores[a] - scores[b]))
                 for a, b in pairs if dice[a] != dice[b] and scores[a] != scores[b]]  # fmt: skip
        told = found.get(metric)
        assert (told.reversed if told else 0) == signs.count(-1)
        if told:
            assert told.pairs == len(signs)
        if len(set(dice)) == len(set(scores)) == len(dice):
            tau = stats.kendalltau(dice, scores).statistic
            assert tau == pytest.approx(1 - 2 * signs.count(-1) / len(pairs))


def size_error(value):
    return -abs(math.log(value[2]))


def test_what_a_table_does_not_show_is_no_other_order():
    assert disagreements(table_of((0.7001, 0.6, 1.0), (0.7002, 0.5, 0.5))) == []


def test_the_example_is_the_pair_furthest_apart():
    one, *rest = disagreements(table_of((0.8, 0.5, 1), (0.7, 0.6, 1), (0.6, 0.7, 1)))
    assert (one.column.metric, rest) == ("dice_pooled", [])
    assert (one.reversed, one.pairs, one.example) == (3, 3, (("loss2",), ("loss0",)))


def test_losses_on_other_data_are_not_compared(add_run):
    add_run("gce", 0.3, numbers(0.7, 0.8, 1.0), dataset="isic2017")
    add_run("mae", 0.3, numbers(0.8, 0.7, 0.5), dataset="shenzhen")
    assert disagreements(make_table(load_runs(add_run.runs), METRICS)) == []
    add_run("mae", 0.3, numbers(0.8, 0.7, 0.5), dataset="isic2017")
    table = make_table(load_runs(add_run.runs), METRICS)
    assert [one.column.metric for one in disagreements(table)] == [*OTHERS]
    assert {one.pairs for one in disagreements(table)} == {1}


def shown(add_run, capsys, *words):
    assert main(["table", "--runs", str(add_run.runs), *words]) == 0
    return capsys.readouterr().out


def test_default_tables_show_other_orders_where_there_are_some(add_run, capsys, tmp_path):
    """At α = .3 the pooled Dice disagrees, at α = .5 nothing does."""
    for loss, easy, hard in (("gce", (0.8, 0.7, 0.9), (0.7, 0.7, 0.9)),
                             ("mae", (0.7, 0.8, 0.8), (0.6, 0.6, 0.8))):  # fmt: skip
        add_run(loss, 0.3, numbers(*easy))
        add_run(loss, 0.5, numbers(*hard))
    text = shown(add_run, capsys)
    heads = [word.strip() for word in text.splitlines()[0].split("|")[2:-1]]
    assert heads == [
        "dice_image α=0.3 β=0.5", "dice_pooled α=0.3 β=0.5", "dice_image α=0.5 β=0.5",
    ]  # fmt: skip
    said = "dice_pooled ranks rows differently from dice_image: α=0.3 β=0.5: 1 of 1 pair, such as "
    assert f"{said}MAE before GCE." in text
    assert "ranks rows" not in shown(add_run, capsys, "--where", "alpha=0.5")
    chosen = shown(add_run, capsys, "--metric", "dice_image", "--where", "alpha=0.3")
    assert "dice_pooled" not in chosen
    file = tmp_path / "results.csv"
    file.write_text(shown(add_run, capsys, "--format", "csv"))
    assert render(read_results(file), "md") == text


def test_a_table_where_all_agree_is_as_before(add_run, capsys):
    for loss, dice in (("gce", 0.7), ("mae", 0.8)):
        add_run(loss, 0.3, numbers(dice, dice, dice))
    assert shown(add_run, capsys) == shown(add_run, capsys, "--metric", "dice_image")
    table = make_table(load_runs(add_run.runs), METRICS)
    assert {column.metric for column in without_agreeing(table).columns} == {REFERENCE}


def test_what_nobody_can_reach_wins_nothing_and_says_so(add_run, capsys):
    for loss, dice in (("gce", 0.7), ("mae", 0.8)):
        add_run(loss, 0.3, {"dice_image": dice, "dice_image_oracle": dice})
    text = shown(add_run, capsys, "--metric", "dice_image", "dice_image_oracle")
    assert direction("dice_image_oracle") == 0
    assert text.count("**0.800**") == 1
    assert heading("dice_image_oracle") in text.splitlines()[0]
    assert "upper bound, not to be reported" in text


def tuned(folder, better):
    """Give a run counts at a tuned threshold, which misses some percent less of the masks."""
    rows = read_csv(folder.images)
    for row in rows:
        found = better * AREA // 100
        row |= {"tp_tuned": row["tp"] + found, "fn_tuned": row["fn"] - found}
        row |= {"fp_tuned": row["fp"], "tn_tuned": row["tn"]}
    write_csv(folder.images, rows)
    dice = [2 * r["tp_tuned"] / (2 * r["tp_tuned"] + r["fp"] + r["fn_tuned"]) for r in rows]
    own = {"dice_image_tuned": sum(dice) / len(dice)}
    write_json(folder.metrics, read_json(folder.metrics) | own)


def test_the_tuned_dice_is_tested_over_images_and_former_runs_have_none(add_run, capsys):
    names = [f"{at:02d}" for at in range(30)]
    for loss, better in (("gce", 3), ("mae", 8)):
        tuned(add_run(loss, 0.3, images=dict.fromkeys(names, 0.7)), better)
    add_run("former", 0.3, images=dict.fromkeys(names, 0.7))
    words = ("--metric", "dice_image_tuned", "--format", "json")
    records = {one["loss"]: one for one in json.loads(shown(add_run, capsys, *words))}
    p = stats.wilcoxon([1.0] * 30).pvalue  # all differences are alike
    assert records["gce"]["p"] == pytest.approx(p)
    assert (records["mae"]["best"], records["gce"]["pairs"]) == (True, 30)
    assert (records["former"]["runs"], records["former"]["without"]) == (0, 1)
    assert records["former"]["p"] is None
    assert "– [0 of 1]" in shown(add_run, capsys, "--metric", "dice_image_tuned")


def test_tuned_counts_that_are_not_those_of_the_final_number_are_refused(add_run, capsys):
    names = [f"{at:02d}" for at in range(30)]
    folders = [add_run(loss, 0.3, images=dict.fromkeys(names, 0.7)) for loss in ("gce", "mae")]
    for folder in folders:
        tuned(folder, 3)
    write_json(folders[0].metrics, read_json(folders[0].metrics) | {"dice_image_tuned": 0.5})
    assert main(["table", "--runs", str(add_run.runs), "--metric", "dice_image_tuned"]) == 0
    assert "is damaged: dice_image_tuned is 0.7" in capsys.readouterr().err
