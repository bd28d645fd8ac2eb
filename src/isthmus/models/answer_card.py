"""What a model card says of prediction sets and of cases that are left to somebody else."""

from collections.abc import Mapping

from isthmus.models.answer_spec import AnswerSpec

NONE = "This model carries no prediction set and no refer band: its answers do not say how sure they are by these."


def answer_in_card(answer: AnswerSpec | None, classes: Mapping[str, str], unit: str) -> list[str]:
    """Return paragraphs on the sets, on what holds of their promise, and on the referral.

    Parameters
    ----------
    answer : AnswerSpec or None
        The bundle's.
    classes : mapping
        Class code to shown name.
    unit : str
        What a case is.
    """
    if answer is None:
        return [NONE]
    return [_sets(answer, classes, unit), _promise(answer), _referral(answer)]


def _sets(answer: AnswerSpec, classes: Mapping[str, str], unit: str) -> str:
    limits = "; ".join(
        f"{classes[code]} from {1 - limit:.4f} ({answer.groups[code]} patients)"
        for code, limit in answer.limits.items()
        if limit is not None
    )
    whose = "new patients" if unit == "patient" else "new patients, one nodule each,"
    text = (
        f"Each answer carries a prediction set, made to hold the class of {100 * answer.level:.4g} of 100 {whose} of "
        "each class."
    )
    if limits:
        text += f" A class stands in it from a calibrated probability of its own on: {limits}."
    if answer.open:
        names = " and ".join(f"{classes[code]} ({answer.groups[code]} patients)" for code in answer.open)
        text += f" In every set, for want of patients: {names}."
    return f"{text} An empty set is an unusual case: no class is as probable as it usually was for its own cases."


def _promise(answer: AnswerSpec) -> str:
    return (
        f"The limits are those of {answer.method}, a patient counting once, on {answer.chosen_on}. Each of these was "
        "scored by the one fold model that had not learnt from it; a new case is scored by the mean of all, which errs "
        "less, so that its sets hold the class more often than promised, and are larger than they need be, the less "
        "the fold models agree. The promise holds about, not exactly: over many training cohorts, not for this one "
        "model in particular, and for patients like those of its cohort, not at another hospital or for another device."
    )


def _referral(answer: AnswerSpec) -> str:
    band = answer.refer
    if band is None:
        return "A case is referred, that is left to somebody else, where its set holds several classes, or none."
    return (
        f"A case is referred, that is left to somebody else, where its calibrated probability lies between "
        f"{band.low:.4f} and {band.high:.4f}, around the threshold: there lay the least certain "
        f"{100 * band.share:.4g} of 100 of the same out-of-fold cases (new ones, scored by the mean, may lie there "
        "more often); and where its set is empty."
    )
