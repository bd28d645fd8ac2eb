"""Cases scored by a model of one arm: the same as for a fused one, with one modality."""

from collections.abc import Sequence

from isthmus.inference.cases import each_case, pictures_only
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import Case, View
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import FailedPicture, Prediction, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.progress import Progress


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
        When there is no case, or no case at all could be scored (then with the first one's error).
    """

    def predict_one(case: Case) -> Prediction | Sequence[FailedPicture]:
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
        return scored.failures or scored[0]

    return each_case(cases, predict_one, progress)


def pictures_of_case(predictor: Predictor, case: Case, localiser: Proposer | None = None) -> list[Picture]:
    """Read a case's pictures as the model needs them.

    Raises
    ------
    InputError
        When one cannot be read, or the case holds what the model has no use for.
    """
    return [predictor.read_view(view, localiser) for view in _views(case, predictor)]


def _views(case: Case, predictor: Predictor) -> Sequence[View]:
    pictures_only(case, predictor.spec)
    return case.views[predictor.spec.requires.modalities[0]]
