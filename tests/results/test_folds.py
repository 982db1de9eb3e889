"""Tables over folds, against pandas by hand."""

import numpy as np
import pandas as pd
import pytest

from robustseg.cli.main import main
from robustseg.errors import UnlikeImages
from robustseg.metrics.catalogue import CATALOGUE
from robustseg.metrics.summary import summarise
from robustseg.results.figures.dice_against_alpha import dice_against_alpha
from robustseg.results.figures.figure_specs import drawn
from robustseg.results.figures.lines import line_names
from robustseg.results.load import load_runs
from robustseg.results.sources import Sources
from robustseg.results.tables.comparison import add_intervals, compare
from robustseg.results.tables.image_scores import Images, joined, parts, shown
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.paired_tests import signed_rank
from robustseg.results.tables.pooled_folds import pool_folds
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import from_records, read_results, records
from robustseg.runs.files import read_json, write_csv, write_json
from robustseg.runs.folder import RunFolder

FOLDS = 3


@pytest.fixture
def add_fold(add_run):
    """Adds the run of a fold, of `count` images with counts drawn by a seed; returns its rows."""

    def add(loss, fold, seed=0, count=4, epochs=(3, 4), ids=None, folds=FOLDS, alpha=0.0):
        rng = np.random.default_rng([len(loss), fold, seed, int(10 * alpha)])
        names = ids or [f"f{fold}_{k}" for k in range(count)]
        rows = []
        for epoch in epochs:
            for name in names:
                tp, fp, fn = (int(n) for n in rng.integers(0, 50, 3))
                if name.endswith("_0"):
                    tp = fn = 0  # an image without foreground
                rows.append({"epoch": epoch, "id": name, "tp": tp, "fp": fp, "fn": fn, "tn": 60})
        frame = pd.DataFrame(rows)
        evaluations = [summarise(part) for _, part in frame.groupby("epoch")]
        numbers = {name: np.mean([of[name] for of in evaluations]) for name in evaluations[0]}
        numbers["average_precision"] = 0.5 + 0.1 * fold
        settings = {"dataset": {"folds": float(folds), "fold": float(fold)}}
        folder = add_run(loss, alpha, numbers, settings=settings, seed=seed)
        metrics = read_json(folder.metrics) | {
            "test_images": len(names),
            "evaluations": len(epochs),
        }
        write_json(folder.metrics, metrics)
        write_csv(folder.images, rows)
        return frame

    add.runs = add_run.runs
    return add


def table_of(runs, *metrics):
    sources = Sources.of(runs)
    return make_table(pool_folds(load_runs(sources), sources), metrics or ["dice_image"])


def cell(table, loss, metric="dice_image"):
    ((_, found),) = (
        (key, cell)
        for key, cell in table.cells.items()
        if key[0][0] == loss and key[1].metric == metric
    )
    return found


def dice(frame):
    counts = 2 * frame["tp"] + frame["fp"] + frame["fn"]
    return (2 * frame["tp"]).where(counts > 0, 1) / counts.where(counts > 0, 1)


def test_numbers_are_those_of_all_images_together(add_fold):
    counts = [3, 5, 9]  # folds of different sizes, so that the mean of their means is another
    frames = [add_fold("gce", fold, count=counts[fold]) for fold in range(FOLDS)]
    whole = pd.concat(frames)
    table = table_of(
        add_fold.runs, "dice_image", "dice_image_pos", "dice_pooled", "average_precision"
    )
    by_image = dice(whole).groupby(whole["id"]).mean()
    assert len(by_image) == sum(counts)
    assert cell(table, "gce").mean == pytest.approx(by_image.mean())
    assert by_image.mean() != pytest.approx(
        np.mean([dice(frame).mean() for frame in frames]), abs=1e-6
    )
    positive = whole[whole["tp"] + whole["fn"] > 0]
    expected = dice(positive).groupby(positive["epoch"]).mean().mean()
    assert cell(table, "gce", "dice_image_pos").mean == pytest.approx(expected)
    sums = whole.groupby("epoch")[["tp", "fp", "fn"]].sum()
    expected = (2 * sums["tp"] / (2 * sums["tp"] + sums["fp"] + sums["fn"])).mean()
    assert cell(table, "gce", "dice_pooled").mean == pytest.approx(expected)
    weighted = np.average([0.5, 0.6, 0.7], weights=counts)
    assert cell(table, "gce", "average_precision").mean == pytest.approx(weighted)
    text = render(table, "md")
    assert "the folds of a seed together" in text
    assert "Mean of the folds, weighted by their test images: average_precision." in text
    assert "of 3 folds" not in text


def test_seeds_are_averaged_and_folds_are_not_told_apart(add_fold):
    frames = {
        seed: pd.concat([add_fold("gce", fold, seed) for fold in range(FOLDS)]) for seed in (0, 1)
    }
    table = table_of(add_fold.runs)
    assert table.labels == ("loss",)
    means = [dice(frame).mean() for frame in frames.values()]
    found = cell(table, "gce")
    assert (found.n, found.repeated) == (2, False)
    assert found.mean == pytest.approx(np.mean(means))
    assert found.std == pytest.approx(np.std(means, ddof=1))


def test_losses_are_tested_over_the_images_of_all_folds(add_fold):
    frames = {
        loss: pd.concat([add_fold(loss, fold) for fold in range(FOLDS)]) for loss in ("gce", "mae3")
    }
    images = Images(add_fold.runs)
    table = add_intervals(compare(table_of(add_fold.runs), images), images)
    ours, theirs = (
        dice(frame).groupby(frame["id"]).mean().sort_index() for frame in frames.values()
    )
    assert list(ours.index) == list(theirs.index)
    compared = [found.comparison for found in table.cells.values() if found.comparison]
    assert [one.n for one in compared] == [len(ours)] == [12]
    assert compared[0].p == pytest.approx(signed_rank(ours.to_numpy(), theirs.to_numpy()))
    assert all(found.interval for found in table.cells.values())


def test_missing_folds_are_told_and_not_compared_with_whole_cells(add_fold):
    for fold in range(FOLDS):
        add_fold("gce", fold)
    add_fold("mae3", 0), add_fold("mae3", 2)
    images = Images(add_fold.runs)
    table = compare(table_of(add_fold.runs), images)
    text = render(table, "md")
    assert "[2 of 3 folds]" in text and "the folds of a seed together: each test image" in text
    assert "runs of m − k folds are missing, so the images of the others only; " in text
    assert not table.contests
    assert not any(found.comparison or found.best for found in table.cells.values())
    again = from_records(
        [{k: v for k, v in row.items() if v is not None} for row in records(table)], ["loss"]
    )
    assert "[2 of 3 folds]" in render(again, "md")


def test_folds_of_two_groupings_are_not_pooled(add_fold):
    for fold in range(FOLDS):
        add_fold("gce", fold)
    for path in add_fold.runs.iterdir():
        folder = RunFolder(path)
        metrics = read_json(folder.metrics)
        grouping = "1f2e" if metrics["settings"]["dataset"]["fold"] < 2 else "99aa"
        folder.update_status(fingerprint=grouping * 16, data_folder="mine", run=metrics["run"])
    table = table_of(add_fold.runs)
    assert [row[-1] for row in table.rows] == ["mine 1f2e1f2e", "mine 99aa99aa"]
    assert [found.folds.there for found in table.cells.values()] == [2, 1]


def test_seeds_of_different_folds_have_no_interval(add_fold):
    add_fold("gce", 0, seed=0), add_fold("gce", 1, seed=1)
    table = add_intervals(table_of(add_fold.runs), Images(add_fold.runs))
    assert cell(table, "gce").interval is None
    assert "[1 of 3 folds]" in render(table, "md")


def test_folds_with_a_test_set_of_its_own_are_averaged(add_fold):
    ids = ["a", "b", "c"]
    whole = pd.concat([add_fold("gce", fold, ids=ids) for fold in range(FOLDS)])
    table = table_of(add_fold.runs)
    assert cell(table, "gce").mean == pytest.approx(dice(whole).mean())
    sources = Sources.of(add_fold.runs)
    (run_id,) = pool_folds(load_runs(sources), sources)["run_id"]
    names, values = Images(sources).mean([run_id], "dice_image")
    assert names == ids
    np.testing.assert_allclose(values, dice(whole).groupby(whole["id"]).mean())
    text = render(table, "md")
    assert "one seed per cell, the mean of the folds of a seed, which have the same test" in text
    assert "each test image once" not in text and "weighted" not in text


def read_again(table, tmp_path):
    """The table that its results.csv gives."""
    (tmp_path / "results.csv").write_text(render(table, "csv"))
    return read_results(tmp_path / "results.csv")


def test_a_missing_fold_of_a_test_set_of_its_own_lacks_no_images(add_fold, tmp_path):
    ids = ["a", "b", "c"]
    for fold in range(FOLDS):
        add_fold("gce", fold, ids=ids)
    add_fold("mae3", 0, ids=ids), add_fold("mae3", 2, ids=ids)
    table = table_of(add_fold.runs)
    text = render(table, "md")
    assert "[2 of 3 folds]" in text
    assert "[k of m folds]: runs of m − k folds are missing; compared with" in text
    assert render(read_again(table, tmp_path), "md") == text


def test_a_single_fold_does_not_tell_which_images_the_others_have(add_fold, tmp_path):
    add_fold("gce", 1)
    table = table_of(add_fold.runs)
    text = render(table, "md")
    assert "the folds of a seed together." in text and "each test image once" not in text
    assert "so the images of the others only" not in text
    assert render(read_again(table, tmp_path), "md") == text


def test_folds_that_share_some_images_are_refused(add_fold):
    add_fold("gce", 0, ids=["a", "b"]), add_fold("gce", 1, ids=["b", "c"])
    with pytest.raises(UnlikeImages, match="test images in common"):
        table_of(add_fold.runs)


def test_runs_without_folds_are_as_they_were(add_fold, add_run):
    add_run("gce", images={"a": 0.5, "b": 0.6})
    sources = Sources.of(add_run.runs)
    runs = load_runs(sources)
    assert pool_folds(runs, sources) is runs
    assert "folds" not in records(make_table(runs, ["dice_image"]))[0]
    for fold in range(FOLDS):
        add_fold("gce", fold)
    table = table_of(add_run.runs)
    assert table.labels == ("loss", "dataset.folds")
    assert sorted(found.mean for found in table.cells.values())
    whole = [found for key, found in table.cells.items() if found.folds is None]
    assert [found.mean for found in whole] == [pytest.approx(0.55)]


def test_every_metric_of_rows_of_images_is_exact(add_fold):
    whole = pd.concat([add_fold("gce", fold) for fold in range(FOLDS)])
    known = summarise(whole[whole["epoch"] == 3])
    other = summarise(whole[whole["epoch"] == 4])
    sources = Sources.of(add_fold.runs)
    row = pool_folds(load_runs(sources), sources).iloc[0]
    names = [name for name in CATALOGUE if name in known and name in row]
    assert len(names) > 8
    for name in names:
        np.testing.assert_allclose(row[name], (known[name] + other[name]) / 2, rtol=1e-12)
    assert row["test_images"] == whole["id"].nunique()


def test_losses_on_other_folds_are_not_ranked_together(add_fold, capsys):
    for loss in ("ce", "mae"):
        for fold in range(FOLDS):
            add_fold(loss, fold)
    add_fold("gce", 0)
    for seed in (0, 1):
        add_fold("rce", seed, seed=seed)
    assert main(["ranks", "--runs", str(add_fold.runs), "--no-cost"]) == 0
    told = capsys.readouterr()
    rows = [line.split("|")[1].strip() for line in told.out.splitlines() if line.startswith("| ")]
    assert {"CE", "MAE"} <= set(rows) and not {"GCE", "RCE"} & set(rows)
    assert "Left out, with no other loss to compare: " in told.out
    assert "on fold 0 (GCE)" in told.out
    assert "with other folds for other seeds (RCE)" in told.out
    assert "No intervals" not in told.err


def test_the_runs_of_several_folds_are_told_apart_whatever_their_source_is_called():
    ids = ["isic2017-ce-s0 (old + new/record)", "isic2017-ce-s1"]
    assert parts(joined(ids)) == ids
    assert parts(ids[0]) == [ids[0]]
    assert shown(joined(ids)) == " + ".join(ids)


def test_figures_of_scores_show_what_tables_do(add_fold):
    for alpha, fold, seed in np.ndindex(2, FOLDS, 2):
        add_fold("gce", fold, seed, count=3 + 4 * fold, alpha=alpha / 2)
    runs = line_names(load_runs(add_fold.runs))
    (curve,) = dice_against_alpha(runs, add_fold.runs).axes[0].get_lines()
    table = table_of(add_fold.runs)
    expected = {column.alpha: cell.mean for (_, column), cell in table.cells.items()}
    assert dict(curve.get_xydata().tolist()) == pytest.approx(expected)
    mean_of_folds = runs.groupby("alpha")["dice_image"].mean()
    assert abs(mean_of_folds[0.5] - expected[0.5]) > 0.001  # where it makes a difference


def test_figures_of_scores_leave_out_seeds_that_lack_folds(add_fold):
    for alpha, fold in np.ndindex(2, FOLDS):
        add_fold("gce", fold, alpha=alpha / 2)
        if fold < 2:
            add_fold("tloss", fold, alpha=alpha / 2)
    figures, remarks = drawn(line_names(load_runs(add_fold.runs)), add_fold.runs, "none")
    (figure,) = (figure for spec, figure in figures if spec.name == "dice_against_alpha")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["GCE"]
    assert [one for one in remarks if one.endswith("left out of dice_against_alpha.")] == [
        f"T-Loss, {place}, seed 0 has folds 0, 1 only, not folds 0, 1, 2; left out of "
        "dice_against_alpha."
        for place in ("clean masks", "α = 0.5, β = 0.5")
    ]


def test_a_fold_without_rows_is_named_where_folds_are_pooled(add_fold):
    for alpha, fold in np.ndindex(2, FOLDS):
        add_fold("gce", fold, alpha=alpha / 2)
    next(add_fold.runs.glob("*/images.csv")).unlink()
    figures, remarks = drawn(line_names(load_runs(add_fold.runs)), add_fold.runs, "none")
    assert "dice_against_alpha" not in [spec.name for spec, _ in figures]
    assert any("images.csv" in one and "left out of dice_against_alpha" in one for one in remarks)
