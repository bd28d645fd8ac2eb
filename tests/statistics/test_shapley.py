"""Shapley values against the definition by orders of arrival, and their axioms."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import InputError
from isthmus.statistics.shapley import shapley_values


def by_orders(worth: np.ndarray) -> np.ndarray:
    players = len(worth).bit_length() - 1
    found = np.zeros(players)
    orders = list(itertools.permutations(range(players)))
    for order in orders:
        there = 0
        for player in order:
            found[player] += worth[there | 1 << player] - worth[there]
            there |= 1 << player
    return found / len(orders)


@given(st.integers(0, 4), st.integers(0, 999))
def test_they_are_the_mean_over_all_orders_of_arrival_and_share_out_the_whole(players: int, seed: int) -> None:
    worth = np.random.default_rng(seed).normal(size=(2**players, 3))
    found = shapley_values(worth)
    for column in range(3):
        np.testing.assert_allclose(found[:, column], by_orders(worth[:, column]), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), worth[-1] - worth[0], atol=1e-12)


def test_the_glove_game() -> None:
    # Players 0 and 1 have a left glove, player 2 a right one; a pair is worth 1: the known values are 1/6, 1/6, 4/6.
    worth = [float(bool(s & 4) and bool(s & 3)) for s in range(8)]
    np.testing.assert_allclose(shapley_values(worth), [1 / 6, 1 / 6, 4 / 6])


def test_who_changes_nothing_brings_nothing() -> None:
    worth = np.array([0.1, 0.7, 0.1, 0.7])
    np.testing.assert_allclose(shapley_values(worth), [0.6, 0.0])


def test_a_set_that_is_missing_is_refused() -> None:
    with pytest.raises(InputError, match="7 sets"):
        shapley_values(np.zeros(7))
