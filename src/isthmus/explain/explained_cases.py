"""Cases explained: the heat of each of their pictures and, of a fused model, what each member brought to the score."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isthmus.explain.fused_attribution import attribute_from_average, mean_by_member
from isthmus.explain.member_bars import member_bars
from isthmus.explain.overlay import to_png
from isthmus.explain.prediction_drawing import draw_prediction
from isthmus.explain.scored_again import scored_again
from isthmus.files import atomic_path
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import Case, ReadCase
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.output import MARKS
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import Brought, FailedPicture, Prediction, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.inference.single_cases import pictures_of_case
from isthmus.progress import Progress
from isthmus.statistics.inputs import FloatArray


def explain_single_cases(
    predictor: Predictor,
    cases: Sequence[Case],
    predictions: Predictions,
    folder: Path,
    *,
    localiser: Proposer | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw the heat of the pictures of cases that a model of one arm scored: ``NNN_FILE.png``; as `explain_cases`."""
    folder.mkdir()
    drawn = list[Path]()
    again = functools.partial(pictures_of_case, predictor, localiser=localiser)
    for number, pictures, prediction in scored_again(cases, again, predictions, progress):
        if len(pictures) > 1:
            prediction = replace(prediction, words=f"{prediction.words}: the score of all {len(pictures)} pictures")
        drawn += _draw_pictures(predictor, pictures, prediction, folder, f"{number:03d}")
    return drawn


def explain_cases(
    predictor: FusedPredictor,
    cases: Sequence[Case],
    predictions: Predictions,
    folder: Path,
    *,
    localiser: Proposer | None = None,
    progress: Progress | None = None,
) -> tuple[Predictions, list[Path]]:
    """Explain scored cases.

    Parameters
    ----------
    predictor : FusedPredictor
        That scored them.
    cases : sequence of Case
        All that were given.
    predictions : Predictions
        Of those that could be scored, in order.
    folder : Path
        To make: for a case ``NNN_members.png`` and, for each picture of a member, ``NNN_MEMBER_FILE.png`` (of a clip as
        :func:`isthmus.explain.prediction_drawing.draw_prediction` draws it); NNN is the case's number.
    localiser, progress
        As they were given to the predictor.

    Returns
    -------
    Predictions, list of Path
        The predictions with what the members brought, and the files.
    """
    folder.mkdir()
    explained, drawn = list[Prediction](), list[Path]()
    again = functools.partial(_scored, predictor, localiser=localiser)
    for number, found, prediction in scored_again(cases, again, predictions, progress):
        brought = _brought(predictor, *found)
        explained.append(replace(prediction, brought=brought))
        drawn += _draw(predictor, found[0], prediction, brought, folder, f"{number:03d}")
    return Predictions(explained, predictions.failures), drawn


def _scored(predictor: FusedPredictor, case: Case, localiser: Proposer | None) -> tuple[ReadCase, list[FloatArray]]:
    """Return a case's pictures and what each head is given of it."""
    read = predictor.read(case, localiser)
    if isinstance(read, FailedPicture):
        raise read.error
    return read, predictor.features_of(read)


def _brought(predictor: FusedPredictor, read: ReadCase, given: Sequence[FloatArray]) -> Brought:
    """Return what each member brought: of the nodule that decides, or the mean over those whose mean is the score."""
    pairs = np.stack([one.head.probabilities(own) for one, own in zip(predictor.heads, given, strict=True)])
    joined = predictor.join(read, pairs)
    used = joined.weights > 0
    found = [attribute_from_average(one.head, own[used]) for one, own in zip(predictor.heads, given, strict=True)]
    weights = joined.weights[used]
    return Brought(
        {member: float(weights @ values) for member, values in mean_by_member(found).items()},
        float(np.mean([one.base for one in found])),
        float(np.mean([weights @ one.log_odds for one in found])),
        "an average case" if predictor.spec.mode else "even odds",
        joined.nodule,
    )


def _draw(
    predictor: FusedPredictor, read: ReadCase, prediction: Prediction, brought: Brought, folder: Path, name: str
) -> list[Path]:
    spec = predictor.spec
    drawn = [folder / f"{name}_members.png"]
    said = f"What each member brought {brought.whose}to the score {prediction.probability:.2f}, {prediction.words}"
    marks = [MARKS[mark] for mark in spec.marks]
    bars = member_bars(brought, [f"{said}; research use only"], spec.classes[spec.positive], marks)
    with atomic_path(drawn[0]) as temporary:
        to_png(bars).save(temporary, format="PNG")
    for arm, pictures in read.pictures.items():
        words = f"{prediction.words}: the score of all members; {arm}, whose heat this is, brought "
        own = replace(prediction, words=f"{words}{brought.shown(arm)} to it in log odds")
        drawn += _draw_pictures(predictor.members[arm], pictures, own, folder, f"{name}_{arm}")
    return drawn


def _draw_pictures(
    predictor: Predictor, pictures: Sequence[Picture], prediction: Prediction, folder: Path, name: str
) -> list[Path]:
    drawn: list[Path] = []
    for place, picture in enumerate(pictures, start=1):
        file = f"{name}{f'-{place}' if len(pictures) > 1 else ''}_{Path(picture.source).stem}"
        drawn += draw_prediction(predictor, picture, prediction, folder, file)
    return drawn
