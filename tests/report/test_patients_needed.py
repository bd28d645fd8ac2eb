"""How many patients would settle a contrast: from the comparisons of a study to the page."""

import pytest

from isthmus.report.evidence import compute_evidence
from isthmus.report.page_patients_needed import SUBJECT, show
from isthmus.report.patients_needed import patients_needed
from isthmus.report.subject import Study
from isthmus.statistics.reach import error_of, groups_needed, power_of_study
from tests.report.made import made_context, made_predictions
from tests.report.made_seeds import made_seeds


@pytest.fixture(scope="module")
def evidence():
    rows = made_predictions(split="test", folds=1, seeds=(0,))
    return compute_evidence(rows, primary={"arm": "new", "against": "old"}, bootstrap=10)


def test_the_primary_contrast_has_its_sizes(evidence):
    (entry,) = evidence["patients_needed"]["contrasts"]
    compared = next(one for one in evidence["comparisons"] if one["primary"])
    error = error_of(compared["low"], compared["high"], 0.95)
    assert entry["groups"] == 60  # two nodules a patient
    assert [size["difference"] for size in entry["sizes"]] == [0.02, 0.05, 0.1, abs(compared["difference"])]
    assert entry["sizes"][1]["needed"] == {
        "0.8": groups_needed(error, 60, 0.05), "0.9": groups_needed(error, 60, 0.05, 0.9)
    }  # fmt: skip
    assert entry["sizes"][0]["power"] == power_of_study(error, 0.02)
    assert entry["sizes"][-1]["observed"]
    assert entry["sizes"][-1]["power"] is None  # it would say nothing beyond p


def test_the_page_says_what_this_study_and_what_size_would_show(evidence):
    shown = show(made_context(evidence=evidence))
    (text,) = shown.sentences
    assert "on 60 patients. A study of this size shows a true difference of" in text
    assert "Were the difference that was seen the true one" in text
    assert "likely to be too large" in text
    (table,) = shown.tables
    assert table.columns[1:] == [
        "Patients for 0.02",
        "Patients for 0.05",
        "Patients for 0.1",
        "Patients for what was seen",
    ]
    assert table.rows[0].cells[1].small.endswith("for 90\u202f%")
    frame = SUBJECT.frames(evidence)["patients_needed"]
    assert len(frame) == 8
    assert frame["patients_needed"].min() > 0


def test_contrasts_whose_seeds_are_readers_have_their_reach_there():
    rows = made_seeds({"a": 1.0, "b": 0.7})
    found = compute_evidence(rows, primary={"arm": "a", "against": "b"}, bootstrap=10)
    assert found["seeds"]["contrasts"]
    assert "patients_needed" not in found


@pytest.mark.parametrize(
    "change",
    [{"statistic": None, "p": None}, {"order": None}, {"measure": "sensitivity"}, {"low": 0.0, "high": 0.0}],
)
def test_without_a_test_or_a_name_nothing_is_said(evidence, change):
    entries = [{**one, **change} for one in evidence["comparisons"]]
    assert patients_needed(None, Study(), {**evidence, "comparisons": entries}) == {}
    assert show(made_context(evidence={**evidence, "patients_needed": {}})) is None


def test_two_arms_that_rank_alike_are_settled_by_no_size(evidence):
    entries = [{**one, "difference": 0.0, "low": -0.05, "high": 0.05} for one in evidence["comparisons"]]
    found = patients_needed(None, Study(), {**evidence, "comparisons": entries})
    assert found["contrasts"][0]["sizes"][-1]["needed"] == {"0.8": None, "0.9": None}
    text = show(made_context(evidence={**evidence, "patients_needed": found})).sentences[0]
    assert text.endswith("No difference was seen at all.")
