"""AUC, DeLong, Obuchowski, Newcombe: against R, against their definitions, and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.roc import (
    auc,
    auc_interval,
    clustered_auc,
    compare_aucs,
    compare_unpaired_aucs,
    delong,
    newcombe_interval,
    roc_points,
)
from tests.statistics.cases import brute_auc, brute_clustered_variance, labels, pairs, scores_a, scores_b

# One case of each class, then any; scores on a coarse grid so that ties are common.
few_cases = st.lists(st.tuples(st.booleans(), st.integers(-6, 6)), min_size=1, max_size=30).map(
    lambda rows: (
        np.array([True, False] + [r[0] for r in rows]),
        np.array([0.0, 0.0] + [float(r[1]) for r in rows]),
    )
)


def test_delong_equals_proc() -> None:
    # pROC 1.18: roc(y, s, direction = "<"); auc, var, cov
    aucs, covariance = delong(labels, [scores_a, scores_b])
    assert aucs == pytest.approx([0.783564814815, 0.682291666667], rel=1e-11)
    expected = [0.0017057392668, 0.000161237569229, 0.000161237569229, 0.00239467428325]
    assert covariance.ravel() == pytest.approx(expected, rel=1e-11)


def test_delong_equals_proc_with_many_ties() -> None:
    # pROC 1.18: the same on round(s * 5) / 5 and round(b * 4) / 4
    aucs, covariance = delong(labels, [np.round(scores_a * 5) / 5, np.round(scores_b * 4) / 4])
    assert aucs == pytest.approx([0.777488425926, 0.6640625], rel=1e-11)
    expected = [0.00166924256301, 0.000151934139566, 0.000151934139566, 0.00235224606159]
    assert covariance.ravel() == pytest.approx(expected, rel=1e-10)


def test_the_paired_comparison_equals_proc() -> None:
    # pROC 1.18: roc.test(r1, r2, paired = TRUE, method = "delong")
    result = compare_aucs(labels, scores_a, scores_b)
    assert result.statistic == pytest.approx(1.64765725003, rel=1e-10)
    assert result.p == pytest.approx(0.0994230252301, rel=1e-10)
    assert (result.difference.low, result.difference.high) == pytest.approx((-0.0191959135865, 0.221742209883))
    assert "DeLong" in result.method


def test_newcombe_equals_auroc() -> None:
    # R auRoc 0.2-1: roots of its quartic for theta = 0.9, m = 8, n = 12 and theta = 1, m = 5, n = 7
    inner = newcombe_interval(0.9, 8, 12)
    assert (inner.low, inner.high) == pytest.approx((0.6497003368411, 0.9747253595487), rel=1e-10)
    perfect = newcombe_interval(1.0, 5, 7)
    assert (perfect.low, perfect.high) == pytest.approx((0.6827897481744, 1.0), rel=1e-10)
    worst = newcombe_interval(0.0, 5, 7)
    assert (worst.low, worst.high) == pytest.approx((0.0, 1 - 0.6827897481744), rel=1e-10)


def test_clustered_equals_delong_where_every_group_is_one_case() -> None:
    aucs, covariance = clustered_auc(labels, [scores_a, scores_b], np.arange(120))
    expected, expected_covariance = delong(labels, [scores_a, scores_b])
    assert aucs.tolist() == expected.tolist()
    assert covariance.ravel() == pytest.approx(expected_covariance.ravel(), rel=1e-13)


def test_doubling_every_case_as_a_cluster_changes_nothing() -> None:
    aucs, covariance = clustered_auc(np.repeat(labels, 2), np.repeat(scores_a, 2), np.repeat(np.arange(120), 2))
    expected, expected_covariance = delong(labels, scores_a)
    assert aucs == pytest.approx(expected, rel=1e-14)
    assert covariance == pytest.approx(expected_covariance, rel=1e-12)


def test_clustered_equals_obuchowski_by_loops() -> None:
    _, covariance = clustered_auc(labels, [scores_a, scores_b], pairs)
    for row, first in enumerate((scores_a, scores_b)):
        for column, second in enumerate((scores_a, scores_b)):
            expected = brute_clustered_variance(labels, first, second, pairs)
            assert covariance[row, column] == pytest.approx(expected, rel=1e-11)


def test_a_95_percent_interval_covers_95_percent_of_clustered_samples() -> None:
    # Two cases a group share an effect (correlation 0.5) and differ in class half the time; true AUC = Phi(1/sqrt 2).
    generator = np.random.default_rng(5)
    truth = 0.7602499389065233  # scipy.stats.norm.cdf(1 / sqrt(2)): positive and negative differ by N(1, 2)
    clustered = naive = 0
    for _ in range(800):
        shared = np.repeat(generator.normal(size=80), 2)
        y = generator.random(160) < 0.4
        y[::2] = y[1::2]
        s = np.sqrt(0.5) * shared + np.sqrt(0.5) * generator.normal(size=160) + y
        interval = auc_interval(y, s, np.arange(160) // 2)
        clustered += interval.low <= truth <= interval.high
        alone = auc_interval(y, s)
        naive += alone.low <= truth <= alone.high
    # Binomial noise of 800 runs is 0.8 %; ignoring the clusters must be visibly wrong.
    assert 0.93 <= clustered / 800 <= 0.975
    assert naive / 800 < 0.92


def test_few_groups_or_a_perfect_auc_take_newcombe_and_say_why() -> None:
    assert auc_interval(labels, scores_a).method == "DeLong, logit"
    assert auc_interval(labels, scores_a, pairs).method == "Obuchowski clustered, logit"
    few = auc_interval(labels, scores_a, np.arange(120) // 15)
    assert "Newcombe" in few.method
    assert "only 8 groups" in few.note
    perfect = auc_interval(labels, labels.astype(float))
    assert (perfect.estimate, perfect.high) == (1.0, 1.0)
    assert perfect.low < 1
    assert "AUC of 1" in perfect.note
    constant = auc_interval(labels, np.ones(120))
    assert constant.estimate == 0.5
    assert constant.low < 0.45 < 0.55 < constant.high
    assert "no variance" in constant.note


def test_identical_models_differ_by_nothing_with_p_one() -> None:
    result = compare_aucs(labels, scores_a, scores_a * 2 + 1, pairs)
    assert (result.difference.estimate, result.statistic, result.p) == (0.0, 0.0, 1.0)
    assert "alike" in result.difference.note


def test_one_positive_case_gives_an_interval_but_no_test() -> None:
    y = np.arange(120) == 7
    interval = auc_interval(y, scores_a)
    assert interval.low < interval.estimate < interval.high
    assert "only 1 group with a positive case" in interval.note
    result = compare_aucs(y, scores_a, scores_b)
    assert np.isnan(result.p)
    assert result.as_dict()["p"] is None


def test_an_unpaired_comparison_adds_the_variances() -> None:
    result = compare_unpaired_aucs(labels, scores_a, labels, scores_b)
    # pROC 1.18: auc and var of either curve
    expected = (0.783564814815 - 0.682291666667) / np.sqrt(0.0017057392668 + 0.00239467428325)
    assert result.statistic == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("bad_labels", "bad_scores", "words"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], "no negative case among 3"),
        ([0, 0], [0.1, 0.2], "no positive case among 2"),
        ([0, 1, 2], [0.1, 0.2, 0.3], "row 2 is"),
        ([0, 1], [0.1, np.nan], "row 1 is nan"),
        ([0, 1], [np.inf, 0.1], "row 0 is inf"),
        ([0, 1], [0.1, 0.2, 0.3], r"where \[2\]"),
        ([], [], "non-empty"),
    ],
)
def test_input_without_an_answer_is_refused_by_name(
    bad_labels: list[float], bad_scores: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        auc_interval(bad_labels, bad_scores)


def test_a_row_without_a_group_is_refused() -> None:
    with pytest.raises(ValueError, match="no group"):
        clustered_auc([0, 1], [0.1, 0.2], np.array(["a", np.nan], dtype=object))


@given(few_cases)
def test_the_auc_is_the_double_sum(cases: tuple[np.ndarray, np.ndarray]) -> None:
    assert auc(*cases) == pytest.approx(brute_auc(*cases), abs=1e-12)


@given(few_cases)
def test_the_auc_is_the_area_under_the_points(cases: tuple[np.ndarray, np.ndarray]) -> None:
    points = roc_points(*cases)
    assert np.trapezoid(points.tpr, points.fpr) == pytest.approx(auc(*cases), abs=1e-12)
    for threshold, tpr, fpr in zip(points.thresholds, points.tpr, points.fpr, strict=True):
        called = cases[1] >= threshold
        assert (called[cases[0]].mean(), called[~cases[0]].mean()) == (tpr, fpr)


@given(few_cases, st.randoms(use_true_random=False))
def test_laws_of_the_auc(cases: tuple[np.ndarray, np.ndarray], random: object) -> None:
    y, s = cases
    value = auc_interval(y, s)
    assert 0 <= value.low <= value.estimate <= value.high <= 1
    assert auc_interval(y, np.exp(s / 3)) == value
    assert auc(~y, s) == pytest.approx(1 - value.estimate, abs=1e-12)
    order = list(range(len(y)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = auc_interval(y[order], s[order])
    assert (shuffled.low, shuffled.high) == pytest.approx((value.low, value.high), abs=1e-12)


@given(few_cases, st.integers(1, 5))
@settings(max_examples=50)
def test_a_clustered_covariance_is_never_negative(cases: tuple[np.ndarray, np.ndarray], size: int) -> None:
    y, s = cases
    groups = np.arange(len(y)) // size
    _, covariance = clustered_auc(y, [s, -s, np.arange(len(y))], groups)
    if np.isfinite(covariance).all():
        assert np.linalg.eigvalsh(covariance).min() >= -1e-12
