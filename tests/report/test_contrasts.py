import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.report.evidence import compute_evidence
from isthmus.statistics.interval import holm
from isthmus.statistics.multiclass import compare_several_classes
from isthmus.statistics.roc import compare_aucs, compare_unpaired_aucs
from tests.report.made import made_predictions


def compared(arms: tuple[str, ...], **options: object) -> list[dict]:
    return compute_evidence(made_predictions(arms), bootstrap=10, **options)["comparisons"]


def test_the_primary_contrast_is_first_marked_and_outside_holm() -> None:
    found = compared(("a", "b", "c"), primary={"arm": "c", "against": "a"})
    assert (found[0]["a"], found[0]["b"], found[0]["primary"]) == ("c", "a", True)
    assert found[0]["p_holm"] is None
    others = [entry for entry in found if entry["measure"] == "auc" and not entry["primary"]]
    assert {(entry["a"], entry["b"]) for entry in others} == {("a", "b"), ("b", "c")}
    assert [entry["p_holm"] for entry in others] == pytest.approx(list(holm([entry["p"] for entry in others])))


def test_with_a_reference_arm_the_others_are_compared_with_it_alone() -> None:
    found = compared(("a", "b", "c"), reference_arm="b")
    assert {(entry["a"], entry["b"]) for entry in found} == {("a", "b"), ("c", "b")}
    assert {entry["measure"] for entry in found} == {"auc", "sensitivity", "specificity", "accuracy"}


def test_without_one_all_pairs_are_compared_by_auc_alone() -> None:
    found = compared(("a", "b", "c"))
    assert len(found) == 3
    assert {entry["measure"] for entry in found} == {"auc"}


def test_a_difference_is_that_of_the_two_aucs() -> None:
    evidence = compute_evidence(made_predictions(), bootstrap=10)
    (entry,) = evidence["comparisons"]
    a, b = (evidence["arms"][arm]["cv"]["auc"]["estimate"] for arm in ("new", "old"))
    assert entry["difference"] == pytest.approx(a - b)


def test_one_model_each_is_compared_as_delong_does() -> None:
    frame = made_predictions(seeds=(0,), folds=1, split="test")
    (entry,) = compute_evidence(frame, bootstrap=10)["comparisons"]
    new, old = (frame[frame["arm"] == arm] for arm in ("new", "old"))
    expected = compare_aucs(new["label"] == "1", new["p_1"], old["p_1"], new["group_id"])
    assert entry["p"] == pytest.approx(expected.p)


def test_only_shared_units_are_compared_and_the_rest_is_said() -> None:
    frame = made_predictions(seeds=(0,), folds=1, split="test")
    lacking = frame[~((frame["arm"] == "old") & (frame["unit_id"] < "n010"))]
    (entry,) = compute_evidence(lacking, bootstrap=10)["comparisons"]
    assert entry["n"] == 110
    assert "110 shared units; 10 are in one arm only" in entry["note"]


def test_arms_with_other_folds_are_compared_each_over_its_own_and_it_is_said() -> None:
    frame = made_predictions(seeds=(0,))
    groups = sorted(set(frame["group_id"]))
    dealt = {group: place % 3 for place, group in enumerate(groups)}
    frame.loc[frame["arm"] == "old", "fold"] = frame["group_id"].map(dealt)
    evidence = compute_evidence(frame, bootstrap=10)
    (entry,) = evidence["comparisons"]
    new, old = (frame[frame["arm"] == arm].sort_values("unit_id") for arm in ("new", "old"))
    expected = [
        np.mean([roc_auc_score(rows["label"] == "1", rows["p_1"]) for _, rows in one.groupby("fold")])
        for one in (new, old)
    ]
    assert entry["difference"] == pytest.approx(expected[0] - expected[1])
    assert "cross-validated over other folds" in entry["note"]


def test_arms_with_other_seeds_are_compared_on_the_common_ones_and_it_is_said() -> None:
    frame = made_predictions(seeds=(0, 1))
    one = frame[(frame["arm"] == "new") | (frame["seed"] == 0)]
    (entry,) = compute_evidence(one, bootstrap=10)["comparisons"]
    (alone,) = compute_evidence(frame[frame["seed"] == 0], bootstrap=10)["comparisons"]
    assert (entry["difference"], entry["p"]) == (alone["difference"], alone["p"])
    assert entry["note"].endswith("on seed 0 alone, which both have")


def test_arms_without_a_common_seed_are_not_compared_and_it_is_said() -> None:
    frame = made_predictions(seeds=(0,))
    frame.loc[frame["arm"] == "old", "seed"] = 1
    evidence = compute_evidence(frame, bootstrap=10)
    assert evidence["comparisons"] == []
    assert "share no unit in the same seed" in evidence["notes"][0]


def test_with_fewer_than_ten_groups_in_a_class_there_is_no_test_and_limits_are_those_of_both_intervals() -> None:
    predictions = made_predictions(("a", "b"))
    predictions = predictions[predictions["seed"] == predictions["seed"].min()].assign(split="test", fold=0, seed=0)
    kept = predictions.groupby("label")["group_id"].transform(lambda ids: ids.isin(sorted(set(ids))[:6]))
    evidence = compute_evidence(predictions[kept], bootstrap=10, primary={"arm": "a", "against": "b"})
    entry = evidence["comparisons"][0]
    first, second = (evidence["arms"][arm][entry["split"]]["auc"] for arm in ("a", "b"))
    assert entry["p"] is None
    assert "only 6 groups with a positive case" in entry["note"]
    below, above = first["estimate"] - first["low"], second["high"] - second["estimate"]
    assert entry["low"] == pytest.approx(entry["difference"] - np.hypot(below, above))


def test_identical_arms_differ_by_nothing() -> None:
    frame = made_predictions(("a",), seeds=(0,), folds=1, split="test")
    twin = frame.assign(arm="b")
    (entry,) = compute_evidence(pd.concat([frame, twin]), bootstrap=10)["comparisons"]
    assert (entry["difference"], entry["p"]) == (0.0, 1.0)


def three_classes(arms: tuple[str, ...], **columns: object) -> pd.DataFrame:
    random = np.random.default_rng(3)
    labels = np.repeat(["a", "b", "c"], 40)
    frames = []
    for place, arm in enumerate(arms):
        raw = random.random((120, 3)) + 0.3 * (place + 1) * (labels[:, None] == np.array(["a", "b", "c"]))
        p = raw / raw.sum(axis=1, keepdims=True)
        facts = {"arm": arm, "split": "test", "seed": 0, "fold": 0, "unit_id": [f"{i:03d}" for i in range(120)]}
        facts |= {"label": labels, "group_id": [f"{i // 2:03d}" for i in range(120)], "call": "", "target": "t"}
        facts |= {f"p_{name}": p[:, k] for k, name in enumerate("abc")}
        frames.append(pd.DataFrame(facts | {"cohort": "c", "candidate": "default", "unit": "patient"} | columns))
    return pd.concat(frames, ignore_index=True)


def test_arms_of_several_classes_are_compared_by_paired_resampling_with_holm() -> None:
    frame = three_classes(("weak", "middle", "strong"))
    evidence = compute_evidence(frame, bootstrap=200, primary={"arm": "strong", "against": "weak"})
    found = evidence["comparisons"]
    assert (found[0]["a"], found[0]["measure"], found[0]["primary"], found[0]["p_holm"]) == (
        "strong", "macro_auc", True, None,
    )  # fmt: skip
    assert {entry["measure"] for entry in found} == {"macro_auc", "hand_till", "accuracy"}
    of = {arm: frame[frame["arm"] == arm] for arm in ("strong", "weak")}
    probabilities = [of[arm][["p_a", "p_b", "p_c"]].to_numpy() for arm in ("strong", "weak")]
    expected = compare_several_classes(
        of["weak"]["label"], *probabilities, list("abc"), of["weak"]["group_id"], replicates=200
    )
    assert found[0]["p"] == pytest.approx(expected["macro_auc"].p)
    hand_till = next(e for e in found if e["measure"] == "hand_till" and (e["a"], e["b"]) == ("strong", "weak"))
    assert hand_till["difference"] == pytest.approx(expected["hand_till"].difference.estimate)
    others = [entry for entry in found if entry["measure"] == "macro_auc" and not entry["primary"]]
    assert [entry["p_holm"] for entry in others] == pytest.approx(list(holm([entry["p"] for entry in others])))


def test_several_classes_are_compared_within_folds_and_a_fold_without_one_is_named() -> None:
    frame = three_classes(("weak", "strong"), split="cv", fold=[i // 2 % 4 for i in range(120)])
    (macro, _) = compute_evidence(frame, bootstrap=50)["comparisons"]
    arms = compute_evidence(frame, bootstrap=50)["arms"]
    difference = arms["weak"]["cv"]["macro_auc"]["estimate"] - arms["strong"]["cv"]["macro_auc"]["estimate"]
    assert macro["difference"] == pytest.approx(difference)
    lacking = frame.assign(fold=np.tile(np.where(np.arange(120) < 40, 0, np.arange(120) % 2), 2))
    evidence = compute_evidence(lacking, bootstrap=50)
    (entry,) = evidence["comparisons"]
    assert entry["difference"] is None
    assert "fold 1 of seed 0 holds no shared case of class a" in entry["note"]
    assert (
        "1 of the folds lack a class: their mean does not exist" in evidence["arms"]["weak"]["cv"]["macro_auc"]["note"]
    )


def test_one_score_cannot_rank_several_classes_and_it_is_said() -> None:
    frame = three_classes(("weak", "strong")).rename(columns={"p_a": "score"}).drop(columns=["p_b", "p_c"])
    evidence = compute_evidence(frame, bootstrap=10)
    assert evidence["comparisons"] == []
    assert "one score cannot rank several classes" in evidence["notes"][0]


def test_arms_that_share_no_unit_are_compared_as_apart_and_it_is_said() -> None:
    frame = made_predictions(seeds=(0,), folds=1, split="test")
    half = frame["unit_id"] < "n060"
    apart = frame[(half & (frame["arm"] == "new")) | (~half & (frame["arm"] == "old"))]
    (entry,) = compute_evidence(apart, bootstrap=10)["comparisons"]
    new, old = (apart[apart["arm"] == arm] for arm in ("new", "old"))
    expected = compare_unpaired_aucs(
        new["label"] == "1", new["p_1"], old["label"] == "1", old["p_1"], new["group_id"], old["group_id"]
    )
    assert entry["p"] == pytest.approx(expected.p)
    assert "no shared unit: 60 units against 60 others" in entry["note"]
