"""Cases scored by one network of several modalities: whatever a case has of them, and what each brought to it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import Case
from isthmus.inference.looks import LOOKS, Pairable, stack_looks
from isthmus.inference.modality_subsets import subset_logits
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import Brought, FailedPicture, Prediction, Predictions
from isthmus.inference.predictor import Predictor, Progress
from isthmus.inference.scores import probabilities
from isthmus.models.join_spec import JoinSpec
from isthmus.statistics.calibration import safe_logit
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.shapley import shapley_values

Looks = list[dict[str, Picture]]
"""Of one case: modality to picture, as the network looks at them side by side."""


def predict_joined_cases(
    predictor: Predictor,
    cases: Sequence[Case],
    *,
    localiser: Proposer | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Score cases by a bundle that looks at several modalities; what cannot be scored stands in ``.failures``.

    Parameters
    ----------
    predictor : Predictor
        Its ``spec.join`` says which.
    cases : sequence of Case
        One a nodule, with views of at least one modality.
    localiser : Proposer, optional
        Proposes the region of B-mode pictures that have neither box nor mask, where the model needs one.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    InputError
        When no case at all could be scored (then with the first one's error).
    """
    found: list[Prediction] = []
    failures: list[FailedPicture] = []
    for number, case in enumerate(cases, start=1):
        try:
            found.append(predict_looks(predictor, read_looks(predictor, case, localiser), case.name))
        except InputError as error:
            failures.append(FailedPicture(case.shown, error))
        if progress is not None:
            progress("cases", number, len(cases))
    if not found:
        raise failures[0].error
    return Predictions(found, failures)


def joined_of(predictor: Predictor) -> JoinSpec:
    """Return how the network joins modalities."""
    assert predictor.spec.join is not None
    return predictor.spec.join


def read_looks(predictor: Predictor, case: Case, localiser: Proposer | None = None) -> Looks:
    """Read a case's pictures and join them: nothing says which belong together, so each has its turn.

    Raises
    ------
    InputError
        When the case has none of the modalities, or others, or columns, or a picture cannot be read.
    """
    join = joined_of(predictor)
    known = " or ".join(join.modalities)
    other = [name for name in case.views if name not in join.modalities]
    if other:
        raise InputError(f"this model looks at no {other[0]!r}", where=case.shown, expected=known)
    columns = [name for name, value in case.columns.items() if value not in (None, "")]
    if columns:
        raise InputError(
            f"this model knows no column {columns[0]!r}", where=case.shown, expected="none: it looks at pictures only"
        )
    pictures: dict[str, Picture] = {}
    views: dict[str, list[Pairable]] = {}
    for name in (name for name in join.modalities if name in case.views):
        for place, view in enumerate(case.views[name]):
            picture = predictor.read(
                view.path,
                box=view.box,
                mask=view.mask,
                scan_area=view.scan_area,
                localiser=localiser if name == "bmode" else None,
            )
            key = f"{name} {place}"
            pictures[key] = replace(picture, notes=tuple(f"{name}: {note}" for note in picture.notes))
            views.setdefault(name, []).append(Pairable(key))
    if not pictures:
        raise InputError("the case has no picture", where=case.shown, expected=f"files for {known}")
    return [{name: pictures[key] for name, key in look.items()} for look in LOOKS[join.how](views)]


def predict_looks(predictor: Predictor, looks: Looks, name: str = "") -> Prediction:
    """Score a case that :func:`read_looks` gave."""
    join = joined_of(predictor)
    pixels, masks = stack_looks(looks, join.modalities)
    shown = [list(look.values()) for look in looks]
    prediction = predictor.predict_side_by_side(pixels, masks, shown)
    absent = [one for one in join.modalities if not any(one in look for look in looks)]
    notes = [f"{one} is absent: the model answers without it" for one in absent]
    brought = _brought(predictor, pixels, prediction)
    return replace(prediction, notes=(*notes, *prediction.notes), case=name, brought=brought)


def _brought(predictor: Predictor, pixels: NDArray[np.uint8], said: Prediction) -> Brought:
    """Return the modalities' Shapley values in the log odds of the class that is explained."""
    spec, join = predictor.spec, joined_of(predictor)
    classes = list(spec.classes)
    place = classes.index(spec.positive if len(classes) == 2 or said.call is None else said.call)
    scores = []
    for classifier, part in zip(predictor.parts, spec.parts, strict=True):
        logits = subset_logits(classifier, pixels, spec.prepare, device=predictor.device, flips=spec.flips)
        scores.append(np.stack([probabilities(one, part.log_prior_shift)[:, place] for one in logits]))
    worth = nodule_worth(np.mean(scores, axis=0), spec.aggregation.get("nodule", "mean"))
    odds = log_odds_of_subsets(worth, float(np.mean([part.class_shares[place] for part in spec.parts])))
    values = shapley_values(odds)
    there = np.any(pixels, axis=(0, 2, 3, 4))
    members = {name: float(value) for name, value, shown in zip(join.modalities, values, there, strict=True) if shown}
    return Brought(members, float(odds[0]), float(odds[-1]), "the share of the class in training")


def nodule_worth(scores: FloatArray, rule: str) -> FloatArray:
    """Return a nodule's score with each subset [2 ** M] from its looks' [2 ** M, N]; NaN where nothing is left."""
    left = ~np.isnan(scores)
    if rule == "maximum":
        found = np.where(left, scores, -np.inf).max(axis=1)
    else:
        found = np.where(left, scores, 0.0).sum(axis=1) / np.maximum(left.sum(axis=1), 1)
    return np.asarray(np.where(left.any(axis=1), found, np.nan))


def log_odds_of_subsets(scores: FloatArray, base: float | FloatArray) -> FloatArray:
    """Return log odds [2 ** M, ...] of scores; ``base`` where nothing is left."""
    return np.asarray(safe_logit(np.where(np.isnan(scores), base, scores)))
