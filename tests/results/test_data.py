"""Runs on other data are distinguished, selected, and never averaged."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from robustseg.cli.main import main
from robustseg.errors import NoRuns
from robustseg.records import pack
from robustseg.results.figures.lines import line_names
from robustseg.results.load import load_runs
from robustseg.results.ranking.make_ranking import make_ranking
from robustseg.results.sources import Sources
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.order import data_of, disagreements
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results
from robustseg.runs.files import read_json
from robustseg.runs.folder import RunFolder

FIRST, SECOND = "1f2e" + "a" * 60, "99aa" + "b" * 60


@pytest.fixture
def two(add_run):
    """A loss on two data folders with equal settings, the seeds 0 and 1; and another loss."""

    def make(loss, folder, fingerprint, dice, **labels):
        run = add_run(loss, 0.3, dice, **labels)
        own = read_json(run.metrics)["run"]
        run.update_status(fingerprint=fingerprint, data_folder=folder, run=own)
        return run

    make("gce", "clinic", FIRST, 0.2)
    make("gce", "hospital", SECOND, 0.4, seed=1)
    make("gce", "clinic", FIRST, 0.3, seed=1)
    make("mae", "clinic", FIRST, 0.1)
    return make


def cells(capsys, *words):
    assert main(["table", *map(str, words), "--format", "json", "--metric", "dice_image"]) == 0
    rows = json.loads(capsys.readouterr().out)
    return {(row["loss"], row.get("data")): (row["mean"], row["runs"]) for row in rows}


def test_a_row_is_of_one_data(add_run, two, capsys):
    assert cells(capsys, "--runs", add_run.runs) == {
        ("gce", "clinic 1f2eaaaa"): (pytest.approx(0.25), 2),
        ("gce", "hospital 99aabbbb"): (0.4, 1),
        ("mae", "clinic 1f2eaaaa"): (0.1, 1),
    }
    lines = set(line_names(load_runs(add_run.runs))["line"])
    assert lines == {"GCE clinic 1f2eaaaa", "GCE hospital 99aabbbb", "MAE clinic 1f2eaaaa"}


def test_data_are_selected_beside_runs_that_do_not_tell_theirs(add_run, two, capsys):
    two("rce", None, SECOND, 0.5)
    add_run("ce", 0.3)
    found = cells(capsys, "--runs", add_run.runs, "--where", "data=1f2e")
    assert found == {("gce", None): (pytest.approx(0.25), 2), ("mae", None): (0.1, 1)}
    assert ("rce", None) in cells(capsys, "--runs", add_run.runs, "--where", "data=99aa")


@pytest.mark.parametrize("value", ["clinic", "1f2e", "1F2EAAAA", FIRST, "clinic 1f2eaaaa"])
def test_data_are_selected_by_folder_or_digits(add_run, two, value, capsys):
    found = cells(capsys, "--runs", add_run.runs, "--where", f"data={value}")
    assert found == {("gce", None): (pytest.approx(0.25), 2), ("mae", None): (0.1, 1)}
    assert main(["status", "--runs", str(add_run.runs), "--where", f"data={value}"]) == 0
    assert "3 runs: 3 done" in capsys.readouterr().out


def test_digits_that_look_like_a_number_are_digits(add_run, two):
    two("mae", "third", "1e23" + "0" * 60, 0.5)
    assert list(load_runs(add_run.runs, data="1e23")["dice_image"]) == [0.5]


def test_data_that_no_run_has_are_named(add_run, two):
    with pytest.raises(NoRuns, match=r"data=clinik; did you mean clinic"):
        load_runs(add_run.runs, data="clinik")
    with pytest.raises(NoRuns, match="data=1f"):  # too few digits to mean anything
        load_runs(add_run.runs, data="1f")


def test_data_are_named_where_no_row_is_shared(add_run, two, capsys):
    """A loss on one data set is not compared with another loss on another one unnamed."""
    found = cells(capsys, "--runs", add_run.runs, "--loss", "gce,mae", "--seeds", "0")
    assert set(found) == {("gce", None), ("mae", None)}
    two("ce", "hospital", SECOND, 0.9)
    found = cells(capsys, "--runs", add_run.runs, "--loss", "mae,ce")
    assert set(found) == {("mae", "clinic 1f2eaaaa"), ("ce", "hospital 99aabbbb")}
    assert main(["table", "--runs", str(add_run.runs), "--loss", "mae,ce"]) == 0
    assert "**" not in capsys.readouterr().out  # nothing competes


def test_one_data_under_two_names_is_one(add_run, two, capsys):
    two("gce", "a_copy", FIRST, 0.4, seed=2)
    assert cells(capsys, "--runs", add_run.runs, "--where", "data=1f2e")["gce", None][1] == 3


def test_status_has_a_grid_for_each_data(add_run, two, capsys):
    two("mae", "hospital", SECOND, 0.4).update_status(state="running")
    assert main(["status", "--runs", str(add_run.runs)]) == 0
    grids = capsys.readouterr().out.split("\n\n")[1:3]
    assert [grid.splitlines()[0] for grid in grids] == [
        "synthetic on clinic 1f2eaaaa",
        "synthetic on hospital 99aabbbb",
    ]
    assert [line.split()[-1] for line in grids[0].splitlines()[2:]] == ["●●", "●"]
    assert [line.split()[-1] for line in grids[1].splitlines()[2:]] == ["●", "◌"]


def test_a_status_with_nonsense_for_data_is_damaged(add_run, two):
    two("ce", {"a": 1}, ["x"], 0.5)
    assert "ce" not in set(load_runs(add_run.runs)["loss"])
    (remark,) = Sources(add_run.runs).unfinished()
    assert remark.endswith("1 without a readable status.json.")


@pytest.mark.parametrize("public", [True, False])
def test_a_record_tells_data_apart(add_run, two, tmp_path, public, capsys):
    for path in add_run.runs.iterdir():
        (path / "config.yaml").write_text(f"dataset: {{public: {str(public).lower()}}}\n")
    record = tmp_path / "record"
    pack(None, [add_run.runs], record)
    folders = cells(capsys, "--runs", add_run.runs)
    recorded = cells(capsys, "--runs", record)
    assert sorted(recorded.values()) == sorted(folders.values())
    assert (recorded == folders) == public
    # Beside the folders, a record that hides a fingerprint is on the same data.
    assert cells(capsys, "--runs", record, add_run.runs) == folders


def test_two_folders_with_equal_settings_in_one_folder_of_runs(finished, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, seed in (("clinic", 0), ("hospital", 1)):
        for kind in ("images", "masks"):
            (tmp_path / name / kind).mkdir(parents=True)
        for at in range(10):
            mask = np.zeros((40, 40), np.uint8)
            mask[8:20, 5 + at : 25 + at] = 255
            noise = rng.integers(0, 80, (40, 40), np.uint8)
            Image.fromarray(mask // 2 + noise).save(tmp_path / name / "images" / f"{at}.png")
            Image.fromarray(mask).save(tmp_path / name / "masks" / f"{at}.png")
        words = [f"dataset.root={tmp_path / name}", f"seed={seed}", "trainer.max_epochs=1"]
        run = finished("dataset=folder", *words)
        shutil.copytree(run, tmp_path / "runs" / run.name)
        assert RunFolder(run).read_status()["data_folder"] == name
    found = cells(capsys, "--runs", tmp_path / "runs")
    assert [runs for _, runs in found.values()] == [1, 1]
    assert {data.split()[0] for _, data in found} == {"clinic", "hospital"}


@pytest.fixture
def drawn(add_run):
    """Two losses on two data that a setting chooses, which order them differently.

    Other settings of the data set may be of training alone.
    """

    def make(loss, seed, dice, **training):
        numbers = {"dice_image": dice, "dice_pooled": 1 - dice if seed else dice}
        chosen = {"source": {"seed": seed}, **training}
        run = add_run(loss, 0.3, numbers, settings={"dataset": chosen})
        own = read_json(run.metrics)["run"]
        run.update_status(fingerprint=SECOND if seed else FIRST, data_folder=None, run=own)

    make("gce", 0, 0.60), make("mae", 0, 0.50)
    make("gce", 1, 0.90), make("mae", 1, 0.80)
    return make


def test_a_setting_that_chooses_data_parts_places_and_no_losses(add_run, drawn):
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    assert table.labels == ("loss", "dataset.source.seed")
    ranking = make_ranking(table, None)
    assert ranking.names == ("gce", "mae") and ranking.mean.tolist() == [1, 2]
    noise = "α=0.3 β=0.5"
    assert [place.words for place in ranking.places] == [
        f"dataset.source.seed=0 {noise}",
        f"dataset.source.seed=1 {noise}",
    ]
    assert {data_of(table, row) for row in table.rows} == {
        ("synthetic", "all", FIRST[:8]),
        ("synthetic", "all", SECOND[:8]),
    }


def test_a_setting_of_the_data_set_that_parts_no_data_is_of_the_loss(add_run, drawn):
    drawn("gce", 0, 0.55, val_fraction=0.5), drawn("gce", 1, 0.95, val_fraction=0.5)
    ranking = make_ranking(make_table(load_runs(add_run.runs), ["dice_image"]), None)
    assert set(ranking.names) == {"gce", "mae", "gce dataset.val_fraction=0.5"}
    assert dict(zip(ranking.names, ranking.mean, strict=True)) == {
        "gce": 1.5,
        "mae": 3.0,
        "gce dataset.val_fraction=0.5": 1.5,
    }


def test_rows_on_other_data_are_no_other_order(add_run, drawn, tmp_path):
    """The pooled Dice turns the losses round on one of the data; other pairs say nothing."""
    table = make_table(load_runs(add_run.runs), ["dice_image", "dice_pooled"])
    (found,) = disagreements(table)
    assert (found.reversed, found.pairs) == (1, 2)
    assert {row[0] for row in found.example} == {"gce", "mae"}
    (tmp_path / "results.csv").write_text(render(table, "csv"))
    (again,) = disagreements(read_results(tmp_path / "results.csv"))
    assert (again.reversed, again.pairs) == (1, 2)
