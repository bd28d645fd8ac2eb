"""What is chosen before a test or external set is seen, and the lock on those sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import FrozenError
from isthmus.files import read_json, sha256_of_json, write_json
from isthmus.protocol.class_calls import choose_class_point, class_calls
from isthmus.statistics.calibration import FEWEST_GROUPS_FOR_SLOPE, LogisticCalibration, fit_calibration
from isthmus.statistics.thresholds import prevalence_threshold, youden_threshold


@dataclass(frozen=True)
class OperatingPoint:
    """A calibrator and the threshold on the probabilities that it gives."""

    calibration: LogisticCalibration
    threshold: float
    rule: str
    groups: int

    def call(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return for each uncalibrated probability whether its calibrated one reaches the threshold."""
        return np.asarray(self.calibration.apply(probabilities) >= self.threshold)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `frozen.json` keeps them."""
        return {
            "calibration": self.calibration.as_dict(),
            "threshold": self.threshold,
            "rule": self.rule,
            "groups_in_smaller_class": self.groups,
        }


def choose_operating_point(
    positive: NDArray[np.bool_], probabilities: NDArray[np.float64], groups: NDArray[Any], rule: str = "youden"
) -> OperatingPoint:
    """Fit a calibrator and choose a threshold on its probabilities.

    Parameters
    ----------
    positive : bool array [N]
        Labels of the units.
    probabilities : float array [N]
        Uncalibrated probabilities of the positive class.
    groups : array [N]
        Groups of the units; the smaller class's count of them decides how much may be fitted.
    rule : str
        ``youden`` or ``prevalence``; with fewer than 20 groups in the smaller class always ``prevalence``.

    Returns
    -------
    OperatingPoint
        With 20 groups or more, intercept and slope; else the intercept only and the prevalence as threshold.
    """
    smaller = min(len(set(groups[positive])), len(set(groups[~positive])))
    calibration = fit_calibration(positive, probabilities, groups)
    if smaller < FEWEST_GROUPS_FOR_SLOPE:
        threshold = prevalence_threshold(positive)
        said = "1 group" if smaller == 1 else f"{smaller} groups"
        used = f"prevalence ({said} in the smaller class: too few for a Youden point)"
    else:
        calibrated = calibration.apply(probabilities)
        threshold = youden_threshold(positive, calibrated) if rule == "youden" else prevalence_threshold(positive)
        used = rule
    return OperatingPoint(calibration, float(threshold), used, smaller)


def freeze(predictions: pd.DataFrame, classes: list[str], rule: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Choose every arm's operating points and return the content of `frozen.json`.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2 rows of the splits `tune` and `cv`, without calls.
    classes : list of str
        The last is the positive one.
    rule : str
        The protocol's threshold rule; among several classes the most probable one is called, whatever it says.
    facts : mapping
        What else is frozen: target, cohort fingerprint, hash of the protocol's rules (its arms are added one by one).

    Returns
    -------
    dict
        For each arm, `folds` (from each fold's tuning part, for its own held-out calls) and the arm's own
        calibration and threshold (from the out-of-fold predictions of the first seed, the model that meets others).
    """
    arms: dict[str, Any] = {}
    for arm, rows in predictions.groupby("arm", sort=True):
        first = rows["seed"].min()
        own = rows[(rows["split"] == "cv") & (rows["seed"] == first)]
        folds = {}
        for (seed, fold), part in rows[rows["split"] == "tune"].groupby(["seed", "fold"], sort=True):
            folds[f"{seed}/{fold}"] = _point(part, classes, rule)
        arms[str(arm)] = {
            "candidate": str(own["candidate"].iloc[0]),
            **_point(own, classes, rule),
            "chosen_on": f"out-of-fold predictions of seed {first}",
            "predictions": predictions_chosen_on(own, classes),
            "folds": folds,
        }
    return {"format": "isthmus-frozen/1.0", **facts, "classes": classes, "arms": arms}


def predictions_chosen_on(rows: pd.DataFrame, classes: list[str]) -> str:
    """Return a SHA-256 of the predictions that an arm's calibration and threshold are chosen on."""
    # Of two classes one probability says it all.
    scores = [f"p_{name}" for name in (classes if len(classes) > 2 else classes[-1:])]
    return sha256_of_json(rows[["unit_id", "fold", *scores]].astype(str).to_numpy().tolist())


def _point(rows: pd.DataFrame, classes: list[str], rule: str) -> dict[str, Any]:
    if len(classes) > 2:
        return choose_class_point(rows, classes)
    positive = (rows["label"] == classes[-1]).to_numpy(dtype=bool)
    values = rows[f"p_{classes[-1]}"].to_numpy(dtype=float)
    return choose_operating_point(positive, values, rows["group_id"].to_numpy(), rule).to_json()


def calls(predictions: pd.DataFrame, classes: list[str], frozen: Mapping[str, Any]) -> pd.Series:
    """Return each row's call: `cv` by its fold's operating point, `test` and `external` by its arm's, `tune` none."""
    result = pd.Series(pd.NA, index=predictions.index, dtype="string")
    score = f"p_{classes[-1]}"
    for (arm, split, seed, fold), rows in predictions.groupby(["arm", "split", "seed", "fold"], sort=True):
        if split == "tune":
            continue
        own = frozen["arms"][str(arm)]
        point = own["folds"][f"{seed}/{fold}"] if split == "cv" else own
        if len(classes) > 2:
            result.loc[rows.index] = class_calls(rows, classes, point)
            continue
        calibrated = LogisticCalibration.from_dict(point["calibration"]).apply(rows[score].to_numpy(dtype=float))
        result.loc[rows.index] = np.where(calibrated >= point["threshold"], classes[-1], classes[0])
    return result


class Lock:
    """Lets a test or external set be predicted only after `frozen.json`, and counts the openings.

    Parameters
    ----------
    folder : Path
        The run folder; openings are logged in its `openings.json`.
    """

    def __init__(self, folder: Path) -> None:
        self._frozen = folder / "frozen.json"
        self._log = folder / "openings.json"

    def freeze(self, content: dict[str, Any]) -> None:
        """Write `frozen.json`, or check that what is there says the same of every arm it names.

        Arms may be added after an opening; nothing that was chosen for the others may change then.

        Raises
        ------
        FrozenError
            When a set was opened already with other choices.
        """
        if self._frozen.exists():
            kept = read_json(self._frozen, name="frozen")
            if kept == content:
                return
            if self.openings() and _only_the_arms_of(kept, content) != kept:
                raise FrozenError(
                    "the frozen choices have changed since a test or external set was opened",
                    where=self._frozen.name,
                    hint="start a new run; this one's test and external results stand as they are",
                )
            if openings := self.openings():
                self._write(openings)  # an older log learns its arms from what is frozen before more are added
        write_json(self._frozen, content)

    def open(self, split: str, cohort: str, arms: Sequence[str]) -> dict[str, Any]:
        """Log one opening of a set by some arms and return the frozen choices to predict it with.

        Raises
        ------
        FrozenError
            When nothing is frozen yet, or `frozen.json` says of an arm what earlier openings did not use.
        """
        if not self._frozen.exists():
            raise FrozenError(
                f"the {split} set may not be predicted before the choices are frozen",
                where=self._frozen.name,
                hint="let `isthmus run` finish its cross-validation first",
            )
        content: dict[str, Any] = read_json(self._frozen, name="frozen")
        openings = self.openings()
        if any(opening["frozen"] != _fingerprint(content, opening["arms"]) for opening in openings):
            raise FrozenError(
                "frozen.json was altered after a set was opened", where=self._frozen.name, hint="start a new run"
            )
        opening = {"split": split, "cohort": cohort, "arms": list(arms), "frozen": _fingerprint(content, arms)}
        self._write([*openings, opening])
        return content

    def check_models(self, models: Mapping[str, Mapping[str, Any]]) -> None:
        """Refuse models whose calibration or threshold is not what was frozen for their arm.

        Parameters
        ----------
        models : mapping
            By arm, `calibration` and `threshold` as the models have them.

        Raises
        ------
        FrozenError
            When nothing is frozen, an arm is not, or a value differs.
        """
        if not self._frozen.exists():
            raise FrozenError("this run has no frozen choices", where=self._frozen.name, hint="finish the run first")
        arms = read_json(self._frozen, name="frozen")["arms"]
        for arm, model in models.items():
            if arm not in arms:
                raise FrozenError(f"nothing was frozen for arm {arm}", where=self._frozen.name)
            for what, here, there in _differences(model, arms[arm]):
                raise FrozenError(
                    f"the bundle of {arm} has {what} {here}, and {there} was frozen",
                    where=f"arms/{arm}/bundle/bundle.yaml",
                    hint="one of the two was altered: repeat `isthmus run ... --resume`, which writes the bundles anew",
                )

    def _write(self, openings: Sequence[Mapping[str, Any]]) -> None:
        write_json(self._log, {"format": "isthmus-openings/1.0", "openings": list(openings)})

    def openings(self) -> list[dict[str, Any]]:
        """Return the openings so far, oldest first: `split`, `cohort`, `arms`, `frozen`."""
        if not self._log.exists():
            return []
        logged = read_json(self._log, name="openings")["openings"]
        if all("arms" in opening for opening in logged):
            return list(logged)
        # Older logs name no arms: then every arm that was frozen met every set.
        arms = list(read_json(self._frozen, name="frozen")["arms"]) if self._frozen.exists() else []
        return [{"arms": arms, **opening} for opening in logged]


def _only_the_arms_of(kept: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    return {**content, "arms": {arm: choices for arm, choices in content["arms"].items() if arm in kept["arms"]}}


def _differences(model: Mapping[str, Any], frozen: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return what differs: its name, the model's value and the frozen one."""
    own, kept = model["calibration"], frozen["calibration"]
    pairs = [(f"calibration {name}", own[name], kept[name]) for name in kept if name in own]
    pairs.append(("the threshold", model.get("threshold"), frozen.get("threshold")))
    return [(what, here, there) for what, here, there in pairs if here != there]


def _fingerprint(content: Mapping[str, Any], arms: Sequence[str]) -> str:
    """Return a SHA-256 of what is frozen for some arms; it stays the same when others are added."""
    return sha256_of_json({**content, "arms": {arm: content["arms"].get(arm) for arm in sorted(arms)}})
