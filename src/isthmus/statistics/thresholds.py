"""Where to cut a score into calls: Youden, fixed sensitivity, fixed specificity, prevalence, costs.

Everywhere in Isthmus a case is called positive when ``score >= threshold``, and higher scores mean more probably
positive. A cut between two observed scores is put halfway, so that a score recomputed with another rounding gives the
same call. Where several cuts are equally good, the lowest wins (more sensitivity, never less).
"""

from math import ceil, inf, nextafter
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import BoolArray, FloatArray, as_binary, as_labels, as_scores

Rule = Literal["youden", "fixed_sensitivity", "fixed_specificity", "prevalence"]

# A target of 0.9 on 10 cases means 9 of them, although 0.9 * 10 may come out as 9.000000000000002.
ROUNDING = 1e-9


def choose_threshold(rule: Rule, labels: ArrayLike, scores: ArrayLike, target: float | None = None) -> float:
    """Return the threshold of a rule by its name.

    Parameters
    ----------
    rule : {'youden', 'fixed_sensitivity', 'fixed_specificity', 'prevalence'}
    labels : array_like of bool [N]
    scores : array_like [N]
        For 'prevalence', calibrated probabilities; only the labels decide there.
    target : float, optional
        The sensitivity or specificity asked for, 0..1; needed by the two fixed rules only.
    """
    if rule == "youden":
        return youden_threshold(labels, scores)
    if rule == "prevalence":
        return prevalence_threshold(labels)
    if rule not in get_args(Rule):
        raise ValueError(f"no threshold rule {rule!r}; there are {', '.join(get_args(Rule))}")
    if target is None:
        raise ValueError(f"the rule {rule!r} needs a target, for example 0.9")
    fixed = fixed_sensitivity_threshold if rule == "fixed_sensitivity" else fixed_specificity_threshold
    return fixed(labels, scores, target)


def youden_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the threshold of the greatest sensitivity + specificity - 1; of equals, the lowest.

    Source: W. Youden, Cancer 3 (1950) 32-35.

    Examples
    --------
    >>> youden_threshold([0, 0, 1, 1], [0.1, 0.3, 0.5, 0.9])
    0.4
    """
    return _youden(*_cuts(labels, scores))


def fixed_sensitivity_threshold(labels: ArrayLike, scores: ArrayLike, sensitivity: float) -> float:
    """Return the highest threshold whose sensitivity on these cases is at least the one asked for."""
    _check_target(sensitivity, "sensitivity")
    return _at_sensitivity(sensitivity, *_cuts(labels, scores))


def fixed_specificity_threshold(labels: ArrayLike, scores: ArrayLike, specificity: float) -> float:
    """Return the lowest threshold whose specificity on these cases is at least the one asked for."""
    _check_target(specificity, "specificity")
    return _at_specificity(specificity, *_cuts(labels, scores))


def usual_thresholds(labels: ArrayLike, scores: ArrayLike, sensitivity: float, specificity: float) -> FloatArray:
    """Return Youden's threshold and those of a fixed sensitivity and specificity [3] from one sorting."""
    found = _cuts(labels, scores)
    return np.array([_youden(*found), _at_sensitivity(sensitivity, *found), _at_specificity(specificity, *found)])


def prevalence_threshold(labels: ArrayLike) -> float:
    """Return the share of positives: the cut for a calibrated probability when there are too few cases to choose."""
    return float(as_labels(labels).mean())


def cost_threshold(ratio: float) -> float:
    """Return the probability above which acting is worth it: 1 / (1 + ratio); no data are needed.

    Parameters
    ----------
    ratio : float
        How many times worse a missed case is than a needless biopsy; 9 gives 0.1. At a threshold of t a decision
        curve weighs a needless biopsy t / (1 - t), the same trade read the other way.

    Source: S. Pauker, J. Kassirer, New England Journal of Medicine 293 (1975) 229-234.

    Examples
    --------
    >>> cost_threshold(9)
    0.1
    """
    _check_ratio(ratio)
    return 1 / (1 + ratio)


def least_cost_threshold(labels: ArrayLike, scores: ArrayLike, ratio: float, prevalence: float) -> float:
    """Return the threshold of the least expected cost on these cases, for scores that are no probabilities.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    ratio : float
        As for `cost_threshold`.
    prevalence : float
        Of the clinic, strictly between 0 and 1; not that of the sample.

    Notes
    -----
    The greatest sensitivity + (1 - prevalence) / (ratio prevalence) specificity; of equals, the lowest. R pROC:
    ``coords(roc, "best", best.weights = c(ratio, prevalence))``.

    Source: M. Zweig, G. Campbell, Clinical Chemistry 39 (1993) 561-577.
    """
    _check_ratio(ratio)
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence of {prevalence}: it must lie between 0 and 1")
    truth, cuts, tp, fp = _cuts(labels, scores)
    merit = tp / int(truth.sum()) - (1 - prevalence) / (ratio * prevalence) * fp / int((~truth).sum())
    return float(cuts[np.flatnonzero(merit >= merit.max() - ROUNDING)[0]])


def calls_at(scores: ArrayLike, threshold: float) -> BoolArray:
    """Return the calls: True where score >= threshold."""
    values = np.asarray(scores, dtype=np.float64)
    called: BoolArray = as_scores(values, values.size)[0] >= threshold
    return called


def sensitivity_specificity_at(labels: ArrayLike, scores: ArrayLike, threshold: float) -> tuple[float, float]:
    """Return sensitivity and specificity of the calls at a threshold."""
    truth = as_labels(labels)
    called = as_binary(calls_at(scores, threshold), "scores", truth.size)
    return float(called[truth].mean()), float((~called[~truth]).mean())


def _youden(truth: BoolArray, cuts: FloatArray, tp: FloatArray, fp: FloatArray) -> float:
    # J times both class sizes is a whole number: ties are found exactly.
    merit = tp * int((~truth).sum()) - fp * int(truth.sum())
    return float(cuts[np.flatnonzero(merit == merit.max())[0]])


def _at_sensitivity(target: float, truth: BoolArray, cuts: FloatArray, tp: FloatArray, fp: FloatArray) -> float:
    needed = ceil(target * int(truth.sum()) - ROUNDING)
    return float(cuts[np.flatnonzero(tp >= needed)[-1]])


def _at_specificity(target: float, truth: BoolArray, cuts: FloatArray, tp: FloatArray, fp: FloatArray) -> float:
    negatives = int((~truth).sum())
    needed = ceil(target * negatives - ROUNDING)
    return float(cuts[np.flatnonzero(negatives - fp >= needed)[0]])


def _cuts(labels: ArrayLike, scores: ArrayLike) -> tuple[BoolArray, FloatArray, FloatArray, FloatArray]:
    """Return labels, ascending cuts, and the positives and negatives called at each: from everybody to nobody."""
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)[0]
    distinct, codes = np.unique(values, return_inverse=True)
    positives = np.bincount(codes, weights=truth, minlength=distinct.size)
    everybody = np.bincount(codes, minlength=distinct.size)
    tp = np.append(np.cumsum(positives[::-1])[::-1], 0)
    called = np.append(np.cumsum(everybody[::-1])[::-1], 0)
    middle = distinct[:-1] + np.diff(distinct) / 2
    # Between neighbouring floats the middle rounds down to the lower one, which would then be called.
    middle = np.where(middle > distinct[:-1], middle, distinct[1:])
    cuts = np.concatenate([distinct[:1], middle, [nextafter(distinct[-1], inf)]])
    return truth, cuts, tp, called - tp


def _check_ratio(ratio: float) -> None:
    if not 0 < ratio < inf:
        raise ValueError(f"a cost ratio of {ratio}: how many times worse a miss is, a positive number such as 10")


def _check_target(target: float, name: str) -> None:
    if not 0 <= target <= 1:
        raise ValueError(f"a {name} of {target}: it must lie between 0 and 1")
