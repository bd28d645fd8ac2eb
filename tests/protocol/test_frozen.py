"""Choices are made before a test or external set is seen, and the lock holds."""

import numpy as np
import pandas as pd
import pytest

from isthmus.errors import FrozenError
from isthmus.files import read_json, write_json
from isthmus.protocol.frozen import Lock, calls, choose_operating_point, freeze

CLASSES = ["0", "1"]


def table(seed: int = 0, groups: int = 120, folds: int = 2) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for split, fold in [(split, fold) for split in ("tune", "cv") for fold in range(folds)]:
        positive = generator.random(groups) < 0.4
        score = np.clip(0.5 + 0.15 * positive + generator.normal(0, 0.15, groups), 0.01, 0.99)
        rows.append(
            pd.DataFrame(
                {
                    "target": "t", "cohort": "c", "arm": "a", "candidate": "n", "split": split, "seed": 0, "fold": fold,
                    "unit_id": [f"{fold}-{split}-{index}" for index in range(groups)],
                    "group_id": [f"{fold}-{split}-{index}" for index in range(groups)],
                    "label": np.where(positive, "1", "0"), "p_0": 1 - score, "p_1": score,
                }
            )
        )  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def test_a_small_class_chooses_no_slope_and_the_prevalence_as_threshold():
    positive = np.array([True] * 19 + [False] * 57)
    probabilities = np.linspace(0.1, 0.9, 76)
    point = choose_operating_point(positive, probabilities, np.arange(76))
    assert point.calibration.slope == 1
    assert point.threshold == pytest.approx(19 / 76)
    # Calibration-in-the-large: an intercept alone makes the mean probability the share of positives.
    assert point.calibration.apply(probabilities).mean() == pytest.approx(19 / 76)
    assert "19 groups" in point.rule


def test_groups_not_rows_decide_how_much_may_be_fitted():
    positive = np.array([True] * 40 + [False] * 40)
    probabilities = np.linspace(0.1, 0.9, 80)
    assert choose_operating_point(positive, probabilities, np.arange(80) // 4).calibration.slope == 1
    assert choose_operating_point(positive, probabilities[::-1], np.arange(80)).groups == 40


def test_each_fold_calls_its_own_held_out_rows_and_tuning_rows_are_not_called():
    predictions = table()
    frozen = freeze(predictions, CLASSES, "youden", {})
    frozen["arms"]["a"]["folds"]["0/0"]["threshold"] = 0.0  # fold 0 now calls everybody, fold 1 as before
    called = calls(predictions, CLASSES, frozen)
    assert called[predictions["split"] == "tune"].isna().all()
    assert (called[(predictions["split"] == "cv") & (predictions["fold"] == 0)] == "1").all()
    assert set(called[(predictions["split"] == "cv") & (predictions["fold"] == 1)]) == {"0", "1"}


def test_held_out_labels_of_a_fold_do_not_touch_its_own_calls():
    predictions = table()
    before = calls(predictions, CLASSES, freeze(predictions, CLASSES, "youden", {}))
    held_out = (predictions["split"] == "cv") & (predictions["fold"] == 0)
    shuffled = predictions.copy()
    shuffled.loc[held_out, "label"] = shuffled.loc[held_out, "label"].to_numpy()[::-1]
    after = calls(shuffled, CLASSES, freeze(shuffled, CLASSES, "youden", {}))
    assert before[held_out].equals(after[held_out])


def test_no_set_is_opened_before_the_choices_are_frozen(tmp_path):
    with pytest.raises(FrozenError, match="may not be predicted before"):
        Lock(tmp_path).open("test", "c", ["a"])


def test_openings_are_counted(tmp_path):
    lock = Lock(tmp_path)
    lock.freeze(freeze(table(), CLASSES, "youden", {}))
    lock.open("external", "b", ["a"])
    lock.open("external", "b", ["a"])
    assert [opening["cohort"] for opening in lock.openings()] == ["b", "b"]


def test_choices_may_not_change_after_an_opening(tmp_path):
    lock = Lock(tmp_path)
    lock.freeze(freeze(table(), CLASSES, "youden", {}))
    lock.freeze(freeze(table(1), CLASSES, "youden", {}))  # nothing was opened yet
    lock.open("test", "c", ["a"])
    with pytest.raises(FrozenError, match="have changed since"):
        lock.freeze(freeze(table(2), CLASSES, "youden", {}))


def test_an_altered_frozen_file_is_noticed(tmp_path):
    lock = Lock(tmp_path)
    lock.freeze(freeze(table(), CLASSES, "youden", {}))
    lock.open("test", "c", ["a"])
    content = read_json(tmp_path / "frozen.json")
    content["arms"]["a"]["threshold"] = 0.123
    write_json(tmp_path / "frozen.json", content)
    with pytest.raises(FrozenError, match="was altered"):
        lock.open("external", "b", ["a"])


def test_an_arm_may_be_added_after_an_opening_and_the_others_stay_locked(tmp_path):
    lock = Lock(tmp_path)
    one, other = table(), table(1).assign(arm="b")
    lock.freeze(freeze(one, CLASSES, "youden", {}))
    lock.open("test", "c", ["a"])
    lock.freeze(freeze(pd.concat([one, other], ignore_index=True), CLASSES, "youden", {}))
    lock.open("test", "c", ["b"])
    assert [opening["arms"] for opening in lock.openings()] == [["a"], ["b"]]
    with pytest.raises(FrozenError, match="have changed since"):
        lock.freeze(freeze(pd.concat([table(2), other], ignore_index=True), CLASSES, "youden", {}))
    with pytest.raises(FrozenError, match="have changed since"):
        lock.freeze(freeze(other, CLASSES, "youden", {}))


def test_an_older_log_that_names_no_arms_is_read_and_learns_them(tmp_path):
    lock = Lock(tmp_path)
    one = table()
    lock.freeze(freeze(one, CLASSES, "youden", {}))
    lock.open("test", "c", ["a"])
    log = read_json(tmp_path / "openings.json")
    del log["openings"][0]["arms"]
    write_json(tmp_path / "openings.json", log)
    assert [opening["arms"] for opening in lock.openings()] == [["a"]]
    both = pd.concat([one, table(1).assign(arm="b")], ignore_index=True)
    lock.freeze(freeze(both, CLASSES, "youden", {}))
    lock.open("test", "c", ["b"])
    assert [opening["arms"] for opening in read_json(tmp_path / "openings.json")["openings"]] == [["a"], ["b"]]
