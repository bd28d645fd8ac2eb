"""Proportions and their differences: against R, olnm2025, coverage and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.proportions import (
    clopper_pearson,
    clustered_proportion,
    compare_paired_proportions,
    compare_unpaired_proportions,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # R: prop.test(x, n, correct = FALSE)$conf.int
    [(15, 27, 0.3731302, 0.7241414), (60, 89, 0.571342276162, 0.762560275497)],
)
def test_wilson_equals_r(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-8)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # R: binom.test(x, n)$conf.int
    [(15, 27, 0.353264230322, 0.745201193368), (0, 12, 0.0, 0.264648469397), (12, 12, 1 - 0.264648469397, 1.0)],
)
def test_clopper_pearson_equals_r(successes: int, trials: int, low: float, high: float) -> None:
    interval = clopper_pearson(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-11)


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_singletons_are_plain_wilson(outcome: list[bool]) -> None:
    by_name = clustered_proportion(outcome, [f"patient {k}" for k in range(len(outcome))])
    assert by_name == wilson(sum(outcome), len(outcome))


@given(st.lists(st.booleans(), min_size=3, max_size=40).filter(lambda x: 0 < sum(x) < len(x)), st.integers(2, 4))
def test_copies_of_a_case_add_no_certainty(outcome: list[bool], copies: int) -> None:
    copied = clustered_proportion(np.repeat(outcome, copies), np.repeat(np.arange(len(outcome)), copies))
    once = wilson(sum(outcome), len(outcome))
    # The few-groups factor makes it at most a little wider, never narrower.
    assert copied.estimate == pytest.approx(once.estimate)
    assert copied.low <= once.low + 1e-12
    assert copied.high >= once.high - 1e-12
    assert copied.high - copied.low < 1.6 * (once.high - once.low)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40), st.sampled_from([0.8, 0.95, 0.99])
)
def test_intervals_hold_their_estimate_and_stay_inside(rows: list[tuple[bool, int]], level: float) -> None:
    outcome, groups = [r[0] for r in rows], [r[1] for r in rows]
    for interval in (
        clustered_proportion(outcome, groups, level),
        clopper_pearson(sum(outcome), len(outcome), level),
        wilson(sum(outcome), len(outcome), level),
    ):
        assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_a_clustered_proportion_covers_95_percent() -> None:
    # 40 patients of 4 nodules; probabilities Beta(2, 1) per patient, mean 2/3, intraclass correlation 1/4.
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(40), 4)
    covered = naive = 0
    for _ in range(1000):
        outcome = generator.random(160) < np.repeat(generator.beta(2, 1, size=40), 4)
        interval = clustered_proportion(outcome, groups)
        covered += interval.low <= 2 / 3 <= interval.high
        alone = wilson(int(outcome.sum()), 160)
        naive += alone.low <= 2 / 3 <= alone.high
    assert 0.935 <= covered / 1000 <= 0.97
    assert naive / 1000 < 0.90


def test_a_proportion_of_one_takes_the_groups_as_cases_and_says_so() -> None:
    interval = clustered_proportion(np.ones(20, dtype=bool), np.arange(20) // 4)
    assert (interval.low, interval.high) == (wilson(5, 5).low, 1.0)
    assert "5 groups" in interval.note


def test_paired_differences_equal_the_one_sample_t_test() -> None:
    a = np.array([1, 1, 1, 0, 1, 1, 0, 1, 1, 1], dtype=bool)
    b = np.array([1, 0, 1, 0, 0, 1, 1, 0, 1, 0], dtype=bool)
    # R: t.test(a - b): mean 0.3, standard error sqrt(4.1 / 9 / 10), 9 degrees, t = 1.40556386
    result = compare_paired_proportions(a, b)
    assert result.difference.estimate == pytest.approx(0.3)
    assert result.statistic == pytest.approx(0.3 / np.sqrt(4.1 / 9 / 10), rel=1e-12)
    assert result.p == pytest.approx(0.193422, abs=1e-6)


def test_unpaired_differences_tie_groups_that_stand_on_both_sides() -> None:
    generator = np.random.default_rng(1)
    patients = generator.random(50)
    a, b = generator.random(50) < patients, generator.random(50) < patients
    apart = compare_unpaired_proportions(a, b, np.arange(50), np.arange(50, 100))
    tied = compare_unpaired_proportions(a, b, np.arange(50), np.arange(50))
    paired = compare_paired_proportions(a, b)
    assert (tied.statistic, tied.p) == pytest.approx((paired.statistic, paired.p), rel=1e-12)
    assert abs(tied.statistic) > abs(apart.statistic)


def test_no_discordant_pair_is_no_proof_of_equality() -> None:
    result = compare_paired_proportions([1, 1, 0, 1], [1, 1, 0, 1])
    assert (result.difference.estimate, result.p) == (0.0, 1.0)
    assert result.difference.high == wilson(0, 4).high


def test_two_sides_without_variance_join_their_wilson_limits() -> None:
    result = compare_unpaired_proportions(np.ones(10, dtype=bool), np.zeros(10, dtype=bool))
    # Newcombe 1998: with p1 = 1, p2 = 0 the low limit is 1 - sqrt(2) (1 - wilson low)
    assert result.difference.low == pytest.approx(1 - np.sqrt(2) * (1 - wilson(10, 10).low))
    assert np.isnan(result.p)


def test_a_side_that_does_not_vary_is_not_taken_as_known_without_error() -> None:
    # Fisher's exact test of 0 of 10 against 30 of 100: p = 0.059 (scipy.stats.fisher_exact).
    few, many = np.zeros(10, dtype=bool), np.arange(100) < 30
    result = compare_unpaired_proportions(few, many)
    assert result.p == pytest.approx(0.059, abs=0.02)
    one, other = wilson(0, 10), wilson(30, 100)
    assert result.difference.low == pytest.approx(-0.3 - (other.high - 0.3))
    assert result.difference.high == pytest.approx(-0.3 + np.hypot(one.high, 0.3 - other.low))
    turned = compare_unpaired_proportions(many, few)
    assert (turned.statistic, turned.p) == pytest.approx((-result.statistic, result.p))


def test_the_unpaired_test_keeps_its_level_where_errors_are_rare() -> None:
    generator = np.random.default_rng(0)
    ps = [
        compare_unpaired_proportions(generator.random(12) < 0.15, generator.random(100) < 0.15).p for _ in range(1000)
    ]
    assert np.mean(np.array(ps) < 0.05) < 0.06


@pytest.mark.parametrize(("successes", "trials"), [(3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    for interval in (wilson, clopper_pearson):
        with pytest.raises(ValueError, match="between 0 and the number of trials"):
            interval(successes, trials)
