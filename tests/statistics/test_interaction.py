"""Subgroups: AUCs within them against pROC, heterogeneity against metafor."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc
from isthmus.statistics.interaction import (
    auc_heterogeneity,
    difference_heterogeneity,
    heterogeneity,
    subgroup_auc,
    subgroup_difference,
)
from isthmus.statistics.roc import auc_interval, compare_aucs
from tests.statistics.cases import i, labels, pairs, scores_a, scores_b

LEVEL = i % 3
FOLD = (i // 2) % 4


def test_independent_estimates_have_cochrans_q():
    # rma(c(0.52, 1.31, 0.87, -0.12), c(0.031, 0.052, 0.017, 0.088), method = "FE")$QE, QEp
    found = heterogeneity([0.52, 1.31, 0.87, -0.12], [0.031, 0.052, 0.017, 0.088])
    assert (found.statistic, found.p) == pytest.approx((17.1831737257521, 0.000648006035451257), rel=1e-10)


def test_correlated_estimates_have_the_q_of_their_covariance():
    covariance = np.array([[0.031, 0.01, 0, 0], [0.01, 0.052, 0.008, 0], [0, 0.008, 0.017, 0], [0, 0, 0, 0.088]])
    # rma.mv(yi, V, method = "FE")$QE, QEp
    found = heterogeneity([0.52, 1.31, 0.87, -0.12], covariance)
    assert (found.statistic, found.p) == pytest.approx((18.0125875713544, 0.000437228165305456), rel=1e-10)


def test_aucs_of_independent_subgroups_are_those_of_proc_and_their_q_that_of_metafor():
    found = [subgroup_auc(labels, scores_a, level == LEVEL) for level in range(3)]
    # roc(lab[lev == k], a[lev == k], direction = "<"): auc, var
    aucs = [0.744791666666667, 0.723958333333333, 0.916666666666667]
    variances = [0.00630771311392915, 0.00689962635869565, 0.00169396638486312]
    assert [one.auc.estimate for one in found] == pytest.approx(aucs, rel=1e-12)
    assert [float(one.influence @ one.influence) for one in found] == pytest.approx(variances, rel=1e-10)
    # rma(qlogis(aucs), variances / (aucs * (1 - aucs))^2, method = "FE")
    test = auc_heterogeneity(found)
    assert (test.statistic, test.p) == pytest.approx((5.08673051514366, 0.0786014401204392), rel=1e-9)


def test_a_subgroup_of_everyone_has_the_whole_auc():
    everyone = np.ones(i.size, dtype=bool)
    assert subgroup_auc(labels, scores_a, everyone, groups=pairs).auc == auc_interval(labels, scores_a, pairs)
    whole = cross_validated_auc(labels, scores_a, FOLD, np.zeros(i.size), pairs).auc
    found = subgroup_auc(labels, scores_a, everyone, FOLD, pairs).auc
    assert (found.estimate, found.low, found.high) == pytest.approx((whole.estimate, whole.low, whole.high), rel=1e-12)


def test_a_difference_within_everyone_is_the_whole_difference():
    everyone = np.ones(i.size, dtype=bool)
    one, other = (subgroup_auc(labels, scores, everyone) for scores in (scores_a, scores_b))
    found, whole = subgroup_difference(one, other), compare_aucs(labels, scores_a, scores_b)
    assert (found.statistic, found.p) == pytest.approx((whole.statistic, whole.p), rel=1e-9)
    one, other = (subgroup_auc(labels, scores, everyone, FOLD, pairs) for scores in (scores_a, scores_b))
    whole = compare_cross_validated_aucs(labels, scores_a, scores_b, FOLD, np.zeros(i.size), pairs)
    assert subgroup_difference(one, other).p == pytest.approx(whole.p, rel=1e-9)


def test_folds_without_both_classes_are_left_out_and_said():
    within = (LEVEL == 0) & ~((FOLD == 0) & labels)
    found = subgroup_auc(labels, scores_a, within, FOLD)
    assert found.folds == (3, 4)
    assert "3 of 4 folds hold both classes" in found.auc.note
    mean = np.mean([auc_interval(labels[r], scores_a[r]).estimate for r in
                    (within & (fold == FOLD) for fold in range(1, 4))])  # fmt: skip
    assert found.auc.estimate == pytest.approx(mean)
    few = (LEVEL == 0) & ~((FOLD < 3) & labels)
    found = subgroup_auc(labels, scores_a, few, FOLD)
    assert np.isnan(found.auc.estimate)
    assert "only 1 of 4 folds" in found.auc.note


def test_subgroups_that_share_patients_are_not_taken_as_independent():
    # Both nodules of a patient have nearly one score: the AUCs of the two subgroups rise and fall together.
    random = np.random.default_rng(2)
    patient = np.repeat(np.arange(80), 2)
    truth = patient % 2 == 0
    score = (random.normal(size=80)[patient] + truth) + 0.05 * random.normal(size=160)
    first = np.arange(160) % 2 == 0
    together = [subgroup_auc(truth, score, rows, groups=patient) for rows in (first, ~first)]
    apart = [subgroup_auc(truth, score, rows) for rows in (first, ~first)]
    assert auc_heterogeneity(together).statistic > 3 * auc_heterogeneity(apart).statistic


@given(st.floats(0.1, 5), st.floats(-3, 3))
def test_a_monotone_map_of_the_scores_changes_no_test(scale, shift):
    before = [subgroup_auc(labels, scores_a, level == LEVEL, groups=pairs) for level in range(3)]
    after = [subgroup_auc(labels, np.exp(scale * scores_a + shift), level == LEVEL, groups=pairs) for level in range(3)]
    assert auc_heterogeneity(after).statistic == pytest.approx(auc_heterogeneity(before).statistic)


def test_identical_arms_differ_in_no_subgroup():
    found = [subgroup_auc(labels, scores_a, level == LEVEL) for level in range(3)]
    assert subgroup_difference(found[0], found[0]).p == 1
    assert np.isnan(difference_heterogeneity(found, found).p)


def test_degenerate_subgroups_have_no_auc_and_say_why():
    nobody = np.zeros(i.size, dtype=bool)
    assert subgroup_auc(labels, scores_a, nobody).auc.note == "no case"
    assert subgroup_auc(labels, scores_a, ~labels).auc.note == "no positive case"
    assert subgroup_auc(labels, scores_a, labels).auc.note == "no negative case"
    nothing = subgroup_auc(labels, scores_a, labels)
    assert not nothing.enough
    assert np.isnan(subgroup_difference(nothing, nothing).p)
    assert np.isnan(auc_heterogeneity([nothing, nothing]).p)
    constant = [subgroup_auc(labels, np.zeros(i.size), level == LEVEL) for level in range(3)]
    assert np.isnan(auc_heterogeneity(constant).p)
    assert np.isnan(heterogeneity([1.0], [2.0]).p)
    with pytest.raises(ValueError, match="finite"):
        heterogeneity([1.0, np.nan], [1.0, 1.0])
    with pytest.raises(ValueError, match="variances"):
        heterogeneity([1.0, 2.0], [1.0])


def test_equal_subgroups_are_found_different_in_one_of_twenty():
    random = np.random.default_rng(4)
    rejected = 0
    for _ in range(300):
        truth = random.random(240) < 0.4
        score = random.normal(size=240) + 1.2 * truth
        level = np.arange(240) % 3
        rejected += auc_heterogeneity([subgroup_auc(truth, score, level == one) for one in range(3)]).p < 0.05
    assert 0.02 < rejected / 300 < 0.09
