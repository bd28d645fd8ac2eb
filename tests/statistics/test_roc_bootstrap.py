"""Bootstrapped AUC intervals and partly paired comparisons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isthmus.statistics.bootstrap import bca_interval, group_bootstrap, jackknife, weighted_aucs
from isthmus.statistics.partly_paired import compare_partly_paired_aucs
from isthmus.statistics.roc import auc, auc_interval, compare_aucs, compare_unpaired_aucs
from isthmus.statistics.roc_bootstrap import bootstrapped_auc
from tests.statistics.cases import i, labels, pairs, scores_a, scores_b

ALL = np.ones(120, dtype=bool)


def test_percentile_limits_are_those_of_proc() -> None:
    # pROC 1.18: ci(r, method = "bootstrap", boot.n = 50000, boot.stratified = FALSE): 0.698363-0.859195
    mine = bootstrapped_auc(labels, scores_a, replicates=20000)
    assert (mine.low, mine.high) == pytest.approx((0.698363, 0.859195), abs=0.003)


@pytest.mark.parametrize("groups", [None, pairs])
def test_bca_limits_are_those_of_scipy_on_the_same_replicates(groups: np.ndarray | None) -> None:
    mine = bootstrapped_auc(labels, scores_a, groups, scale="bca", replicates=999)
    names = np.arange(120) if groups is None else groups
    drawn = group_bootstrap(lambda w: weighted_aucs(labels, scores_a, w), 120, groups, 999)

    def statistic(chosen: np.ndarray) -> float:
        rows = np.concatenate([np.flatnonzero(names == group) for group in chosen])
        return auc(labels[rows], scores_a[rows])

    theirs = stats.bootstrap(
        (np.unique(names),),
        statistic,
        vectorized=False,
        n_resamples=0,
        bootstrap_result=type("Given", (), {"bootstrap_distribution": drawn})(),
        method="BCa",
    )
    assert (mine.low, mine.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-10)


def test_leaving_a_group_out_is_leaving_its_rows_out() -> None:
    left_out = jackknife(lambda w: weighted_aucs(labels, scores_a, w), 120, pairs)
    expected = [auc(labels[pairs != g], scores_a[pairs != g]) for g in range(60)]
    assert left_out == pytest.approx(expected, rel=1e-12)


def test_bca_without_a_correction_says_so() -> None:
    # All replicates below the estimate: no bias correction exists.
    interval = bca_interval(0.9, np.array([0.5, 0.6, 0.7]), np.array([0.6, 0.7]))
    assert "BCa does not exist" in interval.note
    constant = bootstrapped_auc(labels, np.ones(120), scale="bca", replicates=50)
    assert constant.low == constant.estimate == constant.high == 0.5
    assert "BCa does not exist" in constant.note


def test_all_kinds_agree_with_the_default_on_a_large_sample() -> None:
    generator = np.random.default_rng(0)
    y = generator.random(1500) < 0.3
    s = generator.normal(size=1500) + y
    default = auc_interval(y, s)
    for scale in ("percentile", "bca", "logit"):
        mine = bootstrapped_auc(y, s, scale=scale, replicates=1000)  # type: ignore[arg-type]
        assert (mine.low, mine.high) == pytest.approx((default.low, default.high), abs=0.006)


def test_a_perfect_ranking_and_a_lone_positive_have_limits() -> None:
    perfect = bootstrapped_auc(labels, labels.astype(float), scale="logit", replicates=50)
    assert perfect.low < 0.95
    alone = bootstrapped_auc(i == 7, scores_a, replicates=50)
    assert "only 1 group with a positive case" in alone.note
    assert "replicates had no answer" in alone.note


def test_partly_paired_is_paired_where_all_is_shared() -> None:
    for groups in (None, pairs):
        mine = compare_partly_paired_aucs(labels, scores_a, scores_b, ALL, ALL, groups)
        theirs = compare_aucs(labels, scores_a, scores_b, groups)
        assert (mine.statistic, mine.p) == pytest.approx((theirs.statistic, theirs.p), rel=1e-10)


def test_partly_paired_is_unpaired_where_nothing_is_shared() -> None:
    first = pairs < 30
    mine = compare_partly_paired_aucs(labels, scores_a, scores_b, first, ~first, pairs)
    theirs = compare_unpaired_aucs(
        labels[first], scores_a[first], labels[~first], scores_b[~first], pairs[first], pairs[~first]
    )
    assert (mine.statistic, mine.p) == pytest.approx((theirs.statistic, theirs.p), rel=1e-10)


def test_a_partly_paired_error_is_that_of_a_group_bootstrap() -> None:
    has_a, has_b = i % 5 != 0, i % 7 > 1
    mine = compare_partly_paired_aucs(labels, scores_a, scores_b, has_a, has_b, pairs)
    drawn = group_bootstrap(
        lambda w: weighted_aucs(labels, scores_a, w * has_a) - weighted_aucs(labels, scores_b, w * has_b),
        120,
        pairs,
        4000,
    )
    assert mine.difference.estimate == pytest.approx(
        auc(labels[has_a], scores_a[has_a]) - auc(labels[has_b], scores_b[has_b])
    )
    error = (mine.difference.high - mine.difference.estimate) / 1.959963984540054
    assert error == pytest.approx(np.std(drawn), rel=0.08)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_exchanging_the_models_turns_the_difference(seed: int) -> None:
    generator = np.random.default_rng(seed)
    has_a, has_b = generator.random((2, 120)) < 0.7
    one = compare_partly_paired_aucs(labels, scores_a, scores_b, has_a, has_b, pairs)
    other = compare_partly_paired_aucs(labels, scores_b, scores_a, has_b, has_a, pairs)
    assert one.statistic == pytest.approx(-other.statistic, rel=1e-9)
    assert one.p == pytest.approx(other.p, rel=1e-9)


def test_partly_paired_degenerate_inputs() -> None:
    same = compare_partly_paired_aucs(labels, scores_a, scores_a, ALL, ALL, pairs)
    assert (same.difference.estimate, same.p) == (0.0, 1.0)
    lone = compare_partly_paired_aucs(i == 7, scores_a, scores_b, ALL, ALL)
    assert np.isnan(lone.p)
    with pytest.raises(ValueError, match="model b has no case"):
        compare_partly_paired_aucs(labels, scores_a, scores_b, ALL, ~ALL)
    with pytest.raises(ValueError, match="no negative case"):
        compare_partly_paired_aucs(labels, scores_a, scores_b, labels, ALL)


def test_a_partly_paired_test_keeps_its_level() -> None:
    generator = np.random.default_rng(8)
    rejected = 0
    groups = np.arange(160) // 2
    for _ in range(400):
        y = np.repeat(generator.random(80) < 0.5, 2)
        shared = np.repeat(generator.normal(size=80), 2) + generator.normal(size=160)
        a, b = (shared + generator.normal(size=160) + y for _ in range(2))
        has_a, has_b = generator.random((2, 160)) < 0.8
        rejected += compare_partly_paired_aucs(y, a, b, has_a, has_b, groups).p < 0.05
    # Two and a half binomial standard errors of 400 runs around 5 %.
    assert 0.02 <= rejected / 400 <= 0.08
