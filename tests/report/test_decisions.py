"""The decisions subject: numbers per 1,000, exact limits, McNemar's test, operating points, and what is not said."""

import numpy as np
import pandas as pd
import pytest

from isthmus.report.evidence import compute_evidence
from isthmus.report.page_decision_tables import rounded
from isthmus.report.page_decisions import SUBJECT
from isthmus.statistics.per_thousand import per_thousand
from isthmus.statistics.proportions import clopper_pearson
from tests.report.made import made_context, made_frozen, made_predictions


def independent(**options: object) -> pd.DataFrame:
    frame = made_predictions(seeds=(0,), folds=1, split="test", **options)  # type: ignore[arg-type]
    return frame.assign(group_id=frame["unit_id"])


def shown(frame: pd.DataFrame, **options: object) -> tuple[dict, object]:
    evidence = compute_evidence(frame, bootstrap=20, **options)  # type: ignore[arg-type]
    context = made_context(evidence=evidence, predictions=frame, cohort=None, frozen=None)
    return evidence, SUBJECT.show(context)


def test_numbers_per_1000_are_those_of_the_calls() -> None:
    evidence, section = shown(independent(), reference="surgery")
    frame = independent()
    new = frame[frame["arm"] == "new"]
    expected = per_thousand(new["label"] == "1", new["p_1"] >= 0.5, 0.1, new["group_id"])
    found = evidence["decisions"]["per_thousand"]["test"]["new"]["0.1"]
    assert found == {name: interval.as_dict() for name, interval in expected.items()}
    assert evidence["decisions"]["main"]["test"] == "0.1"
    text = " ".join(section.sentences)
    assert "At a prevalence of 10\u202f%, 100 of 1,000 patients have cancer" in text
    assert f"{rounded(found['missed']['estimate'])} (" in text
    assert "0.5, which nobody chose" in text
    assert "not known to be consecutive" in text
    assert next(table.caption for table in section.tables).startswith("Per 1,000 patients at a prevalence of 10")


def test_consecutive_cases_bring_their_own_prevalence() -> None:
    evidence, section = shown(independent(), sampling="consecutive")
    assert evidence["decisions"]["main"]["test"] == "0.6"
    assert evidence["decisions"]["prevalences"]["test"] == ["0.6", "0.05", "0.1", "0.2"]
    assert "that of these consecutive cases" in section.sentences[1]


def test_exact_limits_stand_beside_independent_proportions_only() -> None:
    evidence, _ = shown(independent())
    facts = evidence["arms"]["new"]["test"]
    (tn, _), (fn, tp) = facts["confusion"]["matrix"]
    exact = clopper_pearson(int(tp), int(tp + fn))
    assert facts["sensitivity"]["exact"]["low"] == exact.low
    table = SUBJECT.frames(evidence)["calls"]
    row = table[(table["arm"] == "new") & (table["measure"] == "specificity")].iloc[0]
    assert row["exact_high"] == clopper_pearson(int(tn), 48).high
    clustered, _ = shown(made_predictions(split="test", seeds=(0,), folds=1))
    assert "exact" not in clustered["arms"]["new"]["test"]["sensitivity"]


def test_calls_are_compared_by_mcnemar_mid_p_or_over_groups() -> None:
    evidence, section = shown(independent(), reference_arm="old")
    entries = {entry["measure"]: entry for entry in evidence["comparisons"]}
    assert "mcnemar" not in entries["auc"]
    found = entries["sensitivity"]["mcnemar"]
    assert 0 < found["mid_p"] < found["exact_p"]
    (table,) = (table for table in section.tables if table.caption.startswith("The same cases"))
    assert table.columns[-2:] == ["McNemar mid-p", "exact p"]
    clustered, section = shown(made_predictions(split="test", folds=1), reference_arm="old")
    found = next(entry["mcnemar"] for entry in clustered["comparisons"] if entry["measure"] == "accuracy")
    assert (found["mid_p"], found["seeds"], found["method"]) == (None, 2, "Obuchowski 1998")
    (table,) = (table for table in section.tables if table.caption.startswith("The same cases"))
    assert table.rows[-1].cells[1].main.rstrip(".05").isdigit() or table.notes
    assert "means over the seeds" in table.notes[0]
    assert set(SUBJECT.frames(clustered)["mcnemar"]["measure"]) == {"sensitivity", "specificity", "accuracy"}


def test_a_tirads_label_has_no_cancers_and_no_biopsies() -> None:
    evidence, section = shown(independent(), reference="tirads")
    assert "per_thousand" not in evidence["decisions"]
    text = " ".join([*section.sentences, *(table.caption + " ".join(table.columns) for table in section.tables)])
    assert text.startswith("No biopsies avoided and no cancers missed are counted here")
    assert "cancer" not in text.replace("no cancers missed", "").replace("not a cancer", "")
    assert SUBJECT.paint(made_context(evidence=evidence), None) == {}


def test_node_metastases_have_dissections_and_no_biopsies() -> None:
    evidence, section = shown(independent().assign(target="olnm"))
    text = " ".join(section.sentences)
    assert "cancer" not in text
    assert "biops" not in text
    assert "of 1,000 patients have a lymph node metastasis. If those whom New $net calls positive had a neck" in text
    assert "fewer than if all had: " in text
    assert "metastases would be found" in text
    assert "dissections would be needless" in text
    assert "multiplies the odds of a lymph node metastasis by" in text
    assert section.tables[0].columns[1:4] == ["Dissections avoided", "Metastases found", "Metastases missed"]
    title = SUBJECT.paint(made_context(evidence=evidence), None)["decisions"]()[1]
    assert "metastases missed and needless dissections" in title


def test_another_target_has_plain_words() -> None:
    _evidence, section = shown(independent().assign(target="nodule_type"))
    text = " ".join(section.sentences)
    assert "cancer" not in text
    assert "biops" not in text
    assert "dissect" not in text
    assert "false alarms" in text


def test_operating_points_are_shown_only_where_none_was_chosen() -> None:
    evidence, section = shown(independent())
    points = evidence["decisions"]["chosen_here"]["test"]["new"]
    assert [point["rule"] for point in points] == ["youden", "fixed_sensitivity", "fixed_specificity"]
    (table,) = (table for table in section.tables if "if they had been chosen here" in table.caption)
    assert table.notes[0].startswith("Optimistic: each threshold was chosen on the very cases")
    frame = made_predictions()
    evidence = compute_evidence(frame, bootstrap=10, frozen=made_frozen(frame))
    assert evidence["decisions"]["chosen_here"] == {}


def test_scores_of_several_fold_models_choose_nothing() -> None:
    frame = made_predictions()
    frame = frame.assign(score=frame["p_1"]).drop(columns=["p_0", "p_1"])
    evidence, section = shown(frame)
    assert evidence["decisions"]["chosen_here"] == {}
    assert "why_not" in evidence["decisions"]
    assert "No arm has calls" in section.sentences[0]


def test_several_classes_have_no_such_section() -> None:
    frame = independent()
    third = np.arange(len(frame)) % 3 == 0
    frame = frame.assign(label=np.where(third, "2", frame["label"]), p_2=0.2, p_1=frame["p_1"] * 0.8)
    frame = frame.assign(p_0=1 - frame["p_1"] - frame["p_2"])
    evidence, section = shown(frame)
    assert evidence["decisions"] == {"why_not": "several classes"}
    assert section is None
    assert [name for name, table in SUBJECT.frames(evidence).items() if len(table)] == ["calls"]


def test_a_split_of_one_class_is_left_out() -> None:
    frame = independent()
    lone = frame[frame["label"] == "1"].assign(split="external")
    evidence, _ = shown(pd.concat([frame, lone.assign(unit_id="x" + lone["unit_id"])]))
    assert set(evidence["decisions"]["per_thousand"]) == {"test"}


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (9.96, "10"), (9.94, "9.9"), (3.0, "3"), (0.04, "0"), (1234.5, "1\u202f234")]
)
def test_numbers_of_patients_are_rounded_as_people_count(value: float | None, text: str) -> None:
    assert rounded(value) == text


def test_the_figure_names_what_it_shows() -> None:
    evidence, _ = shown(independent(), reference="surgery")
    context = made_context(evidence=evidence)
    figure, title, spoken = SUBJECT.paint(context, None)["decisions"]()
    assert title.startswith("Of 1,000 patients at a prevalence of 10\u202f%: cancers missed and needless biopsies")
    assert "New $net: missed" in spoken
    assert len(figure.axes) == 2
