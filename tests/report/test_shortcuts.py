"""What a model may read instead of the disease: views that are asked, devices told by embeddings, marks in the crop."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score  # the independent AUC

from isthmus.report.context import ReportContext
from isthmus.report.page_shortcuts import show
from isthmus.report.shortcuts import balanced_groups, device_evidence, enough_of, marks_evidence

RANDOM = np.random.default_rng(1)


def _table(labels, views=2):
    groups = [f"g{number}" for number in range(len(labels)) for _ in range(views)]
    return pd.DataFrame({"group_id": groups, "label": np.repeat(labels, views)})


def test_groups_are_whole_and_classes_come_in_turn():
    table = _table(["a"] * 30 + ["b"] * 4)
    order = [f"g{number}" for number in range(34)]
    chosen = balanced_groups([table], order, [12])
    assert chosen == ["g30", "g0", "g31", "g1", "g32", "g2"]  # the rarer class first; two views each
    assert balanced_groups([table], order, [1000]) == [*chosen[:5], "g2", "g33", "g3", *order[4:30]]


def test_every_class_has_a_group_however_low_the_limit():
    assert balanced_groups([_table(["a", "b", "c"])], ["g0", "g1", "g2"], [1]) == ["g0", "g1", "g2"]


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=20), st.integers(1, 40), st.integers(1, 3))
def test_no_arm_has_more_views_than_were_asked_for_beyond_a_group_a_class(labels, limit, views):
    tables = [_table(labels, views), _table(labels, 1)]
    order = [f"g{number}" for number in range(len(labels))]
    chosen = balanced_groups(tables, order, [limit, 1000])
    assert len(set(chosen)) == len(chosen)
    assert len(chosen) * views <= max(limit, len(set(labels)) * views)
    assert {labels[int(group[1:])] for group in chosen} == set(labels)


def test_a_group_of_two_classes_stands_for_the_rarer():
    table = pd.DataFrame({"group_id": ["g0", "g0", "g1", "g2"], "label": ["a", "b", "a", "a"]})
    assert balanced_groups([table], ["g0", "g1", "g2"], [10])[0] == "g0"


def test_a_device_of_fewer_than_ten_patients_is_not_asked_for():
    rows = pd.DataFrame({"group_id": [f"g{n}" for n in range(20)] * 2, "device": ["A"] * 10 + ["B"] * 9 + [None] * 21})
    assert enough_of(rows, "device") == ["A"]


def _device_rows(telling):
    groups = [f"g{number // 2}" for number in range(120)]
    device = np.array([["A", "B"][number // 2 % 2] for number in range(120)])
    label = np.where(RANDOM.random(120) < np.where(device == "A", 0.7, 0.3), "1", "0")
    told = RANDOM.normal(size=120) + telling * (device == "B")
    columns = {"told_1": told, "told_0": -told}
    by_label = np.where(label == "1", 0.3, 0.7)
    columns |= {"label_0": 1 - by_label, "label_1": by_label}
    columns |= {"device_0": np.where(device == "A", 0.3, 0.7), "device_1": np.where(device == "A", 0.7, 0.3)}
    return pd.DataFrame({"group_id": groups, "device": device, "label": label, **columns})


def test_devices_are_told_by_the_embedding_and_by_the_label_and_the_label_by_the_device():
    rows = _device_rows(2.0)
    found = device_evidence(rows, ["A", "B"], ["0", "1"])
    assert found["told"]["estimate"] == pytest.approx(roc_auc_score(rows["device"] == "B", rows["told_1"]))
    assert found["by_label"]["estimate"] == pytest.approx(roc_auc_score(rows["device"] == "B", rows["label_1"]))
    label = roc_auc_score(rows["label"] == "1", rows["device_1"])
    assert found["label_by_device"]["estimate"] == pytest.approx(label)
    assert found["difference"]["estimate"] == pytest.approx(found["told"]["estimate"] - found["by_label"]["estimate"])
    assert found["difference"]["low"] > 0
    assert found["groups"] == 60
    assert device_evidence(_device_rows(0.0), ["A", "B"], ["0", "1"])["difference"]["low"] < 0


def test_the_auc_with_and_without_marks_ranks_cases_only_among_themselves():
    labels, marks = np.array(["0", "1"] * 40), np.array(["marks"] * 40 + ["no_marks"] * 40)
    scores = np.clip(0.4 + 0.2 * (labels == "1") + 0.2 * RANDOM.normal(size=80), 0.01, 0.99)
    units = [f"n{number}" for number in range(80)]
    rows = pd.DataFrame(
        {
            "arm": "a", "split": "test", "cohort": "c", "seed": 0, "fold": 0, "unit_id": units, "group_id": units,
            "label": labels, "p_1": scores,
        }
    )  # fmt: skip
    cases = pd.DataFrame({"cohort": "c", "unit_id": units, "marks": marks})
    assert set(marks_evidence(rows, cases, positive="1")) == {"marks"}
    found = marks_evidence(rows, cases, positive="1")["marks"]
    assert found["counts"] == {"marks": [40, 20], "no_marks": [40, 20]}
    for code in ("marks", "no_marks"):
        own = marks == code
        expected = roc_auc_score(labels[own] == "1", scores[own])
        assert found["arms"]["a"]["test"][code]["estimate"] == pytest.approx(expected)
    assert not found["arms"]["a"]["test"]["few"]
    assert marks_evidence(rows, cases.assign(marks="marks"), positive="1") == {}
    assert marks_evidence(rows, cases.assign(marks=None), positive="1") == {}


def test_calipers_are_judged_apart_from_other_marks():
    units = [f"n{number}" for number in range(40)]
    rows = pd.DataFrame(
        {
            "arm": "a", "split": "test", "cohort": "c", "seed": 0, "fold": 0, "unit_id": units, "group_id": units,
            "label": ["0", "1"] * 20, "p_1": RANDOM.random(40),
        }
    )  # fmt: skip
    marks, calipers = ["marks"] * 30 + ["no_marks"] * 10, ["calipers"] * 10 + ["no_calipers"] * 30
    cases = pd.DataFrame({"cohort": "c", "unit_id": units, "marks": marks, "calipers": calipers})
    found = marks_evidence(rows, cases, positive="1")
    assert found["calipers"]["counts"] == {"calipers": [10, 5], "no_calipers": [30, 15]}
    assert found["marks"]["counts"] == {"marks": [30, 15], "no_marks": [10, 5]}


def _interval(estimate, low, high):
    return {"estimate": estimate, "low": low, "high": high}


def _context(painted, device=None, marks=()):
    def entry(change, auc, flips):
        return {
            "change": change, "n": 50, "auc": _interval(auc, auc - 0.1, auc + 0.1), "flips": _interval(flips, 0.0, 0.4),
            "difference": {"difference": auc - 0.8, "low": -0.4, "high": 0.1},
        }  # fmt: skip

    entries = [
        entry("as they are", 0.8, 0),
        entry("lesion painted out", painted, 0.4),
        entry("gain 6 dB lower", 0.75, 0.1),
        # One picture has marks: its call changes, and no AUC can be given.
        {"change": "marks left in", "n": 1, "flips": _interval(1.0, 0.2, 1.0)},
    ]
    found = {
        "limit": 200, "views": 60, "groups": 50, "of_groups": 90, "changes": {"a": entries}, "left": {"a": 0.28},
        "devices": {} if device is None else {"a": device}, "marks": {},
    }  # fmt: skip
    evidence = {"unit": "nodule", "classes": ["0", "1"], "positive": "1", "shortcuts": found}
    return ReportContext(title="t", evidence=evidence, marks=list(marks))


def test_an_auc_above_chance_without_the_lesion_is_a_warning_and_else_a_sentence_with_its_limit():
    shown = show(_context(0.65))
    assert (
        "with the lesion painted out (28\u202f% of the picture is left) its AUC is 0.65 (0.55–0.75)"
        in shown.warnings[0]
    )
    shown = show(_context(0.52))
    assert not shown.warnings
    assert "not shown to be above chance, and up to 0.62 is possible" in shown.sentences[0]
    assert "“gain 6 dB lower” changes most calls, 10\u202f% (0–40)" in shown.sentences[1]
    assert "no two devices" in shown.sentences[-1]


def test_a_smoke_run_draws_no_conclusion():
    shown = show(_context(0.65, marks=["SMOKE"]))
    assert not shown.warnings
    assert not any("painted" in sentence for sentence in shown.sentences)


def test_a_device_that_the_embedding_tells_is_a_warning_where_it_tells_the_label_too():
    device = {
        "by": "device", "devices": ["A", "B"], "left_out": 0, "n": 100, "groups": 50, "told": _interval(0.8, 0.7, 0.9),
        "by_label": _interval(0.6, 0.5, 0.7), "difference": _interval(0.2, 0.1, 0.3),
        "label_by_device": _interval(0.66, 0.58, 0.74),
    }  # fmt: skip
    assert "Both halves of a shortcut are there" in show(_context(0.52, device)).warnings[0]
    shown = show(_context(0.52, {**device, "label_by_device": _interval(0.55, 0.45, 0.65)}))
    assert not shown.warnings
    assert "tells the device with a macro AUC of 0.80 (0.70–0.90)" in shown.sentences[-1]


def test_a_report_without_the_tests_has_no_such_section():
    assert show(ReportContext(title="t", evidence={"unit": "nodule"})) is None
