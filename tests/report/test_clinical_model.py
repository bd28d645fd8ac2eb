"""The clinical model: coding of columns, the paper's own counts, missing values, plain values for frozen.json."""

import json
from math import exp, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.clinical_model import ClinicalModel, clinical_evidence, fit_clinical_model
from isthmus.report.clinical_terms import Term, design_of, terms_of
from tests.statistics.test_firth import EH, HIGH_GRADE, NV, PI

PAPER = json.loads((Path(__file__).parents[1] / "statistics" / "olnm2025_tables.json").read_text(encoding="utf-8"))


def published(characteristic: str, levels: list[str]) -> pd.DataFrame:
    """Return the training patients of the published Table 1 with one of its characteristics."""
    row = next(row for row in PAPER["table_1_counts"] if row["characteristic"] == characteristic)["train"]
    columns = [np.repeat(levels, row[side]) for side in ("negative", "positive")]
    labels = np.repeat(["0", "1"], [len(column) for column in columns])
    return pd.DataFrame({"label": labels, characteristic: np.concatenate(columns), "group_id": range(len(labels))})


def made(n: int = 120) -> pd.DataFrame:
    draw = np.random.default_rng(5)
    size = draw.gamma(4, 3, n)
    place = np.array(["lower", "middle", "upper", "isthmus"], dtype=object)[draw.integers(0, 3, n)]
    place[:3] = "isthmus"
    label = np.where(draw.random(n) < 1 / (1 + np.exp(2 - 0.12 * size)), "1", "0")
    frame = {
        "label": label,
        "group_id": np.arange(n),
        "size_mm": size,
        "location": place,
        "sex": "F",
        "age_years": 50.0,
    }
    return pd.DataFrame(frame)


def test_extension_of_the_published_table_has_a_finite_odds_ratio_where_maximum_likelihood_has_none():
    # 33 of 55 against 0 of 225: a half in each cell, by hand; alone it is why AUCs of 0.9 are in reach.
    cases = published("extrathyroidal_extension", ["absent", "present"])
    (row,) = clinical_evidence(cases, "1", ["extrathyroidal_extension"])["rows"]
    assert (row["what"], row["against"], row["n"], row["positives"]) == ("present", "absent", 33, 33)
    assert row["univariate"]["estimate"] == pytest.approx(33.5 * 225.5 / (22.5 * 0.5), rel=1e-7)
    assert 10 < row["univariate"]["low"] < row["univariate"]["high"] < 1e6


def test_peak_intensity_of_the_published_table_is_coded_against_its_most_frequent_level():
    cases = published("peak_intensity", ["hypo", "iso", "hyper"])
    found = clinical_evidence(cases, "1", ["peak_intensity"])
    hyper, iso = found["rows"]
    assert (hyper["against"], hyper["what"], iso["what"]) == ("hypo", "hyper", "iso")
    # Of one category alone Firth's likelihood is that of each level: a half in each cell.
    assert iso["univariate"]["estimate"] == pytest.approx(7.5 / 53.5 / (48.5 / 157.5), rel=1e-7)
    assert hyper["univariate"]["estimate"] == pytest.approx(0.5 / 15.5 / (48.5 / 157.5), rel=1e-7)
    assert found["tests"]["peak_intensity"]["univariate"] == found["tests"]["peak_intensity"]["multivariable"] < 0.05


def test_the_whole_model_is_that_of_brglm2_and_glm_on_the_published_example():
    cases = pd.DataFrame({"NV": NV, "PI": PI, "EH": EH, "label": np.array(HIGH_GRADE).astype(str)})
    model, left_out = fit_clinical_model(cases, "1", ["NV", "PI", "EH"])
    assert left_out == []
    assert model.coefficients == pytest.approx([2.9292733531970940, -0.0347517598704338, -2.6041639252936548], rel=1e-9)
    # R: m <- glm(HG ~ NV + PI + EH, binomial, method = "brglm_fit") with PI and EH centred;
    # g <- glm(HG ~ offset(lp), binomial), lp the linear predictor of m without its intercept.
    assert model.intercept == pytest.approx(-1.14509074317147, rel=1e-9)
    assert model.probabilities(cases)[[0, 21, 78]] == pytest.approx(
        [0.281604181872591, 0.946279889607846, 0.604855025939795], rel=1e-8
    )


def test_the_mean_risk_is_the_share_of_positives():
    cases = made()
    model, left_out = fit_clinical_model(cases, "1")
    assert model.probabilities(cases).mean() == pytest.approx((cases["label"] == "1").mean(), abs=1e-12)
    assert {one["column"]: one["reason"] for one in left_out} == {
        "sex": "fewer than 5 cases differ from the others",
        "age_years": "fewer than 5 cases differ from the others",
    }


def test_rare_levels_count_under_the_reference_and_new_ones_too():
    terms, _ = terms_of(made(), ["location"])
    (term,) = terms
    assert set(term.joined) == {"isthmus"}
    assert term.joined["isthmus"] == term.reference[0]
    new = pd.DataFrame({"location": [term.reference[0], "isthmus", "substernal", None]})
    np.testing.assert_array_equal(term.design(new), np.zeros((4, 2)))


def test_several_rare_levels_become_one_when_together_they_are_enough():
    cases = made()
    cases["location"] = ["lower"] * 100 + ["upper"] * 12 + ["middle"] * 4 + ["isthmus"] * 4
    (term,) = terms_of(cases, ["location"])[0]
    assert [value for value, _ in term.levels] == ["upper", "other"]
    assert term.design(cases).sum(axis=0).tolist() == [12, 8]


def test_codes_of_a_descriptor_that_may_have_several_are_columns_of_their_own():
    cases = made()
    cases["echogenic_foci"] = ["none", "punctate", "macrocalcifications", "macrocalcifications punctate"] * 30
    terms, _ = terms_of(cases, ["echogenic_foci"])
    assert [term.names for term in terms] == [
        ["echogenic_foci=macrocalcifications: yes"],
        ["echogenic_foci=punctate: yes"],
    ]
    np.testing.assert_array_equal(design_of(terms, cases)[:4], [[0, 0], [0, 1], [1, 0], [1, 1]])


def test_a_column_that_says_the_same_as_those_before_it_is_left_out():
    cases = made().assign(diameter=lambda rows: rows["size_mm"] / 10)
    terms, left_out = terms_of(cases, ["size_mm", "diameter"])
    assert [term.column for term in terms] == ["size_mm"]
    assert left_out == [{"column": "diameter", "reason": "the columns before it, or too few cases, leave it open"}]


def test_more_columns_than_cases_can_tell_apart_are_left_out_and_named():
    draw = np.random.default_rng(2)
    cases = pd.DataFrame(
        {"label": ["0", "1"] * 4, "group_id": range(8), **{f"x{k}": draw.random(8) for k in range(12)}}
    )
    model, left_out = fit_clinical_model(cases, "1", [f"x{k}" for k in range(12)])
    assert len(model.coefficients) == 7
    assert [one["column"] for one in left_out] == ["x7", "x8", "x9", "x10", "x11"]


def test_missing_values_are_filled_with_the_training_mean_and_counted():
    cases = made()
    cases.loc[:9, "size_mm"] = np.nan
    found = clinical_evidence(cases, "1", ["size_mm"])
    assert found["missing"] == {"size_mm": 10}
    assert found["n"] == 120
    model, _ = fit_clinical_model(cases, "1", ["size_mm"])
    at_mean = pd.DataFrame({"size_mm": [np.nan, float(cases["size_mm"].mean())]})
    np.testing.assert_allclose(*model.probabilities(at_mean), rtol=1e-14)


def test_text_where_the_model_knows_numbers_is_refused_by_the_name_of_its_column():
    model, _ = fit_clinical_model(made(), "1", ["size_mm"])
    with pytest.raises(InputError, match="column size_mm holds text") as caught:
        model.probabilities(pd.DataFrame({"size_mm": ["12 mm", "7 mm"]}))
    assert "numbers, such as " in str(caught.value)


def test_odds_ratios_are_stated_for_steps_that_matter():
    row = clinical_evidence(made(), "1", ["size_mm"])["rows"][0]
    assert (row["what"], row["title"]) == ("per 5 mm", "Size, mm")
    assert row["multivariable"]["estimate"] == pytest.approx(exp(row["multivariable"]["coefficient"]))
    model, _ = fit_clinical_model(made(), "1", ["size_mm"])
    odds = [log(p / (1 - p)) for p in model.probabilities(pd.DataFrame({"size_mm": [10.0, 15.0]}))]
    assert odds[1] - odds[0] == pytest.approx(row["multivariable"]["coefficient"])


def test_a_model_survives_json():
    model, _ = fit_clinical_model(made(), "1")
    kept = json.loads(json.dumps(model.to_json()))
    assert ClinicalModel.from_json(kept) == model
    assert isinstance(ClinicalModel.from_json(kept).terms[0], Term)


def test_without_margin_and_extension_there_is_no_sensitivity_analysis_and_it_says_so():
    assert clinical_evidence(made(), "1")["sensitivity"] == {"why_not": "the cohort has neither"}
