"""Abstaining: by definition, by its laws, and where nothing is left to answer."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from isthmus.statistics.abstention import abstained, band, band_width, certainty, risk_coverage
from tests.statistics.cases import labels, pairs, probabilities

answers = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=6)


def _by_definition(right: np.ndarray, sure: np.ndarray) -> float:
    """Mean over k of the risk of the k surest (Geifman et al. 2019), over all orders that certainty allows."""
    areas = []
    for order in permutations(range(len(right))):
        if (np.diff(sure[list(order)]) <= 0).all():
            wrong = ~right[list(order)]
            areas.append(np.mean(np.cumsum(wrong) / np.arange(1, len(right) + 1)))
    return float(np.mean(areas))


@given(answers)
def test_the_area_is_the_mean_risk_over_all_orders_that_certainty_allows(rows: list[tuple[bool, int]]) -> None:
    right, sure = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    found = risk_coverage(right, sure, replicates=2)
    assert found.area.estimate == pytest.approx(_by_definition(right, sure), abs=1e-12)
    assert found.best - 1e-12 <= found.area.estimate
    assert found.risk[-1] == pytest.approx(found.chance)


def test_the_area_without_certainty_is_the_risk_and_the_best_is_reached() -> None:
    right = np.arange(50) % 5 > 0
    assert risk_coverage(right, np.zeros(50)).area.estimate == pytest.approx(0.2)
    found = risk_coverage(right, right.astype(float) * 2 - np.arange(50) / 100)
    assert found.area.estimate == pytest.approx(found.best, abs=1e-12)
    # Geifman et al. 2019, equation 5: the best area is about r + (1 - r) log(1 - r).
    assert found.best == pytest.approx(0.2 + 0.8 * np.log(0.8), abs=0.01)


def test_the_area_falls_as_certainty_means_more() -> None:
    sure = certainty(probabilities, 0.5)
    right = (probabilities >= 0.5) == labels
    found = risk_coverage(right, sure, pairs)
    by_hand = np.mean([np.mean(~right[np.argsort(-sure, kind="stable")][:k]) for k in range(1, 121)])
    assert found.area.estimate == pytest.approx(by_hand, abs=2e-3)  # ties apart
    assert found.area.low < found.area.estimate < found.area.high
    assert found.area.high < found.chance


@given(st.floats(-2, 2), st.floats(0.2, 5), st.floats(0.05, 0.95))
def test_logistic_recalibration_changes_no_order_of_certainty(a: float, b: float, threshold: float) -> None:
    moved = certainty(expit(a + b * logit(probabilities)), expit(a + b * logit(threshold)))
    assert moved == pytest.approx(b * certainty(probabilities, threshold), rel=1e-6, abs=1e-6)


def test_the_band_leaves_the_share_that_it_was_chosen_for() -> None:
    sure = certainty(probabilities, 0.5)
    for share in (0.0, 0.1, 0.25):
        width = band_width(sure, share)
        assert np.mean(sure < width) <= share
        low, high = band(0.5, width)
        outside = (probabilities <= low + 1e-12) | (probabilities >= high - 1e-12)
        assert (outside == (sure >= width - 1e-9)).all()
    assert np.mean(sure < band_width(sure, 0.25)) > 0.2


def test_what_is_answered_is_counted() -> None:
    truth = np.array([True, True, False, False, False])
    found = abstained(truth, [True, False, False, True, False], [3.0, 1.0, 2.0, 0.5, 2.0], 1.5)
    assert (found.answered.estimate, found.accuracy.estimate, found.accuracy_all.estimate) == (0.6, 1.0, 0.6)
    assert (found.sensitivity.estimate, found.specificity.estimate) == (1.0, 1.0)
    assert (found.accuracy_left.estimate, found.gain.estimate) == (0.0, pytest.approx(0.4))


def test_the_interval_of_clustered_rows_is_that_of_the_groups() -> None:
    twice = np.repeat(np.arange(120), 2)
    right, sure = (probabilities >= 0.5) == labels, np.arange(120) * 37 % 120 / 1.0
    called = probabilities >= 0.5
    one = abstained(labels, called, sure, 30)
    two = abstained(labels[twice], called[twice], sure[twice], 30, twice)
    assert two.gain.low == pytest.approx(one.gain.low, abs=1e-12)
    # The gain's interval against the jackknife over cases.
    values = []
    for case in range(120):
        kept = np.arange(120) != case
        values.append(abstained(labels[kept], called[kept], sure[kept], 30).gain.estimate)
    jackknife = np.sqrt(119 / 120 * np.sum((np.array(values) - np.mean(values)) ** 2))
    assert (one.gain.high - one.gain.low) / 2 / 1.959963984540054 == pytest.approx(jackknife, rel=0.02)
    assert two.accuracy.low == pytest.approx(one.accuracy.low, abs=0.01)
    alone, doubled = risk_coverage(right, sure), risk_coverage(right[twice], sure[twice], twice)
    assert doubled.area.low == pytest.approx(alone.area.low, abs=0.01)


def test_nothing_answered_and_nothing_wrong_are_said() -> None:
    none = abstained([True, False], [True, False], [1.0, 1.0], 2.0)
    assert (none.answered.estimate, none.accuracy.note, none.gain.note) == (
        0,
        "no such case is answered",
        "no case is answered",
    )
    found = risk_coverage([True, True], [1.0, 2.0], replicates=20)
    assert (found.area.estimate, found.chance, found.best) == (0, 0, 0)
    with pytest.raises(ValueError, match="0 to below 1"):
        band_width([1.0], 1.0)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        certainty([0.5, 5e15], 0.5)
