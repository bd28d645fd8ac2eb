"""The clinical model on the page: sentences, tables, figure and CSV from what a run finds."""

from dataclasses import replace

import pytest

from isthmus.report.clinical_model import clinical_evidence, fit_clinical_model
from isthmus.report.context import CohortFacts, ReportContext
from isthmus.report.figure_style import style
from isthmus.report.figures_nomogram import draw_nomogram
from isthmus.report.nomogram import nomogram
from isthmus.report.page_clinical_model import csv_frames, paint, show
from isthmus.report.page_tables import Row
from isthmus.report.reading import p_value
from tests.report.test_clinical_model import made
from tests.report.test_nomogram import MODEL


@pytest.fixture(scope="module")
def found():
    cases = made().assign(margin=["irregular"] * 60 + ["smooth"] * 60)
    model, _ = fit_clinical_model(cases, "1")
    evidence = clinical_evidence(cases, "1")
    auc = {"estimate": 0.61, "low": 0.5, "high": 0.7}
    sensitivity = {**evidence["sensitivity"], "auc": {**auc, "estimate": 0.66}}
    sensitivity["difference"] = {"difference": 0.05, "low": -0.01, "high": 0.11}
    drawn = nomogram(model).to_json()
    return {**evidence, "auc": auc, "sensitivity": sensitivity, "model": model.to_json(), "nomogram": drawn}


@pytest.fixture(scope="module")
def context(found):
    evidence = {"unit": "nodule", "target": "olnm", "positive": "1", "arms": {}, "clinical_model": found}
    names = {"0": "no occult metastasis", "1": "occult metastasis"}
    return ReportContext("A run", evidence, cohort=CohortFacts("c", label_names=names))


def test_it_says_what_the_model_knows_and_that_margin_is_no_part_of_it(context):
    shown = show(context)
    whole = " ".join(shown.sentences)
    assert "looks at no picture: it knows size and location" in whole
    assert "0.61 (0.50–0.70)" in whole
    assert "Margin may be known from the operation only, and so is no part" in whole
    assert "0.66 (0.50–0.70), a difference of 0.050 (−0.010 to 0.110)" in whole
    assert "size, per 5 mm: odds ratio" in whole
    assert shown.figures == ("nomogram",)


def test_levels_of_a_category_stand_under_its_name_with_the_test_of_all_of_them(context, found):
    first, second = show(context).tables
    names = [row.name for row in first.rows]
    assert names[:2] == ["Size, per 5 mm", "Location"]
    assert all(name.startswith("\u2003") and " against " in name for name in names[2:])
    header: Row = first.rows[1]
    tests = found["tests"]["location"]
    assert [header.cells[3].main, header.cells[5].main] == [
        p_value(tests[key]) for key in ("univariate", "multivariable")
    ]
    assert len(second.rows) == len(first.rows) + 1
    assert "with margin" in second.caption


def test_few_positive_cases_for_a_coefficient_are_said(context, found):
    fewer = {**found, "positives": 12}
    sentences = show(replace(context, evidence={**context.evidence, "clinical_model": fewer})).sentences
    assert any("4.0 cases of the smaller class for each of the 3 coefficients" in text for text in sentences)


def test_several_nodules_a_patient_are_a_caveat_of_the_limits(context, found):
    fewer = {**found, "groups": 80, "missing": {"size_mm": 3}}
    notes = show(replace(context, evidence={**context.evidence, "clinical_model": fewer})).notes
    assert any("120 nodules of 80 groups of patients as independent" in note for note in notes)
    assert any("size mm 3" in note for note in notes)


def test_a_run_without_a_clinical_arm_has_no_section(context):
    none = replace(context, evidence={**context.evidence, "clinical_model": {}})
    assert show(none) is None
    assert paint(none, None) == {}
    assert csv_frames(none.evidence) == {}


def test_the_table_holds_both_models_alone_and_together(context):
    frame = csv_frames(context.evidence)["clinical_model"]
    assert frame.groupby(["model", "analysis"]).size().to_dict() == {
        ("preoperative", "univariate"): 3, ("preoperative", "multivariable"): 3,
        ("sensitivity", "univariate"): 4, ("sensitivity", "multivariable"): 4,
    }  # fmt: skip


def test_the_nomogram_is_drawn_with_every_scale_and_read_out(context):
    with style():
        figure, title, spoken = paint(context, None)["nomogram"]()
    texts = [text.get_text() for text in figure.axes[0].texts]
    for words in ("Points", "Size, mm", "Location", "Total points", "Risk of occult metastasis", "lower", "upper"):
        assert words in texts
    assert "read the risk below their sum" in title
    assert "Size, mm weighs most" in spoken


def test_no_two_labels_of_a_scale_run_into_each_other():
    with style():
        figure = draw_nomogram(nomogram(MODEL), "Risk")
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    met = [(a, b) for place, a in enumerate(boxes) for b in boxes[:place] if a.overlaps(b)]
    assert not met
