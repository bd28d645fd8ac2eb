"""A score against calls, at the calls' own specificity or sensitivity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.matched_calls import compare_with_calls
from tests.statistics.cases import labels, pairs, scores_a, scores_b

CALLS = np.stack([scores_b > cut for cut in (0.5, 0.8)])

# R 4.2, pROC 1.18, on the cases of tests/statistics/cases.py, calls b > 0.5 and b > 0.8, groups of two:
#   r <- roc(label, a, direction = "<", levels = c(0, 1))
#   coords(r, x = mean(1 - call[label == 0]), input = "specificity", ret = "sensitivity")
#   coords(r, x = mean(call[label == 1]), input = "sensitivity", ret = "specificity")
# and the standard deviation of both differences over 4,000 resamplings of whole groups, set.seed(1).
PROC = {
    "specificity": [(0.8125, 0.6875, 0.131562), (0.541666666667, 0.395833333333, 0.13529)],
    "sensitivity": [(0.652777777778, 0.513888888889, 0.138219), (0.958333333333, 0.805555555556, 0.103454)],
}


@pytest.mark.parametrize("matched", ["specificity", "sensitivity"])
def test_the_rates_are_those_of_proc_and_their_spread_that_of_its_resamplings(matched):
    found = compare_with_calls(labels, scores_a, CALLS, pairs, matched=matched, replicates=2000)
    for one, (of_score, of_calls, spread) in zip(found, PROC[matched], strict=True):
        assert one.estimate_a == pytest.approx(of_score, abs=1e-11)
        assert one.estimate_b == pytest.approx(of_calls, abs=1e-11)
        assert one.difference.estimate / one.statistic == pytest.approx(spread, rel=0.06)


def test_calls_that_are_a_cut_of_the_score_itself_differ_from_it_by_less_than_a_step_of_its_curve():
    (one,) = compare_with_calls(labels, scores_a, scores_a >= 0.7, pairs, replicates=100)
    # Of all thresholds with this specificity the score has the best: the top of the step, as pROC reads it.
    highest_negative = scores_a[~labels & (scores_a < 0.7)].max()
    at_top = np.mean(scores_a[labels] > highest_negative)
    assert one.estimate_a == pytest.approx(at_top)
    assert one.estimate_b <= at_top
    assert one.difference.low < 0 < one.difference.high


def test_scores_of_several_fits_have_their_rates_averaged():
    alone = [compare_with_calls(labels, s, CALLS[0], pairs, replicates=50)[0] for s in (scores_a, scores_b)]
    (both,) = compare_with_calls(labels, np.stack([scores_a, scores_b]), CALLS[0], pairs, replicates=50)
    assert both.estimate_a == pytest.approx(np.mean([one.estimate_a for one in alone]))
    assert both.estimate_b == alone[0].estimate_b


def test_groups_of_one_are_no_groups():
    alone, grouped = (
        compare_with_calls(labels, scores_a, CALLS, groups, replicates=50) for groups in (None, np.arange(len(labels)))
    )
    assert alone == grouped


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.booleans()), min_size=4, max_size=30),
    matched=st.sampled_from(["specificity", "sensitivity"]),
)
def test_rates_stay_between_0_and_1_and_a_monotone_map_of_the_score_changes_nothing(rows, matched):
    truth, score, call = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(truth)) < 2:
        return
    first, mapped = (
        compare_with_calls(truth, values, call, matched=matched, replicates=20)[0]
        for values in (score, np.exp(score / 3.0))
    )
    assert 0 <= first.estimate_a <= 1
    assert first.estimate_a == pytest.approx(mapped.estimate_a)
    np.testing.assert_equal(first.p, mapped.p)


@pytest.mark.parametrize("call", [True, False])
def test_everybody_or_nobody_called_is_an_end_of_the_curve(call):
    (one,) = compare_with_calls([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], [call] * 4, replicates=50)
    assert one.estimate_a == 1.0  # a perfect ranking has it all at any specificity
    assert one.estimate_b == float(call)


def test_constant_scores_reach_by_chance_what_the_line_between_the_corners_says():
    (one,) = compare_with_calls([0, 0, 1, 1], [1.0] * 4, [1, 0, 1, 1], replicates=50)
    assert (one.estimate_a, one.estimate_b) == (0.5, 1.0)


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="no rate"):
        compare_with_calls(labels, scores_a, CALLS, matched="accuracy")
    with pytest.raises(ValueError, match="calls"):
        compare_with_calls(labels, scores_a, [1, 0])
    with pytest.raises(ValueError, match="no positive case"):
        compare_with_calls([0, 0], [1, 2], [0, 1])


def test_an_interval_of_95_percent_covers_95_percent_with_two_nodules_a_patient():
    # Benchmarks/coverage_matched_calls.py counts many more; here just that it is not badly off.
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(120):
        groups = np.repeat(np.arange(100), 2)
        shared = random.normal(size=100)[groups] * 0.6
        truth = random.random(200) < 0.4
        score = 1.2 * truth + shared + random.normal(size=200)
        reading = 1.2 * truth + shared + random.normal(size=200)  # as good as the score: the difference is 0
        (one,) = compare_with_calls(truth, score, reading > 0.8, groups, replicates=200)
        covered += one.difference.low <= 0 <= one.difference.high
    assert covered >= 108
