"""Features that say the same twice: which are left out, without a look at the labels."""

from typing import Any

import numpy as np

from isthmus.statistics.inputs import FloatArray


def uncorrelated(scores: FloatArray, cut: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return which columns are left once no two of them correlate above a cut.

    Greedy: of the columns that have a partner with ``|r| > cut`` the one with the most partners goes, among equals the
    one with the larger mean ``|r|`` and then the later one; until none has a partner.

    Parameters
    ----------
    scores : ndarray [N, F]
        No column constant.
    cut : float
        Of Pearson's ``|r|``, 0 to 1.

    Returns
    -------
    ndarray of int
        Columns, ascending; at least one.

    Examples
    --------
    >>> a = np.array([1.0, 2.0, 3.0, 5.0])
    >>> uncorrelated(np.stack([a, a + [0, 0, 0, 0.1], [1.0, -1.0, 0.0, 0.0]], axis=1), 0.9).tolist()
    [0, 2]
    """
    centred = scores - scores.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=0)
    correlation = np.abs(unit.T @ unit)
    partners = correlation > cut
    np.fill_diagonal(partners, False)
    # Rounded: sums that differ in their last bits only are equal, on any machine.
    mean = np.round(correlation.mean(axis=0), 9)
    counts = partners.sum(axis=0)
    left = np.ones(len(counts), bool)
    while counts.any():
        most = np.flatnonzero(counts == counts.max())
        worst = most[np.flatnonzero(mean[most] == mean[most].max())[-1]]
        left[worst] = False
        counts -= partners[worst]
        partners[:, worst] = False
        counts[worst] = 0
    return np.flatnonzero(left)
