"""Cases predicted one by one: those that cannot be are listed with their reasons, and the others go on."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from isthmus.errors import InputError, did_you_mean
from isthmus.inference.fused_case import Case, nodules_of
from isthmus.inference.prediction import FailedPicture, Prediction, Predictions
from isthmus.models.bundle_spec import BundleSpec
from isthmus.progress import Progress


def each_case(
    cases: Sequence[Case],
    predict_one: Callable[[Case], Prediction | Sequence[FailedPicture]],
    progress: Progress | None = None,
) -> Predictions:
    """Predict cases one by one.

    Parameters
    ----------
    cases : sequence of Case
        One a nodule, or a patient where the label is the patient's.
    predict_one : callable
        Gives a case's prediction, or its pictures that could not be scored; an InputError is of the whole case.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    Predictions
        With the cases' names and numbers; what could not be scored stands in ``.failures``.

    Raises
    ------
    InputError
        When there is no case, or no case at all could be scored (then with the first one's error).
    """
    refuse_no_cases(cases)
    found, failures = list[Prediction](), list[FailedPicture]()
    for number, case in enumerate(cases, start=1):
        try:
            scored = predict_one(case)
        except InputError as error:
            failures.append(FailedPicture(case.shown, error))
        else:
            if isinstance(scored, Prediction):
                found.append(replace(scored, case=case.name, number=number))
            else:
                failures += [replace(one, source=f"{case.shown}: {one.source}") for one in scored]
        if progress is not None:
            progress("cases", number, len(cases))
    if not found:
        raise failures[0].error
    return Predictions(found, failures)


def refuse_no_cases(cases: Sequence[Case]) -> None:
    """Raise an InputError where there is no case."""
    if not cases:
        raise InputError("no case was given", expected="at least one")


def pictures_only(case: Case, spec: BundleSpec) -> dict[str, Case]:
    """Return a case of each nodule of a case, for a model that looks at pictures and knows nothing else.

    Raises
    ------
    InputError
        When the model does not look at what was given, something is known of the case in columns, or it has no picture;
        and as :func:`isthmus.inference.fused_case.nodules_of`.
    """
    nodules = nodules_of(case, spec.unit)
    looked_at = spec.requires.modalities[:1] if spec.join is None else spec.join.modalities
    other = [name for name in case.views if name not in looked_at]
    if other:
        near = did_you_mean(other[0], looked_at)
        raise InputError(
            f"this model looks at no {other[0]!r}", where=case.shown, expected=" or ".join(looked_at), hint=near
        )
    known = [name for own in nodules.values() for name, value in own.columns.items() if value not in (None, "")]
    if known:
        raise InputError(
            f"this model knows no column {known[0]!r}", where=case.shown, expected="none: it looks at pictures only"
        )
    if not any(case.views.values()):
        raise InputError("the case has no picture", where=case.shown, expected=f"files for {' or '.join(looked_at)}")
    return nodules
