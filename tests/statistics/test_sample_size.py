"""Sizes of studies against R: epiR, pROC, power.prop.test; the calls stand beside the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.interval import logit_interval
from isthmus.statistics.proportions import clopper_pearson, wilson
from isthmus.statistics.roc import compare_aucs
from isthmus.statistics.sample_size import (
    cases_above,
    cases_for_width,
    design_effect,
    paired_proportions,
    sizes_at,
    unpaired_proportions,
)
from isthmus.statistics.sample_size_auc import (
    auc_difference,
    auc_difference_power,
    auc_width,
    hanley_mcneil_variance,
)


def test_buderers_sizes_are_those_of_epir():
    # epi.ssdxsesp(test = .9, type = "se", Py = .2, epsilon = .1, error = "absolute", nfractional = TRUE)
    assert cases_for_width(0.9, 0.2, method="wald") / 0.2 == pytest.approx(172.865646931, rel=1e-9)
    # test = .85, type = "sp"
    assert cases_for_width(0.85, 0.2, method="wald") / 0.8 == pytest.approx(61.2232499548, rel=1e-9)
    # test = .95, type = "se", Py = .3, epsilon = .05
    assert cases_for_width(0.95, 0.1, method="wald") / 0.3 == pytest.approx(243.292391977, rel=1e-9)


def test_both_classes_are_reached_at_the_prevalence():
    found = sizes_at(34.57, 48.98, 0.2, "")
    assert (found.positives, found.negatives, found.total) == (35, 49, 173)
    assert sizes_at(10, 90, 0.1, "").total == 100


@given(st.floats(0.05, 0.95), st.floats(0.02, 0.5), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_wilson_interval_is_as_narrow_as_asked_and_with_one_case_less_it_is_not(p, width, level):
    n = cases_for_width(p, width, level)
    found = wilson(p * n, n, level)
    assert found.high - found.low <= width
    less = wilson(p * (n - 1), n - 1, level)
    assert n <= 2 or less.high - less.low > width


@pytest.mark.parametrize(("expected", "least"), [(0.9, 0.8), (0.8, 0.65), (0.95, 0.9)])
def test_the_lower_limit_stays_above_with_the_assurance(expected, least):
    n = cases_above(expected, least)

    def assured(cases):
        counts = np.arange(cases + 1)
        law = np.exp([float(log_binomial(cases, k, expected)) for k in counts])
        above = [clopper_pearson(int(k), cases, 0.9).low >= least for k in counts]  # one-sided 95 %: two-sided 90 %
        return law[above].sum()

    assert assured(n) >= 0.95
    assert max(assured(cases) for cases in range(n - 5, n)) < 0.95


def log_binomial(n, k, p):
    from scipy.stats import binom

    return binom.logpmf(k, n, p)


def test_the_standard_error_of_an_auc_is_hanley_and_mcneils():
    # Their equation by hand for AUC 0.8, 30 positives, 70 negatives: Q1 = 0.8/1.2, Q2 = 1.28/1.8.
    by_hand = (0.16 + 29 * (0.8 / 1.2 - 0.64) + 69 * (1.28 / 1.8 - 0.64)) / 2100
    assert hanley_mcneil_variance(0.8, 30, 70) == pytest.approx(by_hand, rel=1e-12)


def test_the_interval_of_an_auc_is_as_narrow_as_asked():
    found = auc_width(0.85, 0.1, 0.3)
    interval = logit_interval(0.85, hanley_mcneil_variance(0.85, found.total * 0.3, found.total * 0.7))
    assert 0.0995 < interval.high - interval.low <= 0.1
    assert found.total == pytest.approx(found.positives + found.negatives, abs=1)


def _positives(a, b, correlation, power, kappa):
    prevalence = 1 / (1 + kappa)
    return auc_difference(a, b, prevalence, correlation=correlation, power=power, method="obuchowski").positives


def test_differences_of_aucs_are_those_of_proc():
    # power.roc.test(list(A1 = qnorm(.85) * sqrt(2), B1 = 1, A2 = qnorm(.78) * sqrt(2), B2 = 1, rn = .5, ra = .5,
    #   delta = .07), power = .8, kappa = 2)$ncases: 177.682217486134; power = .9, kappa = 1: 281.694606034465
    assert _positives(0.85, 0.78, 0.5, 0.8, 2) == 178
    assert _positives(0.85, 0.78, 0.5, 0.9, 1) == 282
    assert auc_difference_power(0.85, 0.78, 178, 356, correlation=0.5, method="obuchowski") == pytest.approx(
        0.8007, abs=2e-4
    )
    # Each model on its own cases: rn = ra = 0, A1 = 1.19, A2 = 0.95, kappa = 2, power = .8: 598.735160147672
    from scipy.stats import norm

    a, b = norm.cdf(np.array([1.19, 0.95]) / np.sqrt(2))
    assert _positives(float(a), float(b), 0.0, 0.8, 2) == 599


def test_differences_of_proportions_are_those_of_r():
    # power.prop.test(p1 = .85, p2 = .75, power = .8)$n and (p1 = .9, p2 = .8, power = .9)
    assert unpaired_proportions(0.85, 0.75) == pytest.approx(249.981967400295, rel=1e-5)
    assert unpaired_proportions(0.9, 0.8, power=0.9) == pytest.approx(265.855996829127, rel=1e-5)


def test_connors_pairs_by_hand():
    # psi = 0.3, delta = 0.1: (1.959964 sqrt(0.3) + 0.841621 sqrt(0.29))^2 / 0.01
    both = (0.6 + 0.7 - 0.3) / 2
    phi = (both - 0.42) / np.sqrt(0.24 * 0.21)
    by_hand = (1.959963984540054 * np.sqrt(0.3) + 0.8416212335729143 * np.sqrt(0.29)) ** 2 / 0.01
    assert paired_proportions(0.7, 0.6, phi) == pytest.approx(by_hand, rel=1e-12)


def test_mcnemar_finds_the_difference_as_often_as_was_planned():
    a, b, phi = 0.9, 0.8, 0.3
    pairs = int(np.ceil(paired_proportions(a, b, phi)))
    both = a * b + phi * np.sqrt(a * (1 - a) * b * (1 - b))
    drawn = np.random.default_rng(1).multinomial(pairs, [both, a - both, b - both, 1 - a - b + both], size=20_000)
    lone, other = drawn[:, 1], drawn[:, 2]
    with np.errstate(invalid="ignore"):
        z = (lone - other) / np.sqrt(lone + other)
    assert 0.78 < np.mean(np.abs(z) > 1.959964) < 0.86  # the formula leans to the safe side


def test_delong_finds_the_difference_as_often_as_was_planned():
    random = np.random.default_rng(2)
    plan = auc_difference(0.9, 0.8, 0.5, correlation=0.5)
    from scipy.stats import norm

    shift = norm.ppf([0.9, 0.8]) * np.sqrt(2)
    truth = np.repeat([True, False], [plan.positives, plan.negatives])
    found = 0
    for _ in range(300):
        shared = random.normal(size=truth.size)
        scores = [np.sqrt(0.5) * (shared + random.normal(size=truth.size)) + s * truth for s in shift]
        found += compare_aucs(truth, *scores).p < 0.05
    assert 0.73 < found / 300 < 0.87


def test_the_empirical_covariance_is_that_of_bivariate_normal_placements():
    from scipy.stats import multivariate_normal, norm

    from isthmus.statistics.sample_size_auc import _empirical_covariance

    for a, b, r in ((0.85, 0.78, 0.5), (0.9, 0.9, 1.0), (0.6, 0.95, 0.0)):
        both = multivariate_normal.cdf(norm.ppf([a, b]), mean=[0, 0], cov=[[1, r / 2], [r / 2, 1]])
        assert _empirical_covariance(a, b, r) == pytest.approx(both - a * b, abs=1e-8)


def test_several_nodules_a_patient_need_more_nodules():
    assert design_effect(1, 0.5) == 1
    assert design_effect(2, 1.0) == 2
    assert design_effect(2, 0.5, variation=0.5) == pytest.approx(1 + (1.25 * 2 - 1) * 0.5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cases_for_width(1.0, 0.1), "between 0 and 1"),
        (lambda: cases_for_width(0.9, 0.1, method="exact"), "wilson or wald"),
        (lambda: cases_for_width(0.5, 1e-5), "more than"),
        (lambda: cases_above(0.8, 0.9), "below the expected"),
        (lambda: cases_above(0.9, 0.895), "too near"),
        (lambda: auc_difference(0.8, 0.8, 0.5), "differ at no size"),
        (lambda: auc_difference(0.8, 0.7, 0.5, correlation=1.0), "from 0 to below 1"),
        (lambda: auc_difference(0.8, 0.7, 0.0), "prevalence"),
        (lambda: auc_difference_power(0.8, 0.7, 0, 10), "both classes"),
        (lambda: unpaired_proportions(0.8, 0.8), "differ at no size"),
        (lambda: paired_proportions(0.8, 0.8, 0.1), "differ at no size"),
        (lambda: paired_proportions(0.95, 0.5, 0.9), "cannot have a correlation"),
        (lambda: design_effect(0.5, 0.1), "one case or more"),
    ],
)
def test_impossible_plans_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
