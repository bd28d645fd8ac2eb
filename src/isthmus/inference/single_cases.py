"""Cases scored by a model of one arm: the same as for a fused one, with one modality."""

from collections.abc import Sequence
from dataclasses import replace

from isthmus.errors import InputError
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import Case, View, nodules_of
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import FailedPicture, Prediction, Predictions
from isthmus.inference.predictor import Predictor, Progress


def predict_single_cases(
    predictor: Predictor,
    cases: Sequence[Case],
    *,
    localiser: Proposer | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Score cases, their views joined nodule by nodule; what cannot be scored as it was given stands in ``.failures``.

    Raises
    ------
    InputError
        When no case at all could be scored (then with the first one's error).
    """
    found: list[Prediction] = []
    failures: list[FailedPicture] = []
    for number, case in enumerate(cases, start=1):
        try:
            views = _views(case, predictor)
            scored = predictor.predict(
                [view.path for view in views],
                boxes=[view.box for view in views],
                masks=[view.mask for view in views],
                scan_areas=[view.scan_area for view in views],
                frame_rates_hz=[view.frame_rate_hz for view in views],
                localiser=localiser,
                nodules=[view.nodule for view in views],
            )
        except InputError as error:
            failures.append(FailedPicture(case.shown, error))
        else:
            failures += [replace(one, source=f"{case.shown}: {one.source}") for one in scored.failures]
            found += [] if scored.failures else [replace(scored[0], case=case.name, number=number)]
        if progress is not None:
            progress("cases", number, len(cases))
    if not found:
        raise failures[0].error
    return Predictions(found, failures)


def pictures_of_case(predictor: Predictor, case: Case, localiser: Proposer | None = None) -> list[Picture]:
    """Read a case's pictures as the model needs them.

    Raises
    ------
    InputError
        When one cannot be read, or the case holds what the model has no use for.
    """
    return [
        predictor.read(
            view.path,
            box=view.box,
            mask=view.mask,
            scan_area=view.scan_area,
            localiser=localiser,
            frame_rate_hz=view.frame_rate_hz,
        )
        for view in _views(case, predictor)
    ]


def _views(case: Case, predictor: Predictor) -> Sequence[View]:
    nodules, modality = nodules_of(case, predictor.spec.unit), predictor.spec.requires.modalities[0]
    other = [name for name in case.views if name != modality]
    if other:
        raise InputError(f"this model looks at no {other[0]!r}", where=case.shown, expected=modality)
    known = [name for own in nodules.values() for name, value in own.columns.items() if value not in (None, "")]
    if known:
        raise InputError(
            f"this model knows no column {known[0]!r}", where=case.shown, expected="none: it looks at pictures only"
        )
    return case.views[modality]
