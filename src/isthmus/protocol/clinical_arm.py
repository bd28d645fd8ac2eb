"""The clinical arm of a run: what the cohort's tables know of a case, fitted on training patients alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.protocol.case_facts import with_patients
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.report.clinical_model import ClinicalModel, clinical_evidence, fit_clinical_model
from isthmus.report.clinical_terms import CLINICAL, PREOPERATIVE, terms_of
from isthmus.report.discrimination import auc_difference, auc_of
from isthmus.report.nomogram import nomogram
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.interval import undefined

CANDIDATE: Final = "logistic"
_ROWS: Final = ("target", "cohort", "arm", "candidate", "split", "seed", "fold", "view_id", *UNIT_COLUMNS)


@dataclass(frozen=True)
class ClinicalArm:
    """The fitted arm.

    Parameters
    ----------
    rows : DataFrame
        One a nodule, in the columns of `gather_views`: splits `tune` and `cv` of every seed and fold, each by a model
        of that fold's training part; they join the other arms' rows before the choices are frozen.
    model : ClinicalModel
        Fitted on all training cases: the one that is drawn as a nomogram, frozen, and meets every opened set.
    evidence : dict
        Odds ratios and the sensitivity analysis, as :func:`isthmus.report.clinical_model.clinical_evidence` has them,
        and the cross-validated AUCs of both.
    """

    rows: pd.DataFrame
    model: ClinicalModel
    evidence: dict[str, Any]

    def frozen(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `frozen.json` holds of the arm: the operating points chosen on its rows, and the model itself."""
        return {**choices, "model": self.model.to_json()}

    def to_evidence(self, choices: Mapping[str, Any]) -> dict[str, Any]:
        """Return `evidence.json`'s ``clinical_model``; the nomogram's risks are calibrated by the frozen choices."""
        calibration = LogisticCalibration.from_dict(choices["calibration"])
        return {
            **self.evidence,
            "model": self.model.to_json(),
            "nomogram": nomogram(self.model, calibration).to_json(),
        }


def fit_clinical_arm(
    cases: Cases, split: pd.DataFrame, columns: Sequence[str] | None = None, level: float = 0.95
) -> ClinicalArm:
    """Fit and cross-validate the clinical arm on a run's own division of its training patients.

    Parameters
    ----------
    cases : Cases
        Those to train on, without what is set aside.
    split : DataFrame
        ``seed, fold, group_id, part`` as `split.csv` has it.
    columns : sequence of str, optional
        Columns of `nodules.csv` and `patients.csv`; default those that are known before an operation.
    level : float
        Of the intervals, 0 to 1.

    Raises
    ------
    InputError
        When no column can be used.

    Notes
    -----
    Coding, levels and coefficients of a fold are found in its part `train`; its part `tune` chooses nothing but its
    operating point, as for the other arms. What margin and extrathyroidal extension would add is cross-validated in the
    same folds and stays out of the rows.
    """
    known, positive = known_cases(cases), cases.classes[-1]
    model, _ = fit_clinical_model(known, positive, columns)
    evidence = clinical_evidence(known, positive, columns, level)
    rows = _fold_rows(cases, known, split, columns)
    sensitivity = evidence["sensitivity"]
    held_out = rows[rows["split"] == "cv"].reset_index(drop=True)
    truth, score = (held_out["label"] == positive).to_numpy(dtype=bool), f"p_{positive}"
    evidence["auc"] = auc_of(held_out, truth, held_out[score], level).as_dict()
    if "columns" in sensitivity:
        own = tuple(name for name in PREOPERATIVE if name in known.columns) if columns is None else tuple(columns)
        wider = _fold_rows(cases, known, split, (*own, *sensitivity["columns"]))
        more = wider[wider["split"] == "cv"].reset_index(drop=True)
        sensitivity["auc"] = auc_of(more, truth, more[score], level).as_dict()
        sensitivity["difference"] = _difference(held_out, truth, more[score], held_out[score], level)
    return ClinicalArm(rows, model, evidence)


def check_clinical_columns(cases: Cases, split: pd.DataFrame, columns: Sequence[str] | None = None) -> None:
    """Refuse training patients, of a fold or all, of whom nothing is known that could enter the model; fits nothing.

    Parameters
    ----------
    cases, split, columns
        As for :func:`fit_clinical_arm`.

    Raises
    ------
    InputError
        As :func:`fit_clinical_arm`.
    """
    known = known_cases(cases)
    folds = [part[part["part"] == "train"]["group_id"] for _, part in split.groupby(["seed", "fold"])]
    for taught in (known, *(known[known["group_id"].isin(groups)] for groups in folds)):
        if not terms_of(taught, columns)[0]:
            fit_clinical_model(taught, cases.classes[-1], columns)


def clinical_predictions(
    model: Mapping[str, Any], cases: Cases, split: str, seeds: Sequence[int] = (0,)
) -> pd.DataFrame:
    """Return what the frozen model says of an opened set, in the columns of `gather_views`; alike for every seed.

    Parameters
    ----------
    model : mapping
        `frozen["arms"]["clinical"]["model"]`.
    cases : Cases
        Of the set; a column that it lacks counts as the training cases' mean or most frequent level.
    split : str
        `test`, `temporal` or `external`.
    seeds : sequence of int
        Those whose models meet the set.
    """
    known = known_cases(cases)
    rows = [_scored(cases, known, ClinicalModel.from_json(model), split, seed, 0) for seed in seeds]
    return pd.concat(rows, ignore_index=True)


def known_cases(cases: Cases) -> pd.DataFrame:
    """Return one row a nodule, sorted: its unit columns and what ``nodules.csv`` and ``patients.csv`` know of it."""
    own = list(UNIT_COLUMNS)
    tables = with_patients(cases.cohort.nodules, cases.cohort.patients)
    more = ["nodule_id", *(name for name in tables.columns if name not in (*own, "split"))]
    return cases.units[own].merge(tables[more], on="nodule_id", how="left", validate="one_to_one")


def _fold_rows(cases: Cases, known: pd.DataFrame, split: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    found = []
    keys = split[["seed", "fold"]].drop_duplicates().sort_values(["seed", "fold"])
    for seed, fold in keys.to_numpy(dtype=int).tolist():
        part = split[(split["seed"] == seed) & (split["fold"] == fold)]
        of = known["group_id"].map(dict(zip(part["group_id"], part["part"], strict=True)))
        model, _ = fit_clinical_model(known[of == "train"], cases.classes[-1], columns)
        found += [_scored(cases, known[of == name], model, name, seed, fold) for name in ("tune", "cv")]
    return pd.concat(found, ignore_index=True)


def _scored(cases: Cases, known: pd.DataFrame, model: ClinicalModel, split: str, seed: int, fold: int) -> pd.DataFrame:
    positive = model.probabilities(known)
    rows = known[list(UNIT_COLUMNS)].assign(
        target=cases.target.name, cohort=cases.cohort.name, arm=CLINICAL, candidate=CANDIDATE, split=split, seed=seed,
        fold=fold, view_id=known["nodule_id"],
    )  # fmt: skip
    scores = {f"p_{cases.classes[0]}": 1 - positive, f"p_{cases.classes[-1]}": positive}
    return rows[list(_ROWS)].assign(**scores).reset_index(drop=True)


def _difference(rows: pd.DataFrame, truth: Any, a: "pd.Series[float]", b: "pd.Series[float]", level: float) -> Any:
    try:
        return auc_difference(rows, truth, np.asarray(a), np.asarray(b), level).as_dict()
    except ValueError as error:
        return undefined("difference of AUC", str(error), level).as_dict()
