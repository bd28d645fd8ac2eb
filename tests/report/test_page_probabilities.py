"""Calibration in detail, reclassification, uncertainty: any table gives sections or none, and they say what counts."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.choosing_rows import choosing_for
from isthmus.report.context import ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.figure_style import style
from isthmus.report.page_probabilities import SUBJECT as PROBABILITIES
from isthmus.report.page_reclassification import SUBJECT as RECLASSIFICATION
from isthmus.report.page_uncertainty import SUBJECT as UNCERTAINTY
from isthmus.report.recalibrate import recalibrate
from isthmus.report.reclassification import reclassification
from isthmus.report.subject import Study
from isthmus.statistics.conformal import conformal_limits, prediction_sets
from isthmus.statistics.reclassification import net_reclassification
from tests.report.made import made_context, made_frozen, made_predictions

SUBJECTS = (PROBABILITIES, RECLASSIFICATION, UNCERTAINTY)


def _test(arms: tuple[str, ...] = ("new", "old"), split: str = "test") -> pd.DataFrame:
    return made_predictions(arms, seeds=(0,), folds=1, split=split)


def _three_classes() -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = _test()
    p = random.dirichlet(np.ones(3), len(frame))
    label = (frame["unit_id"].str[1:].astype(int) % 3).to_numpy()
    p[np.arange(len(frame)), label] += 0.4
    p /= p.sum(axis=1, keepdims=True)
    return frame.assign(label=label.astype(str), p_0=p[:, 0], p_1=p[:, 1], p_2=p[:, 2])


def _one_class() -> pd.DataFrame:
    external = _test(split="external")
    return pd.concat([_test(), external[external["label"] == "1"]], ignore_index=True)


TABLES = {
    "cross-validation, two seeds": made_predictions(),
    "test alone": _test(),
    "cv, test and external": pd.concat([made_predictions(seeds=(0,)), _test(), _test(split="external")]),
    "scores": _test().rename(columns={"p_1": "score"}).drop(columns="p_0"),
    "three classes": _three_classes(),
    "one class in a split": _one_class(),
    "all probabilities equal": _test().assign(p_1=0.4, p_0=0.6),
    "certain": _test().assign(p_1=lambda f: (f["label"] == "1") * 1.0, p_0=lambda f: (f["label"] == "0") * 1.0),
    "calls that follow no threshold": _test().assign(call=lambda f: (np.arange(len(f)) % 2).astype(str)),
    "four units": _test()[lambda f: f["unit_id"].isin(["n000", "n001", "n003", "n004"])],
}


@pytest.mark.parametrize("name", TABLES)
def test_any_table_gives_sections_without_a_crash(name: str) -> None:
    frame = TABLES[name].reset_index(drop=True)
    evidence = compute_evidence(frame, reference_arm="old", primary={"arm": "new", "against": "old"}, bootstrap=40)
    json.dumps({subject.key: evidence.get(subject.key) for subject in SUBJECTS}, allow_nan=False)
    context = ReportContext(title="t", evidence=evidence, predictions=frame)
    table = analysis_table(frame)
    with style():
        for subject in SUBJECTS:
            shown = subject.show(context)
            subject.frames(evidence)
            drawn = {key: paint() for key, paint in subject.paint(context, table).items()}
            if shown is not None:
                assert shown.sentences
                assert set(shown.figures) <= set(drawn)
                assert "nan" not in " ".join(shown.sentences + shown.notes)
    assert (PROBABILITIES.key in evidence) == (name != "scores")


def test_the_page_says_what_reclassification_is_not(full_context: ReportContext) -> None:
    shown = RECLASSIFICATION.show(full_context)
    assert shown is not None
    words = " ".join(shown.sentences)
    assert "changes of sensitivity and specificity, and nothing else" in words
    assert "adds nothing" in words
    assert "suspicious" in words
    assert "malignant" not in words


def test_the_page_says_what_sets_do_not_promise(full_context: ReportContext) -> None:
    shown = UNCERTAINTY.show(full_context)
    assert shown is not None
    assert "not at another hospital" in " ".join(shown.notes)
    assert "the commoner class alone" in " ".join(shown.sentences)


def test_where_patients_are_judged_the_promise_is_not_for_one_patient_of_a_patient(full_context: ReportContext) -> None:
    evidence = {**full_context.evidence, "unit": "patient"}
    shown = UNCERTAINTY.show(replace(full_context, evidence=evidence))
    assert shown is not None
    said = " ".join(shown.notes)
    assert "a group of patients counts once" in said
    assert "however many patients" not in said
    assert "one patient of a new patient" not in said
    assert shown.tables[0].columns[1:3] == [f"of: {full_context.class_name(name)}" for name in evidence["classes"]]


def test_a_smoke_run_is_not_read() -> None:
    context = made_context(marks=["SMOKE"])
    for subject in SUBJECTS:
        shown = subject.show(context)
        assert shown is not None
        assert len(shown.sentences) == 1
        assert "smoke run" in shown.sentences[0]


def test_recalibration_in_the_same_set_is_told() -> None:
    frame = _test()
    frozen = recalibrate(frame)
    evidence = compute_evidence(frame, frozen=frozen, bootstrap=40)
    shown = PROBABILITIES.show(ReportContext(title="t", evidence=evidence, predictions=frame, frozen=frozen))
    assert shown is not None
    assert "cross-fitted by group" in shown.sentences[0]


def test_sets_of_a_test_set_come_from_the_out_of_fold_rows() -> None:
    frame = pd.concat([made_predictions(("new",)), _test(("new",))], ignore_index=True)
    evidence = compute_evidence(frame, bootstrap=40)
    entry = evidence["uncertainty"]["splits"]["test"]["new"]
    assert "out-of-fold" in entry["chosen_on"]
    cv = frame[(frame["split"] == "cv") & (frame["seed"] == 0)]
    test = frame[frame["split"] == "test"]
    y, p = (cv["label"] == "1").astype(int).to_numpy(), cv[["p_0", "p_1"]].to_numpy()
    limits = conformal_limits(y, p, 0.1, cv["group_id"].to_numpy(dtype=str))
    sets = prediction_sets(test[["p_0", "p_1"]].to_numpy(), limits)
    truth = (test["label"] == "1").astype(int).to_numpy()
    ninety = next(sets for sets in entry["sets"] if sets["by_class"] and sets["promised"] == 0.9)
    assert ninety["coverage"]["estimate"] == pytest.approx(sets[np.arange(120), truth].mean())
    assert ninety["size"]["estimate"] == pytest.approx(sets.sum(axis=1).mean())


def test_which_class_is_the_positive_one_does_not_matter_to_sets() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    sets = [compute_evidence(frame, positive=positive, bootstrap=40)["uncertainty"] for positive in ("1", "0")]
    one, other = (found["splits"]["cv"]["new"]["sets"][1]["coverage_by_class"] for found in sets)
    assert one == other


@pytest.mark.parametrize("split", ["cv", "test"])
def test_choices_are_never_made_on_the_rows_they_are_shown_on(split: str) -> None:
    frame = made_predictions(("new",), folds=3 if split == "cv" else 1, split=split)
    table = analysis_table(frame)
    shown = table.part("new", split)
    seen = np.zeros(len(shown), dtype=int)
    for inside, rows in choosing_for(table, "new", split).pairs(shown):
        seen += inside
        assert not set(shown.loc[inside, "group_id"]) & set(rows["group_id"])
        assert set(rows["seed"]) == set(shown.loc[inside, "seed"])
    assert (seen == 1).all()


def test_raw_rows_choose_nothing_for_recalibrated_ones() -> None:
    frame = pd.concat([made_predictions(("new",), seeds=(0,)), _test(("new",))], ignore_index=True)
    frozen = {"arms": {"new": {"calibration": {"intercept": 1.0, "slope": 2.0}}}}  # none of the folds
    assert "cross-fitted" in choosing_for(analysis_table(frame, frozen=frozen), "new", "test").words
    assert "out-of-fold" in choosing_for(analysis_table(frame, frozen=made_frozen(frame)), "new", "test").words


def test_given_categories_are_counted() -> None:
    frame = _test()
    table = analysis_table(frame, frozen=made_frozen(frame))
    study = Study(reference_arm="old", bootstrap=40)
    (entry,) = reclassification(table, study, {}, (0.3, 0.6))
    new, old = (table.part(arm, "test") for arm in ("new", "old"))
    cut = [np.digitize(rows["probability"], [0.3, 0.6]) for rows in (new, old)]
    by_hand = net_reclassification(new["truth"], *cut, new["group_id"], replicates=40)
    assert entry["categories"]["total"]["estimate"] == pytest.approx(by_hand.total.estimate)
    assert entry["categories"]["cuts"] == [0.3, 0.6]
    assert reclassification(table, Study(), {}) == []
