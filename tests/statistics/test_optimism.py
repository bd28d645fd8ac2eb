"""Optimism of a threshold chosen on its own cases: by resampling rows, against new cases, degenerate input."""

import numpy as np
import pytest

from isthmus.statistics.bootstrap import group_counts
from isthmus.statistics.optimism import chosen_here
from isthmus.statistics.thresholds import choose_threshold, sensitivity_specificity_at
from tests.statistics.cases import labels, pairs, scores_a


def test_it_is_the_bootstrap_of_its_definition() -> None:
    youden = chosen_here(labels, scores_a, pairs, replicates=30, seed=2)[0]
    (drawn,) = group_counts(60, 30, 2)
    lost = []
    for times in drawn:
        rows = np.repeat(np.arange(120), times[pairs].astype(int))
        cut = choose_threshold("youden", labels[rows], scores_a[rows])
        again = sensitivity_specificity_at(labels[rows], scores_a[rows], cut)
        lost.append(np.subtract(again, sensitivity_specificity_at(labels, scores_a, cut)))
    expected = np.subtract((youden.sensitivity, youden.specificity), np.mean(lost, axis=0))
    assert (youden.corrected_sensitivity, youden.corrected_specificity) == pytest.approx(tuple(expected))


def test_the_rules_are_those_of_thresholds() -> None:
    found = {point.rule: point for point in chosen_here(labels, scores_a, replicates=2)}
    assert found["youden"].threshold == choose_threshold("youden", labels, scores_a)
    assert found["fixed_sensitivity"].threshold == choose_threshold("fixed_sensitivity", labels, scores_a, 0.95)
    assert found["fixed_specificity"].threshold == choose_threshold("fixed_specificity", labels, scores_a, 0.9)
    assert found["fixed_sensitivity"].sensitivity >= 0.95


def test_the_corrected_value_is_nearer_to_that_of_new_cases() -> None:
    # Scores that know nothing: what Youden finds on 40 cases is all optimism; on new cases J is 0.
    random, apparent, corrected = np.random.default_rng(4), [], []
    y = np.arange(40) % 2 == 0
    for seed in range(40):
        point = chosen_here(y, random.normal(size=40), replicates=40, seed=seed)[0]
        apparent.append(point.sensitivity + point.specificity - 1)
        corrected.append(point.corrected_sensitivity + point.corrected_specificity - 1)
    assert np.mean(apparent) > 0.15
    assert np.mean(corrected) < 0.6 * np.mean(apparent)


def test_degenerate_cases_are_answered() -> None:
    assert chosen_here([True, True], [0.1, 0.2]) == []
    constant = chosen_here([True, False, True], [0.5, 0.5, 0.5], replicates=20)
    assert {(point.sensitivity, point.specificity) for point in constant} == {(1.0, 0.0), (0.0, 1.0)}
    alone = chosen_here([True, False], [0.9, 0.1], [1, 1], replicates=5)
    assert alone[0].corrected_sensitivity == 1.0
    one_class_a_group = chosen_here([True, False], [0.9, 0.1], replicates=1, seed=0)
    assert len(one_class_a_group) == 3
