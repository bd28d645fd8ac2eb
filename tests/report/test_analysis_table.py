from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from isthmus.errors import InputError
from isthmus.report.analysis_table import analysis_table, by_split_and_arm
from tests.report.made import made_frozen, made_predictions


def test_a_fold_is_calibrated_by_its_own_calibrator_in_cross_validation() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    frozen = {"arms": {"new": {"folds": {"0/1": {"calibration": {"intercept": 0.5, "slope": 2.0}}}}}}
    rows = analysis_table(frame, frozen=frozen).rows
    inside = rows["fold"] == 1
    expected = expit(0.5 + 2 * logit(rows.loc[inside, "p_1"]))  # the definition of logistic recalibration
    assert np.allclose(rows.loc[inside, "probability"], expected)
    assert np.allclose(rows.loc[~inside, "probability"], rows.loc[~inside, "p_1"])


def test_the_arms_own_choice_is_never_used_in_cross_validation() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    frozen = {"arms": {"new": {"calibration": {"intercept": 3.0, "slope": 2.0}, "threshold": 0.9}}}
    table = analysis_table(frame, frozen=frozen)
    assert np.allclose(table.rows["probability"], frame["p_1"])
    assert "0.5 or more" in table.notes["new", "cv"][0]


def test_the_arms_own_choice_meets_the_test_set() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test")
    table = analysis_table(frame, frozen=made_frozen(frame, threshold=0.6))
    expected = np.where(expit(0.1 + 0.8 * logit(frame["p_1"])) >= 0.6, "1", "0")
    assert (table.rows["call"] == expected).all()
    assert table.thresholds["new", "test"][0]["value"] == 0.6


def test_calls_in_the_table_take_precedence_over_thresholds() -> None:
    frame = made_predictions(("new",), seeds=(0,)).assign(call="0")
    assert (analysis_table(frame, frozen=made_frozen(frame)).rows["call"] == "0").all()


def test_half_made_calls_are_left_out_and_said() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    frame.loc[:9, "call"] = "1"
    table = analysis_table(frame)
    assert (table.rows["call"] == "").all()
    assert "110 of 120 rows have no call" in table.notes["new", "cv"][0]


def test_a_score_without_threshold_gets_no_calls() -> None:
    frame = made_predictions(("new",), seeds=(0,)).rename(columns={"p_1": "score"}).drop(columns="p_0")
    table = analysis_table(frame)
    assert (table.rows["call"] == "").all()
    assert table.rows["probability"].isna().all()
    assert "would flatter them" in table.notes["new", "cv"][0]


def test_candidates_of_one_arm_are_told_apart() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    both = analysis_table(pd.concat([frame, frame.assign(candidate="deep")], ignore_index=True))
    assert set(both.rows["arm"]) == {"new · default", "new · deep"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": lambda f: ["a"] * 60 + ["b"] * 60}, "2 values of target"),
        ({"unit": lambda f: ["view"] * 60 + ["nodule"] * 60}, "2 values of unit"),
        ({"cohort": lambda f: ["a"] * 60 + ["b"] * 60}, "holds 2 cohorts"),
        ({"label": lambda f: ["2"] * 120}, "labels outside the classes: '2'"),
        ({"unit_id": lambda f: ["one"] * 120}, "more than one label: one"),
    ],
)
def test_a_table_that_cannot_be_analysed_as_one_is_refused_in_one_line(change, message) -> None:
    frame = made_predictions(("new",), seeds=(0,)).assign(**change)
    with pytest.raises(InputError, match=message):
        analysis_table(frame)


def test_an_unknown_positive_class_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no class is called 'cancer'.*0, 1"):
        analysis_table(made_predictions(), positive="cancer")


def test_every_arm_of_every_split_that_chose_nothing_is_asked_and_what_says_nothing_is_left_out() -> None:
    predictions = made_predictions()
    told = pd.concat(
        [predictions.assign(split=split, fold=0).drop_duplicates(["arm", "unit_id", "seed"]) for split in
         ("external", "train", "test", "tune", "cv")]
    )  # fmt: skip
    asked = []

    def of_arm(arm: str, split: str) -> dict[str, str]:
        asked.append((split, arm))
        return {} if split == "external" or arm == arms[0] else {"said": f"{arm} in {split}"}

    table = analysis_table(told)
    arms = list(dict.fromkeys(table.rows["arm"]))
    assert len(arms) > 1
    found = by_split_and_arm(table, of_arm)
    assert sorted(asked) == sorted((split, arm) for split in ("cv", "test", "external") for arm in arms)
    assert found == {
        "splits": {split: {arm: {"said": f"{arm} in {split}"} for arm in arms[1:]} for split in ("cv", "test")}
    }
    assert by_split_and_arm(replace(table, has_probabilities=False), of_arm) == {}
