"""Confusion matrices and their measures: olnm2025's Table 2, closed forms, degenerate tables."""

from math import inf, isnan, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.confusion import (
    binary_measures,
    confusion_matrix,
    likelihood_ratios,
    majority_class_rate,
    predictive_values_at,
)
from isthmus.statistics.proportions import wilson


def table(tp: int, fn: int, fp: int, tn: int) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([True, True, False, False], [tp, fn, fp, tn]), np.repeat(
        [True, False, True, False], [tp, fn, fp, tn]
    )


@pytest.mark.parametrize(
    ("tp", "fn", "fp", "tn", "printed"),
    [
        # olnm2025 (10.3389/fendo.2025.1634875) Table 2: sensitivity, specificity, PPV, NPV, accuracy as printed.
        # Training set, 55 positives and 225 negatives: image, CEUS video, combined.
        (37, 18, 64, 161, (0.673, 0.716, 0.366, 0.899, 0.707)),
        (46, 9, 74, 151, (0.836, 0.671, 0.383, 0.944, 0.704)),
        (45, 10, 22, 203, (0.818, 0.902, 0.672, 0.953, 0.886)),
        # Test set, 27 positives and 89 negatives.
        (15, 12, 29, 60, (0.556, 0.674, 0.341, 0.833, 0.647)),
        (15, 12, 20, 69, (0.556, 0.775, 0.429, 0.852, 0.724)),
        (19, 8, 30, 59, (0.704, 0.663, 0.388, 0.881, 0.672)),
    ],
)
def test_olnm2025_table_2_is_reproduced(tp: int, fn: int, fp: int, tn: int, printed: tuple[float, ...]) -> None:
    measures = binary_measures(*table(tp, fn, fp, tn), replicates=200)
    names = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
    assert tuple(round(measures[name].estimate, 3) for name in names) == printed
    assert measures["sensitivity"].low == wilson(tp, tp + fn).low
    assert measures["npv"].high == wilson(tn, tn + fn).high


def test_f1_mcc_and_balanced_accuracy_equal_their_formulas() -> None:
    measures = binary_measures(*table(15, 12, 29, 60))
    assert measures["f1"].estimate == pytest.approx(2 * 15 / (2 * 15 + 12 + 29))
    assert measures["mcc"].estimate == pytest.approx((15 * 60 - 29 * 12) / sqrt(44 * 27 * 89 * 72))
    assert measures["balanced_accuracy"].estimate == pytest.approx((15 / 27 + 60 / 89) / 2)
    for name in ("f1", "mcc", "balanced_accuracy"):
        assert measures[name].low < measures[name].estimate < measures[name].high
    assert "2000 group bootstraps" in measures["f1"].method


def test_likelihood_ratios_equal_simel() -> None:
    # Simel 1991: variance of log LR+ = 1/TP - 1/(TP + FN) + 1/FP - 1/(FP + TN)
    positive, negative = likelihood_ratios(*table(15, 12, 29, 60))
    error = sqrt(1 / 15 - 1 / 27 + 1 / 29 - 1 / 89)
    assert positive.estimate == pytest.approx((15 / 27) / (29 / 89))
    assert log(positive.high / positive.estimate) == pytest.approx(1.959963984540054 * error, rel=1e-12)
    error = sqrt(1 / 12 - 1 / 27 + 1 / 60 - 1 / 89)
    assert negative.estimate == pytest.approx((12 / 27) / (60 / 89))
    assert log(negative.estimate / negative.low) == pytest.approx(1.959963984540054 * error, rel=1e-12)


def test_predictive_values_at_the_samples_prevalence_are_the_samples() -> None:
    measures = binary_measures(*table(15, 12, 29, 60), replicates=50)
    ratios = measures["likelihood_ratio_positive"], measures["likelihood_ratio_negative"]
    ppv, npv = predictive_values_at(*ratios, prevalence=27 / 116)
    assert (ppv.estimate, npv.estimate) == pytest.approx((15 / 44, 60 / 72))
    rare, safe = predictive_values_at(*ratios, prevalence=0.05)
    assert rare.high < ppv.low
    assert safe.low > npv.estimate


def test_empty_cells_are_answered_and_explained() -> None:
    perfect = binary_measures(*table(10, 0, 0, 20), replicates=200)
    assert perfect["likelihood_ratio_positive"].estimate == inf
    assert perfect["likelihood_ratio_positive"].low > 3
    assert perfect["likelihood_ratio_positive"].as_dict()["high"] is None
    assert perfect["mcc"].estimate == 1
    nobody_called = binary_measures(*table(0, 10, 0, 20), replicates=200)
    assert isnan(nobody_called["ppv"].estimate)
    assert nobody_called["ppv"].note == "no case was called positive"
    assert nobody_called["ppv"].as_dict()["estimate"] is None
    assert nobody_called["f1"].estimate == 0
    assert isnan(nobody_called["mcc"].estimate)
    one_class = binary_measures(*table(0, 0, 3, 5), replicates=200)
    assert one_class["sensitivity"].note == "no positive case"
    assert isnan(one_class["balanced_accuracy"].estimate)


def test_copied_cases_in_a_group_do_not_narrow_any_interval() -> None:
    truth, called = table(15, 12, 29, 60)
    once = binary_measures(truth, called, seed=4)
    groups = np.repeat(np.arange(116), 3)
    thrice = binary_measures(np.repeat(truth, 3), np.repeat(called, 3), groups, seed=4)
    for name, interval in once.items():
        assert thrice[name].estimate == pytest.approx(interval.estimate), name
        # Effective n carries a t factor for 27 to 116 groups: a few per cent of width.
        ratio = (thrice[name].high - thrice[name].low) / (interval.high - interval.low)
        assert 0.999 < ratio < 1.06, name


def test_the_matrix_and_the_majority_rate() -> None:
    assert confusion_matrix(list("aabbc"), list("abbbc"), "abc").tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 1]]
    assert majority_class_rate(list("aabbb")) == 0.6
    with pytest.raises(ValueError, match=r"calls: row 1 is .*'z'.*, not one of"):
        confusion_matrix(["a", "b"], ["a", "z"], ["a", "b"])


@given(st.tuples(*[st.integers(0, 12)] * 4).filter(lambda c: sum(c) > 0))
def test_every_interval_holds_its_estimate_or_says_why_not(cells: tuple[int, int, int, int]) -> None:
    for name, interval in binary_measures(*table(*cells), replicates=20).items():
        if isnan(interval.estimate):
            assert interval.note, name
        elif name not in ("f1", "mcc"):
            assert interval.low <= interval.estimate <= interval.high, name
