"""The gate before an engine: how far its answers may lie from PyTorch's before it may be chosen.

*Exact*: no probability differs by 1e-4. *Gated*: the AUC falls by less than 0.002 and no case changes its call, on
cases that the model was tuned or trained on; a test is never opened for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.inference.engine_record import Verdict
from isthmus.statistics.roc import auc

EXACT: Final = 1e-4
LARGEST_AUC_LOSS: Final = 0.002
LARGEST_WARNING_SHARE: Final = 0.02
"""Of the cases, whose warning of being unlike the training pictures may differ."""

FEWEST: Final = 20
"""Cases of each class below which an AUC loss of 0.002 says nothing: an engine can then pass as exact only."""

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of the cases through one engine.

    Parameters
    ----------
    each : float array [P, V, K]
        Each part's probabilities of each view; of a fused model each pair's of each nodule.
    cases : float array [U, K]
        The model's own probabilities of each case, before calibration.
    held_out : float array [U, K] or None
        Of each case by the part, or the pairs, that never saw it; None where that is not known.
    unlike : bool array [V] or None
        Which views it calls unlike its training pictures.
    """

    each: Float
    cases: Float
    held_out: Float | None = None
    unlike: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Rules:
    """How answers become calls and are ranked.

    Parameters
    ----------
    labels : int array [U]
        Place of each case's class.
    folds : int array [U] or None
        In which fold each case was held out.
    calibrated : callable
        From probabilities [U, K] to calibrated ones.
    called : callable
        From probabilities [U, K] to calls [U].
    """

    labels: NDArray[np.int64]
    folds: NDArray[np.int64] | None
    calibrated: Callable[[Float], Float]
    called: Callable[[Float], "np.ndarray[Any, Any]"]


def judge(reference: Answers, found: Answers, rules: Rules) -> Verdict:
    """Return the verdict over an engine.

    Parameters
    ----------
    reference, found : Answers
        PyTorch's and the engine's, of the same cases.
    rules : Rules
        Of the model.
    """
    if found.each.shape != reference.each.shape or not _finite(found, reference):
        return Verdict(passed="none", largest_difference=1.0, reason="it gives no number where PyTorch gives one")
    largest = _largest_difference(reference, found, rules)
    calls = _calls_changed(reference, found, rules)
    warnings, views = _warnings_changed(reference, found)
    loss = _auc_loss(reference, found, rules)
    figures: dict[str, Any] = {
        "largest_difference": largest, "auc_loss": loss, "calls_changed": calls, "warnings_changed": warnings,
    }  # fmt: skip
    too_many = warnings > LARGEST_WARNING_SHARE * views
    said = f"{warnings} of {views} views change their warning of being unlike the training pictures"
    if largest < EXACT:
        return Verdict(passed="none", reason=said, **figures) if too_many else Verdict(passed="exact", **figures)
    reasons = []
    if loss is None:
        reasons.append(f"fewer than {FEWEST} cases of a class: too few to say what the AUC loses")
    elif loss >= LARGEST_AUC_LOSS:
        reasons.append(f"the AUC falls by {loss:.4f}")
    if calls:
        reasons.append(f"{calls} case{'s' * (calls > 1)} of {len(rules.labels)} change{'s' * (calls == 1)} the call")
    if too_many:
        reasons.append(said)
    if reasons:
        return Verdict(passed="none", reason="; ".join(reasons), **figures)
    return Verdict(passed="gated", **figures)


def _finite(found: Answers, reference: Answers) -> bool:
    return all(
        np.array_equal(np.isfinite(one), np.isfinite(other))
        for one, other in ((found.each, reference.each), (found.cases, reference.cases))
    )


def _largest_difference(reference: Answers, found: Answers, rules: Rules) -> float:
    pairs = [(reference.each, found.each), (reference.cases, found.cases)]
    pairs.append((rules.calibrated(reference.cases), rules.calibrated(found.cases)))
    return max(float(np.nanmax(np.abs(one - other), initial=0.0)) for one, other in pairs)


def _calls_changed(reference: Answers, found: Answers, rules: Rules) -> int:
    """Return how many cases change their call, by the model's own answer or by the part that had not seen them."""
    changed = rules.called(reference.cases) != rules.called(found.cases)
    if reference.held_out is not None and found.held_out is not None:
        changed |= rules.called(reference.held_out) != rules.called(found.held_out)
    return int(changed.sum())


def _warnings_changed(reference: Answers, found: Answers) -> tuple[int, int]:
    if reference.unlike is None or found.unlike is None:
        return 0, reference.each.shape[1]
    return int((reference.unlike != found.unlike).sum()), len(reference.unlike)


def _auc_loss(reference: Answers, found: Answers, rules: Rules) -> float | None:
    """Return the larger loss: of the model's own answers, and of the mean over folds of the held-out ones."""
    if min(np.bincount(rules.labels, minlength=reference.cases.shape[1])) < FEWEST:
        return None
    losses = [_auc(reference.cases, rules.labels) - _auc(found.cases, rules.labels)]
    if reference.held_out is not None and found.held_out is not None and rules.folds is not None:
        each = []
        for fold in np.unique(rules.folds):
            rows = rules.folds == fold
            if len(np.unique(rules.labels[rows])) == reference.cases.shape[1]:
                own = rules.labels[rows]
                each.append(_auc(reference.held_out[rows], own) - _auc(found.held_out[rows], own))
        losses += [float(np.mean(each))] if each else []
    return max(losses)


def _auc(probabilities: Float, labels: NDArray[np.int64]) -> float:
    """Return the AUC; of several classes the mean of one against the rest."""
    classes = range(1, 2) if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    return float(np.mean([auc(labels == place, probabilities[:, place]) for place in classes]))
