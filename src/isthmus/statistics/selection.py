"""The best of several candidates: which it is, and how much having chosen it flatters its AUC.

The candidate with the largest cross-validated AUC owes a part of its lead to chance, and the same predictions cannot
say which part; a bootstrap that chooses anew each time, and judges what it chose on the groups it did not draw, can.

Source: I. Tsamardinos, E. Greasidou, G. Borboudakis, Machine Learning 107 (2018) 1895-1922 (BBC-CV), with whole groups
drawn instead of rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import CHUNK, group_counts, percentile_interval, weighted_aucs
from isthmus.statistics.inputs import BoolArray, FloatArray, as_groups, as_labels, as_scores, count_groups
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.roc import few_groups_note

SELECTION_REPLICATES = 1000


@dataclass(frozen=True)
class Selection:
    """The best of several candidates.

    Parameters
    ----------
    best : int
        Its place; of equals the first.
    aucs : tuple of float
        Of every candidate, as they look on these predictions: the mean of within-fold AUCs, then over seeds.
    corrected : Interval
        What choosing by this rule gives on groups that took no part in the choice.
    how_often : tuple of float
        Share of the bootstraps in which each candidate was the best: how sure the choice is.
    """

    best: int
    aucs: tuple[float, ...]
    corrected: Interval
    how_often: tuple[float, ...]


def best_of(
    labels: ArrayLike,
    scores: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    groups: ArrayLike,
    *,
    level: float = 0.95,
    replicates: int = SELECTION_REPLICATES,
    seed: int = 0,
) -> Selection:
    """Return the candidate with the largest cross-validated AUC, and that AUC freed from having been chosen.

    Parameters
    ----------
    labels : array_like of bool [N]
        One row for every held-out unit of every seed.
    scores : array_like [M, N]
        Of M candidates.
    folds, seeds, groups : array_like [N]
        As in :func:`isthmus.statistics.cross_validated.cross_validated_auc`.
    level, replicates, seed

    Returns
    -------
    Selection
        With one candidate nothing was chosen: ``corrected`` is its mean out-of-bag AUC.

    Raises
    ------
    ValueError
        When a fold lacks a class.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> labels, noise = np.arange(100) % 2 == 0, generator.random((20, 100))
    >>> found = best_of(labels, noise, np.zeros(100), np.zeros(100), np.arange(100), replicates=200)
    >>> found.aucs[found.best] > 0.55, abs(found.corrected.estimate - 0.5) < 0.05
    (True, True)
    """
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    codes, count = as_groups(groups, truth.size)
    strata = _strata(truth, folds, seeds)
    whole = _aucs(truth, values, strata, np.ones((1, truth.size)))[0]
    best = int(np.argmax(whole))
    judged, wins = [], np.zeros(len(values))
    step = max(1, CHUNK // truth.size)
    for drawn in group_counts(count, replicates, seed):
        for start in range(0, len(drawn), step):
            counts = drawn[start : start + step]
            inside = _aucs(truth, values, strata, counts[:, codes])
            outside = _aucs(truth, values, strata, (counts == 0)[:, codes].astype(np.float64))
            answered = ~np.isnan(inside).any(axis=1)
            chosen = np.argmax(inside[answered], axis=1)
            wins += np.bincount(chosen, minlength=len(values))
            judged.append(outside[answered][np.arange(len(chosen)), chosen])
    note = few_groups_note(count_groups(codes, truth), count_groups(codes, ~truth))
    corrected = _interval(np.concatenate(judged), level, replicates, note)
    return Selection(best, tuple(whole.tolist()), corrected, tuple((wins / max(1.0, wins.sum())).tolist()))


def _strata(truth: BoolArray, folds: ArrayLike, seeds: ArrayLike) -> list[BoolArray]:
    """Return the rows of each fold of each seed; all seeds have as many folds."""
    places = np.stack([np.unique(np.asarray(part), return_inverse=True)[1] for part in (seeds, folds)], axis=1)
    strata = [np.asarray((places == place).all(axis=1)) for place in np.unique(places, axis=0)]
    for rows in strata:
        if truth[rows].all() or not truth[rows].any():
            raise ValueError("a fold holds cases of one class only: its AUC does not exist; use fewer folds")
    return strata


def _aucs(truth: BoolArray, values: FloatArray, strata: list[BoolArray], weights: FloatArray) -> FloatArray:
    """Return the mean over the strata of each candidate's AUC [B, M]; a stratum without a class takes no part."""
    total = np.zeros((len(weights), len(values)))
    answered = np.zeros((len(weights), 1))
    for rows in strata:
        within = np.stack([weighted_aucs(truth[rows], score[rows], weights[:, rows]) for score in values], axis=1)
        there = ~np.isnan(within[:, :1])
        total += np.where(there, within, 0.0)
        answered += there
    return np.divide(total, answered, out=np.full_like(total, np.nan), where=answered > 0)


def _interval(judged: FloatArray, level: float, replicates: int, note: str) -> Interval:
    there = judged[~np.isnan(judged)]
    method = f"bootstrap bias-corrected cross-validation, {replicates} group bootstraps"
    if not there.size:
        return undefined(method, note or "no bootstrap left both classes out", level)
    limits = percentile_interval(float(there.mean()), judged, level, note)
    return Interval(limits.estimate, limits.low, limits.high, level, method, limits.note)
