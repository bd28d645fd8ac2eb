"""The ranking in detail: numbers by the statistics room, within folds, and what the page makes of them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from isthmus.report.analysis_table import analysis_table
from isthmus.report.context import ReportContext
from isthmus.report.curves import precision_recall_summary
from isthmus.report.evidence import compute_evidence
from isthmus.report.page_discrimination import SUBJECT
from isthmus.report.ranking_detail import NAMES, ranking_detail
from isthmus.report.subject import Study
from isthmus.statistics.interval import holm
from isthmus.statistics.partial_auc import compare_partial_aucs, partial_auc
from isthmus.statistics.precision_recall import average_precision
from isthmus.statistics.roc_bootstrap import bootstrapped_auc
from tests.report.made import made_predictions


def detail_of(frame: pd.DataFrame, **options: object) -> dict:
    study = Study(bootstrap=200, **options)  # type: ignore[arg-type]
    return ranking_detail(analysis_table(frame), study, {})


def one_model(*arms: str, units: int = 120) -> pd.DataFrame:
    return made_predictions(arms or ("new", "old"), units=units, seeds=(0,), folds=1, split="test")


def context_of(frame: pd.DataFrame, **options: object) -> ReportContext:
    evidence = compute_evidence(frame, bootstrap=100, **options)  # type: ignore[arg-type]
    return ReportContext("Made", evidence, predictions=frame)


def test_one_model_is_measured_as_the_statistics_room_does() -> None:
    frame = one_model()
    new, old = (frame[frame["arm"] == arm] for arm in ("new", "old"))
    found = detail_of(frame, primary={"arm": "new", "against": "old"})
    entries = found["arms"]["new"]["test"]
    assert set(entries) == set(NAMES)
    truth = new["label"] == "1"
    area = partial_auc(truth, new["p_1"], new["group_id"], low=0.9, replicates=200)
    assert entries["partial_auc_specificity"] == pytest.approx(area.as_dict())
    precision = average_precision(truth, new["p_1"], new["group_id"], replicates=200)
    assert entries["average_precision"]["low"] == pytest.approx(precision.low)
    assert entries["average_precision"]["chance"] == pytest.approx(0.6)
    bootstrapped = bootstrapped_auc(truth, new["p_1"], new["group_id"], replicates=200)
    assert entries["auc_bootstrap"] == pytest.approx(bootstrapped.as_dict())
    expected = compare_partial_aucs(truth, new["p_1"], old["p_1"], new["group_id"], low=0.9, replicates=200)
    (entry,) = [entry for entry in found["comparisons"] if entry["measure"] == "partial_auc_specificity"]
    assert (entry["p"], entry["low"]) == pytest.approx((expected.p, expected.difference.low))
    assert (entry["primary"], entry["p_holm"]) == (True, None)


def test_cross_validated_scores_are_read_within_folds_only() -> None:
    frame = made_predictions(("new",))
    found = detail_of(frame)["arms"]["new"]["cv"]
    parts = [part for _, part in frame.groupby(["seed", "fold"])]
    area = np.mean([roc_auc_score(part["label"] == "1", part["p_1"], max_fpr=0.1) for part in parts])
    assert found["partial_auc_specificity"]["estimate"] == pytest.approx(area)
    precision = np.mean([average_precision_score(part["label"] == "1", part["p_1"]) for part in parts])
    assert found["average_precision"]["estimate"] == pytest.approx(precision)
    # Another model a fold on another scale: ranks within folds stay, and so must every number.
    shifted = frame.assign(p_1=(frame["p_1"] + frame["fold"]) / 3).assign(p_0=lambda rows: 1 - rows["p_1"])
    for name, entry in detail_of(shifted)["arms"]["new"]["cv"].items():
        assert entry["estimate"] == pytest.approx(found[name]["estimate"]), name


def test_seeds_add_no_patients() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    twice = pd.concat([frame, frame.assign(seed=1)])
    one, both = (detail_of(rows)["arms"]["new"]["cv"] for rows in (frame, twice))
    for name in NAMES:
        assert (both[name]["low"], both[name]["high"]) == pytest.approx((one[name]["low"], one[name]["high"])), name


def test_arms_are_compared_on_the_units_that_both_have_with_holm_within_a_measure() -> None:
    frame = one_model("a", "b", "c")
    lacking = frame[~((frame["arm"] == "b") & (frame["unit_id"] < "n010"))]
    found = [entry for entry in detail_of(lacking)["comparisons"] if entry["measure"] == "average_precision"]
    assert {(entry["a"], entry["b"]): entry["n"] for entry in found} == {
        ("a", "b"): 110, ("a", "c"): 120, ("b", "c"): 110,
    }  # fmt: skip
    shared = lacking[lacking["unit_id"] >= "n010"]
    a, b = (shared[shared["arm"] == arm] for arm in "ab")
    expected = average_precision_score(a["label"] == "1", a["p_1"]) - average_precision_score(
        b["label"] == "1", b["p_1"]
    )
    assert found[0]["difference"] == pytest.approx(expected)
    assert [entry["p_holm"] for entry in found] == pytest.approx(list(holm([entry["p"] for entry in found])))


def test_a_fold_or_a_split_without_a_class_has_no_numbers_and_says_why() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    frame.loc[frame["label"] == "1", "fold"] = frame["fold"].clip(upper=1)
    entry = detail_of(frame.assign(fold=frame["fold"].where(frame["label"] == "1", 2)))["arms"]["new"]["cv"]
    assert "folds lack a class: their mean does not exist" in entry["average_precision"]["note"]
    one_class = pd.concat([one_model("new"), one_model("new").assign(split="external").query("label == '1'")])
    found = detail_of(one_class)["arms"]["new"]
    assert found["external"]["average_precision"]["estimate"] is None
    assert found["test"]["average_precision"]["estimate"] is not None


def test_several_classes_have_no_such_section() -> None:
    labels = np.repeat(["a", "b", "c"], 20)
    frame = one_model("new", units=60).drop(columns=["p_0", "p_1"]).assign(label=labels, p_a=0.4, p_b=0.3, p_c=0.3)
    assert detail_of(frame) == {}
    context = context_of(frame)
    assert SUBJECT.show(context) is None
    assert SUBJECT.paint(context, analysis_table(frame)) == {}
    assert all(rows.empty for rows in SUBJECT.frames(context.evidence).values())


def test_bare_scores_identical_and_constant_arms_are_read_too() -> None:
    frame = one_model("new").drop(columns=["p_0"]).rename(columns={"p_1": "score"})
    frame["score"] = 100 * frame["score"]
    constant, twin = frame.assign(arm="constant", score=1.0), frame.assign(arm="twin")
    found = detail_of(pd.concat([frame, constant, twin]))
    flat = found["arms"]["constant"]["test"]
    assert flat["partial_auc_specificity"]["estimate"] == pytest.approx(0.5)
    assert "variance cannot be estimated" in flat["sensitivity_at_specificity_0.90"]["note"]
    same = [entry for entry in found["comparisons"] if (entry["a"], entry["b"]) == ("new", "twin")]
    assert {(entry["difference"], entry["p"]) for entry in same} == {(0.0, 1.0)}


def test_the_section_says_what_it_means_and_what_it_does_not() -> None:
    context = context_of(one_model(), primary={"arm": "new", "against": "old"}, reference="tirads")
    shown = SUBJECT.show(context)
    assert shown is not None
    text = " ".join(shown.sentences)
    assert "promise nothing for a threshold that was set beforehand" in text
    assert "average precision of 0.60" in text
    assert "suspicious" in text
    assert "malignant" not in text
    assert "a difference of" in text
    (table,) = shown.tables
    assert [row.name for row in table.rows] == ["new", "old", "new − old"]
    assert all(len(row.cells) == len(table.columns) for row in table.rows)
    frames = SUBJECT.frames(context.evidence)
    assert len(frames["ranking_detail"]) == 2 * len(NAMES)
    assert len(frames["ranking_detail_differences"]) == len(NAMES)


def test_a_smoke_run_says_that_nothing_means_anything() -> None:
    frame = one_model()
    context = ReportContext("Made", compute_evidence(frame, bootstrap=20), predictions=frame, marks=["SMOKE"])
    shown = SUBJECT.show(context)
    assert shown is not None
    assert shown.sentences[-1] == "A smoke run: no number below means anything."


def test_points_that_a_fold_cannot_show_are_starred() -> None:
    context = context_of(made_predictions(("new",), units=60, seeds=(0,)))
    shown = SUBJECT.show(context)
    assert shown is not None
    assert any("cannot tell 0.9 from 1 in a fold" in note for note in shown.notes)
    assert "*" in shown.tables[0].rows[0].cells[2].small


def test_the_curve_is_the_mean_of_the_folds_and_ends_at_the_prevalence() -> None:
    rows = analysis_table(made_predictions(("new",))).part("new", "cv")
    curve = precision_recall_summary(rows, resamples=20)
    assert len(curve.folds) == 6
    assert curve.mean == pytest.approx(np.mean(curve.folds, axis=0))
    assert ((curve.low <= curve.mean) & (curve.mean <= curve.high)).all()
    assert curve.chance == pytest.approx(0.6)
    # Steps drawn on 101 recalls: their mean is the average precision but for the grid.
    parts = [part for _, part in rows.groupby(["seed", "fold"])]
    precision = np.mean([average_precision_score(part["truth"], part["score"]) for part in parts])
    assert curve.mean[1:].mean() == pytest.approx(precision, abs=0.01)


def test_two_arms_of_ten_thousand_cases_take_seconds() -> None:
    import time

    table = analysis_table(one_model(units=10_000))
    start = time.perf_counter()
    ranking_detail(table, Study(bootstrap=200), {})
    # A tenth of the default resamplings: about 0.3 s alone; the limit allows for a busy machine.
    assert time.perf_counter() - start < 5


def test_one_cause_is_one_note_with_its_arms() -> None:
    """Fifteen footnotes once differed in the number of replicates alone, and named no arm."""
    few = made_predictions(("a", "b"), seeds=(0,), folds=1, split="test")
    few = few[few["group_id"].isin(sorted(set(few["group_id"]))[:6])]
    few.loc[few["arm"] == "a", "p_1"] = (few["label"] == "1").astype(float)
    evidence = compute_evidence(few.assign(p_0=1 - few["p_1"]), bootstrap=60)
    shown = SUBJECT.show(ReportContext("t", evidence, predictions=few))
    notes = [note for note in shown.notes if note.startswith("* ")]
    causes = [note.partition(": ")[0] for note in notes]
    assert len(causes) == len(set(causes))
    assert any(": a (" in note for note in notes)
    assert not any(";" in note for note in notes)
