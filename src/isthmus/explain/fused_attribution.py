"""What each member brought to a fused score: Shapley values of the features, summed by member.

Source: S. Lundberg, S.-I. Lee, NeurIPS 2017, "A unified approach to interpreting model predictions" (SHAP), with the
interventional value function: a feature that is left out takes its values from the background, whatever the others
are. They are found by walking from a background case to the case itself, one feature at a time in a random order, and
back in the reverse order (E. Strumbelj, I. Kononenko, Knowl Inf Syst 41 (2014) 647-665; R. Mitchell et al., JMLR 23
(2022) 43, section 4.2). For heads that add up their features, such as logistic regression, this is exact: the weight
times the feature less its mean over the background. For all others it is exact up to interactions of two features.

What is explained are log odds, in which members add up. The features are those that the head kept, as z-scores; what is
absent stands at 0 there, and the mark that it is absent belongs to its member.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.models.coded_head import Head
from isthmus.models.fused_columns import member_of
from isthmus.models.mean_head import MeanHead
from isthmus.statistics.calibration import safe_logit
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.means import clustered_mean

SUREST: Final = 0.001
"""Probabilities nearer to 0 or 1 count as this near: a forest or a few neighbours may say 0, whose log odds have no
end."""

MOST_BACKGROUND: Final = 64
"""Cases of the background that are walked from, at most."""

_STEPS: Final = 4096
"""Steps of all walks to a case one way: of many features fewer cases of the background are walked from, 4 at least."""

_BLOCK: Final = 4_000_000
"""Numbers that a classifier gets at once: 32 MB."""


@dataclass(frozen=True, eq=False)
class Attribution:
    """Shapley values of N cases, in log odds.

    Parameters
    ----------
    names : tuple of P str
        Features that the head kept and that its classifier uses, marks of absence among them.
    owners : tuple of P str
        The member that each belongs to.
    members : tuple of str
        All that the head knows, used or not.
    values : ndarray of float64, shape [N, P]
        What each feature brought; a row sums to its log odds less ``base``.
    scores : ndarray of float64, shape [N, P]
        The features themselves, as z-scores.
    log_odds : ndarray of float64, shape [N]
        Of the cases.
    base : float
        Mean log odds of the background.
    """

    names: tuple[str, ...]
    owners: tuple[str, ...]
    members: tuple[str, ...]
    values: FloatArray
    scores: FloatArray
    log_odds: FloatArray
    base: float

    def by_member(self) -> dict[str, FloatArray]:
        """Return what each member brought [N]: 0 where the classifier uses none of its features."""
        owners = np.array(self.owners)
        return {one: self.values[:, owners == one].sum(axis=1) for one in self.members}


def attribute(head: Head, features: FloatArray, background: FloatArray, seed: int = 0) -> Attribution:
    """Explain a head's log odds.

    Parameters
    ----------
    head : FusedHead or MeanHead
    features : ndarray, shape [N, D]
        Cases that the head scores; NaN where something is absent.
    background : ndarray, shape [B, D]
        Cases to compare with, such as those the head was fitted on; up to :data:`MOST_BACKGROUND`, evenly taken.
    seed : int
        Of the orders in which features are walked through.

    Raises
    ------
    InputError
        When there is no background, or the head does not score one of the cases.
    """
    for what, given in (("cases to explain", features), ("background", background)):
        if len(given) == 0 or not head.scored(given).all():
            raise InputError(
                f"the {what}: {len(given)} cases, not all of which the head scores", expected="scored ones"
            )
    most = _walks(head)
    ground = head.kept_scores(background)
    ground = ground[np.linspace(0, len(ground) - 1, min(most, len(ground))).round().astype(int)]
    return _attributed(head, head.kept_scores(features), ground, seed)


def attribute_from_average(head: Head, features: FloatArray, seed: int = 0) -> Attribution:
    """Explain a head's log odds beside those of one case that is average in all: every z-score 0.

    For bundles, which bring no cases to compare with. Of a head that adds up its features this is what
    :func:`attribute` gives with all that the head was fitted on. A mean of members, to which nothing was fitted, knows
    no average case: there it is one of which no member says anything, at even odds.

    Parameters
    ----------
    head, features, seed
        As for :func:`attribute`.
    """
    start = np.nan if isinstance(head, MeanHead) else 0.0
    return _attributed(head, head.kept_scores(features), np.full((_walks(head), len(head.kept)), start), seed)


def _walks(head: Head) -> int:
    """Return how many walks a way are made to a case."""
    return int(np.clip(_STEPS // (len(_used(head)) + 1), 4, MOST_BACKGROUND))


def _attributed(head: Head, cases: FloatArray, ground: FloatArray, seed: int) -> Attribution:
    """Explain cases by as many walks as the background has rows; both are z-scores [., F]."""
    places, random = _used(head), np.random.default_rng(seed)
    orders = [random.permutation(len(places)) for _ in ground]
    values = np.stack([_walked(head, case, ground, places, orders) for case in cases])
    owners = [(name, member_of(name)) for name in head.columns]
    owners += [(name, member_of(head.columns[place])) for name, place in head.indicators]
    used = [owners[head.kept[place]] for place in places]
    return Attribution(
        tuple(name for name, _ in used),
        tuple(member for _, member in used),
        tuple(dict.fromkeys(member_of(name) for name in head.columns)),
        values,
        cases[:, places],
        _log_odds(head, cases),
        float(_log_odds(head, ground).mean()),
    )


def _used(head: Head) -> NDArray[np.int64]:
    """Return which of the kept features reach the classifier."""
    if head.rotation is None:
        return np.sort(head.selected)
    return np.flatnonzero(np.any(head.rotation[head.selected] != 0, axis=0))


def _log_odds(head: Head, scores: FloatArray) -> FloatArray:
    step = max(1, _BLOCK // scores.shape[1])
    parts = [head.of_kept(scores[start : start + step]) for start in range(0, len(scores), step)]
    return safe_logit(np.clip(np.concatenate(parts), SUREST, 1 - SUREST))


def _walked(
    head: Head,
    case: FloatArray,
    ground: FloatArray,
    places: NDArray[np.int64],
    orders: Sequence[NDArray[np.int64]],
) -> FloatArray:
    """Return the mean change [P] of the log odds as each feature turns from the background's value into the case's."""
    count = len(places)
    step = max(1, _BLOCK // (2 * (count + 1) * len(case)))
    total = np.zeros(count)
    for start in range(0, len(ground), step):
        walks = np.stack([order for one in orders[start : start + step] for order in (one, one[::-1])])
        # Row k of a walk has the first k features of its order from the case: [walks, P + 1, F].
        rank = np.argsort(walks, axis=1)
        turned = rank[:, None, :] < np.arange(count + 1)[None, :, None]
        rows = np.repeat(np.repeat(ground[start : start + step], 2, axis=0)[:, None, :], count + 1, axis=1)
        rows[:, :, places] = np.where(turned, case[places], rows[:, :, places])
        odds = _log_odds(head, rows.reshape(-1, rows.shape[2])).reshape(len(walks), count + 1)
        total += np.take_along_axis(np.diff(odds, axis=1), rank, axis=1).sum(axis=0)
    return total / (2 * len(ground))


def mean_by_member(attributions: Sequence[Attribution]) -> dict[str, FloatArray]:
    """Return what each member brought [N] to the mean log odds of several heads, of the same cases.

    A member that a head does not know (columns that were constant where it was fitted) brought it nothing.
    """
    parts = [one.by_member() for one in attributions]
    nothing = np.zeros(len(attributions[0].log_odds))
    members = dict.fromkeys(member for part in parts for member in part)
    return {member: np.mean([part.get(member, nothing) for part in parts], axis=0) for member in members}


def summarise_members(
    by_member: Mapping[str, FloatArray], labels: Sequence[str], groups: Sequence[str], classes: Mapping[str, str]
) -> dict[str, Any]:
    """Return how far each member moved the score, with intervals that count patients.

    Parameters
    ----------
    by_member : mapping
        From :func:`mean_by_member`.
    labels, groups : sequence of str [N]
        Class and ``group_id`` of each case.
    classes : mapping
        Class code to shown name; the score speaks for the last.

    Returns
    -------
    dict
        ``cases``, ``groups`` and, by member, ``size`` (mean without sign), ``share`` (of all members' sizes, case by
        case; cases that no member moved are left out, and it is None where none moved any) and ``classes`` (name to the
        signed mean), as cluster-robust t intervals.
    """
    codes, known = np.asarray(groups, dtype=str), np.asarray(labels, dtype=str)
    total = np.sum([np.abs(values) for values in by_member.values()], axis=0)
    moved = total > 0
    members = {}
    for member, values in by_member.items():
        share = clustered_mean(np.abs(values[moved]) / total[moved], codes[moved]).as_dict() if moved.any() else None
        means = {
            name: clustered_mean(values[known == code], codes[known == code]).as_dict()
            for code, name in classes.items()
            if (known == code).any()
        }
        members[member] = {"size": clustered_mean(np.abs(values), codes).as_dict(), "share": share, "classes": means}
    return {"cases": len(known), "groups": len(set(codes)), "members": members}
