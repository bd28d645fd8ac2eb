"""Average precision: against scikit-learn, its laws, degenerate data, and coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from isthmus.statistics.bootstrap import group_bootstrap
from isthmus.statistics.precision_recall import average_precision, compare_average_precisions, precision_recall_points
from isthmus.statistics.weighted_curve import average_precisions, curve_counts, over_folds, precisions
from tests.statistics.cases import blocks, labels, pairs, scores_a, scores_b

few_cases = st.lists(st.tuples(st.booleans(), st.integers(-6, 6)), min_size=1, max_size=30).map(
    lambda rows: (
        np.array([True, False] + [r[0] for r in rows]),
        np.array([0.0, 0.0] + [float(r[1]) for r in rows]),
    )
)


@settings(max_examples=60, deadline=None)
@given(few_cases)
def test_it_is_scikit_learns(cases: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = cases
    mine = average_precision(y, s, replicates=2)
    assert mine.estimate == pytest.approx(average_precision_score(y, s), abs=1e-12)
    assert 0 <= mine.low <= mine.estimate <= mine.high <= 1
    assert average_precision(y, np.exp(s), replicates=2).estimate == pytest.approx(mine.estimate, abs=1e-12)
    points = precision_recall_points(y, s)
    precision, recall, thresholds = precision_recall_curve(y, s)
    assert points.thresholds.tolist() == thresholds[::-1].tolist()
    assert points.precision == pytest.approx(precision[:-1][::-1])
    assert points.recall == pytest.approx(recall[:-1][::-1])


def test_weights_are_repeated_rows() -> None:
    weights = (np.arange(120) % 4).astype(float)
    repeated = np.repeat(np.arange(120), weights.astype(int))
    rounded = np.round(scores_a * 6)
    counts = curve_counts(labels, rounded, weights[None])
    expected = average_precision_score(labels[repeated], rounded[repeated])
    assert average_precisions(counts)[0] == pytest.approx(expected, rel=1e-12)


def test_the_drawn_curve_is_read_by_steps() -> None:
    counts = curve_counts(np.array([True, False, True, False]), np.array([4.0, 3.0, 2.0, 1.0]), np.ones((1, 4)))
    assert precisions(counts, np.array([0.0, 0.5, 0.6, 1.0]))[0].tolist() == [1.0, 1.0, 2 / 3, 2 / 3]


def test_scores_of_different_folds_are_not_ranked_against_each_other() -> None:
    folds = [np.flatnonzero(blocks == k) for k in range(4)]

    def within(scores: np.ndarray) -> np.ndarray:
        def of(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
            return average_precisions(curve_counts(labels[rows], scores[rows], weights))

        return over_folds(of, folds)(np.ones((1, 120)))

    expected = np.mean([average_precision_score(labels[rows], scores_a[rows]) for rows in folds])
    assert within(scores_a)[0] == pytest.approx(expected, rel=1e-12)
    assert within(scores_a + 10 * blocks)[0] == pytest.approx(expected, rel=1e-12)


def test_arms_are_compared_on_the_same_resamplings() -> None:
    result = compare_average_precisions(labels, scores_a, scores_b, pairs, replicates=500)
    assert result.difference.estimate == pytest.approx(
        average_precision_score(labels, scores_a) - average_precision_score(labels, scores_b)
    )
    both = [
        group_bootstrap(lambda w, s=s: average_precisions(curve_counts(labels, s, w)), 120, pairs, 500)
        for s in (scores_a, scores_b)
    ]
    assert result.statistic == pytest.approx(result.difference.estimate / np.std(both[0] - both[1], ddof=1))
    same = compare_average_precisions(labels, scores_a, np.exp(scores_a), replicates=50)
    assert (same.difference.estimate, same.p) == (0.0, 1.0)


def test_degenerate_data_have_an_answer_or_say_why_not() -> None:
    perfect = average_precision(labels, labels.astype(float), replicates=50)
    assert (perfect.estimate, perfect.high) == (1.0, 1.0)
    assert "Wilson's limits for 48 groups" in perfect.note
    # Constant scores are worth the prevalence, whose own variance remains.
    constant = average_precision(labels, np.ones(120), replicates=200)
    assert constant.estimate == pytest.approx(0.4)
    assert constant.low < 0.36 < 0.44 < constant.high
    alone = average_precision(np.arange(120) == 7, scores_a, replicates=50)
    assert "only 1 group with a positive case" in alone.note
    for bad, words in (([0.1, np.nan], "row 1 is nan"), ([np.inf, 0.1], "row 0 is inf")):
        with pytest.raises(ValueError, match=words):
            average_precision([0, 1], bad)
    with pytest.raises(ValueError, match="no positive case"):
        average_precision([0, 0], [0.1, 0.2])


def test_a_95_percent_interval_covers_95_percent_of_clustered_samples() -> None:
    # Truth at prevalence 1/4, N(1.5, 1) against N(0, 1), by scipy.integrate.quad of p r / (p r + (1 - p) fpr(r))
    truth, covered = 0.691945, 0
    generator = np.random.default_rng(4)
    y = np.repeat(np.arange(80) < 20, 2)
    for _ in range(200):
        s = np.sqrt(0.5) * (np.repeat(generator.normal(size=80), 2) + generator.normal(size=160)) + 1.5 * y
        interval = average_precision(y, s, np.arange(160) // 2, replicates=200)
        covered += interval.low <= truth <= interval.high
    assert covered >= 0.91 * 200
