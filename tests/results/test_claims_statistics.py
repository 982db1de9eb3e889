"""Intervals and chances against scipy, statsmodels and simulations with a known truth."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robustseg.results.claims.intervals import (
    MARGIN,
    MOST_SEEDS,
    over_images,
    over_seeds,
    seeds_needed,
)
from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location(
    "simulated_claims", ROOT / "experiments" / "simulated_claims.py"
)
simulated = importlib.util.module_from_spec(spec)
spec.loader.exec_module(simulated)

numbers = st.floats(-1, 1, allow_nan=False).map(lambda value: round(value, 6))


@given(st.lists(numbers, min_size=2, max_size=40).filter(lambda values: len(set(values)) > 1))
def test_over_images_is_the_paired_t_of_scipy(values):
    found = over_images(values)
    ours, theirs = np.array(values) + 0.25, np.full(len(values), 0.25)
    two_sided = stats.ttest_rel(ours, theirs)
    interval = two_sided.confidence_interval(0.95)
    assert [found.low, found.high] == pytest.approx([interval.low, interval.high], abs=1e-9)
    one_sided = stats.ttest_rel(ours, theirs, alternative="greater").pvalue
    assert found.chance == pytest.approx(one_sided, abs=1e-6)


def test_the_chance_is_the_posterior_of_the_mean_difference():
    """Draws of μ given the data, with the prior 1/σ, by way of σ²."""
    values = np.random.default_rng(0).normal(0.02, 0.1, 25)
    rng, draws = np.random.default_rng(1), 200_000
    variance = 24 * values.var(ddof=1) / rng.chisquare(24, draws)
    means = rng.normal(values.mean(), np.sqrt(variance / 25))
    share = (means < 0).mean()
    assert over_images(values).chance == pytest.approx(share, abs=4 * (share / draws) ** 0.5)


def test_without_variation_the_chance_is_sure():
    found = over_images([[0.1] * 5, [0.0] * 5, [-0.1] * 5, [0.1 + 0.2 - 0.3] * 5])
    assert found.chance.tolist() == [0, 0.5, 1, 0.5]
    assert (found.low == found.high).all()


def test_two_images_or_more_are_needed():
    with pytest.raises(ValueError, match="two images or more, got 1"):
        over_images([0.5])
    with pytest.raises(ValueError, match="3 seeds and two images or more, got 2 and 9"):
        over_seeds(np.zeros((2, 9)))


def test_many_pairs_at_once_are_each_by_itself():
    values = np.random.default_rng(0).normal(size=(4, 3, 20))
    together = over_seeds(values)
    for at, one in enumerate(values):
        alone = over_seeds(one)
        assert [float(part[at]) for part in together] == pytest.approx([*map(float, alone)])
    assert over_images(values[:, 0]).chance[2] == over_images(values[2, 0]).chance


def test_variances_are_those_of_an_analysis_of_variance():
    """Mean squares of statsmodels' two-way layout, and what they are expected to be."""
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    rng = np.random.default_rng(0)
    seeds, n = 4, 15
    values = rng.normal(size=(seeds, n)) + rng.normal(size=n) + rng.normal(size=(seeds, 1))
    places = [(seed, image) for seed in range(seeds) for image in range(n)]
    frame = pd.DataFrame(places, columns=["seed", "image"]).assign(d=values.ravel())
    squares = anova_lm(ols("d ~ C(image) + C(seed)", frame).fit())["mean_sq"]
    found = over_seeds(values)
    assert found.rest == pytest.approx(squares["Residual"])
    assert found.image == pytest.approx((squares["C(image)"] - squares["Residual"]) / seeds)
    assert found.seed == pytest.approx((squares["C(seed)"] - squares["Residual"]) / n)


def test_variances_are_those_of_restricted_maximum_likelihood():
    """In a balanced layout with positive estimates the two agree: statsmodels' mixed model."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(3)
    seeds, n = 4, 12
    values = rng.normal(size=(seeds, n)) + 2 * rng.normal(size=n) + rng.normal(size=(seeds, 1))
    image, seed = np.tile(np.arange(n), seeds), np.repeat(np.arange(seeds), n)
    crossed = {"image": "0 + C(image)", "seed": "0 + C(seed)"}
    frame = pd.DataFrame({"d": values.ravel(), "image": image, "seed": seed, "all": 1})
    model = MixedLM.from_formula("d ~ 1", frame, groups="all", vc_formula=crossed).fit()
    found = over_seeds(values)
    assert found.image > 0 < found.seed
    assert [found.image, found.seed] == pytest.approx(model.vcomp, rel=1e-2)
    assert found.rest == pytest.approx(model.scale, rel=1e-2)
    assert found.mean == pytest.approx(model.fe_params["Intercept"])


def test_where_only_seeds_vary_it_is_the_t_interval_of_their_means():
    shifts = np.array([0.1, 0.3, 0.35, 0.2])
    found = over_seeds(np.repeat(shifts[:, None], 50, axis=1))
    interval = stats.ttest_1samp(shifts, 0).confidence_interval(0.95)
    assert [found.low, found.high] == pytest.approx([interval.low, interval.high])
    assert found.df == pytest.approx(3)
    assert (found.image, found.rest) == pytest.approx((0, 0), abs=1e-15)


def test_where_seeds_do_not_matter_it_is_the_interval_over_images():
    values = np.random.default_rng(0).normal(size=30)
    found, alone = over_seeds(np.tile(values, (5, 1))), over_images(values)
    assert [found.low, found.high] == pytest.approx([alone.low, alone.high])
    assert found.df == pytest.approx(29)
    assert found.seed == pytest.approx(0, abs=1e-15)


def test_differences_that_do_not_vary_at_all():
    found = over_seeds(np.full((3, 5), 0.1))
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


@given(st.integers(0, 10_000), st.floats(-1, 1), st.floats(0.1, 10))
def test_intervals_follow_shifts_scales_and_orders(draw, shift, scale):
    rng = np.random.default_rng(draw)
    values = rng.normal(size=(4, 9)) + rng.normal(size=(4, 1))
    found = over_seeds(values)
    moved = over_seeds(rng.permutation(rng.permutation(scale * values + shift, axis=0), axis=1))
    ends = scale * np.array([found.mean, found.low, found.high]) + shift
    assert [moved.mean, moved.low, moved.high] == pytest.approx(list(ends), abs=1e-9)
    turned, images = over_images(-values[0]), over_images(values[0])
    assert (turned.low, turned.high) == pytest.approx((-images.high, -images.low))
    assert turned.chance == pytest.approx(1 - images.chance)


def half_width(image, seed, rest, n, seeds):
    t = [stats.t.ppf(0.975, df) for df in (n - 1, seeds - 1)]
    return (t[0] ** 2 * (image + rest / seeds) / n + t[1] ** 2 * seed / seeds) ** 0.5


@given(st.floats(0, 2e-3), st.floats(0, 1e-3), st.floats(0, 0.1), st.integers(20, 600))
def test_seeds_needed_are_the_fewest_that_are_enough(image, seed, rest, n):
    found = int(seeds_needed(image, seed, rest, n))
    if stats.t.ppf(0.975, n - 1) * (image / n) ** 0.5 > MARGIN:
        assert found == 0
        return
    if found <= MOST_SEEDS:
        assert half_width(image, seed, rest, n, found) <= MARGIN * (1 + 1e-12)
    if found > 3:
        assert half_width(image, seed, rest, n, found - 1) > MARGIN * (1 - 1e-12)


def test_the_range_of_the_seed_part_holds_the_truth():
    """Of 2000 draws about 95 %: three standard errors are .015."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 5, 40)) + rng.normal(size=(2000, 5, 1)) * 0.5
    found = over_seeds(values)
    held = (found.seed_low <= 0.25) & (found.seed_high >= 0.25)
    assert held.mean() == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("losses, columns", [(3, 1), (4, 1), (10, 1), (3, 7), (4, 7), (10, 7)])
def test_equal_losses_are_rarely_marked(losses, columns):
    """At most .05 and three standard errors of 500 tables; the former rule marks more."""
    tables = 500
    former, present = simulated.false_marks(losses, columns, tables, images=60)
    assert present <= 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5
    assert former > present
    if losses == 10:
        assert former > 0.05 + 3 * (0.05 * 0.95 / tables) ** 0.5


@pytest.mark.parametrize("images", [20, 200])
def test_the_interval_over_images_covers(images):
    draws = 5000
    held = simulated.coverage_of_networks(images, draws, skew=False)
    assert held == pytest.approx(0.95, abs=3 * (0.05 * 0.95 / draws) ** 0.5)


def test_images_of_one_patient_are_not_independent():
    """Why claims say so: five images a patient, half of the variance the patient's, and the
    variance of a mean is 1 + (5 - 1)/2 = 3 times that of independent images; over means of
    patients the interval holds."""
    draws, rng = 4000, np.random.default_rng(0)
    patients = rng.normal(size=(draws, 60, 1)) + rng.normal(size=(draws, 60, 5))
    held = []
    for values in (patients.reshape(draws, -1), patients.mean(-1)):
        found = over_images(values)
        held.append(((found.low <= 0) & (found.high >= 0)).mean())
    expected = [1 - 2 * stats.norm.sf(stats.norm.isf(0.025) / 3**0.5), 0.95]
    assert held == pytest.approx(expected, abs=0.025)


@pytest.mark.parametrize("seeds", [3, 6])
@pytest.mark.parametrize("part", [0, 1, 10])
def test_the_interval_over_seeds_covers_at_least(seeds, part):
    draws = 4000
    held, _ = simulated.coverage_of_methods(seeds, 50, part, draws)
    error = (0.05 * 0.95 / draws) ** 0.5
    assert 0.95 - 3 * error <= held <= 0.97 + 3 * error


def test_intervals_of_mean_ranks_cover_with_three_seeds():
    """Conservative where losses are far apart; with one seed they speak of the networks alone."""
    three, one = (simulated.coverage_of_ranks(seeds, 0.01, 60, resamples=300) for seeds in (3, 1))
    assert three >= 0.9
    assert one < three
