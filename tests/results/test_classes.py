"""Metrics of one class, whose images differ by what networks predict, and those without images."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from robustseg.cli.main import main
from robustseg.errors import UnlikeImages
from robustseg.metrics.summary import summarise_last
from robustseg.results.claims.make_claims import make_claims
from robustseg.results.load import load_runs
from robustseg.results.ranking.make_ranking import make_ranking
from robustseg.results.tables.comparison import add_intervals, compare
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.paired_tests import bootstrap_mean
from robustseg.runs.files import write_csv

N = 20  # images; the last two have no heart
LOSSES = {"gce": (18,), "mae": (), "tloss": (18, 19)}  # in which of those a heart is found


@pytest.fixture
def add_maps(add_run):
    """Write a run on label maps of a lung and a heart, of one evaluation; gives its hearts' Dice.

    Where there is no heart, one that is found has a Dice of 0 and none has 1.
    """

    def add(loss, found, first=0, **labels):
        rng = np.random.default_rng([len(loss), labels.get("seed", 0)])
        rows = []
        for at in range(first, first + N):
            heart = at < N - 2
            tp = {"lung": int(rng.integers(20, 40)), "heart": int(rng.integers(5, 10)) * heart}
            fp = {"lung": int(rng.integers(0, 9)), "heart": 3 if heart or at in found else 0}
            counts = {}
            for name in tp:
                own = {"tp": tp[name], "fp": fp[name], "fn": 2 if tp[name] else 0}
                own["tn"] = 100 - sum(own.values())
                counts |= {f"{kind}/{name}": count for kind, count in own.items()}
            rows.append({"epoch": 1, "id": f"image{at:02d}", **counts})
        frame = pd.DataFrame(rows)
        numbers = summarise_last({name: frame[name] for name in frame.columns[2:]} | {
            "epoch": frame["epoch"]}, 1)  # fmt: skip
        numbers = {name: value for name, value in numbers.items() if not np.isnan(value)}
        run = add_run(loss, 0.3, {**numbers, "test_images": N, "evaluations": 1}, **labels)
        write_csv(run.images, rows)
        dice = (
            2 * frame["tp/heart"] / (2 * frame["tp/heart"] + frame["fp/heart"] + frame["fn/heart"])
        )
        return dice.fillna(1).to_numpy()

    return add


def paired(values, one, other):
    """Differences over the images in which a heart is, or is found by one of the two."""
    count = [*range(N - 2), *sorted({*LOSSES[one], *LOSSES[other]})]
    return (values[one] - values[other])[count]


def test_a_false_alarm_of_one_network_leaves_tests_claims_and_ranks(add_maps, add_run):
    values = {loss: add_maps(loss, found) for loss, found in LOSSES.items()}
    images = Images(add_run.runs)
    metrics = ["dice_image", "dice_image/heart"]
    table = compare(make_table(load_runs(add_run.runs), metrics), images)
    (column,) = (one for one in table.columns if one.metric == "dice_image/heart")
    pairs = list(itertools.combinations(LOSSES, 2))
    claims = [one for one in make_claims(table, images).claims if one.column == column]
    assert [(one.first, one.second) in pairs or (one.second, one.first) in pairs
            for one in claims] == [True] * 3  # fmt: skip
    for claim in claims:
        differences = paired(values, claim.first, claim.second)
        assert claim.images == len(differences)
        assert claim.difference == pytest.approx(differences.mean())
        assert claim.p == pytest.approx(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    assert {one.images for one in claims} == {19, 20}
    best = next(row[0] for row, at in table.cells if at == column and table.cells[row, at].best)
    for loss in set(LOSSES) - {best}:
        found = table.cells[(loss,), column].comparison
        differences = paired(values, loss, best)
        assert found.n == len(differences)
        assert found.p == pytest.approx(stats.wilcoxon(differences, zero_method="pratt").pvalue)
    p = [stats.wilcoxon(paired(values, *pair), zero_method="pratt").pvalue for pair in pairs]
    assert {round(one.p, 12) for one in claims} == {round(one, 12) for one in p}
    assert table.test.family == 6
    own = table.cells[("gce",), column]
    assert own.mean == pytest.approx(values["gce"][:19].mean())
    ranking = make_ranking(make_table(load_runs(add_run.runs), metrics[1:]), images)
    assert ranking.interval is not None
    corrected = multipletests([one.p for one in make_claims(table, images).claims], method="holm")
    assert [one.p_corrected for one in make_claims(table, images).claims] == pytest.approx(
        corrected[1]
    )


def test_seeds_with_other_false_alarms_have_an_interval(add_maps, add_run):
    values = np.mean([add_maps("gce", found, seed=at) for at, found in enumerate([(18,), ()])], 0)
    add_maps("mae", ())
    table = make_table(load_runs(add_run.runs), ["dice_image/heart"])
    table = add_intervals(table, Images(add_run.runs))
    cell = next(cell for (row, _), cell in table.cells.items() if row == ("gce",))
    assert cell.interval == pytest.approx(tuple(bootstrap_mean(values[None, :19])[0]))


def test_other_images_are_refused(add_maps, add_run):
    add_maps("gce", ()), add_maps("mae", (), first=1)
    table = make_table(load_runs(add_run.runs), ["dice_image/heart"])
    with pytest.raises(UnlikeImages, match="image00 is in only one of them"):
        compare(table, Images(add_run.runs))


def test_a_metric_without_images_leaves_the_tests_of_the_others(add_run, capsys):
    rng = np.random.default_rng(0)
    for loss in ("gce", "mae"):
        images = {f"image{at}": float(rng.uniform(0.5, 0.9)) for at in range(20)}
        run = add_run(loss, 0.3, images=images)
        numbers = run.metrics.read_text().replace('"dice_image"', '"hd95": 0.1, "dice_image"', 1)
        run.metrics.write_text(numbers)
    words = ["table", "--runs", str(add_run.runs), "--metric", "dice_image", "hd95", "--ci"]
    assert main(words[:-1]) == 0
    output, said = capsys.readouterr()
    assert "over 20 test images" in output and "Not tested: hd95." in output
    assert "No test over images of hd95: " in said and "does not give hd95" in said
    assert main([*words[:-1], "--format", "csv"]) == 0
    output, said = capsys.readouterr()
    assert "No intervals of hd95: " in said
    header, *rows = (line.split(",") for line in output.splitlines())
    low, metric = header.index("low"), header.index("metric")
    assert {row[metric]: bool(row[low]) for row in rows} == {"dice_image": True, "hd95": False}
    assert main([*words, "--test", "images"]) == 1
    assert "does not give hd95" in capsys.readouterr().err
