"""Procedures against textbook examples, enumeration, and another library."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multicomp import pairwise_tukeyhsd
from statsmodels.stats.multitest import multipletests

from robustseg.results.tables.paired_tests import anova_tukey, bootstrap_mean, holm, signed_rank

# Hollander & Wolfe (1973), 29f.: depression before and after tranquilliser; V = 5 of 45.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
# Darwin's plants in the units of Fisher (1935), an eighth of an inch.
DARWIN = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
# Headache relief, minutes: the example of SAS PROC GLM; a against b, a against c, b against c.
HEADACHE = (
    [24.5, 23.5, 26.4, 27.1, 29.9],
    [28.4, 34.2, 29.5, 32.2, 30.1],
    [26.1, 28.3, 24.3, 26.2, 27.8],
)


def test_signed_rank_of_textbooks():
    # Ten of 2⁹ assignments of signs have a rank sum of 5 or less, and as many one of 40 or more.
    assert signed_rank(BEFORE, AFTER) == pytest.approx(20 / 512)
    assert signed_rank(DARWIN, np.zeros(15)) == pytest.approx(0.04125976562)


def test_signed_rank_keeps_the_ranks_of_pairs_that_do_not_differ():
    """Pratt's ranks by enumeration of all signs: zeros hold the lowest ranks, ties their mean."""
    differences = np.array([0, 0, 0.1, -0.2, 0.3, 0.4, 0.4, 0.5, 0.6])
    ranks = stats.rankdata(np.abs(differences))[2:]
    assert ranks.tolist() == [3, 4, 5, 6.5, 6.5, 8, 9]
    observed = ranks[differences[2:] > 0].sum()
    sums = [np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=7)]
    expected = 2 * np.mean(np.array(sums) >= observed)
    assert signed_rank(differences, np.zeros(9)) == pytest.approx(expected)


def test_signed_rank_of_equal_values_is_one():
    assert signed_rank([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]) == 1
    # The mean of three tenths is not one tenth in binary; that is not a difference.
    assert signed_rank([(0.1 + 0.1 + 0.1) / 3] * 20, [0.1] * 20) == 1


def test_signed_rank_of_many_images_is_the_normal_approximation():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(size=(2, 300))
    ranks = stats.rankdata(np.abs(first - second))
    n, above = 300, ranks[first > second].sum()
    z = (above - n * (n + 1) / 4) / np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    assert signed_rank(first, second) == pytest.approx(2 * stats.norm.sf(abs(z)), rel=1e-9)


def test_holm_of_a_worked_example():
    """0.005·4, 0.01·3, 0.03·2, and 0.04, which may not fall below the one before."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_holm_of_many_families_is_that_of_another_library():
    families = np.random.default_rng(0).beta(0.3, 2, size=(4, 2, 9))
    families[0, 0, :3] = families[0, 0, 3]  # ties
    expected = np.apply_along_axis(lambda p: multipletests(p, method="holm")[1], -1, families)
    assert holm(families) == pytest.approx(expected)


def test_bootstrap_of_two_images_by_hand():
    """Means of resamples are 0, ½ and 1 with probabilities ¼, ½ and ¼."""
    ends = bootstrap_mean(np.array([[0.0, 1.0], [0.3, 0.3]]))
    assert ends.tolist() == pytest.approx(np.array([[0, 1], [0.3, 0.3]]))
    assert bootstrap_mean(np.array([[0.0, 1.0]]), level=0.6).tolist() == [[0, 1]]
    assert bootstrap_mean(np.array([[0.0, 1.0]]), level=0.4).tolist() == [[0.5, 0.5]]


def test_bootstrap_of_many_images_is_near_the_normal_interval():
    values = np.random.default_rng(0).beta(5, 2, size=(3, 500))
    half = 1.959964 * values.std(axis=1) / np.sqrt(500)
    expected = np.stack([values.mean(axis=1) - half, values.mean(axis=1) + half], axis=1)
    found = bootstrap_mean(values)
    assert found == pytest.approx(expected, abs=0.1 * half.mean())
    assert (found == bootstrap_mean(values)).all()


def test_bootstrap_needs_two_images():
    assert np.isnan(bootstrap_mean(np.array([[0.5]]))).all()


def test_tukey_of_a_textbook_and_of_another_library():
    anova, tukey = anova_tukey(HEADACHE)
    assert tukey[0, 1] == pytest.approx(0.014, abs=5e-4)
    assert tukey[0, 2] == pytest.approx(0.980, abs=5e-4)
    assert tukey[1, 2] == pytest.approx(0.020, abs=5e-4)
    uneven = [*HEADACHE[:2], HEADACHE[2][:3]]  # Tukey and Kramer's
    labels = np.repeat(["a", "b", "c"], [len(group) for group in uneven])
    other = pairwise_tukeyhsd(np.concatenate(uneven), labels).pvalues
    pairs = anova_tukey(uneven)[1]
    assert [pairs[0, 1], pairs[0, 2], pairs[1, 2]] == pytest.approx(list(other), abs=1e-6)
    assert anova < 0.02


def test_analysis_of_variance_of_a_worked_example():
    """F = 42 / 4.533 on 2 and 15 degrees of freedom: sums of squares by hand."""
    groups = [[6, 8, 4, 5, 3, 4], [8, 12, 9, 11, 6, 8], [13, 9, 11, 8, 7, 12]]
    assert anova_tukey(groups)[0] == pytest.approx(stats.f.sf(42 / (68 / 15), 2, 15))


def test_where_nothing_differs_there_is_nothing_to_test():
    anova, tukey = anova_tukey([[0.5, 0.5], [0.5, 0.5]])
    assert (anova, tukey.tolist()) == (1, [[1, 1], [1, 1]])


def test_groups_without_variation_differ_where_their_values_do():
    """As groups do that vary ever less."""
    sure = [[0.5, 0.5], [0.6, 0.6], [0.6, 0.6]]
    anova, tukey = anova_tukey(sure)
    nearly = [np.array(group) + np.array([-1, 1]) * 1e-8 for group in sure]
    limit = anova_tukey(nearly)
    assert anova == pytest.approx(limit[0], abs=1e-6)
    assert tukey == pytest.approx(limit[1], abs=1e-6)
