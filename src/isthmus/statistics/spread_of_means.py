"""How much narrower a mean of scores spreads than a single score: over networks, and over the pictures of a case.

Scores of a case's pictures by several networks are taken as crossed components: of the case, of case and network, of
the picture, and a rest (Brennan 2001, "Generalizability theory", chapter 3). What is told by such a mean can then be
compared with cases that only one network has not seen, or that have another number of pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray

LEAST: Final = 10
"""Cases below which a correlation is not estimated."""

Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True)
class Agreement:
    """Correlations of single scores; None where there are too few cases to tell, and then nothing is made narrower.

    Parameters
    ----------
    networks : float, optional
        Of one picture, by two networks.
    views : float, optional
        Of two pictures of a case, by one network.
    both : float, optional
        Of two pictures of a case, each by another network.
    """

    networks: float | None = None
    views: float | None = None
    both: float | None = None

    def spread(self, networks: int, views: ArrayLike) -> FloatArray:
        """Return the deviation of means over so many networks and pictures, in deviations of a single score.

        The root of ``(1 + (V - 1) views + (K - 1) networks + (K - 1) (V - 1) both) / (K V)``.

        Examples
        --------
        >>> Agreement(networks=0.5).spread(5, 1).round(3).item()
        0.775
        """
        count = np.asarray(views, np.float64)
        by_networks = 1.0 if self.networks is None else self.networks
        by_views = 1.0 if self.views is None else self.views
        low, high = max(0.0, by_networks + by_views - 1), min(by_networks, by_views)
        crossed = min(max(by_networks * by_views if self.both is None else self.both, low), high)
        others = (networks - 1) * (by_networks + (count - 1) * crossed)
        return np.asarray(np.sqrt((1 + (count - 1) * by_views + others) / (networks * count)))


def agreement(held_out: Sequence[FloatArray], pairs: Sequence[Pair]) -> Agreement:
    """Estimate how scores agree, every case counting once.

    Parameters
    ----------
    held_out : sequence of float arrays
        For each case the scores of its pictures by the one network that held it out.
    pairs : sequence of pairs of float arrays
        Of cases that a second network has not learnt from either: these scores, and that network's, picture by picture.

    Returns
    -------
    Agreement
        Moments, kept within what variances can be.
    """
    centre = float(np.mean([one.mean() for one in held_out]))
    several = [one - centre for one in held_out if len(one) > 1]
    views = networks = both = None
    if len(several) >= LEAST:
        views = _ratio([_apart(one, one) for one in several], [[(one**2).mean()] * 2 for one in several])
    if len(pairs) >= LEAST:
        other = float(np.mean([theirs.mean() for _, theirs in pairs]))
        # The pairs' own means: with few of them, those of all cases would make two networks look alike.
        own = float(np.mean([mine.mean() for mine, _ in pairs]))
        centred = [(mine - own, theirs - other) for mine, theirs in pairs]
        networks = _ratio([(a * b).mean() for a, b in centred], [[(a**2).mean(), (b**2).mean()] for a, b in centred])
        rows = [(a, b) for a, b in centred if len(a) > 1]
        if len(rows) >= LEAST:
            both = _ratio([_apart(a, b) for a, b in rows], [[(a**2).mean(), (b**2).mean()] for a, b in rows])
    return Agreement(networks, views, both)


def _apart(first: FloatArray, second: FloatArray) -> float:
    """Return the mean product of one's score of a picture and the other's of another picture."""
    count = len(first)
    return float((first.sum() * second.sum() - (first * second).sum()) / (count * (count - 1)))


def _ratio(products: Sequence[float], squares: Sequence[Sequence[float]]) -> float:
    first, second = np.mean(np.asarray(squares, np.float64), axis=0)
    # Scores that never differ say nothing of how they would: nothing is made narrower.
    return float(np.clip(np.mean(products) / np.sqrt(first * second), 0, 1)) if first > 0 and second > 0 else 1.0
