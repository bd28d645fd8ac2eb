"""Exact Shapley values of a few players.

Source: L. Shapley, "A value for n-person games", Contributions to the Theory of Games II (1953) 307-317.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from isthmus.errors import InputError
from isthmus.statistics.inputs import FloatArray


def shapley_values(worth: ArrayLike) -> FloatArray:
    """Return what each of M players brought.

    phi_i is the sum over the sets S without i of |S|! (M - |S| - 1)! / M! (v(S + i) - v(S)).

    Parameters
    ----------
    worth : array_like of float, shape [2 ** M, ...]
        v of each set of players; set number s holds player i where bit i of s is 1, so row 0 is that of nobody.

    Returns
    -------
    ndarray of float64, shape [M, ...]
        Sums over the players to ``worth[-1] - worth[0]``.

    Raises
    ------
    InputError
        When the number of rows is no power of 2.

    Examples
    --------
    >>> shapley_values([0.0, 1.0, 2.0, 5.0]).tolist()
    [2.0, 3.0]
    """
    values = np.asarray(worth, np.float64)
    players = len(values).bit_length() - 1
    if len(values) != 2**players:
        raise InputError(f"the worth of {len(values)} sets of players", expected="2, 4, 8, … of them")
    sets = np.arange(len(values))
    sizes = np.bitwise_count(sets).astype(np.int64)
    found = np.zeros((players, *values.shape[1:]))
    for player in range(players):
        without = sets[(sets >> player) & 1 == 0]
        weights = np.array([1 / (players * math.comb(players - 1, int(size))) for size in sizes[without]])
        found[player] = np.tensordot(weights, values[without + (1 << player)] - values[without], axes=1)
    return found
