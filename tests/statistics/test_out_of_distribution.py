"""Distances of embeddings from the training cases, against scikit-learn, and what they promise of unseen cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from isthmus.statistics.out_of_distribution import (
    chances,
    fit_mahalanobis,
    fit_neighbours,
    of_length_one,
    scale_of,
    scores_of_unseen,
    shares_nearer,
)


def cases(count: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    mixing = rng.normal(size=(width, width))
    return rng.normal(size=(count, width)) @ mixing + labels[:, None] * 2, labels


@pytest.mark.parametrize(("count", "width"), [(60, 5), (20, 40)])
def test_mahalanobis_is_that_of_scikit_learns_shrunken_covariance(count: int, width: int) -> None:
    rows, labels = cases(count, width)
    new, _ = cases(15, width, seed=1)
    centres = np.stack([rows[labels == kind].mean(axis=0) for kind in (0, 1)])
    precision = LedoitWolf(assume_centered=True).fit(rows - centres[labels]).precision_
    expected = np.sqrt(np.min([np.einsum("nd,de,ne->n", new - c, precision, new - c) for c in centres], axis=0))
    np.testing.assert_allclose(fit_mahalanobis(rows, labels).distances(new), expected, rtol=1e-6)


def test_the_fifth_neighbour_is_that_of_scikit_learn() -> None:
    rows, _ = cases(700, 6)
    new, _ = cases(600, 6, seed=1)
    found, _ = NearestNeighbors(n_neighbors=5).fit(of_length_one(rows)).kneighbors(of_length_one(new))
    np.testing.assert_allclose(fit_neighbours(rows).distances(new), found[:, 4], atol=1e-7)


def test_embeddings_that_never_differ_still_give_a_distance() -> None:
    rows = np.ones((4, 3))
    for fitted in (fit_mahalanobis(rows, [0, 0, 1, 1]), fit_neighbours(rows)):
        near, far = fitted.distances([[1.0, 1.0, 1.0], [0.0, 5.0, 0.0]])
        assert near == pytest.approx(0, abs=1e-6)
        assert np.isfinite(far)
        assert far > near


def test_unseen_cases_have_a_median_of_zero() -> None:
    scale = scale_of([1.0, 2.0, 4.0])
    assert scale.scores([2.0])[0] == pytest.approx(0)
    assert scale.scores([4.0])[0] == pytest.approx(1 / 1.4826)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.integers(0, 20))
def test_a_chance_counts_the_unseen_cases_that_score_as_high(reference: list[int], score: int) -> None:
    expected = (1 + sum(one >= score for one in reference)) / (1 + len(reference))
    assert chances([score], reference)[0] == pytest.approx(expected)
    assert shares_nearer([score], reference)[0] == pytest.approx(np.mean([one < score for one in reference]))


def test_of_cases_like_the_reference_no_more_than_promised_are_called_unlike() -> None:
    rng = np.random.default_rng(3)
    low = [float((chances(rng.normal(size=50), rng.normal(size=50)) <= 0.05).mean()) for _ in range(400)]
    assert np.mean(low) <= 0.05


def test_a_case_has_no_part_in_the_scale_that_it_is_judged_on() -> None:
    distances, cases = [1.0, 2.0, 4.0, 8.0, 3.0], ["a", "a", "b", "c", "d"]
    found = scores_of_unseen(distances, cases)
    np.testing.assert_allclose(found[:2], scale_of([4.0, 8.0, 3.0]).scores([1.0, 2.0]))
    assert found[2] == pytest.approx(scale_of([1.0, 2.0, 8.0, 3.0]).scores([4.0])[0])
    np.testing.assert_allclose(scores_of_unseen([1.0, 4.0], ["a", "a"]), scale_of([1.0, 4.0]).scores([1.0, 4.0]))


def test_a_case_of_the_reference_is_compared_with_the_others() -> None:
    reference = np.array([3.0, 1.0, 2.0, 5.0])
    for place, score in enumerate(reference):
        others = np.delete(reference, place)
        assert chances([score], reference, among=True)[0] == pytest.approx(chances([score], others)[0])
        assert shares_nearer([score], reference, among=True)[0] == pytest.approx(shares_nearer([score], others)[0])
    assert shares_nearer([3.0], [3.0], among=True)[0] == 0
