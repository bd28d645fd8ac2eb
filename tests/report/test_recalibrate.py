"""Calibrators fitted on a table's own rows: never on the rows that they are shown on."""

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.analysis_table import analysis_table
from isthmus.report.evidence import compute_evidence
from isthmus.report.recalibrate import parts_by_group, recalibrate, with_calibration
from isthmus.statistics.calibration import calibration_from_dict, fit_calibration
from tests.report.made import made_frozen, made_predictions


def _with_tuning() -> pd.DataFrame:
    tune = made_predictions(("new",), seeds=(0,), folds=1, split="tune")
    tune = tune.assign(unit_id="t" + tune["unit_id"], group_id="t" + tune["group_id"])
    return pd.concat([tune, made_predictions(("new",), seeds=(0,), folds=1, split="test")], ignore_index=True)


@pytest.mark.parametrize("method", ["logistic", "isotonic", "temperature"])
def test_the_tuning_part_calibrates_the_test_set(method: str) -> None:
    frame = _with_tuning()
    frozen = recalibrate(frame, method)  # type: ignore[arg-type]
    choice = frozen["arms"]["new"]
    assert choice["calibrated_on"] == "tuning part"
    test = frame[frame["split"] == "test"].reset_index(drop=True)
    rows = analysis_table(test, frozen=frozen).rows
    expected = calibration_from_dict(choice["calibration"]).apply(test["p_1"].to_numpy())
    assert np.allclose(rows["probability"], expected)
    assert np.allclose(rows["score"], test["p_1"])  # ranks are those of the score as given


def test_a_fold_is_calibrated_by_the_other_folds_of_its_seed() -> None:
    frame = made_predictions(("new",), seeds=(0, 1))
    choice = recalibrate(frame)["arms"]["new"]
    assert set(choice["folds"]) == {f"{seed}/{fold}" for seed in (0, 1) for fold in range(3)}
    others = frame[(frame["seed"] == 1) & (frame["fold"] != 2)]
    expected = fit_calibration(others["label"] == "1", others["p_1"], others["group_id"]).as_dict()
    assert choice["folds"]["1/2"]["calibration"] == expected
    assert choice["calibrated_on"] == "out-of-fold predictions of seed 0"


def test_a_set_alone_is_cross_fitted_by_group_and_said() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test")
    frozen = recalibrate(frame, "isotonic")
    choice = frozen["arms"]["new"]
    assert "cross-fitted by group in 5 parts" in choice["calibrated_on"]
    parts = choice["cross_fitted"]["test"]
    named = [group for part in parts for group in part["groups"]]
    assert sorted(named) == sorted(set(frame["group_id"]))
    table = analysis_table(frame, frozen=frozen)
    assert ("new", "test") in table.calibrated
    inside = frame["group_id"].isin(parts[0]["groups"])
    expected = calibration_from_dict(parts[0]["calibration"]).apply(frame.loc[inside, "p_1"].to_numpy())
    assert np.allclose(table.rows.loc[inside.to_numpy(), "probability"], expected)
    # The same whatever the order of rows.
    assert recalibrate(frame.sample(frac=1, random_state=1), "isotonic") == frozen


def test_parts_hold_groups_of_both_classes() -> None:
    rows = pd.DataFrame({"group_id": [f"g{k}" for k in range(50)], "truth": np.arange(50) < 10})
    part_of = parts_by_group(rows)
    assert [sum(part_of[f"g{k}"] == part for k in range(10)) for part in range(5)] == [2] * 5


def test_thresholds_stay_and_evidence_is_made() -> None:
    frame = made_predictions(seeds=(0,))
    frozen = with_calibration(made_frozen(frame), recalibrate(frame, "temperature"))
    choice = frozen["arms"]["new"]["folds"]["0/1"]
    assert choice["threshold"] == 0.55
    assert choice["calibration"]["kind"] == "temperature"
    evidence = compute_evidence(frame, frozen=frozen, bootstrap=50)
    assert "brier_uncalibrated" in evidence["arms"]["new"]["cv"]


def test_one_class_gives_no_calibrator_and_wrong_tables_are_refused() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test")
    few = frame[(frame["label"] == "0") | (frame["unit_id"] == "n000")]
    assert recalibrate(few)["arms"]["new"] == {}
    with pytest.raises(InputError, match="no recalibration is called"):
        recalibrate(frame, "magic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no probabilities"):
        recalibrate(frame.rename(columns={"p_1": "score"}).drop(columns="p_0"))
