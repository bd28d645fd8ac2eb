"""Subgroups: the same numbers as on the subgroup's rows alone, tests over the levels that are large enough."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.page_subgroups import SUBJECT, leading, show_subgroups, subgroup_frames
from isthmus.report.subgroups import MOST_LEVELS, OTHERS, subgroups
from isthmus.report.subject import Study
from isthmus.statistics.clustered_group_tests import clustered_categorical_test
from isthmus.statistics.interval import holm
from isthmus.statistics.proportions import clustered_proportion
from isthmus.statistics.roc import auc_interval
from tests.report.made import made_frozen
from tests.report.made_cases import made_cases, made_two_sets

PRIMARY = {"arm": "new", "against": "old"}


@pytest.fixture(scope="module")
def predictions():
    return made_two_sets()


@pytest.fixture(scope="module")
def cases(predictions):
    return made_cases(predictions)


@pytest.fixture(scope="module")
def table(predictions):
    return analysis_table(predictions, frozen=made_frozen(predictions))


@pytest.fixture(scope="module")
def found(table, cases):
    return subgroups(table, Study(cases=cases, primary=PRIMARY), {})


def level_of(found, split, feature, code, arm="new"):
    return next(
        one
        for one in found["levels"]
        if (one["arm"], one["split"], one["feature"], one["code"]) == (arm, split, feature, code)
    )


def test_a_level_has_the_numbers_of_its_rows_alone(found, table, cases):
    rows = table.part("new", "test").drop(columns="site", errors="ignore").merge(cases, on=["cohort", "unit_id"])
    own = rows[rows["device"] == "Console B"]
    level = level_of(found, "test", "device", "Console B")
    assert level["n"] == len(own)
    assert level["positives"] == own["truth"].sum()
    assert level["auc"] == auc_interval(own["truth"], own["score"], own["group_id"]).as_dict()
    positives = own[own["truth"]]
    expected = clustered_proportion(positives["call"] == "1", positives["group_id"]).as_dict()
    assert level["sensitivity"] == expected


def test_calls_are_compared_by_the_chi_square_of_clustered_rows(found, table, cases):
    rows = table.part("new", "test").drop(columns="site", errors="ignore").merge(cases, on=["cohort", "unit_id"])
    own = rows[~rows["truth"]]
    expected = clustered_categorical_test(
        (own["call"] == "1").astype(int), pd.factorize(own["site"], sort=True)[0], own["group_id"]
    )
    test = next(
        one
        for one in found["tests"]
        if (one["arm"], one["split"], one["feature"], one["measure"]) == ("new", "test", "site", "specificity")
    )
    assert test["levels"] == ["North", "South"]
    assert test["p"] == pytest.approx(expected.p)


def test_holm_is_over_all_tests_of_an_arm_and_split(found):
    own = [one for one in found["tests"] if one["arm"] == "old" and one["split"] == "cv"]
    p = [np.nan if one["p"] is None else one["p"] for one in own]
    assert [one["p_holm"] for one in own] == [None if np.isnan(q) else q for q in holm(p)]
    assert {one["feature"] for one in own} == {"site", "device", "size", "sex", "age", "tirads"}


def test_small_levels_are_marked_and_not_compared(found):
    level = level_of(found, "test", "tirads", "TR5")
    assert level["few"]
    assert level["auc"]["estimate"] is None
    test = next(
        one for one in found["tests"]
        if (one["arm"], one["split"], one["feature"], one["measure"]) == ("new", "test", "tirads", "auc")
    )  # fmt: skip
    assert "TR5" not in test["levels"]


def test_where_the_label_is_tirads_its_levels_are_no_subgroups(table, cases):
    made = subgroups(table, Study(cases=cases, reference="tirads"), {})
    assert "tirads" not in {one["feature"] for one in made["levels"]}
    assert made["differences"] == []


def test_sites_are_known_without_a_table_of_cases(predictions):
    rows = predictions.assign(site=np.where(predictions["group_id"].str.endswith(("1", "3", "5")), "A", "B"))
    made = subgroups(analysis_table(rows), Study(primary=PRIMARY), {})
    assert {one["feature"] for one in made["levels"]} == {"site"}
    assert {one["feature"] for one in made["difference_tests"]} == {"site"}
    assert subgroups(analysis_table(predictions), Study(primary=PRIMARY), {}) == {}


def test_many_sites_are_the_largest_and_all_others(predictions):
    rows = predictions.assign(site=predictions["group_id"].str[-2:].astype(int).mod(20).astype(str))
    made = subgroups(analysis_table(rows), Study(), {})
    codes = [one["code"] for one in made["levels"] if one["arm"] == "new" and one["split"] == "cv"]
    assert len(codes) == MOST_LEVELS
    assert codes[-1] == OTHERS
    counted = sum(one["n"] for one in made["levels"] if one["arm"] == "new" and one["split"] == "cv")
    assert counted == 160


def test_an_arm_that_fails_in_one_subgroup_is_found_and_said(predictions, cases, full_context):
    random = np.random.default_rng(0)
    rows = predictions[predictions["split"] == "test"].copy()
    male = rows["unit_id"].map(cases.set_index("unit_id")["sex"]) == "M"
    truth = rows["label"] == "1"
    rows["p_1"] = np.clip(np.where(male, random.random(len(rows)), 0.25 + 0.5 * truth + 0.24 * random.random()), 0, 1)
    rows["p_1"] = np.clip(rows["p_1"] + 0.2 * random.normal(size=len(rows)), 0.01, 0.99)
    rows["p_0"] = 1 - rows["p_1"]
    again = pd.concat([rows.assign(unit_id=rows["unit_id"] + c, group_id=rows["group_id"] + c) for c in "xyz"])
    more = pd.concat([cases.assign(unit_id=cases["unit_id"] + c) for c in "xyz"])
    made = subgroups(analysis_table(again.reset_index(drop=True)), Study(cases=more, primary=PRIMARY), {})
    evidence = {**full_context.evidence, "subgroups": made, "arms": {"new": {"test": {}}, "old": {"test": {}}}}
    shown = show_subgroups(replace(full_context, evidence=evidence))
    assert any("the AUC differs by sex" in sentence and "“male”" in sentence for sentence in shown.sentences)


@pytest.mark.parametrize("kind", ["one class", "three classes", "constant", "scores only", "other units", "one level"])
def test_degenerate_tables_have_subgroups_or_none(predictions, cases, kind):
    rows = predictions.copy()
    if kind == "one class":
        rows = rows[(rows["label"] == "1") | (rows["split"] == "cv")]
    if kind == "three classes":
        rows = rows.drop(columns=["p_0", "p_1"]).assign(score=0.5)
        rows["label"] = np.where(rows["unit_id"].str.endswith("7"), "2", rows["label"])
    if kind == "constant":
        rows = rows.assign(p_0=0.5, p_1=0.5)
    if kind == "scores only":
        rows = rows.drop(columns=["p_0", "p_1"]).assign(score=rows["p_1"] * 7 - 3)
    if kind == "other units":
        rows = rows[(rows["arm"] == "new") | (rows["split"] == "cv") & rows["unit_id"].lt("n080")]
    if kind == "one level":
        cases = cases[["unit_id"]].assign(sex="F")
    made = subgroups(analysis_table(rows.reset_index(drop=True)), Study(cases=cases, primary=PRIMARY), {})
    json.dumps(made)
    assert bool(made) == (kind not in ("three classes", "one level"))
    if kind == "scores only":
        assert "sensitivity" not in made["levels"][0]
    if kind == "other units":
        assert {one["split"] for one in made["difference_tests"]} == {"cv"}


def test_the_page_has_the_primary_pair_and_the_csv_everything(full_context, found):
    assert show_subgroups(full_context) is None
    evidence = {**full_context.evidence, "subgroups": found, "arms": {"new": {"test": {}}, "old": {"test": {}}}}
    context = replace(full_context, evidence=evidence)
    assert leading(context)["arms"] == ["new", "old"]
    shown = show_subgroups(context)
    assert "no proof that it does equally well" in shown.sentences[0]
    assert any(sentence.startswith("Too few to tell") for sentence in shown.sentences)
    (table,) = shown.tables
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    figure, title, words = SUBJECT.paint(context, None)["subgroups"]()
    assert "AUC in subgroups" in title
    assert "female" in words
    assert figure.axes
    frames = subgroup_frames(evidence)
    assert set(frames["subgroups"]["arm"]) == {"new", "old"}
    assert set(frames["interactions"]["arm"]) == {"new", "old", "new minus old"}
    assert len(frames["subgroup_differences"])
    assert show_subgroups(replace(context, marks=["SMOKE"])).sentences[0].startswith("A smoke run")
