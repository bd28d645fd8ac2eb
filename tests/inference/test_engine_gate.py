"""The gate lets an engine through that answers as PyTorch does, and none with a planted fault."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from isthmus.inference.engine_gate import Answers, Rules, judge

CASES = 200
GENERATOR = np.random.default_rng(0)
LABELS = np.arange(CASES) % 2


def two(positive: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return np.stack([1 - positive, positive], axis=-1)


def answers(shift: "np.ndarray[Any, Any] | float" = 0.0) -> Answers:
    """Return those of two parts; no case lies within 0.01 of the threshold of 0.5."""
    generator = np.random.default_rng(1)
    middle = generator.uniform(0.05, 0.48, CASES)
    positive = np.where(generator.random(CASES) < 0.25 + 0.5 * LABELS, 1 - middle, middle)
    mean = positive + shift
    each = np.stack([two(mean - 0.01), two(mean + 0.01)])
    return Answers(each, two(mean), two(mean), np.zeros(CASES, bool))


RULES = Rules(LABELS, np.arange(CASES) // 40, lambda found: found, lambda found: (found[:, 1] >= 0.5).astype(np.int64))


def test_pytorch_itself_and_rounding_are_exact() -> None:
    assert judge(answers(), answers(), RULES).passed == "exact"
    found = judge(answers(), answers(9e-5), RULES)
    assert (found.passed, found.calls_changed) == ("exact", 0)
    assert found.largest_difference == pytest.approx(9e-5)


def test_an_engine_that_is_off_by_2e_4_is_not_exact_but_may_be_gated() -> None:
    found = judge(answers(), answers(2e-4), RULES)
    assert found.passed == "gated"
    assert found.auc_loss == pytest.approx(0.0)


def test_one_part_that_is_off_is_enough_though_the_mean_is_not() -> None:
    wrong = answers()
    each = wrong.each.copy()
    each[0, 7] += (1e-3, -1e-3)
    each[1, 7] -= (1e-3, -1e-3)
    assert judge(answers(), replace(wrong, each=each), RULES).passed == "gated"


def test_a_difference_that_only_calibration_makes_large_is_seen() -> None:
    steep = replace(RULES, calibrated=lambda found: found * 10)
    assert judge(answers(), answers(5e-5), steep).passed == "gated"


def with_lower_auc(loss: float) -> Answers:
    """Change the order of cases on one side of the threshold until the AUC has fallen by so much."""
    plain = answers()
    positive = plain.cases[:, 1].copy()
    before = roc_auc_score(LABELS, positive)
    for row in np.argsort(positive):
        if LABELS[row] == 1 and positive[row] > 0.55 and before - roc_auc_score(LABELS, positive) < loss:
            positive[row] = 0.505
    assert before - roc_auc_score(LABELS, positive) >= loss
    return Answers(np.stack([two(positive - 0.01), two(positive + 0.01)]), two(positive), two(positive), plain.unlike)


def test_an_engine_whose_auc_falls_by_three_thousandths_is_refused() -> None:
    found = judge(answers(), with_lower_auc(0.003), RULES)
    assert found.passed == "none"
    assert found.calls_changed == 0
    assert found.auc_loss is not None
    assert found.auc_loss >= 0.003  # by scikit-learn's AUC, which planted it
    assert "the AUC falls by" in found.reason


def test_a_loss_among_held_out_answers_alone_is_refused_too() -> None:
    found = judge(answers(), replace(answers(2e-4), held_out=with_lower_auc(0.003).held_out), RULES)
    assert found.passed == "none"


def test_one_call_that_flips_is_refused_whatever_the_auc() -> None:
    reference, row = answers(), 3
    positive = reference.cases[:, 1].copy()
    positive[row] = 1.0 - positive[row]
    flipped = replace(answers(), cases=two(positive))
    found = judge(reference, flipped, RULES)
    assert (found.passed, found.calls_changed) == ("none", 1)
    assert "1 case of 200 changes the call" in found.reason
    held = judge(reference, replace(answers(), cases=reference.cases + 2e-4, held_out=two(positive)), RULES)
    assert (held.passed, held.calls_changed) == ("none", 1)


def test_warnings_that_change_are_refused_even_of_exact_probabilities() -> None:
    unlike = np.zeros(CASES, bool)
    unlike[:4] = True
    assert judge(answers(), replace(answers(), unlike=unlike), RULES).passed == "exact"
    unlike[:5] = True
    found = judge(answers(), replace(answers(), unlike=unlike), RULES)
    assert (found.passed, found.warnings_changed) == ("none", 5)


def test_an_engine_that_gives_no_number_is_refused() -> None:
    broken = answers()
    cases = broken.cases.copy()
    cases[0] = np.nan
    assert judge(answers(), replace(broken, cases=cases), RULES).passed == "none"
    assert judge(answers(), replace(broken, each=broken.each[:1]), RULES).passed == "none"


def test_too_few_cases_judge_no_auc() -> None:
    few = replace(RULES, labels=np.where(np.arange(CASES) < 19, 1, 0))
    assert judge(answers(), answers(), few).passed == "exact"
    found = judge(answers(), answers(2e-4), few)
    assert found.passed == "none"
    assert "too few to say what the AUC loses" in found.reason


def test_several_classes_are_judged_by_the_most_probable_one() -> None:
    generator = np.random.default_rng(2)
    weights = generator.random((CASES, 3)) + 2 * np.eye(3)[np.arange(CASES) % 3]
    scores = weights / weights.sum(axis=1, keepdims=True)
    own = Answers(scores[None], scores)
    rules = Rules(np.arange(CASES) % 3, None, lambda found: found, lambda found: found.argmax(axis=1))
    near = own.cases + 2e-4 * np.array([1, -1, 0])
    assert judge(own, Answers(near[None], near), rules).passed == "gated"
    turned = scores[:, [1, 2, 0]]
    assert judge(own, Answers(turned[None], turned), rules).passed == "none"
