"""Test images of one case (patient, slide) count together, in tests and in intervals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from robustseg.errors import NoImages, NoRuns, UnlikeImages
from robustseg.results.claims.claims_text import records, render_claims
from robustseg.results.claims.intervals import over_images, over_seeds
from robustseg.results.claims.make_claims import make_claims
from robustseg.results.claims.sentences import sentence
from robustseg.results.load import load_runs
from robustseg.results.ranking.bootstrap import _drawn_images
from robustseg.results.ranking.make_ranking import make_ranking
from robustseg.results.tables.by_case import means_of_cases, values_of_cases
from robustseg.results.tables.comparison import add_intervals, compare
from robustseg.results.tables.image_scores import Images
from robustseg.results.tables.make_table import make_table
from robustseg.results.tables.notes import notes
from robustseg.results.tables.render import render
from robustseg.results.tables.results_file import read_results
from robustseg.runs.files import write_csv

SIZES = [1, 1, 2, 3, 5, 8, 13, 2, 4, 1, 6, 3]
CASES = np.repeat(np.arange(len(SIZES)), SIZES)
NAMES = [f"image{at:02d}" for at in range(len(CASES))]


@st.composite
def grouped(draw):
    """Values of images in several rows, and the number of each image's case."""
    cases = draw(st.lists(st.integers(0, 6), min_size=2, max_size=30))
    numbers = {}
    cases = np.array([numbers.setdefault(case, len(numbers)) for case in cases])
    shape = draw(st.integers(1, 3)), len(cases)
    values = draw(arrays.arrays(float, shape, elements=st.floats(-1, 1, width=32)))
    return values, cases


@given(grouped())
def test_their_mean_and_its_variance_are_those_of_drawing_cases(given):
    values, cases = given
    found = values_of_cases(values, cases)
    assert found.shape == (len(values), cases.max() + 1)
    assert found.mean(-1) == pytest.approx(values.mean(-1), abs=1e-9)
    of_cases = pd.DataFrame(values.T).groupby(cases)
    assert means_of_cases(values, cases).T == pytest.approx(of_cases.mean().to_numpy(), abs=1e-9)
    count = cases.max() + 1
    if count > 1:
        sums = (values - values.mean(-1, keepdims=True)) @ np.eye(count)[cases]
        robust = count / (count - 1) * (sums**2).sum(-1) / len(cases) ** 2
        assert found.var(-1, ddof=1) / count == pytest.approx(robust, abs=1e-9)


@given(grouped())
def test_images_that_are_their_own_case_stay_as_they_are(given):
    values, _ = given
    alone = np.arange(values.shape[-1])
    for function in (values_of_cases, means_of_cases):
        assert function(values, alone) == pytest.approx(values, abs=1e-9)
        assert function(values, None) is not None
        assert np.array_equal(function(values, None), values)


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    cases = np.repeat(np.arange(40), rng.integers(1, 8, 40))
    values = rng.normal(size=(4000, 40))[:, cases] + rng.normal(size=(4000, len(cases)))
    held = {}
    for name, drawn in (("cases", values_of_cases(values, cases)), ("images", values)):
        found = over_images(drawn)
        held[name] = np.mean((found.low < 0) & (found.high > 0))
    assert held["cases"] == pytest.approx(0.95, abs=0.02)
    assert held["images"] < 0.85


def test_intervals_of_methods_hold_it_too():
    rng = np.random.default_rng(1)
    cases = np.repeat(np.arange(40), rng.integers(1, 8, 40))
    of_cases, of_seeds = rng.normal(size=(2000, 1, 40)), rng.normal(size=(2000, 3, 1)) / 4
    rest = rng.normal(size=(2000, 3, len(cases)))
    found = over_seeds(values_of_cases(of_cases[..., cases] + of_seeds + rest, cases))
    assert np.mean((found.low < 0) & (found.high > 0)) == pytest.approx(0.955, abs=0.02)


@pytest.fixture
def runs(add_run):
    """Three seeds of three losses on images of twelve cases; values by loss, (seeds, images)."""
    rng = np.random.default_rng(3)
    values = {}
    for loss, shift in (("gce", 0.0), ("mae", 0.02), ("tloss", 0.06)):
        of_cases = rng.uniform(0, 0.1, len(SIZES))[CASES]
        values[loss] = 0.5 + shift + of_cases + rng.uniform(0, 0.1, (3, len(CASES)))
        for seed, row in enumerate(values[loss]):
            folder = add_run(loss, images=dict(zip(NAMES, row.tolist(), strict=True)), seed=seed)
            write_split(folder, [f"{number:03d}" for number in CASES])
    return add_run.runs, values


def write_split(folder, cases):
    rows = [
        {"id": name, "split": "test", "case": case, "pixels": "xxh3:0"}
        for name, case in zip(NAMES, cases, strict=True)
    ]
    write_csv(folder.split, [{**rows[0], "id": "t0", "split": "train"}, *rows])


def table_of(runs):
    return make_table(load_runs(runs), ["dice_image"])


def test_claims_are_over_cases(runs):
    runs, values = runs
    claims = make_claims(table_of(runs), Images(runs))
    for claim in claims.claims:
        apart = values[claim.first] - values[claim.second]
        assert (claim.images, claim.cases) == (len(CASES), len(SIZES))
        assert claim.difference == pytest.approx(apart.mean())
        means = pd.Series(apart.mean(0)).groupby(CASES).mean()
        assert claim.p == pytest.approx(stats.wilcoxon(means, zero_method="pratt").pvalue)
        drawn = values_of_cases(apart, CASES)
        test = stats.ttest_1samp(drawn.mean(0), 0).confidence_interval(0.95)
        assert claim.interval == pytest.approx((test.low, test.high))
        methods = over_seeds(drawn)
        assert claim.methods.interval == pytest.approx((methods.low, methods.high))
        assert f"on these {len(CASES)} images of 12 cases the networks" in sentence(claim)
    assert {record["cases"] for record in records(claims)} == {12}
    text = render_claims(claims, "md")
    assert "those of a case count together" in text
    assert "count as independent" not in text


def test_tables_test_cases_and_say_so(runs):
    runs, values = runs
    images = Images(runs)
    table = add_intervals(compare(table_of(runs), images), images)
    compared = {row[0]: cell.comparison for (row, _), cell in table.cells.items()}
    assert compared.pop("tloss") is None
    for loss, found in compared.items():
        means = pd.Series((values["tloss"] - values[loss]).mean(0)).groupby(CASES).mean()
        assert found.p == pytest.approx(stats.wilcoxon(means, zero_method="pratt").pvalue)
        assert (found.n, found.of_cases) == (12, True)
    said = " ".join(notes(table, intervals=True))
    assert "signed-rank test over 12 cases (patients, slides), each averaged over its test" in said
    for (row, _), cell in table.cells.items():
        alone = stats.bootstrap(
            (values[row[0]].mean(0),), np.mean, method="percentile", rng=0
        ).confidence_interval
        assert np.ptp(cell.interval) > 1.2 * (alone.high - alone.low)


def test_ranks_draw_cases(runs):
    runs, _ = runs
    with_cases = make_ranking(table_of(runs), Images(runs))
    for split in runs.glob("*/split.csv"):
        split.unlink()
    without = make_ranking(table_of(runs), Images(runs))
    assert np.array_equal(with_cases.mean, without.mean)
    assert not np.array_equal(with_cases.win, without.win)


def test_drawn_cases_spread_as_the_closed_form_says():
    weights = _drawn_images(np.random.default_rng(0), CASES)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert pd.DataFrame(weights.T).groupby(CASES).nunique().to_numpy().max() == 1
    values = np.random.default_rng(1).uniform(size=len(CASES))
    robust = values_of_cases(values, CASES).std(ddof=1) / len(SIZES) ** 0.5
    assert (weights @ values).std() == pytest.approx(robust, rel=0.2)


def test_without_cases_nothing_changes(runs):
    runs, _ = runs
    grouped = make_claims(table_of(runs), Images(runs))
    for folder in runs.iterdir():
        rows = (folder / "split.csv").read_text().splitlines()
        cells = [row.split(",") for row in rows]
        (folder / "split.csv").write_text(
            "\n".join(",".join([*row[:2], "", row[3]]) if at else ",".join(row)
                      for at, row in enumerate(cells)) + "\n"
        )  # fmt: skip
    alone = make_claims(table_of(runs), Images(runs))
    for one, other in zip(grouped.claims, alone.claims, strict=True):
        assert one.difference == pytest.approx(other.difference)
        assert (other.images, other.cases) == (len(CASES), None)
        assert f"on these {len(CASES)} images the networks" in sentence(other)
    assert "count as independent" in render_claims(alone, "md")


def test_a_run_that_does_not_tell_leaves_it_to_the_others(runs):
    runs, _ = runs
    next(iter(sorted(runs.iterdir()))).joinpath("split.csv").unlink()
    assert {claim.cases for claim in make_claims(table_of(runs), Images(runs)).claims} == {12}


def test_names_that_look_like_equal_numbers_are_different_cases(runs):
    runs, _ = runs
    names = ["7", "07", "7.0", "7e0", *(f"p{at}" for at in range(len(CASES) - 5)), "7"]
    rows = pd.DataFrame({"id": NAMES, "split": "test", "case": names, "pixels": "xxh3:0"})
    for folder in runs.iterdir():
        rows.to_csv(folder / "split.csv", index=False)
    claims = make_claims(table_of(runs), Images(runs)).claims
    assert {claim.cases for claim in claims} == {len(CASES) - 1}


def test_runs_that_tell_different_cases_are_not_compared(runs):
    runs, _ = runs
    folder = next(iter(sorted(runs.iterdir())))
    rows = pd.read_csv(folder / "split.csv", dtype=str)
    rows.loc[1, "case"] = rows.loc[5, "case"]
    rows.to_csv(folder / "split.csv", index=False)
    with pytest.raises(UnlikeImages, match="group their test images into different cases"):
        make_claims(table_of(runs), Images(runs))


@pytest.mark.parametrize("images", [1, 5])
def test_one_case_alone_supports_no_claim(add_run, images):
    for loss in ("gce", "tloss"):
        values = {name: 0.1 + at / 10 for at, name in enumerate(NAMES[:images])}
        folder = add_run(loss, images=values)
        rows = [{"id": name, "split": "test", "case": "p"} for name in values]
        write_csv(folder.split, rows)
    table = table_of(add_run.runs)
    with pytest.raises(NoRuns, match="of two cases"):
        make_claims(table, Images(add_run.runs))
    images = Images(add_run.runs)
    shown = add_intervals(compare(table, images), images)
    assert {cell.interval for cell in shown.cells.values()} == {None}


def test_a_damaged_list_of_cases_is_named(runs):
    runs, _ = runs
    split = next(iter(sorted(runs.iterdir()))) / "split.csv"
    split.write_bytes(b"id,split,case\n\xff\n")
    with pytest.raises(NoImages, match=f"{split} is not UTF-8"):
        make_claims(table_of(runs), Images(runs))


def test_a_results_file_keeps_what_was_tested(runs, tmp_path):
    place, _ = runs
    table = compare(table_of(place), Images(place))
    file = tmp_path / "results.csv"
    file.write_text(render(table, "csv"))
    assert "over 12 cases (patients, slides)" in render(table, "md")
    assert render(read_results(file), "md") == render(table, "md")
    older = pd.read_csv(file, dtype=str).drop(columns="of_cases")
    older.to_csv(file, index=False)
    assert "over 12 test images" in render(read_results(file), "md")
