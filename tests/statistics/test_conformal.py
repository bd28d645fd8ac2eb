"""Conformal sets: against MAPIE, by their promise on clustered data, and where there is too little to promise."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from isthmus.statistics.conformal import (
    conformal_limits,
    conformal_quantile,
    prediction_sets,
    set_quality,
)
from tests.statistics.cases import labels, probabilities

both = np.stack([1 - probabilities, probabilities], axis=1)
calibrating = np.arange(120) < 80
# MAPIE 1.6: c = SplitConformalClassifier(model, confidence_level=1 - miss, prefit=True, conformity_score="lac")
# c.conformalize(X[:80], y[:80]); c.predict_set(X[80:]), where model.predict_proba gives `both`; its quantiles_
# miss: (quantile, sets that hold class 0, class 1, coverage)
MAPIE = {0.2: (0.57148515, 30, 22, 0.775), 0.1: (0.63465347, 34, 27, 0.9), 0.05: (0.67029703, 36, 30, 0.975)}
# Class-conditional: one such classifier calibrated on each class's cases; sizes of the 40 sets in order.
MAPIE_BY_CLASS = {
    0.2: "2212212122112111121111111211112212212122",
    0.1: "2212222222112121121111111221212212222222",
    0.05: "2212222222122221121121211221222212222222",
}


@pytest.mark.parametrize("miss", [0.2, 0.1, 0.05])
def test_sets_equal_mapie(miss: float) -> None:
    quantile, none, one, covered = MAPIE[miss]
    y = labels.astype(int)
    limits = conformal_limits(y[calibrating], both[calibrating], miss, by_class=False)
    assert limits[0] == pytest.approx(quantile, abs=1e-8)
    sets = prediction_sets(both[~calibrating], limits)
    assert sets.sum(axis=0).tolist() == [none, one]
    assert set_quality(y[~calibrating], sets).coverage.estimate == pytest.approx(covered)
    sets = prediction_sets(both[~calibrating], conformal_limits(y[calibrating], both[calibrating], miss))
    assert "".join(map(str, sets.sum(axis=1))) == MAPIE_BY_CLASS[miss]


def test_sets_of_three_classes_equal_mapie() -> None:
    # The same call with the y and p below: quantile, sizes of the 40 sets, coverage.
    expected = {
        0.2: (0.60338374, "2111101111110111100111100102112021111112", 0.7),
        0.1: (0.63998073, "2211111222111111111111111112212021111112", 0.825),
        0.05: (0.69053885, "2222221222122121223111122122212322121212", 0.925),
    }
    i = np.arange(120)
    y = i * 7 % 5 % 3
    raw = np.stack([(i * 37 % 101) / 101, (i * 53 % 97) / 97, (i * 29 % 89) / 89], axis=1) + 0.05
    raw[i, y] += 0.5
    p = raw / raw.sum(axis=1, keepdims=True)
    for miss, (quantile, sizes, covered) in expected.items():
        limits = conformal_limits(y[calibrating], p[calibrating], miss, by_class=False)
        assert limits[0] == pytest.approx(quantile, abs=1e-8)
        sets = prediction_sets(p[~calibrating], limits)
        assert "".join(map(str, sets.sum(axis=1))) == sizes
        assert set_quality(y[~calibrating], sets).coverage.estimate == pytest.approx(covered)


def test_a_group_counts_once() -> None:
    # Four groups; the second holds three cases of a third of its weight each: 1/4 a group, up to 0.75 of 5/4 weights.
    scores, groups = [0.1, 0.2, 0.3, 0.9, 0.4, 0.5], ["a", "b", "b", "b", "c", "d"]
    # Needed 0.6 * 5 = 3: reached by 0.1 (1), 0.2 and 0.3 (1 2/3), 0.4 (2 2/3), 0.5 (3 2/3).
    assert conformal_quantile(scores, groups, 0.4) == 0.5
    assert conformal_quantile(scores, groups, 0.2) == 0.9  # 4 of 5 needed: all four groups
    assert conformal_quantile(scores, groups, 0.1) == np.inf
    # Copies of a group's only case change nothing.
    twice = np.repeat(np.arange(6), 2)
    assert conformal_quantile(np.array(scores)[twice], twice, 0.4) == conformal_quantile(scores, None, 0.4)


def _clustered(generator: np.random.Generator, groups: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, a model's probabilities [N, 2] and groups: big groups are the strange ones."""
    size = generator.integers(1, 7, groups)
    of = np.repeat(np.arange(groups), size)
    x = generator.normal(size=groups)[of] + generator.normal(size=of.size) * 0.7
    shift = (generator.normal(size=groups) * 0.5 * size)[of]
    y = generator.random(of.size) < expit(2 * x + shift)
    p = expit(2 * x)
    return y.astype(int), np.stack([1 - p, p], axis=1), of


def test_a_case_of_a_new_group_is_covered_as_promised() -> None:
    generator = np.random.default_rng(0)
    covered: list[list[float]] = []
    for _ in range(600):
        y, p, of = _clustered(generator, 40)
        new_y, new_p, new_of = _clustered(generator, 60)
        first = np.unique(new_of, return_index=True)[1]  # one case of each new group
        row = []
        for by_class in (True, False):
            sets = prediction_sets(new_p[first], conformal_limits(y, p, 0.2, of, by_class=by_class))
            inside = sets[np.arange(len(first)), new_y[first]]
            row += [inside.mean(), inside[new_y[first] == 0].mean(), inside[new_y[first] == 1].mean()]
        covered.append(row)
    by_class, negatives, positives, marginal, _, _ = np.mean(covered, axis=0)
    error = np.std(covered, axis=0).max() / np.sqrt(600)
    for share in (by_class, negatives, positives, marginal):
        assert 0.8 - 2.5 * error < share < 0.86


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=2, max_size=30),
    st.integers(0, 10_000),
)
def test_a_higher_level_never_gives_a_smaller_set(rows: list[tuple[int, int]], seed: int) -> None:
    y, groups = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    p = np.random.default_rng(seed).dirichlet(np.ones(3), len(rows))
    for by_class in (True, False):
        sets = [
            prediction_sets(p, conformal_limits(y, p, miss, groups, by_class=by_class))
            for miss in (0.3, 0.2, 0.1, 0.05)
        ]
        for smaller, larger in pairwise(sets):
            assert (smaller <= larger).all()


def test_quality_is_counted() -> None:
    sets = np.array([[True, True], [True, False], [False, False], [False, True]])
    found = set_quality([0, 0, 1, 1], sets)
    assert [found.coverage.estimate, found.size.estimate, found.single.estimate] == [0.75, 1.0, 0.5]
    assert [found.empty.estimate, found.full.estimate, found.right_when_single.estimate] == [0.25, 0.25, 1.0]
    assert [one.estimate for one in found.by_class] == [1.0, 0.5]
    none = set_quality([0, 0], np.ones((2, 2), dtype=bool))
    assert "no such case" in none.by_class[1].note
    assert "no such case" in none.right_when_single.note


def test_too_few_groups_promise_by_holding_everything() -> None:
    assert np.isinf(conformal_quantile([], None, 0.1))
    assert np.isinf(conformal_limits([0, 1], [[0.9, 0.1], [0.2, 0.8]], 0.1)).all()
    assert prediction_sets([[0.9, 0.1]], [np.inf, np.inf]).all()
    with pytest.raises(ValueError, match="may be missed"):
        conformal_quantile([0.1], None, 1.0)
    with pytest.raises(ValueError, match="row 1 is 5"):
        conformal_limits([0, 1], [[0.9, 0.1], [5e15, 0.8]], 0.1)
