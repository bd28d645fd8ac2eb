"""Shapley values of fused heads: linear ones against their weights, others against all coalitions and against shap."""

from dataclasses import replace
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

from isthmus.errors import InputError
from isthmus.explain import fused_attribution
from isthmus.explain.fused_attribution import attribute, attribute_from_average, mean_by_member, summarise_members
from isthmus.models.fused import FusedHead
from isthmus.models.fused_classifier import FittedClassifier
from isthmus.models.mean_head import MeanHead
from isthmus.statistics.calibration import safe_logit

COLUMNS = ("image:0", "image:1", "ceus:0", "ceus:1", "clinical:age_years")
RANDOM = np.random.default_rng(7)
TRAINED = RANDOM.normal(0, 1, (40, 5))
CASES = RANDOM.normal(0, 1, (6, 5))


class Linear:
    """An estimator whose log odds are a weighted sum."""

    def __init__(self, weights: list[float], intercept: float = 0.3) -> None:
        self.weights, self.intercept = np.array(weights), intercept

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        return features @ self.weights + self.intercept


class Curved:
    """Two features in a product, a third squared: interactions of two."""

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        return 0.8 * features[:, 0] * features[:, 1] + 0.5 * features[:, 2] ** 2 - 0.7 * features[:, 3]


def head(model: Any, selected: tuple[int, ...] = (0, 1, 2, 3, 4), rotation: np.ndarray | None = None) -> FusedHead:
    return FusedHead(
        columns=COLUMNS,
        indicators=(),
        where_absent="mean",
        means=TRAINED.mean(axis=0),
        deviations=TRAINED.std(axis=0),
        kept=np.arange(5),
        rotation=rotation,
        selected=np.array(selected),
        classifier=FittedClassifier("made", model),
    )


def all_coalitions(one: FusedHead, case: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Shapley's formula, every coalition of the five features counted."""
    count = len(COLUMNS)

    def worth(members: tuple[int, ...]) -> float:
        mixed = background.copy()
        mixed[:, list(members)] = case[list(members)]
        return float(safe_logit(one.probabilities(mixed)).mean())

    found = np.zeros(count)
    for player in range(count):
        others = [place for place in range(count) if place != player]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for coalition in combinations(others, size):
                found[player] += weight * (worth((*coalition, player)) - worth(coalition))
    return found


def test_of_a_linear_head_they_are_the_weight_times_the_distance_from_the_mean() -> None:
    weights = [0.5, -1.0, 0.2, 0.0, 0.4]
    found = attribute(head(Linear(weights)), CASES, TRAINED)
    mean, deviation = TRAINED.mean(axis=0), TRAINED.std(axis=0)
    np.testing.assert_allclose(found.values, np.array(weights) * (CASES - mean) / deviation, atol=1e-9)
    assert found.names == COLUMNS
    assert found.base == pytest.approx(0.3)


def test_through_principal_components_a_linear_head_is_still_that() -> None:
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0][:3]
    weights = np.array([0.5, -0.6])
    found = attribute(head(Linear(weights.tolist()), (0, 2), rotation), CASES, TRAINED)
    together = weights @ rotation[[0, 2]]
    expected = together * (CASES - TRAINED.mean(axis=0)) / TRAINED.std(axis=0)
    np.testing.assert_allclose(found.values, expected, atol=1e-9)


def test_with_interactions_of_two_they_are_shapley_s_formula_over_all_coalitions() -> None:
    one = head(Curved())
    found = attribute(one, CASES[:2], TRAINED).values
    for case, values in zip(CASES, found, strict=False):
        np.testing.assert_allclose(values, all_coalitions(one, case, TRAINED), atol=1e-9)
    # shap 0.51.0: explainers.Exact(log odds, maskers.Independent(TRAINED, max_samples=100))(CASES).values[0]
    np.testing.assert_allclose(found[0], [-0.40755706, -0.40755706, -0.27164985, -0.78225687, 0.0], atol=1e-8)


def test_with_interactions_of_three_they_are_near_it() -> None:
    class Triple:
        def decision_function(self, features: np.ndarray) -> np.ndarray:
            return np.tanh(features[:, 0] * features[:, 2] * features[:, 4]) + features[:, 1]

    one = head(Triple())
    found, expected = attribute(one, CASES[:1], TRAINED).values[0], all_coalitions(one, CASES[0], TRAINED)
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_they_add_up_to_the_score_and_to_their_members() -> None:
    found = attribute(head(Curved()), CASES, TRAINED)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base, found.log_odds, atol=1e-9)
    members = found.by_member()
    assert list(members) == ["image", "ceus", "clinical"]
    np.testing.assert_allclose(members["ceus"], found.values[:, 2:4].sum(axis=1))
    np.testing.assert_array_equal(members["clinical"], 0.0)


def test_from_the_average_case_a_linear_head_gives_what_all_its_own_cases_give() -> None:
    one = head(Linear([0.5, -1.0, 0.2, 0.0, 0.4]))
    found, known = attribute_from_average(one, CASES), attribute(one, CASES, TRAINED)
    np.testing.assert_allclose(found.values, known.values, atol=1e-9)
    assert found.base == pytest.approx(known.base)


def test_from_the_average_case_other_heads_lead_from_it_to_the_case_by_shapley_s_formula() -> None:
    one, average = head(Curved()), TRAINED.mean(axis=0)[None]
    found = attribute_from_average(one, CASES)
    np.testing.assert_allclose(found.values.sum(axis=1), found.log_odds - safe_logit(one.probabilities(average))[0])
    np.testing.assert_allclose(found.values[0], all_coalitions(one, CASES[0], average), atol=1e-9)


def test_of_a_mean_of_members_each_brings_its_share_and_an_absent_one_nothing() -> None:
    mean = MeanHead(("image:log_odds", "ceus:log_odds"), np.zeros(2))
    found = attribute_from_average(mean, np.array([[1.0, 3.0], [1.0, np.nan]]))
    # By Shapley's formula: alone 1 and 3, together 2, nobody 0.
    np.testing.assert_allclose(found.values, [[0.0, 2.0], [1.0, 0.0]], atol=1e-9)
    assert found.base == 0.0
    np.testing.assert_allclose(found.log_odds, [2.0, 1.0])


def test_what_was_not_selected_is_left_out_and_what_is_absent_stands_at_its_mean() -> None:
    one = head(Linear([1.0, -2.0]), selected=(1, 4))
    cases = CASES.copy()
    cases[0, :2] = np.nan
    found = attribute(one, cases, TRAINED)
    assert found.names == ("image:1", "clinical:age_years")
    assert found.values[0, 0] == pytest.approx(0.0, abs=1e-9)


def test_the_mark_that_a_member_is_absent_is_that_member_s() -> None:
    marked = replace(
        head(Linear([0.5, 2.0]), selected=(2, 5)),
        indicators=(("absent:ceus", 2),),
        means=np.append(TRAINED.mean(axis=0), 0.25),
        deviations=np.append(TRAINED.std(axis=0), 0.5),
        kept=np.arange(6),
    )
    cases = CASES.copy()
    cases[0, 2:4] = np.nan
    found = attribute(marked, cases, TRAINED)
    assert (found.names, found.owners) == (("ceus:0", "absent:ceus"), ("ceus", "ceus"))
    assert list(found.by_member()) == list(found.members) == ["image", "ceus", "clinical"]
    # No case of the background lacks it: the mark turns from 0 to 1, and the feature from its mean to its mean.
    np.testing.assert_allclose(found.values[0], [0.0, 2.0 / 0.5], atol=1e-9)


def test_of_many_features_fewer_cases_are_walked_from_and_the_sum_still_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_attribution, "_STEPS", 6)
    monkeypatch.setattr(fused_attribution, "_BLOCK", 7)
    found = attribute(head(Curved()), CASES, TRAINED)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base, found.log_odds, atol=1e-9)
    four = TRAINED[[0, 13, 26, 39]]
    np.testing.assert_allclose(found.values[0], all_coalitions(head(Curved()), CASES[0], four), atol=1e-9)


def test_a_certain_forest_has_an_end() -> None:
    class Certain:
        def predict_proba(self, features: np.ndarray) -> np.ndarray:
            positive = (features[:, 0] > 0).astype(float)
            return np.stack([1 - positive, positive], axis=1)

    found = attribute(head(Certain()), CASES, TRAINED)
    assert np.abs(found.log_odds).max() == pytest.approx(np.log(999))


def test_several_heads_are_averaged_and_one_that_lacks_a_member_brings_nothing() -> None:
    both = attribute(head(Linear([1.0, 0.0, 0.0, 0.0, 0.5])), CASES, TRAINED)
    one = attribute(head(Linear([1.0]), selected=(0,)), CASES, TRAINED)
    found = mean_by_member([both, one])
    np.testing.assert_allclose(found["image"], both.by_member()["image"], atol=1e-9)
    np.testing.assert_allclose(found["clinical"], both.by_member()["clinical"] / 2, atol=1e-9)


def test_without_background_or_score_nothing_is_explained() -> None:
    with pytest.raises(InputError, match="background: 0 cases"):
        attribute(head(Curved()), CASES, TRAINED[:0])
    with pytest.raises(InputError, match="cases to explain"):
        attribute(head(Curved()), np.full((1, 5), np.nan), TRAINED)


def test_members_are_summarised_by_patients_and_class() -> None:
    members = {"image": np.array([1.0, 1.0, -3.0, -3.0]), "ceus": np.array([1.0, 1.0, 1.0, 1.0])}
    found = summarise_members(members, ["1", "1", "0", "0"], ["a", "b", "c", "d"], {"0": "negative", "1": "positive"})
    image = found["members"]["image"]
    assert image["size"]["estimate"] == 2.0
    assert image["share"]["estimate"] == pytest.approx((0.5 + 0.75) / 2)
    assert image["classes"]["negative"]["estimate"] == -3.0
    still = summarise_members({"image": np.zeros(2)}, ["0", "1"], ["a", "b"], {"0": "n", "1": "p"})
    assert still["members"]["image"]["share"] is None
