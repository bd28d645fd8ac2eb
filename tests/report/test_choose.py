"""Thresholds by a rule: chosen on tuning rows, out of fold or on training rows, never on the cases they judge."""

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.choose import frozen_from_table, parse_rule
from isthmus.report.evidence import compute_evidence
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.thresholds import choose_threshold, least_cost_threshold
from tests.report.made import made_predictions


def split(name: str, seed: int = 7, **options: object) -> pd.DataFrame:
    frame = made_predictions(split=name, **{"seeds": (0,), "folds": 1, **options})  # type: ignore[arg-type]
    return frame.assign(unit_id=name + frame["unit_id"], group_id=name + frame["group_id"])


def scores(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(score=50 * frame["p_1"]).drop(columns=["p_0", "p_1"])


def of(frame: pd.DataFrame, arm: str = "new") -> tuple[np.ndarray, np.ndarray]:
    rows = frame[frame["arm"] == arm]
    return (rows["label"] == "1").to_numpy(), rows["p_1" if "p_1" in rows else "score"].to_numpy()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("youden", "youden", None),
        (" Sensitivity = 0.95", "fixed_sensitivity", 0.95),
        ("specificity=0.9", "fixed_specificity", 0.9),
        ("cost=10", "cost", 10.0),
        ("0.3", "given", 0.3),
        ("prevalence", "prevalence", None),
    ],
)
def test_rules_are_read(text: str, kind: str, value: float | None) -> None:
    rule = parse_rule(text)
    assert rule.kind == kind
    assert np.isnan(rule.value) if value is None else rule.value == value


@pytest.mark.parametrize("text", ["best", "youden=1", "auc=0.9", "sensitivity=2", "cost=0", "cost=x", "nan", "", "="])
def test_what_is_no_rule_is_said(text: str) -> None:
    with pytest.raises(InputError, match=r"rule|out of range"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("rule", "kind", "target"),
    [("youden", "youden", None), ("sensitivity=0.95", "fixed_sensitivity", 0.95), ("prevalence", "prevalence", None)],
)
def test_tuning_rows_choose_for_the_test_set(rule: str, kind: str, target: float | None) -> None:
    tune, test = split("tune"), split("test", strength=0.3)
    frozen = frozen_from_table(pd.concat([tune, test]), rule)
    expected = choose_threshold(kind, *of(tune), target)  # type: ignore[arg-type]
    assert frozen["arms"]["new"]["threshold"] == expected
    assert frozen["arms"]["new"]["chosen_on"] == "tuning part"
    evidence = compute_evidence(test, frozen=frozen, bootstrap=10)
    facts = evidence["arms"]["new"]["test"]
    truth, p = of(test)
    assert facts["sensitivity"]["estimate"] == pytest.approx((p >= expected)[truth].mean())
    assert facts["thresholds"][0]["rule"] == parse_rule(rule).words
    assert facts["thresholds"][0]["groups_in_smaller_class"] >= 20
    assert evidence["decisions"]["chosen_here"] == {}


def test_the_first_seed_of_out_of_fold_rows_chooses_and_each_fold_by_the_others() -> None:
    cv, test = made_predictions(), split("test")
    frozen = frozen_from_table(pd.concat([cv, test]), "youden")["arms"]["new"]
    first = cv[cv["seed"] == 0]
    assert frozen["threshold"] == choose_threshold("youden", *of(first))
    inside = first[first["arm"] == "new"]
    held_out = inside.loc[inside["fold"] == 1, "group_id"]
    others = inside[~inside["group_id"].isin(held_out)]
    assert frozen["folds"]["0/1"]["threshold"] == choose_threshold("youden", *of(others))
    assert set(frozen["folds"]) == {f"{seed}/{fold}" for seed in (0, 1) for fold in (0, 1, 2)}
    assert "other folds" in frozen["folds"]["1/2"]["chosen_on"]
    facts = compute_evidence(cv, frozen={"arms": {"new": frozen, "old": frozen}}, bootstrap=10)["arms"]["new"]["cv"]
    assert len(facts["thresholds"]) == 6


def test_a_folds_own_tuning_part_chooses_for_it() -> None:
    cv = made_predictions()
    tune = cv.assign(split="tune", unit_id="t" + cv["unit_id"], group_id="t" + cv["group_id"])
    found = frozen_from_table(pd.concat([cv, tune]), "youden")["arms"]["old"]
    own = tune[(tune["seed"] == 1) & (tune["fold"] == 2)]
    assert found["folds"]["1/2"]["threshold"] == choose_threshold("youden", *of(own, "old"))
    assert found["chosen_on"] == "out-of-fold predictions"


def test_training_rows_choose_last_and_it_is_said() -> None:
    frozen = frozen_from_table(pd.concat([split("train"), split("test")]), "specificity=0.9")
    assert "a model does better on cases that it was trained on" in frozen["arms"]["old"]["chosen_on"]


def test_thresholds_are_chosen_on_what_frozen_calibrations_give() -> None:
    tune, test = split("tune"), split("test")
    before = {"arms": {"new": {"calibration": {"intercept": 0.4, "slope": 0.7}}}, "note": "kept"}
    frozen = frozen_from_table(pd.concat([tune, test]), "youden", frozen=before)
    truth, p = of(tune)
    expected = choose_threshold("youden", truth, LogisticCalibration(0.4, 0.7).apply(p))
    assert frozen["arms"]["new"]["threshold"] == expected
    assert frozen["arms"]["new"]["calibration"] == before["arms"]["new"]["calibration"]
    assert frozen["note"] == "kept"
    assert "threshold" not in before["arms"]["new"]
    # The calls on the test set are those of the calibrated probabilities.
    truth, p = of(test)
    facts = compute_evidence(test, frozen=frozen, bootstrap=10)["arms"]["new"]["test"]
    called = LogisticCalibration(0.4, 0.7).apply(p) >= expected
    assert facts["specificity"]["estimate"] == pytest.approx((~called[~truth]).mean())


def test_numbers_and_costs_of_probabilities_need_no_rows() -> None:
    test = pd.concat([split("test"), made_predictions()])
    for rule, value in (("0.3", 0.3), ("cost=9", 0.1)):
        frozen = frozen_from_table(test, rule)["arms"]["new"]
        assert (frozen["threshold"], frozen["chosen_on"]) == (value, "no data")
        assert frozen["folds"]["1/2"]["threshold"] == value


def test_costs_of_scores_need_rows_and_a_prevalence() -> None:
    tune, test = scores(split("tune")), scores(split("test"))
    frame = pd.concat([tune, test])
    with pytest.raises(InputError, match="needs a prevalence"):
        frozen_from_table(frame, "cost=10")
    found = frozen_from_table(frame, "cost=10", prevalence=0.1)["arms"]["new"]
    assert found["threshold"] == least_cost_threshold(*of(tune), 10, 0.1)
    called = compute_evidence(test, frozen={"arms": {"new": found}}, bootstrap=10)
    assert "sensitivity" in called["arms"]["new"]["test"]
    assert "sensitivity" not in called["arms"]["old"]["test"]


def test_no_threshold_is_chosen_on_the_cases_it_judges() -> None:
    with pytest.raises(InputError, match="no rows of split tune, cv or train") as raised:
        frozen_from_table(split("test"), "youden")
    assert "add rows of the split tune" in str(raised.value)


def test_an_arms_own_calls_stand() -> None:
    frame = pd.concat([split("tune"), split("test")])
    own = frame.assign(call=np.where(frame["arm"] == "new", frame["label"], ""))
    assert set(frozen_from_table(own, "youden")["arms"]) == {"old"}
    with pytest.raises(InputError, match="every arm brings its own calls"):
        frozen_from_table(frame.assign(call=frame["label"]), "youden")


def test_one_class_and_several_classes_are_refused() -> None:
    tune = split("tune")
    with pytest.raises(InputError, match="hold one class only"):
        frozen_from_table(pd.concat([tune[tune["label"] == "1"], split("test")]), "youden")
    many = split("tune").assign(p_2=0.0)
    with pytest.raises(InputError, match="3 classes"):
        frozen_from_table(many, "youden")
