"""A model's answer in a few sober sentences: the words of `predict`, of its files, of reports and pages.

They say what the model's score is, never what the patient has, and what to do about it only where the bundle has frozen
a rule for it: leave the case to somebody else.
"""

from typing import Final

from isthmus.inference.prediction import Prediction
from isthmus.inference.prediction_set import digits_for
from isthmus.inference.seen_tirads import tirads_beside
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec

NO_SET: Final = "This older model carries no prediction set and no refer band."
_REGIONS: Final = {
    "drawn": "drawn or given",
    "proposed": "proposed by a localiser, drawn by nobody",
    "whole": "none, the picture was scored whole",
}


def answer_sentences(prediction: Prediction, spec: BundleSpec | FusedBundleSpec) -> list[str]:
    """Return what a model says of a case, one sentence or two an entry, each ending in a full stop.

    In this order: score and range of the single networks; call; prediction set; whether to refer; likeness to the
    training pictures; where the region came from; what the ACR table suggests of the findings that the network sees.
    Notes, marks and the notice that it is research stand beside it, not in it.

    Parameters
    ----------
    prediction : Prediction
        From any predictor.
    spec : BundleSpec or FusedBundleSpec
        Of its bundle.
    """
    found = [_score(prediction, spec), _call(prediction, spec)]
    if prediction.prediction_set is None or prediction.referral is None:
        found.append(NO_SET)
    else:
        found += [prediction.prediction_set.words, prediction.referral.words]
    likeness = prediction.out_of_distribution
    if likeness is None:
        found.append("How like its training pictures the case is, this model does not say.")
    else:
        found.append(f"It is {likeness.words}.")
    found.append(_sentence(f"region: {_region(prediction.region_source)}"))
    tirads = tirads_beside(spec, prediction.descriptors)
    return found if tirads is None else [*found, _sentence(tirads.words)]


def answer_words(prediction: Prediction, spec: BundleSpec | FusedBundleSpec) -> str:
    """Return the sentences of :func:`answer_sentences` as one text."""
    return " ".join(answer_sentences(prediction, spec))


def score_digits(prediction: Prediction) -> int:
    """Return with how many digits a score is shown, so that it is seen on which side of its limits it lies."""
    referral = prediction.referral
    limits = (None, None) if referral is None else (referral.low, referral.high)
    return digits_for(prediction.probability, prediction.threshold, *limits)


def _score(prediction: Prediction, spec: BundleSpec | FusedBundleSpec) -> str:
    digits, (low, high) = score_digits(prediction), prediction.member_range
    kind = "calibrated probability" if prediction.calibrated else "not calibrated"
    about = _scored_class(prediction, spec)
    single = f"{_parts(spec)} {low:.{digits}f} to {high:.{digits}f}"
    return f"Model score {prediction.probability:.{digits}f} for {about} ({kind}; {single})."


def _scored_class(prediction: Prediction, spec: BundleSpec | FusedBundleSpec) -> str:
    """Return the name of the class whose probability the score is."""
    if len(spec.classes) == 2:
        return spec.classes[spec.positive]
    values = prediction.calibrated_probabilities or prediction.probabilities
    return spec.classes[max(values, key=lambda code: values[code])]


def _parts(spec: BundleSpec | FusedBundleSpec) -> str:
    if isinstance(spec, BundleSpec):
        return "single networks"
    return "single folds" if spec.mode is None else "single pairs"


def _call(prediction: Prediction, spec: BundleSpec | FusedBundleSpec) -> str:
    if prediction.call is None:
        return _sentence(prediction.words)
    digits = score_digits(prediction)
    if prediction.threshold is not None:
        return f"At the model's threshold {prediction.threshold:.{digits}f} it is called {prediction.words}."
    values = prediction.calibrated_probabilities
    each = ", ".join(f"{spec.classes[code]} {value:.{digits}f}" for code, value in values.items())
    return f"It is called {prediction.words}, the most probable class; of every class: {each}."


def _region(source: str) -> str:
    return "; ".join(_REGIONS.get(one, one) for one in source.split("/"))


def _sentence(words: str) -> str:
    """Return words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}."
