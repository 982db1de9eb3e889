"""Rules that stop training pick the evaluation that they say."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustseg.cli.main import main
from robustseg.results.load import load_runs
from robustseg.results.sources import Sources
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results
from robustseg.results.tables.rules import RULES, metric_of, regret_of
from robustseg.results.tables.stopping import (
    ORACLE,
    add_selected,
    first_minimum,
    label_wave,
    noisy_val,
    read_curves,
    selected,
)
from robustseg.runs.files import read_json, write_csv, write_json

SHARES = st.lists(st.integers(0, 1000).map(lambda n: n / 1000), min_size=1, max_size=15)


def curve(test, heldout=None, changed=None):
    """epochs.csv of a run evaluated at every second epoch."""
    count = len(test)
    rows = pd.DataFrame({"epoch": np.arange(1, 2 * count + 1), "train_loss": 0.5})
    at = rows.index[1::2]
    rows.loc[at, "test_dice_image"] = test
    if heldout is not None:
        rows.loc[at, "heldout_dice_noisy"] = heldout
    if changed is not None:
        rows.loc[at, "train_changed"] = [math.nan, *changed]
    return rows


@given(SHARES)
def test_the_first_minimum_is_that_of_the_rolling_mean_of_pandas(values):
    """Runs of equal means are one: the first that is below both its neighbours, in its middle."""
    means = pd.Series(values).rolling(3).mean().round(9).dropna()
    plateaus = [list(group.index) for _, group in means.groupby((means.diff() != 0).cumsum())]
    level = [means[own[0]] for own in plateaus]
    valleys = [
        plateaus[at] for at in range(1, len(level) - 1) if level[at - 1] > level[at] < level[at + 1]
    ]
    expected = (valleys[0][0] + valleys[0][-1]) // 2 if valleys else len(values) - 1
    assert first_minimum(values) == expected


@given(SHARES, SHARES)
def test_a_stop_depends_on_nothing_that_comes_later(values, later):
    """The rule may be used while training: once it has stopped, no later value moves it."""
    stop = first_minimum(values)
    if stop < len(values) - 1:
        assert first_minimum([*values, *later]) == stop


def test_a_valley_is_found_and_a_fall_without_an_end_is_not():
    falling = [0.9, 0.7, 0.5, 0.3, 0.2]
    assert first_minimum([*falling, 0.4, 0.8]) == 5  # .3, .2, .4 is the lowest mean of three
    assert first_minimum(falling) == 4
    assert first_minimum([0.1, 0.2, 0.3, 0.4]) == 3  # rises from the first mean on
    assert first_minimum([0.1, 0.2, 0.3, 0.4, 0.1, 0.0, 0.9, 0.9]) == 5  # not at the edge
    assert first_minimum([0.5] * 6) == 5
    assert first_minimum([0.2, 0.9, 0.1]) == 2  # no two means


def test_label_wave_counts_from_the_second_evaluation():
    rows = curve([0.5] * 8, changed=[0.9, 0.7, 0.5, 0.3, 0.2, 0.4, 0.8]).dropna(
        subset="test_dice_image"
    )
    assert label_wave(rows) == 6
    assert label_wave(rows.drop(columns="train_changed")) is None
    assert label_wave(rows.assign(train_changed=math.nan)) is None


def test_noisy_val_takes_the_first_of_equal_ones():
    rows = curve([0.5] * 4, heldout=[0.6, 0.7, 0.7, 0.2]).dropna(subset="test_dice_image")
    assert noisy_val(rows) == 1
    assert noisy_val(rows.drop(columns="heldout_dice_noisy")) is None


scores = st.floats(0, 1, allow_nan=False)


@given(st.lists(st.tuples(scores, scores, scores), min_size=5, max_size=12), st.integers(1, 4))
def test_what_is_selected_is_as_defined_and_regret_is_never_negative(triples, reported):
    test, heldout, changed = map(list, zip(*triples, strict=True))
    numbers = selected(curve(test, heldout, changed[1:]), reported)
    assert numbers[ORACLE] == max(test)
    assert numbers[metric_of("last")] == pytest.approx(np.mean(test[-reported:]))
    assert numbers[metric_of("noisy-val")] == test[int(np.argmax(heldout))]
    assert numbers[metric_of("label-wave")] in test
    for rule in RULES:
        regret = numbers[ORACLE] - numbers[metric_of(rule)]
        assert numbers[regret_of(rule)] == pytest.approx(regret)
        assert regret >= -1e-12


def test_last_is_the_number_that_runs_report(trained):
    runs = load_runs(trained)
    runs = add_selected(runs, read_curves(runs, Sources(trained)), RULES)
    assert list(runs[metric_of("last")]) == pytest.approx(list(runs["dice_image"]))
    assert runs[metric_of("label-wave")].notna().all()
    assert runs[metric_of("noisy-val")].isna().all()  # they hold out no images


@pytest.fixture
def grid(add_run):
    """Two losses at one setting: picking gains .3 and .1, changing the loss .05 at most."""
    changed = [0.5, 0.4, 0.3, 0.2, 0.5, 0.9]
    heldout = [0.1, 0.2, 0.9, 0.2, 0.1, 0.1, 0.1]
    for loss, best, end in (("gce", 0.8, 0.5), ("mae", 0.65, 0.55)):
        folder = add_run(loss, 0.3, end)
        test = [0.4, 0.4, best, end, end, end, end]
        write_csv(folder.epochs, curve(test, heldout, changed).to_dict("records"))
        numbers = read_json(folder.metrics) | {"evaluations": 4}
        write_json(folder.metrics, numbers)
    return add_run


def table(add_run, capsys, *words):
    code = main(["table", "--runs", str(add_run.runs), *words])
    return code, *capsys.readouterr()


def test_the_table_of_rules(grid, capsys, tmp_path):
    code, text, errors = table(grid, capsys, "--select", "last", "noisy-val,label-wave")
    assert (code, errors) == (0, "")
    lines = [[word.strip() for word in line.split("|")[1:-1]] for line in text.splitlines()]
    assert lines[2] == ["GCE", "0.500", "**0.800**", "0.500", "0.300", "0.000", "0.300"]
    assert lines[3] == ["MAE", "**0.550**", "0.650", "**0.550**", "0.100", "0.000", "0.100"]
    for said in (
        "noisy-val gains +0.200 over last on average, changing to the best loss at last +0.025; "
        "the rule gains more in 2 of 2 cells.",
        "label-wave gains +0.000 over last",
        "last: mean of the reported evaluations, the only rule that averages",
        "Not tested",
    ):
        assert said in text
    file = tmp_path / "results.csv"
    file.write_text(table(grid, capsys, "--select", *RULES, "--format", "csv")[1])
    assert render(read_results(file), "md") == text


def test_a_run_that_has_not_recorded_it_has_no_number(grid, capsys):
    folder = grid("former", 0.3, 0.5)
    write_csv(folder.epochs, curve([0.4, 0.5]).to_dict("records"))
    write_json(folder.metrics, read_json(folder.metrics) | {"evaluations": 2})
    words = ("--select", *RULES, "--format", "json", "--loss", "former")
    records = {one["metric"]: one for one in json.loads(table(grid, capsys, *words)[1])}
    assert records[metric_of("last")]["mean"] == pytest.approx(0.45)
    assert records[regret_of("last")]["mean"] == pytest.approx(0.05)
    assert (records[metric_of("noisy-val")]["runs"], records[metric_of("label-wave")]["runs"]) == (
        0,
        0,
    )


def test_that_no_run_has_held_out_masks_is_remarked(grid, add_run, capsys):
    said = "noisy-val: no run has recorded the Dice of held-out masks"
    assert said not in table(grid, capsys, "--select", "noisy-val")[2]
    for path in add_run.runs.glob("*/epochs.csv"):
        rows = pd.read_csv(path).drop(columns="heldout_dice_noisy")
        write_csv(path, rows.to_dict("records"))
    errors = table(grid, capsys, "--select", "noisy-val", "last")[2]
    assert said in errors and "train with dataset.val_fraction=0.2" in errors
    assert said not in table(grid, capsys, "--select", "last")[2]


def test_a_rise_from_the_first_value_on_is_remarked(grid, capsys):
    folder = grid("early", 0.3, 0.5)
    rows = curve([0.5] * 7, [0.5] * 7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    write_csv(folder.epochs, rows.to_dict("records"))
    errors = table(grid, capsys, "--select", "label-wave")[2]
    assert "label-wave: in 1 of 3 runs the share" in errors
    assert "rises at once, from evaluation 4" in errors


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--select", "best"), "there are: last, noisy-val, label-wave"),
        (("--select", "last", "--metric", "hd95"), "leave out metric"),
        (("--select", "last", "--test", "seeds", "--ci"), "leave out test, ci"),
        (("--select", "last", "--layout", "domain"), "leave out layout domain"),
    ],
)
def test_what_has_no_meaning_is_refused(grid, capsys, words, told):
    code, _, errors = table(grid, capsys, *words)
    assert code == 2
    assert told in errors


def test_a_damaged_file_is_named(grid, capsys):
    folder = grid("lost", 0.3, 0.5)
    for content, told in (
        ("epoch,test_dice_image\n1,abc\n", "is damaged: could not convert"),
        ("epoch\n1\n", "is damaged: no column test_dice_image"),
        (None, "is missing"),
    ):
        folder.epochs.write_text(content) if content else folder.epochs.unlink()
        code, _, errors = table(grid, capsys, "--select", "last")
        assert code == 1
        assert f"{folder.epochs} {told}" in errors
