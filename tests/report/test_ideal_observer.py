import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from isthmus.errors import InputError
from isthmus.report.evidence import compute_evidence
from isthmus.report.ideal_observer import ideal_observer_evidence, observer_of
from isthmus.statistics.roc import auc, auc_interval
from tests.report.made import made_predictions
from tests.report.made_truth import made_truth

MODALITIES = {"new": ["swe", "bmode"], "old": ["bmode"]}


@pytest.fixture(scope="module")
def both() -> pd.DataFrame:
    return pd.concat([made_predictions(), made_predictions(seeds=(0,), folds=1, split="test")], ignore_index=True)


def test_arm_and_observers_rank_the_same_units_by_the_same_estimator(tmp_path: Path, both) -> None:
    truth = made_truth(tmp_path, both)
    found = ideal_observer_evidence(both, truth, MODALITIES, bootstrap=60)
    evidence = compute_evidence(both, bootstrap=10)
    for arm in ("new", "old"):
        for split in ("cv", "test"):
            assert found["arms"][arm]["splits"][split]["arm"] == evidence["arms"][arm][split]["auc"]
    test = both[(both["split"] == "test") & (both["arm"] == "old")]
    p = truth.observer("bmode", test["unit_id"].tolist(), ["0", "1"])[:, 1]
    facts = found["arms"]["old"]["splits"]["test"]
    assert facts["observer"] == auc_interval(test["label"] == "1", p, test["group_id"]).as_dict()
    own, best = facts["arm"]["estimate"], facts["observer"]["estimate"]
    assert facts["gap"]["estimate"] == pytest.approx(best - own)
    assert facts["efficiency"]["estimate"] == pytest.approx((norm.ppf(own) / norm.ppf(best)) ** 2)
    folds = [
        auc(part["label"] == "1", truth.observer("latents", part["unit_id"].tolist(), ["1"])[:, 0])
        for _, part in both[(both["split"] == "cv") & (both["arm"] == "old")].groupby(["seed", "fold"])
    ]
    assert found["arms"]["old"]["splits"]["cv"]["latents"]["estimate"] == pytest.approx(np.mean(folds))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["population"]["bmode"]["standard_error"] == 0.0004


def test_modalities_name_their_observer_in_any_order(tmp_path: Path, both) -> None:
    truth = made_truth(tmp_path, both)
    assert observer_of(truth, ["swe", "bmode"]) == "bmode+swe"
    assert observer_of(truth, ["ceus"]) is None
    facts = ideal_observer_evidence(both, truth, {"new": ["ceus"]}, bootstrap=5)["arms"]["new"]
    assert facts["observer"] is None
    assert "gap" not in facts["splits"]["cv"]
    assert "no ideal observer" in facts["splits"]["cv"]["notes"][0]
    assert facts["splits"]["cv"]["latents"]["estimate"] > 0.5


def test_nodules_of_labelled_patients_are_known_by_their_patients(tmp_path: Path, both) -> None:
    by_patient = both.assign(unit_id="of-" + both["unit_id"], nodule_id=both["unit_id"])
    truth = replace(made_truth(tmp_path, by_patient), description={"observers": {}, "target": {"unit": "patient"}})
    nodules = by_patient.assign(unit_id=both["unit_id"], patient_id=by_patient["unit_id"])
    found = ideal_observer_evidence(nodules, truth, MODALITIES, bootstrap=5)
    expected = ideal_observer_evidence(by_patient.assign(unit="patient"), truth, MODALITIES, bootstrap=5)
    assert found["arms"]["old"]["splits"]["test"]["latents"] == expected["arms"]["old"]["splits"]["test"]["latents"]


def test_labels_made_wrong_on_purpose_are_counted(tmp_path: Path, both) -> None:
    found = ideal_observer_evidence(both, made_truth(tmp_path, both, flipped=3), MODALITIES, bootstrap=5)
    assert found["arms"]["old"]["splits"]["test"]["notes"][0].startswith("3 of 120 labels are wrong on purpose")


def test_several_classes_have_macro_and_one_vs_rest(tmp_path: Path) -> None:
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
    truth = made_truth(tmp_path, frame)
    facts = ideal_observer_evidence(frame, truth, {"m": ["bmode"]}, bootstrap=50)["arms"]["m"]["splits"]["test"]
    each = facts["one_vs_rest"]
    assert facts["measure"] == "macro_auc"
    for who in ("arm", "observer", "latents", "gap"):
        assert facts[who]["estimate"] == pytest.approx(np.mean([each[label][who]["estimate"] for label in "abc"]))
    assert facts["efficiency"]["estimate"] is None
    own, best = each["a"]["arm"]["estimate"], each["a"]["observer"]["estimate"]
    assert each["a"]["efficiency"]["estimate"] == pytest.approx((norm.ppf(own) / norm.ppf(best)) ** 2)


def test_views_are_no_units_of_an_ideal_observer(tmp_path: Path, both) -> None:
    with pytest.raises(InputError, match="not views"):
        ideal_observer_evidence(both.assign(unit="view"), made_truth(tmp_path, both), MODALITIES)


def test_a_part_with_one_class_only_has_no_gap_and_says_so(tmp_path: Path, both) -> None:
    rows = both[(both["split"] == "cv") | (both["label"] == "1")]
    facts = ideal_observer_evidence(rows, made_truth(tmp_path, both), MODALITIES, bootstrap=5)["arms"]["old"]
    assert facts["splits"]["test"]["gap"]["estimate"] is None
    assert facts["splits"]["test"]["gap"]["note"]


def test_what_must_be_known_of_an_observer_stands_in_the_notes_of_its_arm_alone(tmp_path: Path, both) -> None:
    truth = made_truth(tmp_path, both)
    found = ideal_observer_evidence(both, truth, MODALITIES, remarks={"new": "an upper bound", "old": ""}, bootstrap=5)
    assert [found["arms"][arm]["splits"]["test"]["notes"] for arm in ("new", "old")] == [["an upper bound"], []]
