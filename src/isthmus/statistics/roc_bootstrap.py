"""The AUC with an interval from resampling groups, beside the default one of `roc`."""

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES, weighted_aucs
from isthmus.statistics.inputs import as_labels, as_scores
from isthmus.statistics.interval import Interval
from isthmus.statistics.resampled import Scale, resampled_interval


def bootstrapped_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    scale: Scale = "percentile",
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Return the AUC with an interval from a group bootstrap; `roc.auc_interval` is the default beside it.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    groups : array_like [N], optional
        Whole groups are drawn; classes are not drawn apart, since a group may hold both.
    scale : {'percentile', 'bca', 'logit', 'wilson'}
        ``bca`` leaves each group out once: for up to some thousand groups.
    level, replicates, seed

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993);
    R `pROC::ci.auc(method = "bootstrap", boot.stratified = FALSE)`.

    Examples
    --------
    >>> bootstrapped_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], replicates=50).estimate
    0.75
    """
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)[0]
    smaller = min(int(truth.sum()), int(np.count_nonzero(~truth)))
    return resampled_interval(
        lambda weights: weighted_aucs(truth, values, weights),
        truth,
        groups,
        scale,
        cases=smaller,
        level=level,
        replicates=replicates,
        seed=seed,
    )
