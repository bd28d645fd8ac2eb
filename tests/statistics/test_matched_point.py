import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.statistics.matched_calls import compare_with_calls
from isthmus.statistics.matched_point import matched_points
from isthmus.statistics.thresholds import sensitivity_specificity_at


def made(seed=0, cases=120, readers=6, ties=False):
    random = np.random.default_rng(seed)
    truth = np.arange(cases) % 3 == 0
    hard = random.normal(size=cases)
    scores = truth + 0.7 * hard + random.normal(size=cases)
    calls = truth + 0.7 * hard + random.normal(size=(readers, cases)) > random.normal(0.5, 0.2, (readers, 1))
    return truth, np.round(scores) if ties else scores, calls


# R 4.2, pROC 1.18, on made(ties = FALSE | TRUE): r <- roc(truth, scores, direction = "<"), and for each reader's
# specificity x: max(coords(r, x - 1e-12, input = "specificity", ret = "sensitivity"))
PROC = {
    False: [0.775, 0.75, 0.65, 0.75, 0.75, 0.525],
    True: [0.744565217392, 0.688043478262, 0.589130434784, 0.688043478262, 0.688043478262, 0.523684210528],
}


@pytest.mark.parametrize("ties", [False, True])
def test_the_model_stands_where_proc_puts_it_at_the_readers_specificity(ties):
    truth, scores, calls = made(ties=ties)
    found = matched_points(truth, scores, calls, replicates=10)
    assert found.model_sensitivity == pytest.approx(PROC[ties], abs=1e-9)
    assert found.reader_sensitivity == pytest.approx(calls[:, truth].mean(axis=1))


def test_a_reader_who_calls_by_the_models_own_score_has_the_models_point():
    truth, scores, _ = made()
    cuts = (0.0, 0.5, 1.2)
    found = matched_points(truth, scores, np.stack([scores >= cut for cut in cuts]), replicates=200)
    for place, cut in enumerate(cuts):
        sensitivity, specificity = sensitivity_specificity_at(truth, scores, cut)
        assert found.reader_sensitivity[place] == pytest.approx(sensitivity)
        assert found.reader_specificity[place] == pytest.approx(specificity)
        # The top of the step at the same specificity: as high as the reader, or higher by the positives on the step.
        assert 0 <= found.model_sensitivity[place] - sensitivity < 0.11


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_monotone_map_of_the_scores_moves_nothing(seed):
    truth, scores, calls = made(seed, cases=40, readers=2)
    one = matched_points(truth, scores, calls, replicates=5)
    other = matched_points(truth, np.exp(3 * scores), calls, replicates=5)
    assert one.model_sensitivity == pytest.approx(other.model_sensitivity)
    assert one.model_specificity == pytest.approx(other.model_specificity)


def test_the_two_sides_are_the_same_question_with_the_classes_exchanged():
    truth, scores, calls = made()
    one = matched_points(truth, scores, calls, replicates=50)
    other = matched_points(~truth, -scores, ~calls, replicates=50)
    assert one.model_sensitivity == pytest.approx(other.model_specificity)
    assert one.covariance_sensitivity == pytest.approx(other.covariance_specificity)


def test_one_reader_at_a_time_is_what_several_are_together():
    truth, scores, calls = made(readers=3)
    groups = np.arange(120) // 2
    together = matched_points(truth, scores, calls, groups, replicates=100)
    for place, (of_sensitivity, _) in enumerate(together.comparisons()):
        (alone,) = compare_with_calls(truth, scores, calls[place], groups, replicates=100)
        assert of_sensitivity.difference.estimate == pytest.approx(alone.difference.estimate)
        assert of_sensitivity.difference.high == pytest.approx(alone.difference.high)
    assert together.of([2, 0]).model_sensitivity.tolist() == together.model_sensitivity[[2, 0]].tolist()
    assert together.of([2, 0]).covariance_sensitivity[0, 1] == together.covariance_sensitivity[2, 0]


def test_the_variance_is_that_of_repeated_samples():
    # Samples of the same design: their spread is what the bootstrap of each says of itself.
    gaps, errors = [], []
    for seed in range(200):
        found = matched_points(*made(seed, cases=150, readers=1), replicates=40)
        gaps.append(float((found.model_sensitivity - found.reader_sensitivity)[0]))
        errors.append(float(np.sqrt(found.covariance_sensitivity[0, 0])))
    assert np.mean(errors) == pytest.approx(np.std(gaps), rel=0.15)


def test_patients_with_several_cases_widen_the_limits():
    truth, scores, calls = made(readers=1, cases=60)
    twice = np.tile(np.arange(60), 3)
    args = truth[twice], scores[twice], calls[:, twice]
    (alone, _), (clustered, _) = (matched_points(*args, groups).comparisons()[0] for groups in (None, twice))
    assert clustered.difference.estimate == alone.difference.estimate
    assert clustered.difference.high - clustered.difference.low > 1.3 * (alone.difference.high - alone.difference.low)


def test_scores_of_fold_models_are_not_ranked_against_each_other():
    truth, scores, calls = made(readers=2)
    fold = np.arange(120) // 30
    apart = matched_points(truth, scores + 10 * fold, calls, folds=fold, replicates=5)
    together = matched_points(truth, scores, calls, folds=fold, replicates=5)
    assert apart.model_sensitivity.tolist() == together.model_sensitivity.tolist()
    assert apart.reader_sensitivity.tolist() == together.reader_sensitivity.tolist()


def test_readers_who_call_everything_or_nothing_and_constant_scores_have_an_answer():
    truth, scores, _ = made(cases=30)
    everything = np.stack([np.ones(30, bool), np.zeros(30, bool)])
    found = matched_points(truth, scores, everything, replicates=20)
    assert found.model_sensitivity[0] == 1
    for pair in found.comparisons():
        assert all(np.isfinite(compared.difference.estimate) for compared in pair)
    flat = matched_points(truth, np.zeros(30), everything, replicates=20)
    assert flat.model_sensitivity.tolist() == [1.0, 0.0]  # a constant score is the diagonal


def test_wrong_use_is_refused():
    with pytest.raises(ValueError, match="both classes"):
        matched_points([1, 1], [0.1, 0.2], [[True, False]])
    with pytest.raises(ValueError, match="was expected"):
        matched_points([0, 1], [0.1, 0.2], [[True, False, True]])
    with pytest.raises(ValueError, match="no fold holds both classes"):
        matched_points([0, 1], [0.1, 0.2], [[True, False]], folds=[0, 1])
