"""How sure each arm's model may say it is: frozen on the predictions that its calibration and threshold came from."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from isthmus.errors import FrozenError
from isthmus.inference.answer_limits import fit_answer
from isthmus.models.answer_spec import AnswerSpec
from isthmus.protocol.cases import Cases
from isthmus.protocol.frozen import predictions_chosen_on
from isthmus.protocol.gather import nodule_predictions
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration


def answers_of(
    rows: pd.DataFrame, cases: Cases, frozen: Mapping[str, Any], arms: Iterable[str]
) -> dict[str, AnswerSpec]:
    """Return what the bundle of each arm holds of sets and referral.

    They are a function of `frozen.json` and of the very predictions whose hash stands in it, so that they are chosen
    when it is, and a run that was begun before there were any gets the same ones.

    Parameters
    ----------
    rows : DataFrame
        Out-of-fold scores of the views, in the columns of `gather_views`.
    cases : Cases
        What was trained on.
    frozen : mapping
        The content of `frozen.json`.
    arms : iterable of str
        Arms and fusions that have a bundle.

    Raises
    ------
    FrozenError
        When these are not the predictions that the choices were made on.
    """
    # All at once, as they were when they were frozen: means of other tables differ in the last digit.
    units = nodule_predictions(rows, cases)
    found = {}
    for arm, own_rows in units[units["arm"].isin(list(arms))].groupby("arm", sort=True):
        own = own_rows[(own_rows["split"] == "cv") & (own_rows["seed"] == own_rows["seed"].min())]
        said = frozen["arms"][str(arm)]
        if said["predictions"] != predictions_chosen_on(own, cases.classes):
            raise FrozenError(
                f"the out-of-fold predictions of {arm} are not those that its threshold was chosen on",
                where="frozen.json",
                hint="one of the two was altered: start a new run",
            )
        found[str(arm)] = _answer(own, cases.classes, said)
    return found


def _answer(rows: pd.DataFrame, classes: list[str], said: Mapping[str, Any]) -> AnswerSpec:
    values = rows[[f"p_{name}" for name in classes]].to_numpy(dtype=np.float64)
    if len(classes) == 2:
        positive = LogisticCalibration.from_dict(said["calibration"]).apply(values[:, 1])
        calibrated = np.stack([1.0 - positive, positive], axis=1)
    else:
        calibrated = ClassCalibration.from_dict(said["calibration"]).apply(values)
    codes = rows["label"].map({name: code for code, name in enumerate(classes)}).to_numpy(dtype=np.int64)
    groups = rows["group_id"].astype(str).tolist()
    return fit_answer(codes, calibrated, groups, classes, said.get("threshold"), said["chosen_on"])
