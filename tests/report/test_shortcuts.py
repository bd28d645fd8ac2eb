"""What a model may read instead of the disease: views that are asked, devices told by embeddings, marks in the crop."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score  # the independent AUC

from isthmus.report.context import ReportContext
from isthmus.report.page_shortcuts import show
from isthmus.report.shortcuts import (
    balanced_groups,
    constant_within_folds,
    device_evidence,
    enough_of,
    marks_evidence,
    withhold_what_is_not_tested,
)
from isthmus.training.device_probe import shares_of

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
    """Return four folds, each with rules of its own: their scores lie apart by far more than those of one fold."""
    groups = [f"g{number // 2}" for number in range(120)]
    fold = np.arange(120) // 30
    device = np.array([["A", "B"][number // 2 % 2] for number in range(120)])
    label = np.where(RANDOM.random(120) < np.where(device == "A", 0.7, 0.3), "1", "0")
    told = RANDOM.normal(size=120) + telling * (device == "B") + 50 * fold
    columns = {"told_1": told, "told_0": -told}
    by_label = np.where(label == "1", 0.3, 0.7) + fold
    columns |= {"label_0": -by_label, "label_1": by_label}
    columns |= {f"device_{place}": fold + np.where(device == "AB"[place], 0.3, 0.7) for place in (0, 1)}
    return pd.DataFrame({"group_id": groups, "device": device, "label": label, "fold": fold, **columns})


def _mean_of_folds(rows, truth, score):
    return np.mean([roc_auc_score(own[truth[0]] == truth[1], own[score]) for _, own in rows.groupby("fold")])


def test_devices_are_told_by_the_embedding_and_by_the_label_and_the_label_by_the_device_within_folds():
    rows = _device_rows(2.0)
    found = device_evidence(rows, ["A", "B"], ["0", "1"])
    assert found["told"]["estimate"] == pytest.approx(_mean_of_folds(rows, ("device", "B"), "told_1"))
    assert found["by_label"]["estimate"] == pytest.approx(_mean_of_folds(rows, ("device", "B"), "label_1"))
    of_classes = [_mean_of_folds(rows, ("label", str(place)), f"device_{place}") for place in (0, 1)]
    assert found["label_by_device"]["estimate"] == pytest.approx(np.mean(of_classes))
    assert found["difference"]["estimate"] == pytest.approx(found["told"]["estimate"] - found["by_label"]["estimate"])
    assert found["difference"]["low"] > 0
    assert found["groups"] == 60
    assert device_evidence(_device_rows(0.0), ["A", "B"], ["0", "1"])["difference"]["low"] < 0


def _of_nothing(random, groups=80, folds=5):
    """Return what rules say that were learnt in folds where nothing tells the device, nor the device the label."""
    label = np.array(["0", "1"] * (groups // 2), object)
    fold = np.empty(groups, int)
    for name in ("0", "1"):
        own = random.permutation(np.flatnonzero(label == name))
        fold[own] = np.arange(len(own)) % folds
    device = random.choice(["A", "B"], groups).astype(object)
    seen, parts = random.normal(size=(groups, 8)), []
    for number in range(folds):
        learnt, tried = fold != number, fold == number
        means = [seen[learnt & (device == name)].mean(axis=0) for name in ("A", "B")]
        towards = seen[tried] @ (means[1] - means[0])
        found = {
            "told": np.stack([-towards, towards], axis=1),
            "label": shares_of(device[learnt], label[learnt], label[tried], ["A", "B"]),
            "device": shares_of(label[learnt], device[learnt], device[tried], ["0", "1"]),
        }
        scores = {f"{name}_{place}": values[:, place] for name, values in found.items() for place in (0, 1)}
        facts = {"group_id": np.flatnonzero(tried).astype(str), "device": device[tried], "label": label[tried]}
        parts.append(pd.DataFrame({**facts, "fold": number, **scores}))
    return pd.concat(parts, ignore_index=True)


def test_where_nothing_tells_the_device_every_auc_is_a_half_and_the_test_seldom_fires():
    random, runs = np.random.default_rng(5), 80
    found = [device_evidence(_of_nothing(random), ["A", "B"], ["0", "1"]) for _ in range(runs)]
    for name in ("told", "by_label", "label_by_device"):  # pooled over folds: 0.48, 0.42, 0.46
        values = np.array([one[name]["estimate"] for one in found])
        assert abs(values.mean() - 0.5) < 3 * values.std() / np.sqrt(runs)
    nominal = 0.025
    fired = np.mean([one["difference"]["low"] > 0 for one in found])  # 0.18 pooled, 0.08 with fixed rules' variance
    assert fired < nominal + 3 * np.sqrt(nominal * (1 - nominal) / runs)


def test_a_change_that_leaves_nothing_to_read_has_no_auc():
    entries = [{"change": name, "n": 4, "auc": {}, "difference": {}, "flips": {}} for name in ("painted", "gain")]
    assert withhold_what_is_not_tested(entries, "painted", 0.05, False) == entries
    little = withhold_what_is_not_tested(entries, "painted", 0.049, False)
    assert little[0] == {"change": "painted", "n": 4, "untested": "less than 5 % of the picture is left"}
    assert little[1] == entries[1]
    constant = withhold_what_is_not_tested(entries, "painted", 0.3, True)
    assert constant[0] == {"change": "painted", "n": 4, "untested": "all scores of a fold are equal"}


def test_scores_are_constant_only_if_they_are_in_every_fold():
    rows = pd.DataFrame({"seed": 0, "fold": [0, 0, 1, 1], "p_1": [0.3, 0.3, 0.6, 0.6]})
    assert constant_within_folds(rows, "p_1")
    assert not constant_within_folds(rows.assign(p_1=[0.3, 0.3, 0.6, 0.61]), "p_1")


def _marked(splits=("test",), units=80):
    names = [f"{split}{number}" for split in splits for number in range(units)]
    labels = np.array(["0", "1"] * (units // 2) * len(splits))
    scores = np.clip(0.4 + 0.2 * (labels == "1") + 0.2 * RANDOM.normal(size=len(names)), 0.01, 0.99)
    of = np.repeat(splits, units)
    rows = pd.DataFrame(
        {
            "arm": "a", "split": of, "cohort": "c", "seed": 0, "fold": 0, "unit_id": names, "group_id": names,
            "label": labels, "p_1": scores,
        }
    )  # fmt: skip
    half = ["marks"] * (units // 2) + ["no_marks"] * (units // 2)
    return rows, pd.DataFrame({"cohort": "c", "unit_id": names, "marks": half * len(splits)})


def test_the_auc_with_and_without_marks_ranks_cases_only_among_themselves():
    rows, cases = _marked()
    found = marks_evidence(rows, cases, positive="1")
    assert set(found) == {"marks"}
    own = found["marks"]["arms"]["a"]["test"]
    assert own["counts"] == {"marks": [40, 20], "no_marks": [40, 20]}
    for code in ("marks", "no_marks"):
        inside = (cases["marks"] == code).to_numpy()
        expected = roc_auc_score(rows["label"][inside] == "1", rows["p_1"][inside])
        assert own[code]["estimate"] == pytest.approx(expected)
    assert not own["few"]
    assert own["p_holm"] == own["p"]  # the only test
    assert marks_evidence(rows, cases.assign(marks="marks"), positive="1") == {}
    assert marks_evidence(rows, cases.assign(marks=None), positive="1") == {}


def test_marks_are_counted_in_each_part_of_the_data_alone():
    rows, cases = _marked(("cv", "external"))
    bare = cases["unit_id"].isin([f"external{number}" for number in range(30)])
    found = marks_evidence(rows, cases.assign(marks=cases["marks"].where(~bare, "no_marks")), positive="1")
    counts = {split: own["counts"] for split, own in found["marks"]["arms"]["a"].items()}
    assert counts["cv"] == {"marks": [40, 20], "no_marks": [40, 20]}
    assert counts["external"] == {"marks": [10, 5], "no_marks": [70, 35]}
    again = pd.concat([rows, rows.assign(seed=1)])  # another seed scores the same units
    assert marks_evidence(again, cases, positive="1")["marks"]["arms"]["a"]["cv"]["counts"] == counts["cv"]
    no_one = cases.assign(marks=cases["marks"].where(rows["split"] == "cv", "no_marks"))
    assert list(marks_evidence(rows, no_one, positive="1")["marks"]["arms"]["a"]) == ["cv"]


def test_the_tests_of_marks_share_one_correction_of_holm():
    rows, cases = _marked(("cv", "test"))
    cases["calipers"] = np.where(cases["marks"] == "marks", "no_calipers", "calipers")  # the same tests once more
    found = marks_evidence(pd.concat([rows, rows.assign(arm="b")]), cases, positive="1")
    entries = [own for kind in found.values() for splits in kind["arms"].values() for own in splits.values()]
    assert [kind["tests"] for kind in found.values()] == [8, 8]
    p = np.array([entry["p"] for entry in entries])
    order = np.argsort(p)  # by hand: Holm 1979
    expected = np.empty(8)
    expected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(8, 0, -1)))
    assert [entry["p_holm"] for entry in entries] == pytest.approx(expected)


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
    found = {kind: own["arms"]["a"]["test"] for kind, own in marks_evidence(rows, cases, positive="1").items()}
    assert found["calipers"]["counts"] == {"calipers": [10, 5], "no_calipers": [30, 15]}
    assert found["marks"]["counts"] == {"marks": [30, 15], "no_marks": [10, 5]}
    assert found["marks"]["p"] is found["marks"]["p_holm"] is None  # five groups of a class: no test


def _interval(estimate, low, high):
    return {"estimate": estimate, "low": low, "high": high}


def _context(painted, device=None, marks=(), found_marks=None):
    def entry(change, auc, flips):
        return {
            "change": change, "n": 50, "auc": _interval(auc, auc - 0.1, auc + 0.1), "flips": _interval(flips, 0.0, 0.4),
            "difference": {"difference": auc - 0.8, "low": -0.4, "high": 0.1},
        }  # fmt: skip

    entries = [
        entry("as they are", 0.8, 0),
        entry("lesion painted out", painted or 0.5, 0.4),
        entry("gain 6 dB lower", 0.75, 0.1),
        # One picture has marks: its call changes, and no AUC can be given.
        {"change": "marks left in", "n": 1, "flips": _interval(1.0, 0.2, 1.0)},
    ]
    found = {
        "limit": 200, "views": 60, "groups": 50, "of_groups": 90, "changes": {"a": entries}, "left": {"a": 0.28},
        "devices": {} if device is None else {"a": device}, "marks": found_marks or {},
    }  # fmt: skip
    if painted is None:
        entries[1] = {"change": "lesion painted out", "n": 50, "untested": "less than 5 % of the picture is left"}
    evidence = {"unit": "nodule", "classes": ["0", "1"], "positive": "1", "shortcuts": found, "arms": {"a": {}}}
    return ReportContext(title="t", evidence=evidence, marks=list(marks))


def test_an_auc_above_chance_without_the_lesion_is_a_warning_and_else_a_sentence_with_its_limit():
    shown = show(_context(0.65))
    assert (
        "with the lesion painted out (28\u202f% of the picture is left) its AUC is 0.65 (0.55–0.75), above chance: it "
        "reads something other than the lesion’s inside: tissue around it, its size by magnification, or an artefact."
    ) in shown.warnings[0]
    shown = show(_context(0.52))
    assert not shown.warnings
    assert "not shown to be above chance, and up to 0.62 is possible" in shown.sentences[0]
    assert "“gain 6 dB lower” changes most calls, 10\u202f% (0–40)" in shown.sentences[1]
    assert "It is the largest of 1, looked for afterwards" in shown.sentences[1]
    assert "no two devices" in shown.sentences[-1]


def test_where_nothing_is_left_the_page_says_that_there_is_nothing_to_test():
    shown = show(_context(None))
    assert not shown.warnings
    assert "nothing is left to test (less than 5 % of the picture is left)" in shown.sentences[0]
    row = next(row for row in shown.tables[0].rows if row.name == "Lesion painted out")
    assert [cell.main for cell in row.cells] == ["50", "–", "–", "–"]
    assert "nothing to test" in row.cells[1].small


def test_the_table_of_marks_counts_in_its_cells_and_corrects_its_p():
    entry = {
        "marks": _interval(0.8, 0.7, 0.9), "no_marks": _interval(0.7, 0.6, 0.8), "few": False, "p": 0.03,
        "p_holm": 0.06, "counts": {"marks": [40, 12], "no_marks": [60, 20]},
    }  # fmt: skip
    table = show(_context(0.5, found_marks={"marks": {"tests": 2, "arms": {"a": {"cv": entry}}}})).tables[-1]
    cells = [(cell.main, cell.small) for cell in table.rows[0].cells]
    assert cells[0] == ("0.80", "0.70–0.90; 40 nodules, 12 “1”")
    assert cells[1] == ("0.70", "0.60–0.80; 60 nodules, 20 “1”")
    assert [main for main, _ in cells[2:]] == ["0.030", "0.060"]
    assert "over all 2 tests" in table.notes[0]


def test_a_validation_does_not_say_that_it_lacked_devices():
    context = _context(0.5)
    context.evidence["shortcuts"] |= {"devices": None, "split": "external"}
    shown = show(context)
    assert not any("device" in sentence for sentence in shown.sentences)
    assert any("each model as it was frozen" in note for note in shown.tables[0].notes)


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
