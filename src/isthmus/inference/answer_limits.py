"""How sure an answer is: what is frozen of it on out-of-fold predictions, and what that says of a new case."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite

import numpy as np
from numpy.typing import ArrayLike

from isthmus.inference.prediction_set import PredictionSet, Referral, digits_for
from isthmus.models.answer_spec import AnswerSpec, ReferBand
from isthmus.statistics.abstention import LEFT_SHARE, refer_band
from isthmus.statistics.conformal import USUAL_LEVEL, conformal_limits, prediction_sets


def fit_answer(
    labels: ArrayLike,
    calibrated: ArrayLike,
    groups: Sequence[str],
    classes: Sequence[str],
    threshold: float | None,
    chosen_on: str,
) -> AnswerSpec:
    """Return the limits of prediction sets and the band to refer.

    Parameters
    ----------
    labels : array_like of int [N]
        Class codes 0..K-1 of cases that their networks had not learnt from.
    calibrated : array_like [N, K]
        Their probabilities, by the model's own calibration.
    groups : sequence of N str
        The patient, or the patients that count as one.
    classes : sequence of K str
    threshold : float or None
        On the probability of the last of two classes; None of several.
    chosen_on : str
        What these cases are.
    """
    codes, values, of = np.asarray(labels), np.asarray(calibrated, dtype=np.float64), np.asarray(groups, dtype=str)
    limits = conformal_limits(codes, values, 1 - USUAL_LEVEL, of)
    band = None
    if threshold is not None:
        low, high = refer_band(values[:, -1], threshold, LEFT_SHARE)
        band = ReferBand(low=low, high=high, share=LEFT_SHARE)
    return AnswerSpec(
        level=USUAL_LEVEL,
        limits={name: float(one) if isfinite(one) else None for name, one in zip(classes, limits, strict=True)},
        groups={name: len(set(of[codes == place])) for place, name in enumerate(classes)},
        refer=band,
        chosen_on=chosen_on,
    )


def set_of(answer: AnswerSpec, calibrated: Mapping[str, float], classes: Mapping[str, str], unit: str) -> PredictionSet:
    """Return which classes a case may have.

    Parameters
    ----------
    answer : AnswerSpec
        The bundle's.
    calibrated : mapping
        Class code to the case's calibrated probability, in the bundle's order.
    classes : mapping
        Class code to shown name.
    unit : str
        What a case is.
    """
    most = [inf if limit is None else limit for limit in answer.limits.values()]
    inside = prediction_sets([list(calibrated.values())], most)[0]
    codes = tuple(code for code, has in zip(calibrated, inside, strict=True) if has)
    return PredictionSet(
        codes=codes,
        names=tuple(classes[code] for code in codes),
        level=answer.level,
        unit=unit,
        classes=len(classes),
        open=tuple(classes[code] for code in answer.open),
    )


def referral_of(answer: AnswerSpec, found: PredictionSet, probability: float, threshold: float | None) -> Referral:
    """Return whether a case is left to somebody else.

    Of two classes it is where its probability lies in the band, of several where its set is of other than one class;
    a case whose set is empty always.

    Parameters
    ----------
    answer : AnswerSpec
        The bundle's.
    found : PredictionSet
        The case's.
    probability : float
        Calibrated; of the positive class of two.
    threshold : float or None
        On it.
    """
    band = answer.refer
    if band is None:
        if len(found.codes) == 1:
            return Referral(False, "Not referred: its set holds one class.")
        many = f"holds {len(found.codes)} classes" if found.codes else "is empty"
        return Referral(True, f"Refer to somebody else: its set {many}, not one.")
    digits = digits_for(probability, threshold, band.low, band.high)
    between = f"{band.low:.{digits}f} to {band.high:.{digits}f}"
    lay = f"where the least certain {100 * band.share:.4g} of 100 cases lay that its networks had not learnt from"
    inside = band.low < probability < band.high
    if inside:
        words = f"Refer to somebody else: the score lies within {between}, {lay}."
    elif not found.codes:
        words = f"Refer to somebody else: its set is empty, though the score lies outside {between}, {lay}."
    else:
        words = f"Not referred: the score lies outside {between}, {lay}."
    return Referral(inside or not found.codes, words, band.low, band.high, band.share)
