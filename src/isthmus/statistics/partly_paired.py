"""Two AUCs of arms that share some cases, or only some patients: paired where they overlap, unpaired elsewhere."""

from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups, as_labels, as_scores
from isthmus.statistics.interval import Comparison, compare
from isthmus.statistics.roc import few_groups_note, placements, sum_by_group


def compare_partly_paired_aucs(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    has_a: ArrayLike,
    has_b: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare two models of which each scored only some of the cases: difference a - b, interval, z, two-sided p.

    Each AUC is of all the cases that its model has; their covariance comes from the groups that both have. Equal to
    `compare_aucs` where both have every case, and to `compare_unpaired_aucs` where no group is shared. The two stand
    for the same patients only where cases are missing by chance: otherwise compare on the shared ones.

    Parameters
    ----------
    labels : array_like of bool [N]
        Of all cases of either model.
    scores_a, scores_b : array_like [N]
        Any finite number where the model has no score.
    has_a, has_b : array_like of bool [N]
        Which cases the model scored.
    groups : array_like [N], optional
    level : float

    Source: X.-H. Zhou, C. Gatsonis, Statistics in Medicine 15 (1996) 1687-1693, for partly paired designs; the sums
    over groups of N. Obuchowski, Biometrics 53 (1997) 567-578.
    """
    truth = as_binary(labels)
    codes, count = as_groups(groups, truth.size)
    parts = []
    for scores, has, name in ((scores_a, has_a, "a"), (scores_b, has_b, "b")):
        values = as_scores(scores, truth.size, f"scores_{name}")[0]
        rows = as_binary(has, f"has_{name}", truth.size)
        if not rows.any():
            raise ValueError(f"model {name} has no case")
        as_labels(truth[rows])
        parts.append(_shares(truth[rows], values[rows], codes[rows], count))
    (auc_a, a), (auc_b, b) = parts
    variance = _covariance(a, a) + _covariance(b, b) - 2 * _covariance(a, b)
    if variance <= 1e-14 * (_covariance(a, a) + _covariance(b, b)):
        variance = 0.0  # of rounding errors
    fewest = [min(int(np.count_nonzero(side[2 + k])) for side in (a, b)) for k in (0, 1)]
    if min(fewest) < 2:
        variance = nan
    method = "Obuchowski clustered, partly paired z"
    return compare(auc_a, auc_b, variance, level, method, few_groups_note(*fewest))


_Shares = tuple[FloatArray, FloatArray, BoolArray, BoolArray]


def _shares(truth: BoolArray, values: FloatArray, codes: IntArray, count: int) -> tuple[float, _Shares]:
    """Return the AUC, each group's share [G] of its error by class, and which groups have each class."""
    placed = placements(truth, values[None])
    found = []
    for own, rows in ((placed.positives, truth), (placed.negatives, ~truth)):
        found.append(sum_by_group(own - placed.aucs[:, None], codes[rows], count)[0] / own.shape[1])
    present = [np.bincount(codes[rows], minlength=count) > 0 for rows in (truth, ~truth)]
    return float(placed.aucs[0]), (found[0], found[1], present[0], present[1])


def _covariance(one: _Shares, other: _Shares) -> float:
    """Return the covariance from groups that both have; each model carries the root of its own k/(k-1)."""
    (p1, n1, has_p1, has_n1), (p2, n2, has_p2, has_n2) = one, other
    total = float(p1 @ p2) * _root(has_p1) * _root(has_p2) + float(n1 @ n2) * _root(has_n1) * _root(has_n2)
    return total + float(p1 @ n2 + n1 @ p2) * _root(has_p1 | has_n1) * _root(has_p2 | has_n2)


def _root(present: BoolArray) -> float:
    groups = int(np.count_nonzero(present))
    return sqrt(groups / (groups - 1)) if groups > 1 else 1.0
