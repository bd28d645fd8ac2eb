"""The decision curves subject: pooling, pairs, prevalence, what is said and what is not drawn."""

import json

import numpy as np
import pandas as pd
import pytest

from isthmus.report.analysis_table import analysis_table
from isthmus.report.decision_curve_runs import best_runs, shown_at
from isthmus.report.decision_curves import decision_curve_evidence, useful_range
from isthmus.report.page_decision_curves import SUBJECT
from isthmus.report.subject import Shown, Study
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.decision_curve import net_benefit
from tests.report.made import made_context, made_frozen, made_predictions


def computed(frame: pd.DataFrame, frozen: dict | None = None, **options: object) -> dict:
    study = Study(bootstrap=100, **options)  # type: ignore[arg-type]
    found = decision_curve_evidence(analysis_table(frame, frozen=frozen), study, {})
    json.dumps(found, allow_nan=False)
    return found


def shown(frame: pd.DataFrame, found: dict, **facts: object) -> Shown | None:
    arms = {arm: {split: {} for split in set(frame["split"])} for arm in dict.fromkeys(frame["arm"])}
    evidence = {"arms": arms, "classes": ["0", "1"], "positive": "1", "target": "malignant", "unit": "nodule",
                "level": 0.95, "sampling": "unknown", "reference": "surgery", "decision_curves": found}  # fmt: skip
    return SUBJECT.show(made_context(evidence={**evidence, **facts}, arms={}))


def one_split(arms: tuple[str, ...] = ("new", "old"), split: str = "test") -> pd.DataFrame:
    return made_predictions(arms, seeds=(0,), folds=1, split=split)


def values(frame: pd.DataFrame, arm: str) -> tuple[np.ndarray, np.ndarray]:
    rows = frame[frame["arm"] == arm]
    return (rows["label"] == "1").to_numpy(), rows["p_1"].to_numpy()


def test_curves_are_those_of_the_probabilities_at_the_samples_prevalence() -> None:
    frame = one_split()
    (curves,) = computed(frame)["splits"]["test"]
    assert curves["prevalence"] == 0.6
    assert curves["thresholds"][-1] == 0.8
    expected = net_benefit(*values(frame, "old"), curves["thresholds"])
    assert curves["arms"]["old"]["net_benefit"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert [(entry["a"], entry["b"], entry["n"]) for entry in curves["differences"]] == [("new", "old", 120)]
    assert not curves["arms"]["old"]["calibrated"]


def test_cross_validated_probabilities_are_calibrated_pooled_and_averaged_over_seeds() -> None:
    frame = made_predictions()
    (curves,) = computed(frame, made_frozen(frame))["splits"]["cv"]
    calibration = LogisticCalibration(0.1, 0.8)
    by_seed = []
    for seed in (0, 1):
        truth, p = values(frame[frame["seed"] == seed], "new")
        by_seed.append(net_benefit(truth, calibration.apply(p), curves["thresholds"]))
    assert curves["arms"]["new"]["net_benefit"] == pytest.approx(np.mean(by_seed, axis=0).tolist(), abs=1e-6)
    assert curves["arms"]["new"]["calibrated"]
    assert curves["arms"]["new"]["n"] == 120


def test_case_control_samples_are_taken_to_stated_prevalences() -> None:
    frame = one_split()
    curves = computed(frame, sampling="case_control", prevalences=(0.05, 0.2))["splits"]["test"]
    assert [entry["prevalence"] for entry in curves] == [0.05, 0.2]
    truth, p = values(frame, "new")
    odds = p / (1 - p) * (0.05 / 0.95) / (0.6 / 0.4)
    expected = net_benefit(truth, odds / (1 + odds), curves[0]["thresholds"], prevalence=0.05)
    assert curves[0]["arms"]["new"]["net_benefit"] == pytest.approx(expected.tolist(), abs=1e-6)
    section = shown(frame, {"splits": {"test": curves}}, sampling="case_control")
    assert section is not None
    assert "chosen by their label (case-control)" in section.sentences[-1]


def test_arms_on_other_units_are_compared_on_those_they_share() -> None:
    frame = one_split()
    lacking = frame[~((frame["arm"] == "old") & (frame["unit_id"] < "n030"))]
    (curves,) = computed(lacking)["splits"]["test"]
    assert (curves["arms"]["new"]["n"], curves["arms"]["old"]["n"]) == (120, 90)
    (entry,) = curves["differences"]
    assert entry["n"] == 90
    shared = frame[frame["unit_id"] >= "n030"]
    a, b = (net_benefit(*values(shared, arm), curves["thresholds"]) for arm in ("new", "old"))
    assert entry["difference"] == pytest.approx((a - b).tolist(), abs=1e-6)


def test_the_named_contrast_leads_and_many_arms_are_not_all_paired() -> None:
    frame = one_split(("a", "b", "c", "d", "e"))
    assert computed(frame)["splits"]["test"][0]["differences"] == []
    found = computed(frame, primary={"arm": "c", "against": "a"}, reference_arm="b")["splits"]["test"][0]
    section = shown(frame, computed(frame))
    assert section is not None
    assert "no reference arm or contrast was named" in " ".join(section.sentences)
    pairs = [(entry["a"], entry["b"]) for entry in found["differences"]]
    assert pairs == [("c", "a"), ("a", "b"), ("c", "b"), ("d", "b"), ("e", "b")]


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        ({}, {"reference": "tirads"}, "TI-RADS grade"),
        ({"score": 3.0}, {}, "these scores are none"),
        ({"label": "1"}, {}, "no split has cases of both classes"),
    ],
)
def test_where_none_is_drawn_it_says_why(change: dict, options: dict, reason: str) -> None:
    frame = one_split()
    if "score" in change:
        frame = frame.drop(columns=["p_0", "p_1"])
    frame = frame.assign(**change)
    found = computed(frame, **options)
    assert "splits" not in found
    section = shown(frame, found)
    assert section is not None
    assert reason in section.sentences[0]
    assert section.figures == ()
    assert all(table.empty for table in SUBJECT.frames({"decision_curves": found}).values())


def test_a_split_of_one_class_is_left_out_and_several_classes_are() -> None:
    frame = one_split()
    lone = frame[frame["label"] == "0"].assign(split="external", unit_id="x" + frame["unit_id"])
    found = computed(pd.concat([frame, lone]))
    assert list(found["splits"]) == ["test"]
    assert found["notes"] == ["external: a class has no case"]
    several = frame.assign(label=np.arange(len(frame)) % 3, p_2=0.0).astype({"label": str})
    assert shown(several, computed(several)) is None


def test_the_section_says_who_does_best_and_what_is_shown() -> None:
    frame = one_split()
    truth, _ = values(frame, "new")
    sure = np.where(truth, 0.95, 0.05)
    frame.loc[frame["arm"] == "new", "p_1"] = sure
    frame["p_0"] = 1 - frame["p_1"]
    found = computed(frame, reference_arm="old")
    section = shown(frame, found)
    assert section is not None
    text = " ".join(section.sentences)
    assert "the highest net benefit is that of" in text
    assert "new from 0.06 to 0.80" in text
    assert "new more than old at" in text
    assert "not known to be that of any clinic" in text
    benefit, avoided, difference = section.tables
    assert benefit.columns == ["at 0.05", "at 0.10", "at 0.20", "at 0.30", "at 0.50"]
    assert [row.name for row in benefit.rows] == ["new", "old", "Biopsying everybody"]
    assert benefit.rows[0].cells[2].main == "0.600"
    assert avoided.rows[0].cells[4].main == "40"
    assert difference.rows[0].name == "new − old"
    table = SUBJECT.frames({"decision_curves": found})
    assert len(table["decision_curves"]) == 2 * 80
    assert set(table["decision_curve_differences"]["a"]) == {"new"}
    assert table["decision_curves"]["standardised"].iloc[20] == pytest.approx(1.0)


def test_models_that_are_alike_are_shown_to_differ_nowhere() -> None:
    frame = one_split()
    frame.loc[frame["arm"] == "old", "p_1"] = frame.loc[frame["arm"] == "new", "p_1"].to_numpy()
    section = shown(frame, computed(frame))
    assert section is not None
    assert "Between new and old no difference is shown" in " ".join(section.sentences)
    assert section.tables[-1].rows[0].cells[0].small.endswith("*")


def test_another_target_speaks_of_acting() -> None:
    frame = one_split()
    section = shown(frame, computed(frame), target="olnm")
    assert section is not None
    text = " ".join([*section.sentences, *(table.caption for table in section.tables), *section.notes])
    assert "biops" not in text
    assert "cancer" not in text


def test_runs_prefer_the_simpler_rule_and_few_groups_show_nothing() -> None:
    arms = {"m": {"net_benefit": [0.3, 0.2, 0.0]}}
    curves = {"thresholds": [0.01, 0.02, 0.03], "treat_all": [0.3, 0.1, -0.1], "arms": arms}
    assert best_runs(curves) == [(0.01, 0.01, "all"), (0.02, 0.02, "m"), (0.03, 0.03, "none")]
    entry = {"low": [0.1, 0.1, None, -0.1], "high": [0.2, 0.2, None, -0.01], "groups": [5, 4, 20, 20]}
    assert shown_at(entry, [0, 1, 2, 3], "low") == [0]
    assert shown_at(entry, [0, 1, 2, 3], "high") == [3]


def test_the_range_is_that_of_clinics() -> None:
    assert useful_range(0.05)[[0, -1]].tolist() == [0.01, 0.5]
    assert useful_range(0.95)[-1] == 0.99


@pytest.mark.parametrize("arms", [("new", "old"), ("a", "b", "c", "d", "e")])
def test_the_figure_is_one_panel_for_few_arms_and_small_multiples_for_many(arms: tuple[str, ...]) -> None:
    frame = one_split(arms)
    found = computed(frame)
    evidence = {"arms": {arm: {"test": {}} for arm in arms}, "level": 0.95, "target": "malignant",
                "reference": "surgery", "decision_curves": found}  # fmt: skip
    figure, title, spoken = SUBJECT.paint(made_context(evidence=evidence, arms={}), None)["decision_curves"]()
    assert sum(axis.get_visible() for axis in figure.axes) == (2 if len(arms) == 2 else 5)
    assert "at a prevalence of 60\u202f%" in title
    assert "highest net benefit" in spoken
