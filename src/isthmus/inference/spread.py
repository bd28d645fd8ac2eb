"""How far the members of an ensemble lie apart, and the columns in which views carry it."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SPREAD: Final = "spread"
OUT_OF_DISTRIBUTION: Final = "out_of_distribution"


def spread(members: "np.ndarray[Any, Any]") -> NDArray[np.float64]:
    """Return how far members' probabilities [P, N, K] lie apart: float64 [N].

    The root of half the sum over the classes of the variance over the members; of two classes the standard deviation of
    the probability of either (Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation").

    Examples
    --------
    >>> spread(np.array([[[0.2, 0.8]], [[0.6, 0.4]]])).round(3).tolist()
    [0.2]
    """
    return np.asarray(np.sqrt(np.asarray(members, np.float64).var(axis=0).sum(axis=-1) / 2))
