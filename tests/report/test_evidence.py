import json

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.evidence import compute_evidence
from isthmus.statistics.multiclass import hand_till, macro_auc
from isthmus.statistics.roc import auc, auc_interval
from tests.report.made import made_frozen, made_predictions

MEASURES = ("auc", "sensitivity", "specificity", "ppv", "npv", "accuracy", "f1", "mcc", "balanced_accuracy", "brier",
            "calibration_slope", "calibration_intercept", "pooled_auc")  # fmt: skip


def evidence_of(frame: pd.DataFrame, **options: object) -> dict:
    return compute_evidence(frame, bootstrap=100, **options)


def test_every_measure_has_estimate_limits_level_and_method_and_is_plain_json() -> None:
    frame = made_predictions()
    evidence = evidence_of(frame, frozen=made_frozen(frame), level=0.9)
    facts = evidence["arms"]["new"]["cv"]
    for measure in MEASURES:
        entry = facts[measure]
        assert entry["low"] <= entry["estimate"] <= entry["high"], measure
        assert entry["level"] == 0.9
        assert entry["method"]
    assert evidence["format"] == "isthmus-evidence/1.0"
    assert json.loads(json.dumps(evidence, allow_nan=False)) == evidence


def test_the_cross_validated_auc_is_the_mean_of_folds_then_of_seeds() -> None:
    frame = made_predictions(("new",))
    facts = evidence_of(frame)["arms"]["new"]["cv"]
    folds = [auc(part["label"] == "1", part["p_1"]) for _, part in frame.groupby(["seed", "fold"])]
    assert facts["auc"]["estimate"] == pytest.approx(np.mean(folds))  # 3 folds a seed: mean of means is the mean
    assert [entry["auc"] for entry in facts["folds"]["auc"]] == pytest.approx(folds)
    by_seed = np.reshape(folds, (2, 3))
    assert facts["folds"]["fold_sd"] == pytest.approx(np.sqrt(by_seed.var(axis=1, ddof=1).mean()))
    assert facts["folds"]["seed_sd"] == pytest.approx(by_seed.mean(axis=1).std(ddof=1))


def test_one_model_gets_the_clustered_interval_and_no_folds() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test")
    facts = evidence_of(frame)["arms"]["new"]["test"]
    assert facts["auc"] == auc_interval(frame["label"] == "1", frame["p_1"], frame["group_id"]).as_dict()
    assert "folds" not in facts
    assert "pooled_auc" not in facts


def test_seeds_are_averaged_and_never_counted_as_patients() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    once = evidence_of(frame)["arms"]["new"]["cv"]
    twice = evidence_of(pd.concat([frame, frame.assign(seed=1)]))["arms"]["new"]["cv"]
    assert twice["n"] == once["n"] == 120
    assert twice["n_groups"] == 60
    assert twice["confusion"]["matrix"] == once["confusion"]["matrix"]
    for measure in ("auc", "sensitivity", "specificity", "accuracy", "brier"):
        # The same model twice says nothing new: estimates and limits stay.
        for part in ("estimate", "low", "high"):
            assert twice[measure][part] == pytest.approx(once[measure][part], abs=5e-3), (measure, part)


def test_calibrated_and_uncalibrated_probabilities_stand_side_by_side() -> None:
    frame = made_predictions(("new",))
    facts = evidence_of(frame, frozen=made_frozen(frame))["arms"]["new"]["cv"]
    # Slope 0.8 was applied, so the calibrated slope is the raw one divided by 0.8.
    raw = facts["calibration_slope_uncalibrated"]["estimate"]
    assert facts["calibration_slope"]["estimate"] == pytest.approx(raw / 0.8)
    assert evidence_of(frame)["arms"]["new"]["cv"].keys().isdisjoint({"brier_uncalibrated"})


def test_predictive_values_of_the_sample_are_marked_unless_cases_are_consecutive() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    selected = evidence_of(frame, sampling="selected", prevalences=(0.1,))["arms"]["new"]["cv"]
    assert "sample's prevalence of 0.60" in selected["ppv"]["note"]
    stated = selected["predictive_values"]["0.1"]
    sensitivity, specificity = (selected[name]["estimate"] for name in ("sensitivity", "specificity"))
    expected = 0.1 * sensitivity / (0.1 * sensitivity + 0.9 * (1 - specificity))  # Bayes' rule
    assert stated["ppv"]["estimate"] == pytest.approx(expected)
    consecutive = evidence_of(frame, sampling="consecutive")["arms"]["new"]["cv"]
    assert "note" not in consecutive["ppv"]
    assert "predictive_values" not in consecutive


def test_scores_have_no_calibration_and_no_calls() -> None:
    frame = made_predictions(("new",)).rename(columns={"p_1": "score"}).drop(columns="p_0")
    facts = evidence_of(frame)["arms"]["new"]["cv"]
    assert {"auc", "folds"} <= facts.keys()
    assert facts.keys().isdisjoint({"brier", "sensitivity", "confusion"})


def test_a_part_without_one_class_says_so_and_has_no_auc() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="external")
    evidence = evidence_of(frame[frame["label"] == "1"])
    facts = evidence["arms"]["new"]["external"]
    assert facts["auc"]["estimate"] is None
    assert "a class has no case" in facts["auc"]["note"]
    assert facts["specificity"]["estimate"] is None


def test_a_fold_without_one_class_leaves_no_auc_but_says_which_fold() -> None:
    frame = made_predictions(("new",), seeds=(0,))
    frame.loc[frame["label"] == "1", "fold"] = frame["fold"].clip(upper=1)
    frame.loc[frame["label"] == "0", "fold"] = 2
    entry = evidence_of(frame)["arms"]["new"]["cv"]["auc"]
    assert entry["estimate"] is None
    assert "fold 0 of seed 0" in entry["note"]


def test_three_classes_get_one_vs_rest_macro_and_hand_till_within_folds() -> None:
    random = np.random.default_rng(3)
    labels = np.repeat(["a", "b", "c"], 40)
    raw = random.random((120, 3)) + 0.5 * (labels[:, None] == np.array(["a", "b", "c"]))
    p = raw / raw.sum(axis=1, keepdims=True)
    frame = pd.DataFrame(
        {"arm": "m", "split": "test", "seed": 0, "fold": 0, "unit_id": [f"{i}" for i in range(120)], "label": labels}
        | {f"p_{name}": p[:, k] for k, name in enumerate("abc")}
        | {"group_id": [f"{i // 2}" for i in range(120)], "call": "", "target": "t", "cohort": "c"}
        | {"candidate": "default", "unit": "patient"}
    )
    evidence = compute_evidence(frame, bootstrap=200)
    facts = evidence["arms"]["m"]["test"]
    # With one fold the within-fold means are the plain ones of the statistics room.
    for name, plain in (("macro_auc", macro_auc), ("hand_till", hand_till)):
        expected = plain(labels, p, ["a", "b", "c"], frame["group_id"], replicates=200)
        assert facts[name]["estimate"] == pytest.approx(expected.estimate)
        assert facts[name]["low"] == pytest.approx(expected.low)
    assert set(facts["one_vs_rest"]) == {"a", "b", "c"}
    assert facts["accuracy"]["estimate"] == pytest.approx(np.mean(p.argmax(axis=1) == np.repeat([0, 1, 2], 40)))
    assert evidence["comparisons"] == []


def test_an_unknown_reference_arm_is_refused() -> None:
    with pytest.raises(InputError, match="no arm is called 'best'"):
        compute_evidence(made_predictions(), reference_arm="best")
    arm = made_predictions()["arm"].iloc[0]
    with pytest.raises(InputError, match=f"Next: did you mean '{arm}'"):
        compute_evidence(made_predictions(), reference_arm=f"{arm}x")


def test_progress_counts_arms_and_splits() -> None:
    seen = []
    compute_evidence(made_predictions(), bootstrap=10, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_the_arms_of_the_primary_contrast_stand_first() -> None:
    evidence = evidence_of(made_predictions(("a", "b", "c")), primary={"arm": "c", "against": "b"})
    assert list(evidence["arms"]) == ["c", "b", "a"]
