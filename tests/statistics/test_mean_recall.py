"""Balanced accuracy of several classes: with two it is the checked one, with few patients it keeps its width."""

import numpy as np
import pytest

from isthmus.statistics.confusion import binary_measures
from isthmus.statistics.mean_recall import mean_recall


@pytest.mark.parametrize("clustered", [False, True])
def test_of_two_classes_it_is_the_balanced_accuracy_with_its_limits(clustered):
    random = np.random.default_rng(2)
    labels = random.random(80) < 0.4
    calls = np.where(random.random(80) < 0.75, labels, ~labels)
    groups = np.arange(80) // (3 if clustered else 1)
    expected = binary_measures(labels, calls, groups, replicates=10)["balanced_accuracy"]
    found = mean_recall(labels, calls, [False, True], groups)
    assert (found.estimate, found.low, found.high) == pytest.approx((expected.estimate, expected.low, expected.high))


def test_a_class_without_a_case_leaves_no_mean():
    assert np.isnan(mean_recall(["a", "b"], ["a", "b"], ["a", "b", "c"]).estimate)


def test_ninety_five_of_a_hundred_intervals_hold_the_mean_recall_where_classes_are_small():
    random, inside, drawn = np.random.default_rng(4), 0, 400
    labels, right = np.repeat([0, 1, 2], [10, 4, 20]), np.array([0.9, 0.6, 0.8])
    for _ in range(drawn):
        calls = np.where(random.random(labels.size) < right[labels], labels, (labels + 1) % 3)
        found = mean_recall(labels, calls, [0, 1, 2])
        inside += found.low <= right.mean() <= found.high
    assert inside / drawn > 0.93
