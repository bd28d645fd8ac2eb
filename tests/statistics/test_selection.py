"""The best of several candidates, and what having chosen it flatters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from isthmus.statistics.cross_validated import cross_validated_auc
from isthmus.statistics.selection import best_of


def _study(candidates: int, cases: int, signal: float, seed: int = 0):
    """Scores of candidates, the last of which is better by `signal` standard deviations; four folds."""
    generator = np.random.default_rng(seed)
    labels = np.arange(cases) % 2 == 0
    scores = generator.normal(size=(candidates, cases))
    scores[-1] += signal * labels
    return labels, scores, np.arange(cases) // 2 % 4, np.zeros(cases), np.arange(cases)


def test_the_aucs_are_those_of_cross_validation_and_the_best_is_the_largest():
    labels, scores, folds, seeds, groups = _study(4, 80, 1.0)
    found = best_of(labels, scores, folds, seeds, groups, replicates=10)
    expected = [
        np.mean([roc_auc_score(labels[folds == fold], score[folds == fold]) for fold in range(4)]) for score in scores
    ]
    assert found.aucs == pytest.approx(expected, abs=1e-12)
    assert found.best == int(np.argmax(expected)) == 3
    own = cross_validated_auc(labels, scores[3], folds, seeds, groups).auc.estimate
    assert found.aucs[3] == pytest.approx(own, abs=1e-12)


def test_the_best_of_many_that_know_nothing_is_worth_a_half_once_corrected():
    """The bias that Tsamardinos et al. (2018, section 3) set out to remove: over 40 studies the winners' mean is far
    above 0.5 (the expected largest of 20 AUCs), the corrected mean is 0.5 within three Monte-Carlo errors."""
    looked, corrected = [], []
    for seed in range(40):
        found = best_of(*_study(20, 80, 0.0, seed), replicates=200, seed=seed)
        looked.append(found.aucs[found.best])
        corrected.append(found.corrected.estimate)
    error = np.std(corrected, ddof=1) / np.sqrt(40)
    assert np.mean(looked) > 0.58
    assert abs(np.mean(corrected) - 0.5) < 3 * error + 0.005


def test_a_candidate_that_is_clearly_better_is_chosen_in_every_bootstrap_and_loses_little():
    found = best_of(*_study(3, 400, 2.5), replicates=100)
    assert found.how_often == (0.0, 0.0, 1.0)
    assert found.corrected.estimate == pytest.approx(found.aucs[2], abs=0.01)
    assert found.corrected.low < found.aucs[2] < found.corrected.high


def test_a_row_more_for_a_group_that_is_copied_whole_changes_no_choice():
    labels, scores, folds, seeds, groups = _study(3, 60, 0.5)
    twice = np.repeat(np.arange(60), 2)
    plain = best_of(labels, scores, folds, seeds, groups, replicates=50)
    copied = best_of(labels[twice], scores[:, twice], folds[twice], seeds[twice], groups[twice], replicates=50)
    assert copied.aucs == pytest.approx(plain.aucs, abs=1e-12)
    assert copied.corrected.estimate == pytest.approx(plain.corrected.estimate, abs=1e-12)


def test_a_fold_of_one_class_is_refused():
    labels, scores, _, seeds, groups = _study(2, 40, 0.0)
    with pytest.raises(ValueError, match="one class only"):
        best_of(labels, scores, labels.astype(int), seeds, groups)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_any_increasing_change_of_scores_leaves_the_selection_as_it_is(seed: int):
    labels, scores, folds, seeds, groups = _study(3, 40, 0.7, seed)
    plain = best_of(labels, scores, folds, seeds, groups, replicates=20)
    changed = best_of(labels, np.exp(scores), folds, seeds, groups, replicates=20)
    assert changed == plain
