"""The clinical arm on the tables of a virtual cohort: who is fitted on, what is frozen, what the sensitivity shows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.splits import cross_validation_split
from isthmus.errors import InputError
from isthmus.phantom.patients import draw_population
from isthmus.phantom.preset import load_preset
from isthmus.protocol import clinical_arm
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.protocol.clinical_arm import clinical_predictions, fit_clinical_arm, known_cases
from isthmus.protocol.frozen import calls, freeze
from isthmus.protocol.gather import nodule_predictions
from isthmus.report.nomogram import Nomogram
from isthmus.tables.predictions import read_predictions, write_predictions


def virtual(patients: int, seed: int = 3) -> Cases:
    """Return the tables of the preset of this study; no picture is made."""
    drawn = draw_population(load_preset("ceus-olnm"), patients, seed)
    target = drawn.preset.target.definition
    cohort = Cohort(
        Path("nowhere"), "virtual", "CC0-1.0", "", True, "real", {"olnm": target}, drawn.patients, drawn.nodule_table(),
        drawn.views,
    )  # fmt: skip
    units = cohort.nodules.merge(cohort.patients.rename(columns={"olnm": "label"}), on="patient_id")
    views = units[[*UNIT_COLUMNS]].assign(fixed_split=units["split"], view_id=units["nodule_id"])
    return Cases(cohort, target, {"image": views}, pd.DataFrame())


@pytest.fixture(scope="module")
def cases():
    return virtual(150)


@pytest.fixture(scope="module")
def split(cases):
    units = cases.units
    return pd.concat([cross_validation_split(units, 3, seed) for seed in (0, 1)], ignore_index=True)


@pytest.fixture(scope="module")
def fitted(cases, split):
    return fit_clinical_arm(cases, split)


def test_every_patient_is_held_out_once_a_seed_and_the_table_is_contract_two(fitted, cases, tmp_path):
    rows = nodule_predictions(fitted.rows, cases)
    assert set(rows["unit"]) == {"patient"}
    held_out = rows[rows["split"] == "cv"]
    assert held_out.groupby("seed")["unit_id"].nunique().tolist() == [150, 150]
    assert not held_out.duplicated(["seed", "unit_id"]).any()
    assert set(rows["split"]) == {"tune", "cv"}
    write_predictions(tmp_path / "predictions.csv", rows)
    read = read_predictions(tmp_path / "predictions.csv")
    assert set(read["arm"]) == {"clinical"}
    assert len(read) == len(rows)


def test_no_fit_of_a_fold_sees_a_case_that_it_scores(cases, split, monkeypatch):
    seen: list[set[str]] = []

    def spy(known, *asked, **more):
        seen.append(set(known["group_id"]))
        return fit(known, *asked, **more)

    fit = clinical_arm.fit_clinical_model
    monkeypatch.setattr(clinical_arm, "fit_clinical_model", spy)
    rows = clinical_arm._fold_rows(cases, known_cases(cases), split, None)
    folds = rows[["seed", "fold"]].drop_duplicates().to_numpy().tolist()
    assert len(seen) == len(folds) == 6
    for (seed, fold), groups in zip(folds, seen, strict=True):
        scored = rows[(rows["seed"] == seed) & (rows["fold"] == fold)]
        assert not groups & set(scored["group_id"])


def test_a_held_out_label_changes_nothing_of_its_own_score(cases, split, fitted):
    own = split[(split["seed"] == 0) & (split["fold"] == 0)]
    outside = own.loc[own["part"] != "train", "group_id"]
    views = cases.views["image"].copy()
    flipped = views["group_id"].isin(outside)
    views.loc[flipped, "label"] = views.loc[flipped, "label"].map({"0": "1", "1": "0"})
    other = Cases(cases.cohort, cases.target, {"image": views}, cases.left_out)
    again = clinical_arm._fold_rows(other, known_cases(other), own, None)
    first = fitted.rows[(fitted.rows["seed"] == 0) & (fitted.rows["fold"] == 0)]
    np.testing.assert_array_equal(again["p_1"].to_numpy(), first["p_1"].to_numpy())


def test_margin_and_extension_stay_out_of_the_arm_and_stand_in_the_sensitivity_analysis(fitted):
    assert not [term for term in fitted.model.terms if term.column == "margin"]
    sensitivity = fitted.evidence["sensitivity"]
    assert sensitivity["columns"] == ["margin"]
    assert {row["column"] for row in sensitivity["rows"]} > {row["column"] for row in fitted.evidence["rows"]}
    assert 0 < sensitivity["auc"]["low"] < sensitivity["auc"]["high"] < 1
    gain = sensitivity["auc"]["estimate"] - fitted.evidence["auc"]["estimate"]
    assert sensitivity["difference"]["difference"] == pytest.approx(gain)


def test_what_nearly_separates_the_classes_is_seen_for_what_it_is(cases, split):
    nodules = cases.cohort.nodules.copy()
    positive = nodules["patient_id"].isin(cases.cohort.patients.query("olnm == '1'")["patient_id"])
    # As in the published table: in none of those without metastases, in two of three of the others.
    nodules["extrathyroidal_extension"] = np.where(positive & (np.arange(len(nodules)) % 3 > 0), "yes", "no")
    cohort = Cohort(**{**cases.cohort.__dict__, "nodules": nodules})
    found = fit_clinical_arm(Cases(cohort, cases.target, cases.views, cases.left_out), split)
    row = found.evidence["sensitivity"]["rows"][-1]
    assert (row["column"], row["against"]) == ("extrathyroidal_extension", "no")
    assert row["multivariable"]["low"] > 10
    assert np.isfinite(row["multivariable"]["high"])
    assert found.evidence["sensitivity"]["auc"]["estimate"] > 0.8 > found.evidence["auc"]["estimate"]


def test_the_frozen_model_scores_an_opened_set_as_the_fitted_one_would(fitted, cases):
    chosen = freeze(nodule_predictions(fitted.rows, cases), ["0", "1"], "youden", {})
    choices = fitted.frozen(chosen["arms"]["clinical"])
    assert choices["candidate"] == "logistic"
    assert set(choices["folds"]) == {f"{seed}/{fold}" for seed in (0, 1) for fold in range(3)}
    unseen = virtual(60, seed=9)
    rows = clinical_predictions(choices["model"], unseen, "test", seeds=(0, 1))
    assert rows.groupby("seed").size().tolist() == [60, 60]
    expected = fitted.model.probabilities(known_cases(unseen))
    np.testing.assert_allclose(rows.loc[rows["seed"] == 0, "p_1"], expected, rtol=1e-12)
    assert set(calls(rows, ["0", "1"], {"arms": {"clinical": choices}})) <= {"0", "1"}


def test_the_nomogram_carries_the_frozen_calibration(fitted, cases):
    chosen = freeze(nodule_predictions(fitted.rows, cases), ["0", "1"], "youden", {})["arms"]["clinical"]
    drawn = Nomogram.from_json(fitted.to_evidence(chosen)["nomogram"])
    assert drawn.calibrated
    assert [scale.column for scale in drawn.scales] == [term.column for term in fitted.model.terms]


def test_a_cohort_that_lacks_a_column_is_scored_with_the_training_mean_of_it(fitted, cases):
    poorer = cases.cohort.patients.drop(columns="age_years")
    cohort = Cohort(**{**cases.cohort.__dict__, "patients": poorer})
    rows = clinical_predictions(
        fitted.model.to_json(), Cases(cohort, cases.target, cases.views, cases.left_out), "test"
    )
    mean = next(term.fill for term in fitted.model.terms if term.column == "age_years")
    expected = fitted.model.probabilities(known_cases(cases).assign(age_years=float(mean)))
    np.testing.assert_allclose(rows["p_1"], expected, rtol=1e-12)


def test_the_label_is_no_covariate(cases, split):
    with pytest.raises(InputError, match="no column can enter") as caught:
        fit_clinical_arm(cases, split, columns=["olnm"])
    assert "it is the label itself" in str(caught.value)


def test_permuted_labels_leave_nothing_to_find_and_a_model_that_saw_its_cases_finds_it_all_the_same():
    cases = virtual(80, seed=5)
    views, columns = cases.views["image"], ("age_years", "size_mm", "sex")
    halves = cross_validation_split(cases.units, 2, 0)
    draw = np.random.default_rng(0)
    held_out, in_sample = [], []
    for turn in range(50):
        labels = views["label"].to_numpy()[draw.permutation(len(views))]
        shuffled = Cases(cases.cohort, cases.target, {"image": views.assign(label=labels)}, cases.left_out)
        known = known_cases(shuffled)
        rows = clinical_arm._fold_rows(shuffled, known, halves[halves["fold"] == turn % 2], columns)
        held_out.append(auc(rows[rows["split"] == "cv"]))
        if turn < 12:
            model, _ = clinical_arm.fit_clinical_model(known, "1", columns)
            in_sample.append(auc(known.assign(p_1=model.probabilities(known))))
    error = np.std(held_out, ddof=1) / np.sqrt(len(held_out))
    assert abs(np.mean(held_out) - 0.5) < 3 * error
    assert np.mean(in_sample) > 0.58  # the leak that this test would see


def auc(rows: pd.DataFrame) -> float:
    truth = (rows["label"] == "1").to_numpy()
    score = rows["p_1"].to_numpy()
    return float(np.mean((score[truth][:, None] > score[~truth]) + 0.5 * (score[truth][:, None] == score[~truth])))
