"""Figures of merit of every reader under every condition, and how they vary together over cases."""

from typing import Final, Literal

import numpy as np

from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_groups, count_groups
from isthmus.statistics.multi_reader.study import CrossedStudy
from isthmus.statistics.multi_reader.unbiased import unbiased_covariance
from isthmus.statistics.roc import clustered_auc, placements, sum_by_group

Figure = Literal["auc", "sensitivity", "specificity", "accuracy"]
CovarianceMethod = Literal["delong-clustered", "jackknife", "unbiased"]
FIGURES: Final = ("auc", "sensitivity", "specificity", "accuracy")


def why_no_figure(study: CrossedStudy, figure: Figure) -> str:
    """Return why the figure cannot be computed or has no variance over cases, or nothing."""
    if figure not in FIGURES:
        raise ValueError(f"no figure of merit {figure!r}; choose one of {', '.join(FIGURES)}")
    if figure != "auc" and not np.isin(study.scores, (0.0, 1.0)).all():
        raise ValueError(f"{figure} needs calls: every score must be 0 or 1")
    if not study.readers:
        return "no reader read under every condition"
    if figure == "auc" and (reason := _why_not_alike(study)):
        return reason
    if figure == "accuracy":
        groups = len(np.unique(study.groups))
        return "" if groups > 1 else f"{groups} groups of cases that all readers read: no variance over cases"
    needed = {"auc": (True, False), "sensitivity": (True,), "specificity": (False,)}[figure]
    for kind in needed:
        rows = study.truth == kind
        name = "positive" if kind else "negative"
        if not rows.any():
            return f"no {name} case that all readers read under every condition"
        if count_groups(study.groups, rows) < 2:
            return f"the {name} cases lie in a single group: no variance over cases"
    return ""


def only_calls(study: CrossedStudy) -> BoolArray:
    """Return which readers, under which conditions, used two values at most [readers, conditions]."""
    ordered = np.sort(study.scores, axis=2)
    return np.asarray((np.diff(ordered, axis=2) > 0).sum(axis=2) <= 1, dtype=np.bool_)


def _why_not_alike(study: CrossedStudy) -> str:
    """Return a reason where one condition was read in calls and another in scores: their AUCs are not alike."""
    called = only_calls(study).all(axis=0)
    if not called.any() or called.all():
        return ""
    name = study.conditions[int(np.flatnonzero(called)[0])]
    return f"under {name} every reader used two values: an AUC of one point must not stand beside an AUC of scores"


def figures_of_merit(study: CrossedStudy, figure: Figure = "auc") -> FloatArray:
    """Return the figures [readers, conditions]; the study holds what `why_no_figure` asks for."""
    return _figures(study, figure).reshape(study.scores.shape[:2])


def covariance_of_figures(
    study: CrossedStudy, figure: Figure = "auc", method: CovarianceMethod = "delong-clustered"
) -> FloatArray:
    """Return the covariance [readers, conditions, readers, conditions] of the figures over groups of cases.

    Parameters
    ----------
    study : CrossedStudy
    figure : {'auc', 'sensitivity', 'specificity', 'accuracy'}
    method : {'delong-clustered', 'jackknife', 'unbiased'}
        Obuchowski's clustered covariance (DeLong where every group is one case; for proportions the same estimator,
        of sums over groups); the jackknife that leaves out one group at a time; or Gallas's unbiased one, of AUCs on
        independent cases.

    Source: N. Obuchowski, Biometrics 53 (1997) 567-578; B. Efron, The Jackknife (1982), chapter 3.
    """
    if method == "jackknife":
        covariance = jackknife_covariance(jackknife_figures(study, figure))
    elif method == "delong-clustered":
        covariance = _direct(study, figure)
    elif method == "unbiased":
        if figure == "auc" and study.clustered:
            raise ValueError("the unbiased covariance is for independent cases: choose delong-clustered or jackknife")
        covariance = unbiased_covariance(study.truth, _flat(study)) if figure == "auc" else _direct(study, figure)
    else:
        raise ValueError(f"no covariance method {method!r}; choose delong-clustered, jackknife or unbiased")
    shape = study.scores.shape[:2]
    return covariance.reshape(*shape, *shape)


def jackknife_figures(study: CrossedStudy, figure: Figure = "auc") -> FloatArray:
    """Return the figures [readers x conditions, G] without each group in turn.

    G counts the groups that bear on the figure: those with a positive case for the sensitivity, with a negative one
    for the specificity, all for AUC and accuracy. NaN where a class is empty without the group.
    """
    flat = _flat(study)
    if figure == "auc":
        return _auc_without(study.truth, flat, study.groups)
    rows, right = _right(study, figure)
    codes, count = as_groups(study.groups[rows], int(rows.sum()))
    sums, sizes = sum_by_group(right, codes, count), np.bincount(codes, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((right.sum(axis=1, keepdims=True) - sums) / (rows.sum() - sizes), dtype=np.float64)


def jackknife_covariance(without: FloatArray) -> FloatArray:
    """Return the jackknife covariance [M, M] of figures computed without each of G groups [M, G]."""
    count = without.shape[1]
    centred = without - without.mean(axis=1, keepdims=True)
    return np.asarray(centred @ centred.T * (count - 1) / count, dtype=np.float64)


def _flat(study: CrossedStudy) -> FloatArray:
    return study.scores.reshape(-1, study.truth.size)


def _figures(study: CrossedStudy, figure: Figure) -> FloatArray:
    if figure == "auc":
        return placements(study.truth, _flat(study)).aucs
    return np.asarray(_right(study, figure)[1].mean(axis=1), dtype=np.float64)


def _right(study: CrossedStudy, figure: Figure) -> tuple[BoolArray, FloatArray]:
    """Return the cases that a proportion is of, and 1 where each was called rightly [readers x conditions, cases]."""
    of = {"sensitivity": study.truth, "specificity": ~study.truth, "accuracy": np.ones_like(study.truth)}
    rows, called = of[figure], _flat(study)
    return rows, np.where(study.truth, called, 1 - called)[:, rows]


def _direct(study: CrossedStudy, figure: Figure) -> FloatArray:
    if figure == "auc":
        return clustered_auc(study.truth, _flat(study), study.groups)[1]
    rows, right = _right(study, figure)
    codes, count = as_groups(study.groups[rows], int(rows.sum()))
    sums = sum_by_group(right - right.mean(axis=1, keepdims=True), codes, count) / rows.sum()
    return np.asarray(sums @ sums.T * (count / (count - 1)), dtype=np.float64)


def _auc_without(truth: BoolArray, scores: FloatArray, groups: IntArray) -> FloatArray:
    """Return the AUCs without each group: all pairs, less those of its positives, less those of its negatives."""
    placed = placements(truth, scores)
    m, n = placed.positives.shape[1], placed.negatives.shape[1]
    codes, count = as_groups(groups, truth.size)
    won_p = sum_by_group(placed.positives, codes[truth], count) * n
    won_n = sum_by_group(placed.negatives, codes[~truth], count) * m
    size_p, size_n = (np.bincount(codes[rows], minlength=count) for rows in (truth, ~truth))
    within = np.zeros((len(scores), count))
    for group in np.flatnonzero((size_p > 0) & (size_n > 0)):
        rows = codes == group
        a, b = scores[:, rows & truth, None], scores[:, None, rows & ~truth]
        within[:, group] = (a > b).sum(axis=(1, 2)) + 0.5 * (a == b).sum(axis=(1, 2))
    pairs = (m - size_p) * (n - size_n)
    won = placed.aucs[:, None] * (m * n) - won_p - won_n + within
    return np.asarray(np.where(pairs > 0, won / np.maximum(pairs, 1), np.nan), dtype=np.float64)
