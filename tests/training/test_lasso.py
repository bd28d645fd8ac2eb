"""Selection by LASSO against a published path, and folds that keep patients whole."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from isthmus.errors import InputError
from isthmus.training.correlation_cut import uncorrelated
from isthmus.training.grouped_folds import grouped_folds
from isthmus.training.lasso import LassoSettings, select_by_lasso
from tests.training.made_features import COLUMNS, made_features


def test_coefficients_are_the_soft_thresholds_of_an_orthogonal_design() -> None:
    # Tibshirani 1996, equation 3: with X'X/n = 1 each coefficient is sign(b)(|b| - alpha)+, b of least squares.
    from scipy.linalg import hadamard

    design = hadamard(32)[:, 1:7].astype(float)
    labels = (np.random.default_rng(1).random(32) < 0.5 + 0.35 * design[:, 0]).astype(int)
    groups = np.arange(32).astype(str).astype(object)
    found = select_by_lasso(design, labels, groups, tuple("abcdef"), LassoSettings(cv=4, largest=0.6, count=12), 0)
    least_squares = design.T @ (labels - labels.mean()) / 32
    for place, alpha in enumerate(found.path["alphas"]):
        expected = np.sign(least_squares) * np.maximum(np.abs(least_squares) - alpha, 0)
        shown = dict(zip(found.path["entered"], (row[place] for row in found.path["coefficients"]), strict=True))
        np.testing.assert_allclose([shown.get(name, 0.0) for name in "abcdef"], expected, atol=1e-4)
    chosen = np.sign(least_squares) * np.maximum(np.abs(least_squares) - found.path["alpha"], 0)
    np.testing.assert_array_equal(found.selected, np.flatnonzero(chosen))
    np.testing.assert_allclose(found.path["weights"], chosen[found.selected], atol=1e-4)


def test_the_penalty_of_least_error_over_the_folds_is_chosen() -> None:
    made = made_features()
    path = select_by_lasso(made.features, made.labels, made.groups, COLUMNS, LassoSettings(cv=5), 0).path
    assert path["alpha"] == path["alphas"][int(np.argmin(path["mse"]))]
    assert path["folds"] == 5
    assert {"image:0", "ceus:0"} <= set(path["selected"])
    assert not path["fallback"]
    assert len(path["alphas"]) == len(path["mse"]) == len(path["mse_se"]) == len(path["coefficients"][0]) == 50


def test_where_nothing_is_selected_the_strongest_single_feature_stands_in_and_it_is_said() -> None:
    made = made_features(signal=0.3)
    found = select_by_lasso(
        made.features, made.labels, made.groups, COLUMNS, LassoSettings(cv=5, smallest=5, largest=9), 0
    )
    correlation = [np.corrcoef(column, made.labels)[0, 1] for column in made.features.T]
    strongest = int(np.argmax(np.abs(correlation)))
    assert found.path["fallback"]
    assert found.path["selected"] == [COLUMNS[strongest]]
    assert found.path["weights"] == pytest.approx([correlation[strongest]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=8, max_size=60), st.integers(2, 12))
def test_folds_keep_groups_whole_and_hold_each_row_out_once(rows: list[tuple[int, int]], folds: int) -> None:
    groups = np.array([f"g{group}" for group, _ in rows], object)
    labels = np.array([label for _, label in rows])
    try:
        parts = grouped_folds(labels, groups, folds, 0)
    except InputError:
        reject()  # the next test has its words
    held_out = np.concatenate([test for _, test in parts])
    assert sorted(held_out) == list(range(len(rows)))
    for train, test in parts:
        assert not set(groups[train]) & set(groups[test])
        assert len(set(labels[train])) == 2
        assert len(test)


def test_one_group_of_a_class_is_too_few_for_folds() -> None:
    with pytest.raises(InputError, match=r"groups are 3 of class 0 and 1 of class 1: too few to cross-validate"):
        grouped_folds(np.array([0, 0, 0, 1, 1]), np.array(list("abcdd"), object), 5, 0)


def test_no_two_features_that_are_left_correlate_above_the_cut_and_none_went_without_a_partner() -> None:
    random = np.random.default_rng(2)
    base = random.normal(size=(50, 6))
    scores = np.repeat(base, 5, axis=1) + 0.3 * random.normal(size=(50, 30))
    left = uncorrelated(scores, 0.8)
    correlation = np.abs(np.corrcoef(scores, rowvar=False))
    np.fill_diagonal(correlation, 0)
    assert correlation[np.ix_(left, left)].max() <= 0.8
    gone = np.setdiff1d(np.arange(30), left)
    assert (correlation[gone].max(axis=1) > 0.8).all()
    assert {column // 5 for column in left} == set(range(6))


def test_the_largest_penalty_is_above_the_smallest() -> None:
    with pytest.raises(ValueError, match="not below the largest"):
        LassoSettings(smallest=1, largest=0.5)
