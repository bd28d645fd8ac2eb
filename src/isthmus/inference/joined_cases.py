"""Cases scored by one network of several modalities: whatever a case has of them, and what each brought to it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.inference.case_rules import join_case, look_weights
from isthmus.inference.cases import each_case, pictures_only
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import Case
from isthmus.inference.looks import LOOKS, Pairable, stack_looks
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import Brought, Prediction, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.inference.scores import probabilities
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.join_spec import JoinSpec
from isthmus.progress import Progress
from isthmus.statistics.calibration import safe_logit
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.shapley import shapley_values

Looks = list[dict[str, Picture]]
"""Modality to picture, as the network looks at them side by side."""


class CaseLooks(NamedTuple):
    """A case in memory.

    Parameters
    ----------
    looks : list of dict
        Modality to picture, nodule by nodule.
    nodules : list of str
        Which nodule each look shows; '' where nothing says it.
    """

    looks: Looks
    nodules: list[str]


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
        One a nodule, or a patient where the label is the patient's, with views of at least one modality.
    localiser : Proposer, optional
        Proposes the region of B-mode pictures that have neither box nor mask, where the model needs one.
    progress : callable, optional
        Called with what, done, total.

    Raises
    ------
    InputError
        When there is no case, or no case at all could be scored (then with the first one's error).
    """
    return each_case(cases, lambda case: predict_looks(predictor, read_looks(predictor, case, localiser)), progress)


def joined_of(predictor: Predictor) -> JoinSpec:
    """Return how the network joins modalities."""
    assert predictor.spec.join is not None
    return predictor.spec.join


def read_looks(predictor: Predictor, case: Case, localiser: Proposer | None = None) -> CaseLooks:
    """Read a case's pictures and join those of each nodule: nothing says which belong together, so each has its turn.

    Raises
    ------
    InputError
        When the case has none of the modalities, or others, or columns, or a picture cannot be read.
    """
    looks, nodules = Looks(), list[str]()
    for name, own in pictures_only(case, predictor.spec).items():
        found = _looks_of_nodule(predictor, own, localiser)
        looks += found
        nodules += [name] * len(found)
    return CaseLooks(looks, nodules)


def _looks_of_nodule(predictor: Predictor, case: Case, localiser: Proposer | None) -> Looks:
    join = joined_of(predictor)
    pictures: dict[str, Picture] = {}
    views: dict[str, list[Pairable]] = {}
    for name in (name for name in join.modalities if name in case.views):
        for place, view in enumerate(case.views[name]):
            picture = predictor.read_view(view, localiser if name == "bmode" else None)
            key = f"{name} {place}"
            pictures[key] = replace(picture, notes=tuple(f"{name}: {note}" for note in picture.notes))
            views.setdefault(name, []).append(Pairable(key))
    return [{name: pictures[key] for name, key in look.items()} for look in LOOKS[join.how](views)]


def predict_looks(predictor: Predictor, read: CaseLooks) -> Prediction:
    """Score a case that :func:`read_looks` gave."""
    join = joined_of(predictor)
    pixels, masks = stack_looks(read.looks, join.modalities)
    shown = [list(look.values()) for look in read.looks]
    prediction = predictor.predict_side_by_side(pixels, masks, shown, read.nodules)
    brought = _brought(predictor, pixels, read.nodules, prediction)
    notes = (*_absent(read, join.modalities), *prediction.notes)
    return replace(prediction, notes=notes, brought=brought)


def _absent(read: CaseLooks, modalities: Sequence[str]) -> list[str]:
    """Return what is said of modalities that the case, or one of its nodules, lacks."""
    names, notes = list(dict.fromkeys(read.nodules)), []
    has = {(name, one) for name, look in zip(read.nodules, read.looks, strict=True) for one in look}
    for one in modalities:
        lacking = [name for name in names if (name, one) not in has]
        if lacking:
            whose = "" if len(lacking) == len(names) else f" of nodule {', '.join(lacking)}"
            notes.append(f"{one}{whose} is absent: the model answers without it")
    return notes


def _brought(predictor: Predictor, pixels: NDArray[np.uint8], nodules: Sequence[str], said: Prediction) -> Brought:
    """Return the modalities' Shapley values in the log odds of the class that is explained.

    Where one of a patient's nodules decides they are of that nodule, else of all.
    """
    spec, join = predictor.spec, joined_of(predictor)
    classes = list(spec.classes)
    place = classes.index(spec.positive if len(classes) == 2 or said.call is None else said.call)
    parts = []
    for logits, part in zip(predictor.runs.subset_logits(pixels), spec.parts, strict=True):
        parts.append(np.stack([probabilities(one, part.log_prior_shift) for one in logits]))
    scores = np.mean(parts, axis=0)
    decides = join_case(scores[-1], nodules, nodules, spec).nodule
    own = [row for row, name in enumerate(nodules) if decides in ("", name)]
    worth = case_worth(scores[:, own], [nodules[row] for row in own], spec, place)
    odds = log_odds_of_subsets(worth, float(np.mean([part.class_shares[place] for part in spec.parts])))
    values = shapley_values(odds)
    there = np.any(pixels[own], axis=(0, 2, 3, 4))
    members = {name: float(value) for name, value, shown in zip(join.modalities, values, there, strict=True) if shown}
    return Brought(members, float(odds[0]), float(odds[-1]), "the share of the class in training", decides)


def case_worth(scores: FloatArray, nodules: Sequence[str], spec: BundleSpec, place: int) -> FloatArray:
    """Return a case's score of one class with each subset of modalities, joined as its answer is: float64 [2 ** M].

    Parameters
    ----------
    scores : float64 array [2 ** M, N, K]
        Of its looks; NaN where nothing is left of one.
    nodules : sequence of N str
        Which nodule each look shows.
    spec : BundleSpec
        With the rules.
    place : int
        Of the class.

    Returns
    -------
    float64 array [2 ** M]
        NaN where nothing is left of any look.
    """
    found = np.full(len(scores), np.nan)
    for subset, own in enumerate(scores):
        weights = look_weights(own, nodules, spec)
        if weights.any():
            found[subset] = weights[weights > 0] @ own[weights > 0, place]
    return found


def log_odds_of_subsets(scores: FloatArray, base: float | FloatArray) -> FloatArray:
    """Return log odds [2 ** M, ...] of scores; ``base`` where nothing is left."""
    return np.asarray(safe_logit(np.where(np.isnan(scores), base, scores)))
