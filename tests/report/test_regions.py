import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score  # the independent AUC

from isthmus.report.regions import region_evidence, region_sources

RANDOM = np.random.default_rng(4)
UNITS = [f"n{number}" for number in range(40)]
LABELS = np.array(["0", "1"] * 20)


def _rows(scores, *, call=None):
    calls = np.where(scores >= 0.5, "1", "0") if call is None else call
    return pd.DataFrame(
        {
            "arm": "a", "split": "cv", "seed": 0, "fold": np.arange(40) // 20, "unit_id": UNITS, "group_id": UNITS,
            "label": LABELS, "p_0": 1 - scores, "p_1": scores, "call": calls,
        }
    )  # fmt: skip


DRAWN = np.clip(0.35 + 0.3 * (LABELS == "1") + 0.2 * RANDOM.normal(size=40), 0.01, 0.99)
MOVED = np.clip(DRAWN + 0.15 * RANDOM.normal(size=40), 0.01, 0.99)


def test_the_auc_under_moved_boxes_is_the_mean_of_the_folds_and_its_difference_is_from_the_boxes_as_drawn():
    found = region_evidence(_rows(MOVED).assign(change="moved by 10 %"), _rows(DRAWN), positive="1")
    (entry,) = found["a"]
    expected = {
        name: np.mean([roc_auc_score(LABELS[part] == "1", scores[part]) for part in (slice(0, 20), slice(20, 40))])
        for name, scores in (("moved", MOVED), ("drawn", DRAWN))
    }
    assert entry["auc"]["estimate"] == pytest.approx(expected["moved"])
    assert entry["difference"]["difference"] == pytest.approx(expected["moved"] - expected["drawn"])


def test_one_model_on_an_external_set_is_ranked_over_all_of_it():
    changed, drawn = (_rows(scores).assign(split="external", fold=0) for scores in (MOVED, DRAWN))
    (entry,) = region_evidence(changed.assign(change="x"), drawn, positive="1", split="external")["a"]
    expected = roc_auc_score(LABELS == "1", MOVED), roc_auc_score(LABELS == "1", DRAWN)
    assert entry["auc"]["estimate"] == pytest.approx(expected[0])
    assert entry["difference"]["difference"] == pytest.approx(expected[0] - expected[1])


def test_flips_are_counted_against_the_calls_of_the_boxes_as_drawn():
    calls = _rows(DRAWN)["call"].to_numpy()
    changed = calls.copy()
    changed[:7] = np.where(calls[:7] == "1", "0", "1")
    found = region_evidence(_rows(DRAWN, call=changed).assign(change="x"), _rows(DRAWN), positive="1")
    assert found["a"][0]["flips"]["estimate"] == pytest.approx(7 / 40)
    # R 4.2: prop.test(7, 40, correct = FALSE)$conf.int
    assert found["a"][0]["flips"]["low"] == pytest.approx(0.0874, abs=1e-3)
    assert found["a"][0]["flips"]["high"] == pytest.approx(0.3195, abs=1e-3)


def test_a_fold_without_a_class_leaves_out_the_auc_and_keeps_the_flips():
    drawn = _rows(DRAWN)
    drawn["fold"] = np.where(LABELS == "1", 0, 1)
    (entry,) = region_evidence(_rows(MOVED).assign(change="x"), drawn, positive="1")["a"]
    assert "auc" not in entry
    assert entry["flips"]["estimate"] is not None


def test_no_lesion_crop_no_table():
    assert region_evidence(pd.DataFrame(), _rows(DRAWN), positive="1") == {}


def test_where_regions_come_from_is_told_class_by_class():
    views = pd.DataFrame(
        {
            "view_id": list("abcde"), "label": ["0", "0", "0", "1", "1"], "group_id": list("abcde"),
            "region_source": ["drawn", "proposed", "drawn", "proposed", None],
        }
    )  # fmt: skip
    found = {
        (row["class"], row["source"]): row["views"] for row in region_sources(views, {"0": "benign", "1": "cancer"})
    }
    assert found[("benign", "drawn")] == 2
    assert found[("benign", "proposed")] == 1
    assert found[("cancer", "drawn")] == 0
    assert found[("cancer", "not stated")] == 1
