"""The AUC that scores have in expectation, where each unit's chance of being positive is known."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def expected_auc(scores: Numbers, chances: Numbers, group: NDArray[np.int64]) -> tuple[float, float]:
    """Return the AUC that scores have in expectation over the labels, and its Monte-Carlo standard error.

    Each unit counts with its chance as a positive and with the rest as a negative; ties count half. The error is that
    of the units drawn, by influence values summed per group (LeDell 2015, 10.1214/15-EJS1035, with weights).

    Parameters
    ----------
    scores : float64 array [n]
        Higher speaks for the class.
    chances : float64 array [n]
        Probability of the class.
    group : int array [n]
        Units drawn together.

    Examples
    --------
    >>> import numpy as np
    >>> expected_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0.0, 0, 1, 1]), np.arange(4))[0]
    0.75
    """
    _, place = np.unique(scores, return_inverse=True)
    positive = np.bincount(place, weights=chances)
    negative = np.bincount(place, weights=1 - chances)
    below = (np.cumsum(negative) - negative / 2)[place] / negative.sum()
    above = 1 - (np.cumsum(positive) - positive / 2)[place] / positive.sum()
    auc = float(np.average(below, weights=chances))
    influence = chances * (below - auc) / positive.sum() + (1 - chances) * (above - auc) / negative.sum()
    _, member = np.unique(group, return_inverse=True)
    return auc, float(np.sqrt(np.square(np.bincount(member, weights=influence)).sum()))
