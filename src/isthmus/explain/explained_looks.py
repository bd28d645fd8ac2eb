"""Cases of a network of several modalities explained: the heat of each branch, and what each modality brought."""

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from isthmus.explain.member_bars import member_bars
from isthmus.explain.overlay import to_png
from isthmus.explain.prediction_drawing import draw_heat, explained
from isthmus.explain.prepared_heat import heat_of_pixels
from isthmus.explain.scored_again import scored_again
from isthmus.files import atomic_path
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import Case
from isthmus.inference.joined_cases import CaseLooks, joined_of, read_looks
from isthmus.inference.looks import stack_looks
from isthmus.inference.output import MARKS
from isthmus.inference.prediction import Prediction, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.progress import Progress


def explain_looks(
    predictor: Predictor,
    cases: Sequence[Case],
    predictions: Predictions,
    folder: Path,
    *,
    localiser: Proposer | None = None,
    progress: Progress | None = None,
) -> list[Path]:
    """Draw the heat of scored cases.

    Parameters
    ----------
    predictor : Predictor
        That scored them; it looks at several modalities.
    cases : sequence of Case
        All that were given.
    predictions : Predictions
        Of those that could be scored, in order.
    folder : Path
        To make: for a case ``NNN_modalities.png``, and for each of its pictures ``NNN_MODALITY_FILE.png``.
    localiser, progress
        As they were given to the predictor.

    Returns
    -------
    list of Path
        The files.
    """
    folder.mkdir()
    drawn = list[Path]()
    again = functools.partial(read_looks, predictor, localiser=localiser)
    for number, read, prediction in scored_again(cases, again, predictions, progress):
        drawn += _draw(predictor, read, prediction, folder, f"{number:03d}")
    return drawn


def _draw(predictor: Predictor, read: CaseLooks, prediction: Prediction, folder: Path, name: str) -> list[Path]:
    spec, brought, drawn = predictor.spec, prediction.brought, list[Path]()
    place = list(spec.classes).index(explained(predictor, prediction))
    if brought is not None:
        drawn.append(folder / f"{name}_modalities.png")
        score = f"{prediction.probability:.2f}, {prediction.words}"
        said = f"What each modality brought {brought.whose}to the score {score}"
        target, marks = list(spec.classes.values())[place], [MARKS[one] for one in spec.marks]
        bars = member_bars(brought, [f"{said}; research use only"], target, marks)
        with atomic_path(drawn[0]) as temporary:
            to_png(bars).save(temporary, format="PNG")
    pixels, _ = stack_looks(read.looks, joined_of(predictor).modalities)
    done: set[int] = set()
    for row, (look, nodule) in enumerate(zip(read.looks, read.nodules, strict=True)):
        for modality, picture in look.items():
            if id(picture) in done:  # it stands beside several pictures of another modality: the first look shows it
                continue
            done.add(id(picture))
            heat = heat_of_pixels(
                predictor.parts, pixels[[row]], spec.prepare, place, device=predictor.device, of=modality
            )[0]
            words = f"{prediction.words}: the score of all modalities; the heat is that of {modality}"
            if brought is not None and brought.nodule in ("", nodule):
                words += f", which brought {brought.shown(modality)} to it in log odds"
            overlay = draw_heat(predictor, picture, replace(prediction, words=words), np.asarray(heat, np.float32))
            file = folder / f"{name}_{modality}_{Path(picture.source).stem}.png"
            # Pictures of different nodules may be called alike.
            drawn.append(file if file not in drawn else file.with_stem(f"{file.stem}-{row + 1}"))
            with atomic_path(drawn[-1]) as temporary:
                to_png(overlay).save(temporary, format="PNG")
    return drawn
