"""Ranks over settings, and how sure they are."""

import csv
import io
import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robustseg.cli.main import main
from robustseg.results.figures.ranked import ranks
from robustseg.results.load import load_runs
from robustseg.results.ranking.bootstrap import drawn_means
from robustseg.results.ranking.columns import mean_ranks, rank_in_columns
from robustseg.results.ranking.make_ranking import make_ranking
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.runs.files import read_csv, read_json, write_csv, write_json

RNG = np.random.default_rng(0)
NAMES = [f"{at:02d}" for at in range(40)]


@st.composite
def grids(draw, gaps=False):
    rows, columns = draw(st.integers(2, 6)), draw(st.integers(1, 5))
    cell = st.integers(0, 5).map(float)
    cell = st.one_of(cell, st.just(float("nan"))) if gaps else cell
    values = draw(st.lists(cell, min_size=rows * columns, max_size=rows * columns))
    return np.array(values).reshape(rows, columns)


@given(grids())
def test_ranks_of_a_whole_grid_are_those_of_scipy(values):
    expected = stats.rankdata(-values, axis=0)
    assert rank_in_columns(values) == pytest.approx(expected)
    assert mean_ranks(values) == pytest.approx(expected.mean(axis=1))


@given(grids(gaps=True))
def test_ranks_with_gaps_are_those_of_pandas_stretched(values):
    frame = pd.DataFrame(values)
    ranks, count = frame.rank(ascending=False), frame.notna().sum()
    expected = 1 + (ranks - 1) * (len(values) - 1) / (count - 1)
    expected.loc[:, count < 2] = np.nan
    assert rank_in_columns(values) == pytest.approx(expected.to_numpy(), nan_ok=True)


@given(grids(gaps=True), st.randoms(use_true_random=False))
def test_only_the_order_counts_and_no_row_is_favoured(values, random):
    ranks = rank_in_columns(values)
    assert rank_in_columns(np.exp(values) + 7) == pytest.approx(ranks, nan_ok=True)
    order = list(range(len(values)))
    random.shuffle(order)
    assert rank_in_columns(values[order]) == pytest.approx(ranks[order], nan_ok=True)
    for column in ranks.T[~np.isnan(ranks).all(axis=0)]:  # on average in the middle, whoever is in
        assert np.nanmean(column) == pytest.approx((len(values) + 1) / 2)


def ranking_of(add_run, images=True):
    table = make_table(load_runs(add_run.runs), ["dice_image"])
    return make_ranking(table, Images(add_run.runs) if images else None)


def flat(value, spread=0.0):
    """Images of one Dice, or around it."""
    return {name: float(value + spread * RNG.normal()) for name in NAMES}


def test_over_seeds_alone_intervals_and_wins_are_those_of_all_draws(add_run):
    """With equal images only seeds vary: all 27 draws of three seeds are enumerated."""
    dice = {"gce": [0.60, 0.70, 0.80], "mae": [0.75, 0.66, 0.71]}
    for loss, values in dice.items():
        for seed, value in enumerate(values):
            add_run(loss, 0.3, images=flat(value), seed=seed)
    values = {loss: np.array(seeds) for loss, seeds in dice.items()}
    wide = {loss: v.mean() + np.sqrt(3 / 2) * (v - v.mean()) for loss, v in values.items()}
    draws = [np.array(draw) for draw in itertools.product(range(3), repeat=3)]
    wins = [np.sign(np.round(wide["gce"][d].mean() - wide["mae"][d].mean(), 9)) for d in draws]
    expected = np.mean([(1 + sign) / 2 for sign in wins])
    found = ranking_of(add_run)
    gce, mae = found.names.index("gce"), found.names.index("mae")
    assert found.win[gce, mae] == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 2000))
    assert found.win[gce, mae] + found.win[mae, gce] == pytest.approx(1)
    assert found.seeds == (3, 3)
    assert found.interval.tolist() == [[1, 2], [1, 2]]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_over_all_draws_of_seeds_the_mean_varies_as_the_variance_of_a_mean(values):
    """s²/S with the unbiased s², which the plain bootstrap misses by the factor (S − 1)/S."""
    count = len(values)
    draws = np.array(list(itertools.product(range(count), repeat=count)))
    times = np.stack([(draws == seed).sum(axis=1) for seed in range(count)], axis=1)
    means = drawn_means(np.array(values)[:, None], np.ones((len(draws), 1)), times)
    assert means.mean() == pytest.approx(np.mean(values))
    assert means.var() == pytest.approx(np.var(values, ddof=1) / count, abs=1e-12)


def test_a_cell_of_which_no_seed_is_drawn_has_the_mean_of_all():
    scores = np.array([[0.2, 0.4], [0.6, 0.9]])
    pictures, times = np.array([[0.5, 0.5], [1.0, 0.0]]), np.zeros((2, 2), int)
    assert drawn_means(scores, pictures, times) == pytest.approx([0.525, 0.4])


def test_draws_of_wrong_masks_add_no_seeds(add_run):
    """Three seeds with two draws vary as their three means do."""
    for loss, values in {"gce": [0.6, 0.7, 0.8], "mae": [0.75, 0.66, 0.71]}.items():
        for seed, value in enumerate(values):
            add_run(loss, 0.3, images=dict.fromkeys(NAMES, value), seed=seed)
    expected = ranking_of(add_run)
    shutil.rmtree(add_run.runs)
    for loss, values in {"gce": [0.6, 0.7, 0.8], "mae": [0.75, 0.66, 0.71]}.items():
        for seed, value in enumerate(values):
            for draw, off in enumerate((-0.05, 0.05)):
                add_run(
                    loss, 0.3, images=dict.fromkeys(NAMES, value + off), seed=seed, noise_seed=draw
                )
    found = ranking_of(add_run)
    assert found.seeds == (3, 3)
    assert found.names == expected.names
    assert found.win == pytest.approx(expected.win, nan_ok=True)


def test_over_images_alone_wins_are_those_of_the_normal_distribution(add_run):
    """The mean of resampled differences has the deviation s·√((n−1)/n)/√n."""
    first, second = flat(0.60, 0.05), flat(0.605, 0.05)
    add_run("gce", 0.3, images=first)
    add_run("mae", 0.3, images=second)
    gaps = np.array([first[name] - second[name] for name in NAMES])
    expected = stats.norm.cdf(gaps.mean() / gaps.std() * np.sqrt(len(NAMES)))
    found = ranking_of(add_run)
    gce, mae = found.names.index("gce"), found.names.index("mae")
    assert found.win[gce, mae] == pytest.approx(expected, abs=0.04)


def test_images_are_drawn_for_all_losses_and_settings_together(add_run):
    """Losses that differ by the same on every image never change places, however images vary."""
    hard = flat(0.5, 0.2)
    for at, loss in enumerate(("ce", "gce", "mae")):
        for alpha in (0.3, 0.5):
            for seed in (0, 1):
                images = {name: value - 0.01 * at for name, value in hard.items()}
                add_run(loss, alpha, images=images, seed=seed)
    found = ranking_of(add_run)
    assert found.names == ("ce", "gce", "mae")
    assert found.interval.tolist() == [[1, 1], [2, 2], [3, 3]]
    assert found.win[0, 1:].tolist() == [1, 1]


def test_mean_ranks_missing_cells_and_what_is_left_out(add_run):
    grid = {
        "gce": {0.3: 0.8, 0.5: 0.7, 0.7: 0.3},
        "mae": {0.3: 0.7, 0.5: 0.6, 0.7: 0.5},
        "ce": {0.3: 0.6, 0.7: 0.4},
    }
    for loss, values in grid.items():
        for alpha, value in values.items():
            add_run(loss, alpha, value)
    add_run("ce", 0.9, 0.2)
    found = ranking_of(add_run, images=False)
    frame = pd.DataFrame(grid).T.reindex(columns=[0.3, 0.5, 0.7])
    stretched = frame.rank(ascending=False)
    stretched[0.5] = 1 + (stretched[0.5] - 1) * 2
    assert dict(zip(found.names, found.mean, strict=True)) == pytest.approx(
        dict(stretched.mean(axis=1).items())
    )
    without = [stretched.drop(columns=alpha).mean(axis=1) for alpha in stretched]
    for name, ends in zip(found.names, found.without, strict=True):
        own = [one[name] for one in without]
        assert ends.tolist() == pytest.approx([min(own), max(own)])
    assert found.missing == ("CE at α=0.5 β=0.5",)
    assert found.alone == ("α=0.9 β=0.5 (CE)",)
    # By hand: without .3 all three are at 2 and the best stays; without .5 it is 2, 1.5, 2.5.
    assert dict(found.first_without) == {
        "α=0.3 β=0.5": "gce", "α=0.5 β=0.5": "mae", "α=0.7 β=0.5": "gce",
    }  # fmt: skip
    assert (found.interval, found.win) == (None, None)
    assert len(found.groups) == 1


def test_what_is_ranked_in_one_setting_alone_is_not_overtaken_without_it(add_run, capsys):
    for loss, values in {"gce": (0.7, 0.6), "mae": (0.6, 0.7), "tloss": (0.9,)}.items():
        for alpha, value in zip((0.5, 0.7), values, strict=False):
            add_run(loss, alpha, value)
    found = ranking_of(add_run, images=False)
    assert found.names[0] == "tloss"
    assert dict(found.first_without) == {"α=0.5 β=0.5": None, "α=0.7 β=0.5": "tloss"}
    _, text, _ = command(add_run, capsys, "--metric", "dice_image")
    assert "One left out: T-Loss has no rank without α=0.5 β=0.5." in text


def test_lower_is_better_where_it_is(add_run):
    for loss, value in (("gce", 0.1), ("mae", 0.2)):
        add_run(loss, 0.3, {"hd95": value})
    found = make_ranking(make_table(load_runs(add_run.runs), ["hd95"]), None)
    assert found.names == ("gce", "mae")


def test_a_distance_that_is_lower_wins(add_run):
    for loss, value in (("gce", 0.1), ("mae", 0.2)):
        folder = add_run(loss, 0.3, images=flat(0.5))
        write_csv(folder.images, [row | {"hd95": value} for row in read_csv(folder.images)])
        write_json(folder.metrics, read_json(folder.metrics) | {"hd95": value})
    table = make_table(load_runs(add_run.runs), ["hd95"])
    found = make_ranking(table, Images(add_run.runs))
    assert found.names == ("gce", "mae")
    assert found.interval.tolist() == [[1, 1], [2, 2]]
    assert (found.win[0, 1], found.win[1, 0]) == (1, 0)


def test_wins_are_of_the_settings_in_which_two_losses_meet(add_run):
    """mae is better by .1 in the one setting that it has with gce; ce never meets mae."""
    for loss, alpha, value in (
        ("gce", 0.3, 0.5), ("mae", 0.3, 0.6), ("gce", 0.5, 0.5), ("ce", 0.5, 0.4)
    ):  # fmt: skip
        add_run(loss, alpha, images=dict.fromkeys(NAMES, value))
    found = ranking_of(add_run)
    place = {name: at for at, name in enumerate(found.names)}
    assert found.win[place["mae"], place["gce"]] == 1
    assert found.win[place["gce"], place["ce"]] == 1
    assert np.isnan(found.win[place["mae"], place["ce"]])
    assert np.isnan(found.win[place["ce"], place["mae"]])


def test_an_area_ratio_is_better_the_nearer_it_is_to_1(add_run, capsys):
    ratios = {"gce": 0.5, "mae": 1.9, "ce": 1.1, "tloss": 0.0}  # ½ is farther than 1.9
    for loss, value in ratios.items():
        add_run(loss, 0.3, {"area_ratio": value})
    code, text, errors = command(add_run, capsys, "--metric", "area_ratio")
    assert code == 0 and "area_ratio is not a mean over images" in errors
    assert "Ranks by area_ratio (nearest to 1 first), 1 the best" in text
    lines = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("|")][2:]
    assert [[word.strip() for word in line] for line in lines] == [
        ["CE", "1.00"],
        ["MAE", "2.00"],
        ["GCE", "3.00"],
        ["T-Loss", "4.00"],
    ]


def test_seeds_and_settings_are_chosen_as_in_tables(experiments, capsys):
    experiments("gce", 0.5, images=flat(0.9), dataset="isic2017", seed=1)
    experiments("mae", 0.5, images=flat(0.8), dataset="isic2017", seed=1)
    for words in (["--where", "alpha=0.5"], ["--seeds", "1"]):
        code, text, _ = command(experiments, capsys, *words)
        assert code == 0 and "averaged over 1 setting: α=0.5 β=0.5." in text


def test_a_wrong_call_shows_the_usage_of_its_command(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["ranks", "--nosuch"])
    assert capsys.readouterr().err.startswith("usage: robustseg ranks ")


def command(add_run, capsys, *words):
    code = main(["ranks", *words, "--runs", str(add_run.runs)])
    return code, *capsys.readouterr()


def paid(folder, seconds, processor, steps=1000, threads=1):
    """Give a run a cost."""
    write_json(folder.metrics, read_json(folder.metrics) | {"steps": steps})
    cost = {"train_seconds": seconds, "evaluation_seconds": 36.0, "peak_memory_mb": 500.0}
    cost |= {} if processor == "slow" else {"processor_seconds": 180.0}
    folder.update_status(cost=cost, processor=processor, accelerator="cpu", threads=threads)


@pytest.fixture
def experiments(add_run):
    """Two experiments on two data sets, on two processors."""
    for dataset, losses in (("isic2017", ("gce", "mae")), ("shenzhen", ("gce", "mae", "ce"))):
        for at, loss in enumerate(losses):
            folder = add_run(
                loss, 0.3, images=flat(0.6 + 0.1 * at), dataset=dataset, experiments=[dataset]
            )
            paid(folder, 324.0 * (1 + at), "fast" if dataset == "isic2017" else "slow")
    return add_run


def test_experiments_together_and_each(experiments, capsys):
    code, text, errors = command(experiments, capsys, "isic2017", "shenzhen")
    assert (code, errors) == (0, "")
    assert "averaged over 2 settings: isic2017 α=0.3 β=0.5; shenzhen α=0.3 β=0.5." in text
    assert "no run of CE at isic2017 α=0.3 β=0.5" in text
    assert "| CE " in text
    assert "one seed per cell" in text
    code, text, _ = command(experiments, capsys, "isic2017")
    assert "averaged over 1 setting: α=0.3 β=0.5." in text
    assert "| CE " not in text


def test_costs_are_never_averaged_over_processors(experiments, capsys):
    paid(experiments("gce", 0.5, images=flat(0.6), dataset="isic2017"), 324.0, "slow")
    paid(experiments("mae", 0.5, images=flat(0.7), dataset="isic2017"), 900.0, "fast", threads=2)
    text = command(experiments, capsys)[1]
    lines = [
        [word.strip() for word in line.split("|")[1:-1]]
        for line in text.splitlines()
        if "thread" in line
    ]
    assert ["isic2017, fast, 1 thread", "GCE", "1", "324.0", "0.10", "0.05", "500"] in lines
    assert ["isic2017, slow, 1 thread", "GCE", "1", "324.0", "0.10", "–", "500"] in lines
    assert ["isic2017, fast, 2 threads", "MAE", "1", "900.0", "0.26", "0.05", "500"] in lines
    assert len(lines) == 7
    assert {line[2] for line in lines} == {"1"}


def test_losses_that_never_meet_are_told(add_run, capsys):
    for dataset, losses in (("isic2017", ("gce", "mae")), ("shenzhen", ("ce", "dice"))):
        for loss in losses:
            add_run(loss, 0.3, dataset=dataset)
    _, text, errors = command(add_run, capsys)
    assert "their ranks say nothing about each other: " in text
    assert "No intervals" in errors


@pytest.mark.parametrize("style", ["md", "csv"])
def test_a_loss_that_is_alone_in_its_columns_has_no_costs(experiments, capsys, style):
    paid(experiments("dice", 0.7, images=flat(0.6), dataset="shenzhen"), 324.0, "fast")
    code, text, _ = command(experiments, capsys, "--format", style)
    assert code == 0
    if style == "md":
        assert "Left out, with no other loss to compare: shenzhen α=0.7 β=0.5 (Dice)." in text
        assert "| Dice " not in text
    else:
        assert {row["loss"] for row in csv.DictReader(io.StringIO(text))} == {"gce", "mae", "ce"}
        assert "(shenzhen, fast, 1 thread)" not in text


@pytest.mark.parametrize("style", ["md", "latex", "html", "csv", "json"])
def test_every_format_names_every_loss(experiments, capsys, style):
    code, text, _ = command(experiments, capsys, "--format", style)
    assert code == 0
    names = ("gce", "mae", "ce") if style in ("csv", "json") else ("GCE", "MAE", "CE")
    assert all(loss in text for loss in names)


def test_csv_and_json_have_the_same_record_a_loss(experiments, capsys):
    records = json.loads(command(experiments, capsys, "--format", "json")[1])
    rows = list(csv.DictReader(io.StringIO(command(experiments, capsys, "--format", "csv")[1])))
    assert [list(row) for row in rows] == [list(record) for record in records]
    for row, record in zip(rows, records, strict=True):
        assert row == {k: "" if v is None else str(v) for k, v in record.items()}
    gce = next(record for record in records if record["loss"] == "gce")
    assert gce["beats gce"] is None
    assert gce["step_ms (isic2017, fast, 1 thread)"] == 324.0


def test_the_figure_has_the_intervals(experiments, capsys, tmp_path):
    file = tmp_path / "out" / "ranks.svg"
    assert command(experiments, capsys, "--figure", str(file))[0] == 0
    assert file.read_text().startswith("<?xml")
    ranking = make_ranking(
        make_table(load_runs(experiments.runs), ["dice_image"]), Images(experiments.runs)
    )
    (axis,) = ranks(ranking).get_axes()
    assert [text.get_text() for text in axis.get_yticklabels()] == [
        name.upper() for name in ranking.names
    ]
    drawn = [list(line.get_xdata()) for line in axis.get_lines()]
    for at in range(len(ranking.names)):
        assert drawn[3 * at : 3 * at + 3] == [
            pytest.approx(ranking.without[at], nan_ok=True),
            pytest.approx(ranking.interval[at]),
            [ranking.mean[at]],
        ]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--metric", "nosuch"), 2, "no run has a number 'nosuch'"),
        (("--metric", "threshold"), 2, "no order from better to worse"),
        (("nosuch",), 1, "none of the 5 finished runs has experiment=nosuch"),
        (("--loss", "ce"), 1, "no column has two losses"),
        (("isic2017", "nosuch"), 1, "no finished run belongs to the experiment 'nosuch'"),
        (("--where", "alhpa=0.3"), 2, "did you mean alpha?"),
        (("--figure", "ranks.txt"), 2, "name a .png, .svg or .pdf"),
    ],
)
def test_mistakes_are_answered(experiments, capsys, words, code, told):
    folder = next(path for path in experiments.runs.iterdir())
    metrics = read_json(folder / "metrics.json")
    write_json(folder / "metrics.json", metrics | {"threshold": 0.5})
    found, _, errors = command(experiments, capsys, *words)
    assert found == code
    assert told in errors
