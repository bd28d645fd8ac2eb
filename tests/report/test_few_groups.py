"""Fewer than ten groups in a class: no difference of AUCs has a p or a verdict, wherever in a report it stands."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from isthmus.report.context import ReportContext
from isthmus.report.discrimination import several_class_measures
from isthmus.report.evaluate import evaluate
from isthmus.report.evidence import compute_evidence
from isthmus.report.ideal_observer import ideal_observer_evidence
from isthmus.report.nearness import nearness_sentences
from isthmus.report.regions import region_evidence
from isthmus.statistics.few_groups import METHOD
from isthmus.statistics.multiclass import macro_auc
from isthmus.statistics.roc import newcombe_interval
from tests.report.made import made_predictions
from tests.report.made_descriptors import made_descriptors
from tests.report.made_readers import made_study
from tests.report.made_seeds import made_seeds
from tests.report.made_truth import made_truth
from tests.report.test_contrasts import three_classes

STRONG = {"a": 6.0, "b": -0.5, "c": 0.2}
"""Arms so unlike each other that every test, were there one, would call them different."""
CONTRASTS: dict[str, Any] = {
    "primary": {"arm": "a", "against": "b"},
    "secondary": ({"title": "Is a better than c?", "arm": "a", "against": ["c"]},),
}


def patients(frame: pd.DataFrame, kept: int) -> pd.DataFrame:
    """Return the rows of the first so many groups."""
    return frame[frame["group_id"].isin(sorted(set(frame["group_id"]))[:kept])].reset_index(drop=True)


def unseen(kept: int) -> pd.DataFrame:
    return patients(made_seeds(STRONG), kept)


def held_out(kept: int) -> pd.DataFrame:
    frame = patients(made_predictions(tuple(STRONG), folds=1, seeds=(0,), units=60), kept)
    place = {group: number % 2 for number, group in enumerate(sorted(set(frame["group_id"])))}
    frame = frame.assign(fold=frame["group_id"].map(place))
    sign = 2.0 * (frame["label"] == "1") - 1
    frame["p_1"] = 0.5 + sign * frame["arm"].map({"a": 0.3, "b": -0.1, "c": 0.02}) + 0.01 * frame["p_1"]
    return frame.assign(p_0=1 - frame["p_1"], unit_id="v" + frame["unit_id"], group_id="v" + frame["group_id"])


def as_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Return scores without probabilities and sites of two: what then is tested are AUCs alone."""
    site = frame["group_id"].str[-1].map(lambda digit: "North" if int(digit) % 2 else "South")
    return frame.assign(score=frame["p_1"], site=site).drop(columns=["p_0", "p_1"])


def p_values_in(content: Any) -> Iterator[float]:
    """Yield every p of evidence."""
    if isinstance(content, dict):
        yield from (value for name, value in content.items() if name in ("p", "p_holm") and value is not None)
    for part in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from p_values_in(part)


def whole_report(folder: Path, kept: int) -> tuple[dict[str, Any], str]:
    """Return the evidence and the page of a test set with seeds, a cross-validation, sites and readers who score."""
    frame = as_scores(pd.concat([unseen(kept), held_out(kept)], ignore_index=True))
    once = frame[frame["seed"] == 0].drop_duplicates("unit_id")
    reads = made_study(once[once["split"] == "test"], gain=3.0).drop(columns=["call", "seconds"])
    evidence = evaluate(frame, folder, reads=reads, bootstrap=30, **CONTRASTS)
    return evidence, (folder / "report.html").read_text(encoding="utf-8")


def test_a_whole_report_of_a_tiny_cohort_shows_no_p(tmp_path: Path) -> None:
    evidence, page = whole_report(tmp_path / "tiny", 9)
    assert {"seeds", "readers", "discrimination"} <= set(evidence)
    assert list(p_values_in(evidence)) == []
    words = re.sub(r"<[^>]*>", " ", page.partition("<body")[2])
    assert re.findall(r"\bp\s+(?:=|&lt;|<)\s*[\d.]+", words) == []
    assert not re.search(r"better here|shown to be|found more|ranked better|wins", words)
    assert "nothing can be concluded from so few" in words
    assert "Where a class has fewer than 10 groups, an AUC has Newcombe's interval" in unescape(words)
    for path in (tmp_path / "tiny" / "tables").glob("*.csv"):
        table = pd.read_csv(path)
        for name in {"p", "p_holm"} & set(table):
            assert table[name].isna().all(), (path.name, name)


def test_the_same_arms_with_enough_patients_are_tested_in_all_those_places(tmp_path: Path) -> None:
    evidence, page = whole_report(tmp_path / "enough", 60)
    for part in (evidence["comparisons"], evidence["seeds"], evidence["discrimination"], evidence["readers"]):
        assert min(p_values_in(part)) < 0.05
    assert "shown to be" in page
    _, methods = page.split('id="methods"')
    assert "Newcombe" not in methods


@pytest.mark.parametrize("kept", [9, 60])
def test_subgroups_and_levels_are_compared_by_limits_alone(kept: int) -> None:
    predictions = patients(made_predictions(("a", "b"), seeds=(0,), folds=1, split="test"), kept)
    cases = made_descriptors(blank=0).assign(sex=lambda rows: ["F", "M"] * (len(rows) // 2))
    cases = cases[cases["unit_id"].isin(predictions["unit_id"])]
    evidence = compute_evidence(
        predictions, cases=cases, reference="surgery", bootstrap=20, primary={"arm": "a", "against": "b"}
    )
    found = [*evidence["subgroups"]["differences"], *evidence["comparisons"]]
    found += [one for entry in evidence["tirads"]["splits"]["test"].values() for one in entry["contrasts"]]
    known = [entry for entry in found if entry["difference"] is not None and entry.get("measure", "auc") == "auc"]
    assert len(known) > 4
    assert any(entry["p"] is not None for entry in known) == (kept == 60)
    if kept == 9:
        assert {entry["method"] for entry in known} == {METHOD}


def test_arms_without_a_common_unit_are_compared_by_limits_alone() -> None:
    frame = patients(made_predictions(("a", "b"), seeds=(0,), folds=1, split="test", strength=3), 24)
    half = frame["group_id"] < "g012"
    (entry,) = compute_evidence(frame[half == (frame["arm"] == "a")], bootstrap=10)["comparisons"]
    assert "no shared unit" in entry["note"]
    assert (entry["p"], entry["method"]) == (None, METHOD)


def test_several_classes_are_compared_by_limits_alone() -> None:
    frame = three_classes(("weak", "strong"))
    few = frame[(frame["label"] != "b") | (frame["group_id"] < "024")]
    found = compute_evidence(few, bootstrap=100)["comparisons"]
    ranked = [entry for entry in found if entry["measure"] in ("macro_auc", "hand_till")]
    assert [entry["p"] for entry in ranked] == [None, None]
    assert all("only 4 groups in the smallest class" in entry["note"] for entry in ranked)
    assert all(entry["low"] < entry["difference"] < entry["high"] for entry in ranked)


def test_one_patient_of_a_class_leaves_the_mean_of_several_classes_as_open_as_its_own_auc() -> None:
    """2, 1 and 7 patients, ranked without a fault: bootstrapped, the macro AUC was 1.00 (1.00-1.00)."""
    labels = np.array(["a"] * 2 + ["b"] + ["c"] * 7)
    perfect = np.where(labels[:, None] == np.array(["a", "b", "c"]), 0.8, 0.1)
    frames = []
    for arm, values in (("perfect", perfect), ("reversed", perfect[::-1])):
        facts = {"arm": arm, "split": "test", "seed": 0, "fold": 0, "unit_id": list("0123456789"), "label": labels}
        facts |= {f"p_{name}": values[:, k] for k, name in enumerate("abc")} | {"group_id": list("0123456789")}
        called = np.array(["a", "b", "c"])[values.argmax(axis=1)]
        facts |= {"call": called, "target": "t", "cohort": "c", "candidate": "default", "unit": "patient"}
        frames.append(pd.DataFrame(facts))
    evidence = compute_evidence(
        pd.concat(frames, ignore_index=True), bootstrap=200, primary={"arm": "perfect", "against": "reversed"}
    )
    found = evidence["arms"]["perfect"]["test"]
    for name, parts in (("macro_auc", [(2, 8), (1, 9), (7, 3)]), ("hand_till", [(2, 1), (2, 7), (1, 7)])):
        own = [newcombe_interval(1.0, *sizes).low for sizes in parts]
        assert (found[name]["estimate"], found[name]["high"]) == (1.0, 1.0)
        assert found[name]["low"] == pytest.approx(np.mean(own))
        assert found[name]["note"] == "only 1 group in the smallest class"
    # Wilson's lower limit of n of n is n / (n + z^2): of 2, 1 and 7 patients, squared and added.
    below = [1 - n / (n + 1.959964**2) for n in (2, 1, 7)]
    assert found["balanced_accuracy"]["low"] == pytest.approx(1 - np.hypot(np.hypot(*below[:2]), below[2]) / 3)
    contrast = next(entry for entry in evidence["comparisons"] if entry["primary"])
    other = evidence["arms"]["reversed"]["test"]["macro_auc"]
    assert contrast["p"] is None
    reach = np.hypot(1 - found["macro_auc"]["low"], other["high"] - other["estimate"])
    assert contrast["low"] == pytest.approx(contrast["difference"] - reach)


@pytest.mark.parametrize(("sizes", "apart"), [((2, 1, 7), 1.0), ((10, 4, 20), 2.0)])
def test_the_limits_of_a_macro_auc_hold_the_truth_where_a_class_is_small(sizes, apart) -> None:
    random, inside, drawn = np.random.default_rng(7), 0, 60
    labels = np.repeat(list("abc"), sizes)
    ids = [f"{place}" for place in range(len(labels))]
    # A class's normal score less two others' softly weighed has no closed form: the truth is that of many patients.
    truth = _macro_auc(np.repeat(list("abc"), 400 * np.array(sizes)), apart, random)
    for _ in range(drawn):
        scores = random.normal(size=(len(labels), 3)) + apart * (labels[:, None] == np.array(list("abc")))
        rows = pd.DataFrame({"label": labels, "group_id": ids, "seed": 0, "fold": 0})
        rows = rows.assign(**{f"p_{name}": softmax(scores, axis=1)[:, k] for k, name in enumerate("abc")})
        found = several_class_measures(rows, list("abc"), 0.95, 1)["macro_auc"]
        inside += found["low"] <= truth <= found["high"]
    assert inside / drawn > 0.93


def _macro_auc(labels, apart: float, random) -> float:
    scores = random.normal(size=(len(labels), 3)) + apart * (labels[:, None] == np.array(list("abc")))
    return float(macro_auc(labels, softmax(scores, axis=1), list("abc"), replicates=1).estimate)


def test_boxes_that_move_have_limits_alone() -> None:
    drawn = patients(made_predictions(("a",), seeds=(0,), folds=1, split="test"), 8)
    changed = drawn.assign(change="moved by 10 %", p_1=1 - drawn["p_1"])
    (entry,) = region_evidence(changed, drawn, positive="1", split="test")["a"]
    assert (entry["difference"]["p"], entry["difference"]["method"]) == (None, METHOD)


def test_the_gap_to_the_best_possible_is_as_wide_as_the_two_intervals_leave_it(tmp_path: Path) -> None:
    frame = patients(made_predictions(("new",), seeds=(0,), folds=1, split="test"), 9)
    truth = made_truth(tmp_path, frame)
    found = ideal_observer_evidence(frame, truth, {"new": ["bmode"]}, bootstrap=50)
    facts = found["arms"]["new"]["splits"]["test"]
    gap, arm, observer = (facts[name] for name in ("gap", "arm", "observer"))
    assert gap["estimate"] == pytest.approx(observer["estimate"] - arm["estimate"])
    below, above = observer["estimate"] - observer["low"], arm["high"] - arm["estimate"]
    assert gap["low"] == pytest.approx(gap["estimate"] - (below**2 + above**2) ** 0.5)
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    context = ReportContext("Made", compute_evidence(frame, bootstrap=10) | {"ideal_observer": found})
    (sentence,) = nearness_sentences(context)
    assert "nothing can be concluded from so few" in sentence
