"""TI-RADS beside the model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isthmus.cohort.tirads import ACR, grade
from isthmus.report.evidence import compute_evidence
from isthmus.report.page import write_report
from isthmus.report.page_tirads import show
from isthmus.report.tables import write_tables
from isthmus.report.tirads_scales import scales
from isthmus.statistics.roc import auc_interval
from tests.report.made import made_frozen, made_predictions
from tests.report.made_descriptors import made_descriptors


def evidence_of(cases, predictions=None, **options):
    predictions = made_predictions() if predictions is None else predictions
    options = {"frozen": made_frozen(predictions), "reference": "surgery", "bootstrap": 50, **options}
    return compute_evidence(predictions, cases=cases, **options)


@pytest.fixture(scope="module")
def evidence():
    return evidence_of(made_descriptors(), primary={"arm": "new", "against": "old"}, reference_arm="old")


def test_levels_rank_and_count_as_done_by_hand(evidence):
    cases, found = made_descriptors(), evidence["tirads"]["splits"]["cv"]["acr"]
    graded = grade(cases, ACR)
    certain = graded["level"].notna().to_numpy()
    truth = (np.arange(120) % 5 < 3)[certain]
    groups = (np.arange(120) // 2)[certain]
    ranks = graded["level"][certain].map(ACR.rank).to_numpy()
    assert found["determined"] == certain.sum()
    assert found["auc"] == auc_interval(truth, ranks, groups).as_dict()
    for entry in found["levels"]:
        own = ranks == ACR.rank(entry["level"])
        assert (entry["n"], entry["positives"]) == (own.sum(), truth[own].sum())
    cut = next(cut for cut in found["cuts"] if cut["from"] == "TR5")
    sure = (graded["low"] == "TR5") | (graded["high"] != "TR5")
    positives = sure.to_numpy() & (np.arange(120) % 5 < 3)
    assert cut["n"] == sure.sum()
    assert cut["sensitivity"]["estimate"] == pytest.approx((graded["low"] == "TR5")[positives].mean())


def test_the_auc_of_all_completions_spans_that_of_every_one(evidence):
    found = evidence["tirads"]["splits"]["cv"]["k"]["completed"]
    least, most = found["least"]["estimate"], found["most"]["estimate"]
    assert least <= found["all_low"]["estimate"] <= most
    assert least <= found["all_high"]["estimate"] <= most


def test_every_arm_is_compared_and_the_named_ones_at_the_cuts_specificity(evidence):
    found = evidence["tirads"]["splits"]["cv"]
    assert set(found) == {"acr", "c", "eu", "k", "recorded"}
    for entry in found.values():
        assert [one["arm"] for one in entry["contrasts"]] == ["new", "old"]
        assert {one["arm"] for one in entry["matched"]} == {"new", "old"}
        for one in entry["contrasts"]:
            assert one["p"] <= one["p_holm"]
    one = next(one for one in found["acr"]["matched"] if one["from"] == "TR4")
    cut = next(cut for cut in found["acr"]["cuts"] if cut["from"] == "TR4")
    assert one["estimate_b"] == pytest.approx(cut["sensitivity"]["estimate"])


def test_on_a_test_set_the_contrast_is_the_paired_one_of_two_scores():
    predictions = made_predictions(seeds=(0,), folds=1, split="test")
    found = evidence_of(made_descriptors(blank=0), predictions, frozen=None)
    level = found["tirads"]["splits"]["test"]["eu"]
    assert level["determined"] == 120
    assert level["contrasts"][0]["estimate_b"] == pytest.approx(level["auc"]["estimate"])
    assert level["contrasts"][0]["estimate_a"] == pytest.approx(found["arms"]["new"]["test"]["auc"]["estimate"])
    assert level["matched"][0]["difference"] is not None


def test_folds_that_nobody_calibrated_are_not_pooled_for_a_threshold():
    found = evidence_of(made_descriptors(), made_predictions(seeds=(0,)), frozen=None)
    notes = {one["note"] for one in found["tirads"]["splits"]["cv"]["acr"]["matched"]}
    assert notes == {"scores of different fold models are not pooled, and none of them is calibrated"}


def test_a_label_that_is_a_tirads_has_a_ceiling_and_no_comparator(full_context):
    evidence = evidence_of(made_descriptors(), reference="tirads")
    found = evidence["tirads"]
    assert found["ceilings"] == {"cv": True}
    for entry in found["splits"]["cv"].values():
        assert not {"contrasts", "matched", "sizes"} & set(entry)
    context = replace(full_context, evidence=evidence)
    text = " ".join(show(context).sentences)
    assert "no comparator but a ceiling" in text
    assert "malignan" not in " ".join([text, *show(context).notes])
    assert "aspiration" not in text


def test_of_several_cohorts_each_has_its_own_kind_of_label():
    inside = made_predictions(seeds=(0,), folds=1, split="test")
    outside = inside.assign(split="external", cohort="graded", unit_id="x" + inside["unit_id"])
    cases = pd.concat([made_descriptors(), made_descriptors(names="xn{:03d}", cohort="graded")])
    evidence = evidence_of(cases, pd.concat([inside, outside]), frozen=None, graded=("graded",))
    assert evidence["tirads"]["ceilings"] == {"test": False, "external": True}
    assert "contrasts" in evidence["tirads"]["splits"]["test"]["acr"]
    assert "contrasts" not in evidence["tirads"]["splits"]["external"]["acr"]


def test_another_question_than_malignancy_leaves_risks_and_size_rules_out(full_context):
    predictions = made_predictions().assign(target="olnm")
    evidence = evidence_of(made_descriptors(), predictions)
    found = evidence["tirads"]
    assert not found["malignancy"]
    assert not any("sizes" in entry for entry in found["splits"]["cv"].values())
    shown = show(replace(full_context, evidence=evidence))
    assert "“olnm”" in shown.sentences[0]
    assert not any("Published risks" in note for note in shown.notes)


def test_nothing_is_there_without_descriptors_with_several_classes_or_without_cases():
    assert "tirads" not in evidence_of(None)
    assert "tirads" not in evidence_of(made_descriptors()[["unit_id", "cohort", "size_mm"]])
    blank = made_descriptors().assign(**dict.fromkeys(("composition", "echogenicity", "shape", "margin"), None))
    assert "tirads" not in evidence_of(blank.drop(columns=["echogenic_foci", "tirads"]))
    assert "tirads" not in evidence_of(made_descriptors().assign(unit_id="elsewhere"))
    three = made_predictions().drop(columns=["p_0", "p_1"]).assign(p_a=0.2, p_b=0.3, p_c=0.5)
    three["label"] = np.resize(["a", "b", "c"], 120)[three["unit_id"].str[1:].astype(int)]
    assert "tirads" not in evidence_of(made_descriptors(), three, frozen=None)


def test_cases_of_one_class_only_are_said_and_not_ranked(full_context):
    only = made_descriptors()[np.arange(120) % 5 < 3]
    evidence = evidence_of(only)
    found = evidence["tirads"]["splits"]["cv"]["acr"]
    assert (found["described"], found["auc"]["estimate"]) == (72, None)
    assert found["contrasts"][0]["note"] == "a class has no case with a certain level"
    assert found["matched"][0]["difference"] is None
    assert show(replace(full_context, evidence=evidence)) is not None


def test_scores_without_probabilities_and_calls_are_compared_too():
    predictions = made_predictions(seeds=(0,), folds=1, split="external").drop(columns=["p_0"])
    predictions = predictions.rename(columns={"p_1": "score"})
    found = evidence_of(made_descriptors(), predictions, frozen=None)["tirads"]["splits"]["external"]["c"]
    assert found["contrasts"][0]["difference"] is not None
    assert found["matched"][0]["difference"] is not None


def test_recorded_levels_are_ordered_and_those_that_know_pathology_left_out():
    (scale,) = scales(pd.DataFrame({"tirads": ["2", "3", "4a", "4c", "5", "6", None, "4"]}))
    assert scale.codes == ("1", "2", "3", "4a", "4b", "4c", "5")
    assert scale.low.tolist() == [1, 2, 3, 5, 6, -1, -1, 3]
    assert scale.high.tolist() == [1, 2, 3, 5, 6, -1, -1, 5]
    assert scale.notes[0].startswith("1 of category 6 left out")
    (numbers,) = scales(pd.DataFrame({"tirads": [2.0, 4.0, np.nan, 5.0]}))
    assert (numbers.codes, numbers.low.tolist()) == (("1", "2", "3", "4", "5"), [1, 3, -1, 4])
    (american,) = scales(pd.DataFrame({"tirads": ["TR1", "TR5"]}))
    assert american.low.tolist() == [0, 4]
    assert scales(pd.DataFrame({"tirads": ["TR1", "4a"]})) == []


def test_the_section_says_what_is_missing_and_its_tables_are_written(tmp_path, evidence, full_context):
    context = replace(full_context, evidence=evidence)
    page = write_report(tmp_path, context).read_text(encoding="utf-8")
    assert 'id="tirads"' in page
    assert 'id="figure-tirads_levels"' in page
    assert "have no certain level" in page
    assert "said of that selection, not of the system" in page
    assert "it is no advice on any patient" in page
    assert "recommend" not in page[page.index('id="tirads"') :].partition("</section>")[0]
    write_tables(tmp_path / "tables", evidence)
    table = pd.read_csv(tmp_path / "tables" / "tirads.csv")
    assert set(table["scale"]) == {"ACR TI-RADS 2017", "C-TIRADS 2020", "EU-TIRADS 2017", "K-TIRADS 2021",
                                   "TI-RADS as recorded"}  # fmt: skip
    assert {"auc", "auc of points", "sensitivity", "auc, arm minus level"} <= set(table["measure"])
    levels = pd.read_csv(tmp_path / "tables" / "tirads_levels.csv")
    assert levels.groupby("scale")["n"].sum()["TI-RADS as recorded"] == 120


def test_a_smoke_run_claims_nothing(evidence, full_context):
    text = " ".join(show(replace(full_context, evidence=evidence, marks=["SMOKE"])).sentences)
    assert "say nothing about models" in text
