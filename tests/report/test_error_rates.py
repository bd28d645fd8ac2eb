"""Error rates by what a case is like."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from isthmus.report.analysis_table import analysis_table
from isthmus.report.error_rates import error_rates
from isthmus.report.page import write_report
from isthmus.report.page_error_rates import error_rate_parts
from isthmus.report.tables import write_tables
from tests.report.made import made_context


def predictions(label: list[str], call: list[str], groups: list[str] | None = None) -> pd.DataFrame:
    count = len(label)
    return pd.DataFrame(
        {
            "arm": "new", "candidate": "new", "split": "cv", "seed": 0, "fold": 0, "target": "t", "cohort": "made",
            "unit": "nodule", "unit_id": [f"n{i:03d}" for i in range(count)],
            "group_id": groups or [f"g{i:03d}" for i in range(count)], "label": label, "call": call,
            "p_0": [0.1 if one == "1" else 0.9 for one in call], "p_1": [0.9 if one == "1" else 0.1 for one in call],
        }
    )  # fmt: skip


def facts(**columns: list[str | None]) -> pd.DataFrame:
    count = len(next(iter(columns.values())))
    return pd.DataFrame({"cohort": "made", "unit_id": [f"n{i:03d}" for i in range(count)], **columns})


def by_level(entries: list[dict], measure: str = "error") -> dict[tuple[str, str], dict]:
    return {(entry["feature"], entry["code"]): entry for entry in entries if entry["measure"] == measure}


def test_a_cohort_labelled_by_category_has_no_error_rates_by_category():
    label, call = ["1"] * 20 + ["0"] * 20, ["0"] * 10 + ["1"] * 10 + ["0"] * 20
    known = facts(tirads=["5"] * 20 + ["2"] * 20, composition=["solid", "cystic"] * 20)
    table = analysis_table(predictions(label, call))
    assert {entry["feature"] for entry in error_rates(table, known)} == {"tirads", "composition"}
    entries = error_rates(table, known, graded=["made"])
    assert {entry["feature"] for entry in entries} == {"composition"}
    context = made_context()
    context.evidence.update(error_rates=entries, reference="tirads")
    said = error_rate_parts(context)["misjudged"]["sentences"]
    assert any("by TI-RADS category are left out" in sentence for sentence in said)
    context.evidence.update(reference="surgery")
    assert not any("left out" in sentence for sentence in error_rate_parts(context)["misjudged"]["sentences"])


def test_rates_are_those_counted_by_hand_and_the_others_are_the_cases_with_another_level():
    # 20 solid cases of which 10 are wrong, 20 cystic of which 2 are, 5 of unknown composition that are all wrong.
    label = ["1"] * 10 + ["0"] * 10 + ["1"] * 10 + ["0"] * 10 + ["1"] * 5
    call = ["0"] * 10 + ["0"] * 10 + ["1"] * 10 + ["0"] * 8 + ["1"] * 2 + ["0"] * 5
    known = facts(composition=["solid"] * 20 + ["cystic"] * 20 + [None] * 5)
    entries = error_rates(analysis_table(predictions(label, call)), known)
    found = by_level(entries)
    solid = found["composition", "solid"]
    assert (solid["n"], solid["rate"]["estimate"], solid["others"]["estimate"]) == (20, 0.5, 0.1)
    # Wilson's interval of 10 of 20, as R's prop.test(10, 20, correct = FALSE) gives it.
    assert (solid["rate"]["low"], solid["rate"]["high"]) == pytest.approx((0.2992980, 0.7007020), abs=1e-6)
    # Welch's t on outcomes is the cluster-robust test where every case is a group.
    wrong = np.repeat([1.0, 0.0], 10), np.repeat([1.0, 0.0], [2, 18])
    spread = np.sqrt(sum(one.var(ddof=1) / 20 for one in wrong))
    assert solid["p"] == pytest.approx(2 * stats.t.sf(0.4 / spread, 19))
    missed = by_level(entries, "false_negative")
    assert (missed["composition", "solid"]["n"], missed["composition", "solid"]["rate"]["estimate"]) == (10, 1.0)
    false = by_level(entries, "false_positive")
    assert false["composition", "cystic"]["rate"]["estimate"] == 0.2


def test_two_levels_of_one_feature_are_one_test_under_holm():
    label, call = ["1"] * 40, ["0"] * 10 + ["1"] * 10 + ["0"] * 2 + ["1"] * 18
    known = facts(shape=["taller_than_wide"] * 20 + ["wider_than_tall"] * 20)
    found = by_level(error_rates(analysis_table(_with_negative(predictions(label, call))), _one_more(known)))
    taller, wider = found["shape", "taller_than_wide"], found["shape", "wider_than_tall"]
    # All cases but one are positives: their error and their share of missed ones are tested, two tests, not four.
    assert taller["p_holm"] == pytest.approx(2 * taller["p"])
    assert wider["p_holm"] == taller["p_holm"]
    assert wider["difference"]["estimate"] == pytest.approx(-taller["difference"]["estimate"])


def test_a_nodule_with_two_foci_counts_under_both_and_none_stands_alone():
    label, call = ["1"] * 30, ["1"] * 30
    known = facts(echogenic_foci=["punctate macrocalcifications"] * 10 + ["punctate"] * 10 + ["none"] * 10)
    found = by_level(error_rates(analysis_table(_with_negative(predictions(label, call))), _one_more(known)))
    assert found["echogenic_foci", "punctate"]["n"] == 20
    assert found["echogenic_foci", "macrocalcifications"]["n"] == 10
    assert found["echogenic_foci", "none"]["n"] == 10


def test_levels_of_under_ten_cases_are_too_few_to_tell_and_are_not_tested():
    label, call = ["1"] * 30, ["0"] * 9 + ["1"] * 21
    known = facts(margin=["irregular"] * 9 + ["smooth"] * 21)
    found = by_level(error_rates(analysis_table(_with_negative(predictions(label, call))), _one_more(known)))
    assert found["margin", "irregular"]["few"]
    assert found["margin", "irregular"]["p"] is None
    assert found["margin", "smooth"]["few"]  # there is nobody to compare it with either


def test_two_nodules_of_a_patient_are_one_cluster_and_a_feature_without_contrast_is_left_out():
    label, call = ["1"] * 40, (["0"] * 2 + ["1"] * 2) * 10
    groups = [f"g{i // 2}" for i in range(40)]
    known = facts(composition=["solid"] * 20 + ["cystic"] * 20, site=["A"] * 40)
    table = analysis_table(_with_negative(predictions(label, call, groups)))
    found = by_level(error_rates(table, _one_more(known, site="A")))
    assert ("site", "A") not in found
    assert found["composition", "solid"]["n_groups"] == 10
    plain = by_level(error_rates(analysis_table(_with_negative(predictions(label, call))), _one_more(known)))
    wide, narrow = (one["composition", "solid"]["rate"] for one in (found, plain))
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def _with_negative(table: pd.DataFrame) -> pd.DataFrame:
    """Add one negative, of unknown features: a table needs two classes."""
    extra = predictions(["0"], ["0"]).assign(unit_id="extra", group_id="extra")
    return pd.concat([table, extra], ignore_index=True)


def _one_more(known: pd.DataFrame, **columns: str) -> pd.DataFrame:
    return pd.concat([known, pd.DataFrame([{"cohort": "made", "unit_id": "extra", **columns}])], ignore_index=True)


def context_with(entries: list[dict], **changes: object):
    context = made_context(**changes)
    context.evidence["error_rates"] = [{**entry, "arm": "new"} for entry in entries]
    return context


def test_the_page_claims_what_holm_leaves_and_nothing_else(tmp_path):
    label = ["1"] * 40
    known = facts(composition=["solid"] * 20 + ["cystic"] * 20)
    clear = predictions(label, ["0"] * 18 + ["1"] * 2 + ["1"] * 18 + ["0"] * 2)
    entries = error_rates(analysis_table(_with_negative(clear)), _one_more(known))
    context = context_with(entries)
    said = " ".join(error_rate_parts(context)["misjudged"]["sentences"])
    assert "composition “cystic or almost completely cystic”: such nodules are misjudged less often" in said
    assert "within neither class" not in said
    page = write_report(tmp_path, context).read_text(encoding="utf-8")
    assert "Which nodules are misjudged" in page
    assert 'id="figure-errors"' in page
    alike = predictions(label, (["0"] + ["1"] * 3) * 10)
    entries = error_rates(analysis_table(_with_negative(alike)), _one_more(known))
    said = " ".join(error_rate_parts(context_with(entries))["misjudged"]["sentences"])
    assert "none differs" in said
    assert "no proof that all kinds are judged alike" in said
    said = error_rate_parts(context_with(entries, marks=["SMOKE"]))["misjudged"]["sentences"][0]
    assert "say nothing about nodules" in said
    context = context_with(entries, marks=["SMOKE"])
    context.evidence["unit"] = "patient"
    assert "say nothing about patients" in error_rate_parts(context)["misjudged"]["sentences"][0]


def test_a_kind_that_is_mostly_of_the_harder_class_is_said_to_be_that_and_no_more():
    # One positive in ten is missed and eight negatives in ten are called positive, in both kinds alike.
    label = ["1"] * 40 + ["0"] * 10 + ["1"] * 10 + ["0"] * 40
    call = ["0"] * 4 + ["1"] * 36 + ["1"] * 8 + ["0"] * 2 + ["0"] * 1 + ["1"] * 9 + ["1"] * 32 + ["0"] * 8
    entries = error_rates(analysis_table(predictions(label, call)), facts(composition=["solid"] * 50 + ["cystic"] * 50))
    said, of_categories = error_rate_parts(context_with(entries))["misjudged"]["sentences"]
    assert "TI-RADS category" in of_categories
    assert "such nodules are misjudged more often" in said
    assert "within neither class alone is that shown" in said


def test_the_table_holds_every_level_with_its_limits(tmp_path):
    label = ["1"] * 40
    known = facts(composition=["solid"] * 20 + ["cystic"] * 20)
    entries = error_rates(
        analysis_table(_with_negative(predictions(label, (["0"] + ["1"] * 3) * 10))), _one_more(known)
    )
    write_tables(tmp_path, context_with(entries).evidence)
    table = pd.read_csv(tmp_path / "error_rates.csv")
    assert {"arm", "split", "feature", "code", "measure", "n", "few", "rate", "rate_low", "rate_high", "others",
            "difference", "difference_low", "p", "p_holm"} <= set(table.columns)  # fmt: skip
    assert len(table) == len(entries)


def test_a_report_without_descriptors_has_no_such_section(written):
    assert "Which nodules are misjudged" not in written[1]
