"""Table 1: counted by hand, tested by R's tests, and a published one reproduced from its counts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.case_columns import columns_of, units_of
from isthmus.report.page_table_one import SUBJECT, show_table_one, table_one_frames
from isthmus.report.subject import Study
from isthmus.report.table_one import table_one
from isthmus.statistics.clustered_group_tests import clustered_numeric_test
from tests.report.made_cases import made_cases, made_two_sets

PAPER = json.loads((Path(__file__).parents[1] / "statistics" / "olnm2025_tables.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def predictions():
    return made_two_sets()


@pytest.fixture(scope="module")
def cases(predictions):
    return made_cases(predictions)


@pytest.fixture(scope="module")
def found(predictions, cases):
    return table_one(analysis_table(predictions), Study(cases=cases, reference="surgery"), {})


def row_of(found, split, column):
    entry = next(entry for entry in found["by_outcome"] if entry["set"] == split)
    return next(row for row in entry["rows"] if row["column"] == column)


def test_nodules_count_in_columns_of_nodules_and_patients_in_columns_of_patients(found, predictions, cases):
    own = predictions[predictions["split"] == "test"].drop_duplicates("unit_id").merge(cases, on=["cohort", "unit_id"])
    size = row_of(found, "test", "size_mm")["groups"]["1"]
    values = own.loc[own["label"] == "1", "size_mm"]
    assert size["n"] == len(values)
    assert size["mean"] == pytest.approx(values.mean())
    assert size["sd"] == pytest.approx(values.std())
    assert [size["q1"], size["median"], size["q3"]] == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]).tolist())
    sex = row_of(found, "test", "sex")["groups"]
    highest = own.groupby("group_id")["label"].max()
    assert {label: facts["n"] for label, facts in sex.items()} == highest.value_counts().to_dict()
    female = own.drop_duplicates("group_id").set_index("group_id").loc[highest[highest == "1"].index, "sex"] == "F"
    assert sex["1"]["counts"]["F"] == female.sum()


def test_missing_values_are_counted_and_left_out_of_the_rest(found, predictions, cases):
    row = row_of(found, "cv", "stiffness_kpa")
    units = predictions[predictions["split"] == "cv"]["unit_id"].unique()
    blank = cases[cases["unit_id"].isin(units)]["stiffness_kpa"].isna().sum()
    assert sum(facts["missing"] for facts in row["groups"].values()) == blank > 0
    assert sum(facts["n"] for facts in row["groups"].values()) == len(units) - blank


def test_tests_see_that_nodules_of_one_patient_belong_together(found, predictions, cases):
    own = predictions[predictions["split"] == "test"].drop_duplicates("unit_id").merge(cases, on=["cohort", "unit_id"])
    expected = clustered_numeric_test(own["size_mm"], (own["label"] == "1").astype(int), own["group_id"])
    test = row_of(found, "test", "size_mm")["test"]
    assert test["p"] == pytest.approx(expected.p)
    assert "cluster-robust" in test["method"]
    assert "Rao-Scott" in row_of(found, "test", "composition")["test"]["method"]
    # A patient counts once in age: nothing is clustered there.
    assert "cluster" not in row_of(found, "test", "age_years")["test"]["method"]


def test_a_code_of_several_is_a_row_of_its_own_and_sets_stand_beside_one_another(found):
    names = [column["name"] for column in found["columns"]]
    assert names[:3] == ["age_years", "sex", "size_mm"]
    assert {"echogenic_foci=none", "echogenic_foci=macrocalcifications", "echogenic_foci=punctate"} <= set(names)
    assert [entry["set"] for entry in found["by_outcome"]] == ["cv", "test", "all"]
    assert found["by_set"]["sets"] == {"cv": 160, "test": 90}
    assert found["by_set"]["rows"][0]["column"] == "label"
    assert all(row["test"]["p"] is not None for row in found["by_set"]["rows"])


def test_a_published_table_1_is_reproduced_from_its_counts():
    frames, known = [], []
    for split in ("train", "test"):
        label = np.repeat(["0", "1"], list(PAPER["sizes"][split].values()))
        units = [f"{split}{place}" for place in range(label.size)]
        frames.append(
            pd.DataFrame(
                {
                    "arm": "model", "split": split, "unit_id": units, "patient_id": units, "group_id": units,
                    "label": label, "cohort": "c", "target": "olnm", "unit": "patient", "candidate": "default",
                    "seed": 0, "fold": 0, "call": "", "score": np.arange(label.size),
                }
            )
        )  # fmt: skip
        columns = {
            row["characteristic"]: np.concatenate(
                [np.repeat(row["levels"], row[split][side]) for side in ("negative", "positive")]
            )
            for row in PAPER["table_1_counts"]
        }
        known.append(pd.DataFrame({"cohort": "c", "unit_id": units, **columns}))
    asked = tuple(row["characteristic"] for row in PAPER["table_1_counts"])
    study = Study(cases=pd.concat(known), table_one=asked, table_one_mode="paper")
    made = table_one(analysis_table(pd.concat(frames, ignore_index=True)), study, {})
    assert [column["name"] for column in made["columns"]] == list(asked)
    for row in PAPER["table_1_counts"]:
        for split in ("train", "test"):
            p = row_of(made, split, row["characteristic"])["test"]["p"]
            printed = "<0.001" if p < 0.001 else ">0.99" if p > 0.99 else f"{p:.3f}".rstrip("0")
            assert printed == row[split]["p"].rstrip("0"), (row["characteristic"], split)
            counts = row_of(made, split, row["characteristic"])["groups"]["1"]["counts"]
            assert [counts.get(level, 0) for level in row["levels"]] == row[split]["positive"]


def test_columns_that_are_no_characteristics_are_left_out_with_the_reason(predictions, cases):
    odd = cases.assign(
        note=[f"text {place}" for place in range(len(cases))],
        histology=np.where(
            cases["unit_id"].map(predictions.drop_duplicates("unit_id").set_index("unit_id")["label"]) == "1", "m", "b"
        ),
        blank=None,
        reference="surgery",
        grade=np.arange(len(cases)) % 3,
    )
    units = units_of(analysis_table(predictions), odd)
    columns, left_out = columns_of(units)
    reasons = {entry["column"]: entry["reason"] for entry in left_out}
    assert reasons == {
        "note": "250 different texts", "histology": "it is the label itself", "blank": "nothing is known of it",
        "reference": "surgery in all",
    }  # fmt: skip
    grade = next(column for column in columns if column.name == "grade")
    assert [level for level, _ in grade.levels] == ["0", "1", "2"]
    _, left_out = columns_of(units, ("age_years", "hight"))
    assert left_out == [{"column": "hight", "reason": "the cases have no such column"}]


def test_categories_stand_in_their_natural_order(predictions, cases):
    graded = cases.assign(birads=np.resize(["5", "4a", "3", "4b"], len(cases)))
    columns, _ = columns_of(units_of(analysis_table(predictions), graded), ("birads",))
    assert [level for level, _ in columns[0].levels] == ["3", "4a", "4b", "5"]


def test_where_the_label_is_tirads_its_levels_are_not_tested(predictions, cases):
    made = table_one(analysis_table(predictions), Study(cases=cases, reference="tirads"), {})
    row = row_of(made, "cv", "tirads")
    assert row["test"]["p"] is None
    assert row["smd"] is None
    assert "made from it" in row["test"]["note"]


def test_groups_without_a_category_in_common_are_the_furthest_apart_and_named(full_context):
    """Benign 1 hyperechoic and 1 isoechoic, the others hypoechoic throughout: once printed as 0.00 (0.00-0.00)."""
    echogenicity = ["hyperechoic", "isoechoic", "hypoechoic", *["hypoechoic"] * 7]
    sizes = [30.0, 31.0, 12.0, *np.linspace(10, 16, 7)]
    rows = pd.DataFrame({"unit_id": [f"n{place}" for place in range(10)], "label": list("0012222222")})
    rows = rows.assign(
        arm="model", split="test", patient_id=rows["unit_id"], group_id=rows["unit_id"], cohort="c", target="t",
        unit="patient", candidate="default", seed=0, fold=0, call="", p_0=0.2, p_1=0.3, p_2=0.5,
    )  # fmt: skip
    cases = rows[["cohort", "unit_id"]].assign(echogenicity=echogenicity, size_mm=sizes)
    made = table_one(analysis_table(rows), Study(cases=cases, reference="surgery"), {})
    smd = row_of(made, "test", "echogenicity")["smd"]
    assert smd["estimate"] is None
    assert smd["pair"] == ["0", "1"]
    names = {"0": "benign", "1": "quiet", "2": "spread"}
    cohort = replace(full_context.cohort, label_names=names)
    evidence = {**full_context.evidence, "table_one": made, "reference": "surgery", "classes": list(names)}
    shown = show_table_one(replace(full_context, evidence=evidence, cohort=cohort))
    cells = {row.name: row.cells[-1].small for row in shown.tables[0].rows}
    assert cells["Echogenicity"] == "no category shared: benign, quiet"
    assert cells["Size, mm"].endswith(": spread less benign")
    assert "2 of 2 characteristics differ" in shown.sentences[0]
    assert "most echogenicity (no category shared)" in shown.sentences[0]
    frame = table_one_frames({"table_one": made})["table_one"]
    assert set(frame["smd_note"].dropna()) == {"no category shared"}


@pytest.mark.parametrize("kind", ["one class", "three classes", "one case", "nothing known", "shared cases"])
def test_degenerate_tables_have_a_table_1_or_none(predictions, cases, kind):
    rows = predictions[predictions["arm"] == "new"]
    if kind == "one class":
        rows = rows[(rows["label"] == "1") | (rows["split"] == "cv")]
    if kind == "three classes":
        rows = rows.drop(columns=["p_0", "p_1"]).assign(score=0.5)
        rows["label"] = np.where(rows["unit_id"].str.endswith("7"), "2", rows["label"])
    if kind == "one case":
        rows = rows[(rows["unit_id"] == "tn001") | (rows["split"] == "cv")]
    if kind == "shared cases":
        again = rows[rows["split"] == "cv"].head(40)
        rows = pd.concat([rows, again.assign(split="external")]).drop_duplicates(["split", "unit_id", "seed"])
    study = Study(cases=None if kind == "nothing known" else cases)
    made = table_one(analysis_table(rows), study, {})
    assert bool(made) == (kind != "nothing known")
    json.dumps(made)
    if kind == "shared cases":
        assert {row["test"].get("note") for row in made["by_set"]["rows"]} == {"the sets share cases"}
    frames = table_one_frames({"table_one": made} if made else {})
    assert bool(frames) == bool(made)


def test_the_page_shows_both_sets_and_says_what_p_is_not(full_context, found):
    assert SUBJECT.show(full_context) is None
    context = replace(full_context, evidence={**full_context.evidence, "table_one": found})
    shown = show_table_one(context)
    outcome, sets = shown.tables
    assert outcome.columns[0] == "Cross-validation: TI-RADS 2 or 3 (n = 64)"
    assert len(outcome.columns) == 6
    assert {len(row.cells) for row in outcome.rows} == {6}
    assert "The sets beside one another" in sets.caption
    assert any("how the label was made" in sentence for sentence in shown.sentences)
    assert any("no proof that groups are alike" in sentence for sentence in shown.sentences)
    assert any("patient counts once" in note for note in shown.notes)


def test_the_csv_has_every_set_level_and_test(found):
    frame = table_one_frames({"table_one": found})["table_one"]
    assert set(frame["set"]) == {"cv", "test", "all", ""}
    tested = frame[frame["group"] == "compared"]
    assert tested["method"].notna().all()
    counts = frame[(frame["set"] == "test") & (frame["column"] == "composition")]
    assert counts["count"].sum() == 90
