"""Sets and referral of a new case: against MAPIE, by law, and where there is too little to promise."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.inference.answer_limits import fit_answer, referral_of, set_of
from isthmus.inference.prediction_set import digits_for
from isthmus.models.answer_spec import AnswerSpec
from tests.statistics.cases import labels, probabilities
from tests.statistics.test_conformal import MAPIE_BY_CLASS

NAMES = {"0": "benign", "1": "malignant"}
both = np.stack([1 - probabilities, probabilities], axis=1)


def fitted(count: int = 80, threshold: float = 0.5) -> AnswerSpec:
    groups = [str(place) for place in range(count)]
    return fit_answer(labels[:count].astype(int), both[:count], groups, list(NAMES), threshold, "made")


def set_for(answer: AnswerSpec, p: float) -> tuple[str, ...]:
    return set_of(answer, {"0": 1.0 - p, "1": p}, NAMES, "nodule").codes


def test_sets_of_new_cases_are_those_of_mapie() -> None:
    answer = fitted()
    assert answer.level == 0.9
    sizes = [len(set_for(answer, float(p))) for p in probabilities[80:]]
    assert "".join(map(str, sizes)) == MAPIE_BY_CLASS[0.1]


def test_a_patient_counts_once() -> None:
    twice = np.repeat(np.arange(80), 2)
    groups = [str(place) for place in twice]
    doubled = fit_answer(labels[twice].astype(int), both[twice], groups, list(NAMES), 0.5, "made")
    assert doubled.limits == fitted().limits
    assert doubled.groups == {"0": int((labels[:80] == 0).sum()), "1": int((labels[:80] == 1).sum())}


@pytest.mark.parametrize(("patients", "known"), [(8, False), (9, True)])
def test_under_nine_patients_of_a_class_it_stands_in_every_set_and_the_words_say_so(patients: int, known: bool) -> None:
    """With n patients the limit is the ceil(0.9 (n + 1))-th smallest: of 9 the ninth, of 8 there is none."""
    codes = [0] * 20 + [1] * patients
    p = np.linspace(0.05, 0.95, len(codes))
    answer = fit_answer(
        codes, np.stack([1 - p, p], axis=1), [str(n) for n in range(len(codes))], list(NAMES), 0.5, "made"
    )
    assert (answer.limits["1"] is not None) is known
    assert answer.open == ([] if known else ["1"])
    found = set_of(answer, {"0": 1.0, "1": 0.0}, NAMES, "nodule")
    assert ("1" in found.codes) is not known
    assert ("malignant stands in every set: too few patients for a limit." in found.words) is not known


probability = st.floats(0.001, 0.999)
cases = st.lists(st.tuples(st.integers(0, 1), probability, st.integers(0, 30)), min_size=1, max_size=60)


@settings(max_examples=40, deadline=None)
@given(cases, st.floats(0, 1), probability)
def test_the_threshold_lies_in_the_band_and_the_referral_says_on_which_side_a_case_lies(
    rows: list[tuple[int, float, int]], threshold: float, new: float
) -> None:
    codes, p = [row[0] for row in rows], np.array([row[1] for row in rows])
    groups = [str(row[2]) for row in rows]
    answer = fit_answer(codes, np.stack([1 - p, p], axis=1), groups, list(NAMES), threshold, "made")
    assert answer.refer is not None
    answer.check(NAMES, threshold, True)  # a band without its threshold is refused
    low, high = answer.refer.low, answer.refer.high
    # No more than a fifth of these cases lies between; a rounding of the logit may put one more on the edge.
    assert ((low + 1e-9 < p) & (p < high - 1e-9)).sum() <= 0.2 * len(p)
    found = set_of(answer, {"0": 1.0 - new, "1": new}, NAMES, "nodule")
    referral = referral_of(answer, found, new, threshold)
    assert referral.refer == (low < new < high or not found.codes)
    assert referral.words.startswith("Refer to somebody else" if referral.refer else "Not referred")
    digits = digits_for(new, threshold, low, high)
    assert f"{low:.{digits}f} to {high:.{digits}f}" in referral.words
    if not found.codes:
        assert "an unusual case" in found.words
    assert found.words.count(NAMES["1"]) == ("1" in found.codes) + ("1" in answer.open)


@settings(max_examples=40, deadline=None)
@given(cases, st.lists(probability, min_size=2, max_size=8))
def test_a_class_that_is_more_probable_never_leaves_the_set(
    rows: list[tuple[int, float, int]], new: list[float]
) -> None:
    codes, p = [row[0] for row in rows], np.array([row[1] for row in rows])
    answer = fit_answer(codes, np.stack([1 - p, p], axis=1), [str(row[2]) for row in rows], list(NAMES), 0.5, "made")
    held = ["1" in set_for(answer, one) for one in sorted(new)]
    assert all(before <= after for before, after in pairwise(held))


def test_an_empty_set_is_said_to_be_an_unusual_case_and_is_referred() -> None:
    answer = AnswerSpec.model_validate(
        {
            "level": 0.9, "limits": {"0": 0.1, "1": 0.1}, "groups": {"0": 50, "1": 50}, "chosen_on": "made",
            "refer": {"low": 0.4, "high": 0.6, "share": 0.2},
        }
    )  # fmt: skip
    found = set_of(answer, {"0": 0.3, "1": 0.7}, NAMES, "patient")
    assert found.codes == ()
    assert found.shown == "{}"
    assert "{}: empty, an unusual case" in found.words
    assert "90 of 100 new patients, like" in found.words
    referral = referral_of(answer, found, 0.7, 0.5)
    assert referral.refer
    assert "its set is empty, though the score lies outside 0.400 to 0.600" in referral.words


def test_of_several_classes_a_set_of_one_class_is_not_referred_and_any_other_is() -> None:
    names = {"a": "A", "b": "B", "c": "C"}
    p = np.tile(np.eye(3) * 0.7 + 0.1, (10, 1))
    answer = fit_answer(np.arange(30) % 3, p, [str(n) for n in range(30)], list(names), None, "made")
    assert answer.refer is None

    def asked(*values: float) -> tuple[tuple[str, ...], bool]:
        found = set_of(answer, dict(zip(names, values, strict=True)), names, "patient")
        return found.codes, referral_of(answer, found, max(values), None).refer

    assert asked(0.85, 0.1, 0.05) == (("a",), False)
    assert asked(0.4, 0.35, 0.25) == ((), True)
    # Eight patients of c: it stands in every set.
    open_c = answer.model_copy(update={"limits": {**answer.limits, "c": None}})
    two = set_of(open_c, {"a": 0.85, "b": 0.1, "c": 0.05}, names, "patient")
    assert two.codes == ("a", "c")
    assert "does not tell them apart here, and leaves the others out" in two.words
    assert referral_of(open_c, two, 0.85, None).words == "Refer to somebody else: its set holds 2 classes, not one."


def test_numbers_on_two_sides_of_a_limit_look_different() -> None:
    assert digits_for(0.41, 0.62, None) == 3
    assert digits_for(0.4099996, 0.41) == 7
    assert digits_for(0.5, 0.5) == 3
