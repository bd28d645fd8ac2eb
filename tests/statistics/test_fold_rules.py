"""AUCs of rules that every fold learns anew: means within folds, and a variance that knows of overlapping training."""

import numpy as np
import pytest

from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc
from isthmus.statistics.fold_rules import compare_fold_rules, fold_rule_auc, overlap_factor

RANDOM = np.random.default_rng(3)
FOLDS = np.repeat(np.arange(4), 40)
LABELS = np.tile(["a", "b"], 80)
GROUPS = np.repeat(np.arange(80), 2)
SCORES = RANDOM.normal(size=(2, 160)) + (LABELS == "b") + 9 * FOLDS


def _two(score):
    return fold_rule_auc(LABELS, np.stack([-score, score], axis=1), ["a", "b"], FOLDS, GROUPS)


def test_the_factor_is_that_of_nadeau_and_bengio():
    learnt, tried, folds = 80, 20, 5  # their 1/J + n2/n1 instead of 1/J
    assert overlap_factor(folds) == pytest.approx((1 / folds + tried / learnt) * folds)


def test_of_two_classes_it_is_the_cross_validated_auc_with_a_variance_that_is_larger_by_the_factor():
    plain = cross_validated_auc(LABELS == "b", SCORES[0], FOLDS, np.zeros(160), GROUPS).auc
    found = _two(SCORES[0]).auc
    assert found.estimate == pytest.approx(plain.estimate)

    def half_width(interval):
        logit = np.log(np.array([interval.low, interval.high]) / (1 - np.array([interval.low, interval.high])))
        return np.diff(logit)[0]

    assert half_width(found) / half_width(plain) == pytest.approx(np.sqrt(overlap_factor(4)))


def test_two_rules_are_compared_with_the_same_factor():
    plain = compare_cross_validated_aucs(LABELS == "b", *SCORES, FOLDS, np.zeros(160), GROUPS)
    found = compare_fold_rules(_two(SCORES[0]), _two(SCORES[1]))
    assert found.difference.estimate == pytest.approx(plain.difference.estimate)
    assert plain.statistic / found.statistic == pytest.approx(np.sqrt(overlap_factor(4)))
    assert compare_fold_rules(_two(SCORES[0]), _two(SCORES[0])).p == 1


def test_a_class_that_is_in_few_folds_leaves_no_auc_and_says_which():
    labels = np.where((FOLDS == 0) & (LABELS == "b"), "c", LABELS)
    found = fold_rule_auc(labels, RANDOM.random((160, 3)), ["a", "b", "c"], FOLDS, GROUPS)
    assert np.isnan(found.auc.estimate)
    assert found.auc.note == "c: both classes in only 1 of 4 folds"
    assert np.isnan(compare_fold_rules(found, found).p)


def test_the_macro_auc_is_the_mean_over_classes():
    labels, scores = RANDOM.choice(["a", "b", "c"], 160), RANDOM.random((160, 3))
    found = fold_rule_auc(labels, scores, ["a", "b", "c"], FOLDS, GROUPS)
    each = [
        cross_validated_auc(labels == name, scores[:, place], FOLDS, np.zeros(160), GROUPS).auc.estimate
        for place, name in enumerate("abc")
    ]
    assert found.auc.estimate == pytest.approx(np.mean(each))
    with pytest.raises(ValueError, match="for 160 cases and 2 classes"):
        fold_rule_auc(labels, scores, ["a", "b"], FOLDS, GROUPS)
