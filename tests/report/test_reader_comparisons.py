import json

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError, TableError
from isthmus.report.analysis_table import analysis_table
from isthmus.report.readers import reader_evidence
from isthmus.report.reads import reads_by_split
from isthmus.report.subject import Study
from isthmus.statistics.interval import holm
from isthmus.statistics.multi_reader.standalone import model_against_readers
from isthmus.statistics.multi_reader.study import ReaderStudy
from isthmus.statistics.proportions import compare_paired_proportions
from isthmus.statistics.roc import compare_aucs
from tests.report.made import made_frozen, made_predictions
from tests.report.made_readers import JUNIOR, SENIOR, made_cases, made_study


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    return made_cases()


@pytest.fixture(scope="module")
def reads(predictions) -> pd.DataFrame:
    return made_study(predictions)


@pytest.fixture(scope="module")
def found(predictions, reads) -> dict:
    return evidence_of(reads, predictions)


def evidence_of(reads, predictions, *, frozen=None, **options) -> dict:
    table = analysis_table(predictions, frozen=frozen or made_frozen(predictions))
    return reader_evidence(table, Study(reads=reads, **{"bootstrap": 60, **options}), {})


def pick(entries, **wanted) -> dict:
    (one,) = [entry for entry in entries if all(entry[name] == value for name, value in wanted.items())]
    return one


def merged(predictions, reads, arm, reader, condition="unaided") -> pd.DataFrame:
    own = reads[(reads["reader_id"] == reader) & (reads["condition"] == condition)]
    return predictions[predictions["arm"] == arm].merge(own, on="unit_id", suffixes=("", "_reader"))


def test_everything_is_plain_json(found) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_reader_who_scored_is_compared_by_the_auc_on_the_same_cases(found, predictions, reads) -> None:
    both = merged(predictions, reads, "new", "J1")
    expected = compare_aucs(both["label"] == "1", both["p_1"], both["score"], both["group_id"]).as_dict()
    entry = pick(found["comparisons"], a="new", reader="J1", condition="unaided", measure="auc")
    assert {name: entry[name] for name in ("difference", "low", "high", "p")} == {
        name: expected[name] for name in ("difference", "low", "high", "p")
    }


def test_calls_are_compared_with_the_arms_at_its_frozen_threshold(found, predictions, reads) -> None:
    both = merged(predictions, reads, "old", "S2")
    probability = 1 / (1 + np.exp(-(0.1 + 0.8 * np.log(both["p_1"] / both["p_0"]))))
    positive = (both["label"] == "1").to_numpy()
    arm, reader = (probability >= 0.55).to_numpy(), (both["call_reader"] == "1").to_numpy()
    expected = compare_paired_proportions(arm[positive], reader[positive], both["group_id"].to_numpy()[positive])
    entry = pick(found["comparisons"], a="old", reader="S2", condition="unaided", measure="sensitivity")
    assert entry["difference"] == pytest.approx(expected.difference.estimate)
    assert entry["p"] == pytest.approx(expected.p)


def test_the_mean_of_readers_is_compared_by_the_single_treatment_test(found, predictions, reads) -> None:
    own = reads[reads["condition"] == "unaided"].merge(predictions[predictions["arm"] == "new"], on="unit_id")
    study = ReaderStudy.from_rows(
        own["score"], own["reader_id"], own["condition"], own["unit_id"], own["label"] == "1", own["group_id"]
    )
    model = predictions[predictions["arm"] == "new"].set_index("unit_id").loc[list(study.cases), "p_1"]
    expected = model_against_readers(study, model).as_dict()["comparison"]
    entry = pick(found["comparisons"], a="new", group="all", condition="unaided", measure="auc")
    assert entry["p"] == pytest.approx(expected["p"], rel=1e-9)
    assert entry["low"] == pytest.approx(expected["low"], rel=1e-9)
    assert (entry["readers"], entry["readers_as"], entry["n"], entry["n_groups"]) == (6, "random", 120, 60)


def test_fewer_than_five_readers_are_taken_as_fixed_and_it_is_said(found) -> None:
    for group in ("junior", "senior"):
        entry = pick(found["comparisons"], a="new", group=group, condition="aided", measure="sensitivity")
        assert (entry["readers"], entry["readers_as"]) == (3, "fixed")
        assert "taken as fixed" in entry["note"]


def test_readers_who_only_call_are_never_given_an_area(predictions, reads) -> None:
    found = evidence_of(reads.drop(columns="score"), predictions)
    measures = {entry["measure"] for entry in found["comparisons"] + found["multi_reader"]}
    of_calls = {"accuracy", "sensitivity", "specificity", "sensitivity_at_specificity", "specificity_at_sensitivity"}
    assert measures == of_calls
    assert all(row["auc"]["estimate"] is None for row in found["rows"] if row["kind"] == "reader")


def test_at_the_mean_readers_points_the_difference_is_the_mean_of_the_readers_own(found) -> None:
    for measure in ("sensitivity_at_specificity", "specificity_at_sensitivity"):
        own = [
            entry["difference"]
            for entry in found["comparisons"]
            if entry["reader"] and (entry["a"], entry["condition"], entry["measure"]) == ("new", "unaided", measure)
        ]
        entry = pick(found["comparisons"], a="new", group="all", condition="unaided", measure=measure)
        assert entry["difference"] == pytest.approx(np.mean(own))
        assert entry["estimate_a"] - entry["estimate_b"] == pytest.approx(np.mean(own))


def test_p_is_holms_over_the_readers_or_the_groups_of_a_condition_and_measure(found) -> None:
    family = [
        entry
        for entry in found["comparisons"]
        if entry["reader"] and (entry["condition"], entry["measure"]) == ("unaided", "auc")
    ]
    assert len(family) == 12
    assert [entry["p_holm"] for entry in family] == pytest.approx(holm([entry["p"] for entry in family]).tolist())


def test_a_reader_who_skipped_cases_is_compared_on_the_others_and_the_mean_on_what_all_read(predictions, reads) -> None:
    some = reads[~((reads["reader_id"] == "J2") & (reads["unit_id"] < "n010"))]
    found = evidence_of(some, predictions)
    assert pick(found["comparisons"], a="new", reader="J2", condition="unaided", measure="auc")["n"] == 110
    assert pick(found["comparisons"], a="new", reader="J1", condition="unaided", measure="auc")["n"] == 120
    for measure in ("auc", "sensitivity_at_specificity"):
        entry = pick(found["comparisons"], a="new", group="all", condition="unaided", measure=measure)
        assert entry["n"] == 110
        assert "10 units that not all of them judged are left out" in entry["note"]
    assert pick(found["comparisons"], a="new", group="senior", condition="unaided", measure="auc")["n"] == 120
    crossing = pick(found["crossing"], condition="unaided", group="all")
    assert (crossing["units_read_by_all"], crossing["skipped"]) == (110, {"J2": 10})


def test_conditions_are_compared_over_readers_in_groups_and_for_each(found) -> None:
    entry = pick(found["multi_reader"], analysis="OR", group="all", reader="", measure="auc")
    assert (entry["a"], entry["b"], entry["readers_as"]) == ("aided", "unaided", "random")
    assert entry["difference"] > 0.05
    other = pick(found["multi_reader"], analysis="DBM", group="all", reader="", measure="auc")
    assert other["difference"] == pytest.approx(entry["difference"])
    assert other["p"] == pytest.approx(entry["p"], abs=0.02)
    assert pick(found["multi_reader"], analysis="OR", group="junior", measure="auc")["readers_as"] == "fixed"
    named = {one["reader"] for one in found["multi_reader"] if one["reader"] and one["measure"] == "specificity"}
    assert named == {*JUNIOR, *SENIOR}


def test_three_conditions_have_an_overall_test(predictions, reads) -> None:
    third = reads[reads["condition"] == "aided"].assign(condition="second opinion")
    found = evidence_of(pd.concat([reads, third]), predictions)
    entry = pick(found["multi_reader"], analysis="OR", group="all", measure="auc", a="", reader="")
    assert entry["overall"]["df1"] == 2
    pairs = {(e["a"], e["b"]) for e in found["multi_reader"] if e["a"]}
    assert pairs == {("aided", "second opinion"), ("aided", "unaided"), ("second opinion", "unaided")}


def test_time_with_help_is_a_ratio_within_reader_and_case(found) -> None:
    entry = pick(found["time"], kind="ratio", group="all", reader="")
    assert entry["low"] < 1.25 < entry["high"]
    assert (entry["pairs"], "two crossing" in entry["method"]) == (720, True)
    junior = pick(found["time"], kind="ratio", group="junior", reader="")
    assert "fixed" in junior["note"]
    assert {one["reader"] for one in found["time"] if one.get("reader")} == {*JUNIOR, *SENIOR}


def test_a_case_read_again_is_its_own_session_and_tells_how_far_a_reader_agrees_with_themselves(
    predictions, reads
) -> None:
    again = reads[(reads["condition"] == "unaided") & (reads["unit_id"] < "n040")].assign(session="9")
    found = evidence_of(pd.concat([reads, again]), predictions)
    entry = pick(found["agreement"], kind="sessions", a="J1")
    assert (entry["estimate"], entry["n"]) == (1.0, 40)
    rows = [row for row in found["rows"] if (row["name"], row["condition"]) == ("J1", "unaided")]
    assert [(row["session"], row["n"]) for row in rows] == [("1", 120), ("9", 40)]
    # The first reading counts; sessions that are only days are no rows of their own.
    assert pick(found["comparisons"], a="new", reader="J1", condition="unaided", measure="auc")["n"] == 120
    assert {row["session"] for row in found["rows"] if row["condition"] == "aided"} == {""}


def test_agreement_is_of_groups_pairs_scores_and_arms(found) -> None:
    kinds = {(entry["kind"], entry["of"], entry["measure"]) for entry in found["agreement"]}
    assert kinds >= {
        ("readers", "calls", "Fleiss kappa"),
        ("readers", "calls", "Gwet AC1"),
        ("readers", "scores", "ICC(2,1)"),
        ("readers", "scores", "Gwet AC2"),
        ("pair", "calls", "Cohen kappa"),
        ("pair", "scores", "Weighted kappa"),
        ("arm", "calls", "Cohen kappa"),
    }
    pairs = [e for e in found["agreement"] if (e["kind"], e["of"], e["condition"]) == ("pair", "calls", "unaided")]
    assert len(pairs) == 15


def test_fold_models_are_compared_within_their_folds(reads) -> None:
    cross_validated = made_predictions(seeds=(0, 1), folds=3)
    found = evidence_of(reads, cross_validated)
    for reader in ("J1", ""):
        entry = pick(
            found["comparisons"], a="new", reader=reader, group="" if reader else "all", condition="unaided",
            measure="auc",
        )  # fmt: skip
        assert entry["difference"] is not None
    assert (
        "cross-validated"
        in pick(found["comparisons"], a="new", reader="J1", condition="unaided", measure="auc")["method"]
    )
    assert "seed 0 alone" in pick(found["comparisons"], a="new", group="all", condition="aided", measure="auc")["note"]


def test_several_classes_are_compared_by_accuracy() -> None:
    random = np.random.default_rng(2)
    labels, units = np.repeat(["a", "b", "c"], 20), [f"{i}" for i in range(60)]
    p = random.dirichlet([2, 2, 2], 60)
    predictions = pd.DataFrame(
        {"arm": "m", "split": "test", "seed": 0, "fold": 0, "unit_id": units, "group_id": units, "label": labels}
        | {"call": "", "target": "t", "cohort": "c", "candidate": "default", "unit": "patient"}
        | {f"p_{name}": p[:, k] for k, name in enumerate("abc")}
    )
    reads = pd.concat(
        pd.DataFrame({"reader_id": name, "unit_id": units, "call": random.choice(list("abc"), 60)}) for name in "RS"
    )
    found = reader_evidence(analysis_table(predictions), Study(reads=reads, bootstrap=20), {})
    assert {entry["measure"] for entry in found["comparisons"]} == {"accuracy"}
    called = np.array(list("abc"))[p.argmax(axis=1)]
    entry = pick(found["comparisons"], a="m", reader="R")
    assert entry["estimate_a"] == pytest.approx((called == labels).mean())


def test_reads_of_another_cohorts_units_are_not_taken_for_them(predictions, reads) -> None:
    outside = predictions.assign(split="external", cohort="other")
    both = pd.concat([predictions, outside], ignore_index=True)
    assert {row["split"] for row in evidence_of(reads, both)["rows"]} == {"test"}
    named = pd.concat([reads.assign(cohort="made"), reads.assign(cohort="other", call=reads["call"].iloc[::-1].values)])
    assert {row["split"] for row in evidence_of(named, both)["rows"]} == {"test", "external"}
    alone = evidence_of(reads, outside)
    assert {row["split"] for row in alone["rows"]} == {"external"}


def test_reads_that_come_twice_and_calls_of_no_class_are_named_by_row(predictions, reads) -> None:
    twice = pd.concat([reads, reads.iloc[[3]]])
    with pytest.raises(TableError, match=r"(?s)1 bad value.*one read of a reader, condition, session and unit"):
        evidence_of(twice, predictions)
    strange = reads.assign(call=reads["call"].where(reads["unit_id"] != "n003", "malignant"))
    with pytest.raises(TableError, match=r"(?s)12 bad values.*'malignant'; expected one of 0, 1"):
        evidence_of(strange, predictions)


def test_a_table_that_names_no_target_is_about_the_predictions(predictions, reads) -> None:
    table = analysis_table(predictions)
    unnamed = reads_by_split(table, Study(reads=reads.assign(target="target")))
    assert len(unnamed["test"]) == len(reads)
    with pytest.raises(InputError, match="no read is of 'malignant'"):
        reads_by_split(table, Study(reads=reads.assign(target="olnm")))
    assert reads_by_split(table, Study()) == {}


def test_one_reader_one_class_and_one_patient_leave_gaps_and_do_not_stop(predictions, reads) -> None:
    for some in (
        reads[reads["reader_id"] == "J1"],
        reads[reads["unit_id"].isin(predictions.loc[predictions["label"] == "1", "unit_id"])],
        reads[reads["unit_id"].isin(["n000", "n001"])],
        reads[reads["unit_id"] == "n000"],
        reads.assign(call="1", score=3.0),
    ):
        found = evidence_of(some, predictions)
        assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_scores_of_two_values_are_calls_and_have_no_area(predictions, reads) -> None:
    binary = reads.drop(columns="call").assign(score=(reads["call"] == "1").astype(float))
    found, called = evidence_of(binary, predictions), evidence_of(reads.drop(columns="score"), predictions)
    assert all(entry["difference"] is None for entry in found["comparisons"] if entry["measure"] == "auc")
    assert not any(entry["group"] for entry in found["comparisons"] if entry["measure"] == "auc")
    assert not any(entry["measure"] == "auc" for entry in found["multi_reader"])
    assert "two values" in found["rows"][0]["auc"]["note"]
    for name in ("sensitivity", "specificity"):
        assert found["rows"][0][name] == called["rows"][0][name]
    assert [e for e in found["comparisons"] if e["measure"] != "auc"] == called["comparisons"]


def test_of_readers_some_of_whom_only_call_the_others_have_an_area(predictions, reads) -> None:
    some = reads.assign(score=reads["score"].where(reads["reader_id"] != "S3"))
    found = evidence_of(some, predictions)
    entry = pick(found["comparisons"], a="new", group="all", condition="unaided", measure="auc")
    assert (entry["readers"], entry["n"]) == (5, 120)
    assert "1 of 6 readers gave no scores" in entry["note"]
    assert pick(found["comparisons"], a="new", group="all", condition="unaided", measure="sensitivity")["readers"] == 6
