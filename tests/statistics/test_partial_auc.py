"""Partial areas and fixed operating points: against pROC, in closed form, and their laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from isthmus.statistics.bootstrap import group_bootstrap
from isthmus.statistics.fixed_operating_point import (
    compare_sensitivities_at_specificity,
    compare_specificities_at_sensitivity,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)
from isthmus.statistics.partial_auc import compare_partial_aucs, partial_auc
from isthmus.statistics.roc import auc
from isthmus.statistics.weighted_curve import curve_counts, partial_areas
from tests.statistics.cases import labels, pairs, scores_a, scores_b

rounded = np.round(scores_a * 5) / 5


@pytest.mark.parametrize(
    ("scores", "low", "high", "focus", "raw", "corrected"),
    [
        # pROC 1.18: auc(r, partial.auc = c(high, low), partial.auc.focus = focus, partial.auc.correct = FALSE | TRUE)
        (scores_a, 0.9, 1.0, "specificity", 0.0398148148148148, 0.683235867446394),
        (scores_a, 0.9, 1.0, "sensitivity", 0.0403935185185185, 0.686281676413255),
        (scores_a, 0.7, 0.9, "specificity", 0.108796296296296, 0.714988425925926),
        (scores_a, 0.7, 0.9, "sensitivity", 0.107002314814815, 0.709382233796296),
        (scores_b, 0.93, 1.0, "specificity", 0.0160648148148148, 0.600775831345779),
        (scores_b, 0.8, 1.0, "sensitivity", 0.0604166666666666, 0.612268518518518),
        (rounded, 0.93, 1.0, "specificity", 0.0231862847222222, 0.653488413932067),
        (rounded, 0.9, 1.0, "sensitivity", 0.0381481481481481, 0.674463937621832),
        (rounded, 0.7, 0.9, "specificity", 0.108925925925926, 0.715393518518519),
    ],
)
def test_partial_areas_equal_proc(
    scores: np.ndarray, low: float, high: float, focus: str, raw: float, corrected: float
) -> None:
    options = {"low": low, "high": high, "focus": focus, "replicates": 20}
    assert partial_auc(labels, scores, corrected=False, **options).estimate == pytest.approx(raw, rel=1e-11)  # type: ignore[arg-type]
    assert partial_auc(labels, scores, **options).estimate == pytest.approx(corrected, rel=1e-11)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "fixed", "sensitivity", "specificity"),
    [
        # pROC 1.18: coords(r, x = fixed, input = "specificity", ret = "sensitivity"), and the reverse
        (scores_a, 0.8, 0.541666666666667, 0.555555555555556),
        (scores_a, 0.9, 0.479166666666667, 0.444444444444444),
        (scores_a, 0.93, 0.4375, 0.430555555555556),
        (scores_a, 1.0, 0.333333333333333, 0.333333333333333),
        (scores_a, 0.0, 1.0, 1.0),
        (scores_b, 0.95, 0.25, 0.25),
        (rounded, 0.8, 0.544791666666667, 0.527777777777778),
        (rounded, 0.95, 0.379166666666667, 0.381481481481482),
        (rounded, 0.93, 0.410729166666667, 0.400740740740741),
        (rounded, 1.0, 0.229166666666667, 0.333333333333333),
    ],
)
def test_fixed_points_equal_proc(scores: np.ndarray, fixed: float, sensitivity: float, specificity: float) -> None:
    at_specificity = sensitivity_at_specificity(labels, scores, specificity=fixed, replicates=20)
    assert at_specificity.estimate == pytest.approx(sensitivity, rel=1e-11)
    at_sensitivity = specificity_at_sensitivity(labels, scores, sensitivity=fixed, replicates=20)
    assert at_sensitivity.estimate == pytest.approx(specificity, rel=1e-11)


@pytest.mark.parametrize(
    ("fixed", "low", "high"),
    # pROC 1.18: ci.se(r, specificities = fixed, boot.n = 20000, boot.stratified = FALSE)
    [(0.8, 0.375, 0.717949), (0.9, 0.306122, 0.615385), (0.95, 0.25, 0.565217)],
)
def test_percentile_limits_of_a_sensitivity_are_those_of_ci_se(fixed: float, low: float, high: float) -> None:
    mine = sensitivity_at_specificity(labels, scores_a, specificity=fixed, scale="percentile", replicates=6000)
    # Two bootstraps of a discrete distribution, steps of 1/48.
    assert (mine.low, mine.high) == pytest.approx((low, high), abs=0.022)


def test_paired_comparisons_equal_those_of_proc() -> None:
    # pROC 1.18: roc.test(r1, r2, boot.n = 20000, boot.stratified = FALSE), partial.auc = c(1, .8): D = 1.508650;
    # focus "sensitivity", corrected: D = 1.644224. Ours has 1 % Monte-Carlo error at 6000 replicates.
    one = compare_partial_aucs(labels, scores_a, scores_b, low=0.8, corrected=False, replicates=6000)
    assert one.statistic == pytest.approx(1.508650, rel=0.03)
    assert one.difference.estimate == pytest.approx(0.0889467592592592 - 0.058912037037037, rel=1e-11)
    other = compare_partial_aucs(labels, scores_a, scores_b, low=0.8, focus="sensitivity", replicates=6000)
    assert other.statistic == pytest.approx(1.644224, rel=0.03)
    # pROC 1.18: roc.test(r1, r2, method = "specificity", specificity = .8, boot.n = 20000): D = 1.174833 (stratified)
    third = compare_sensitivities_at_specificity(labels, scores_a, scores_b, specificity=0.8, replicates=6000)
    assert third.statistic == pytest.approx(1.174833, rel=0.05)
    # pROC 1.18: roc.test(r1, r2, method = "sensitivity", sensitivity = .9, boot.n = 20000): D = 1.492151
    fourth = compare_specificities_at_sensitivity(labels, scores_a, scores_b, sensitivity=0.9, replicates=6000)
    assert fourth.statistic == pytest.approx(1.492151, rel=0.05)


def test_mcclish_equals_scikit_learn() -> None:
    mine = partial_auc(labels, rounded, low=0.85, replicates=20).estimate
    assert mine == pytest.approx(roc_auc_score(labels, rounded, max_fpr=0.15), rel=1e-12)


few_cases = st.lists(st.tuples(st.booleans(), st.integers(-6, 6)), min_size=1, max_size=30).map(
    lambda rows: (
        np.array([True, False] + [r[0] for r in rows]),
        np.array([0.0, 0.0] + [float(r[1]) for r in rows]),
    )
)


@settings(max_examples=60, deadline=None)
@given(few_cases, st.floats(0.05, 0.95))
def test_laws_of_partial_areas(cases: tuple[np.ndarray, np.ndarray], cut: float) -> None:
    y, s = cases

    def area(y: np.ndarray, s: np.ndarray, low: float, high: float, focus: str = "specificity") -> float:
        found = partial_auc(y, s, low=low, high=high, focus=focus, corrected=False, replicates=2)  # type: ignore[arg-type]
        return found.estimate

    # Two neighbouring parts are the whole; a range of sensitivity is one of specificity with the classes exchanged.
    assert area(y, s, 0, cut) + area(y, s, cut, 1) == pytest.approx(auc(y, s), abs=1e-9)
    assert area(y, s, cut, 1, "sensitivity") == pytest.approx(area(~y, -s, cut, 1), abs=1e-12)
    assert area(y, np.exp(s / 3), cut, 1) == pytest.approx(area(y, s, cut, 1), abs=1e-12)
    assert 0 <= area(y, s, cut, 1) <= 1 - cut + 1e-12
    higher, lower = (sensitivity_at_specificity(y, s, specificity=v, replicates=2) for v in (cut, cut / 2))
    assert higher.estimate <= lower.estimate + 1e-12
    assert 0 <= higher.low <= higher.estimate <= higher.high <= 1


def test_few_cases_in_the_range_widen_the_interval_by_students_t() -> None:
    # 48 positives: 4.8 of them stand in a range of a tenth.
    interval = partial_auc(labels, scores_a, focus="sensitivity", corrected=False, replicates=500)
    assert "t with 4.8 degrees" in interval.method
    drawn = group_bootstrap(
        lambda w: partial_areas(curve_counts(labels, scores_a, w).turned(), 0.1) / 0.1, 120, replicates=500
    )
    share = interval.estimate / 0.1
    reach = stats.t.ppf(0.975, 4.8) * np.std(drawn, ddof=1) / (share * (1 - share))
    expected = 0.1 / (1 + np.exp(-(np.log(share / (1 - share)) + np.array([-reach, reach]))))
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), rel=1e-9)
    assert "degrees" not in sensitivity_at_specificity(labels, scores_a, replicates=20).method


def test_patients_with_several_nodules_widen_the_interval() -> None:
    y, s, groups = np.repeat(labels, 2), np.repeat(scores_a, 2), np.repeat(np.arange(120), 2)
    for measure in (partial_auc, sensitivity_at_specificity, specificity_at_sensitivity):
        single = measure(labels, scores_a, replicates=400)  # type: ignore[operator]
        doubled = measure(y, s, groups, replicates=400)  # type: ignore[operator]
        blind = measure(y, s, replicates=400)  # type: ignore[operator]
        # Every case twice, as a cluster, tells nothing new; taken for independent, it would.
        assert (doubled.low, doubled.high) == pytest.approx((single.low, single.high), abs=1e-9)
        assert blind.high - blind.low < 0.85 * (single.high - single.low)


@pytest.mark.parametrize("measure", [partial_auc, sensitivity_at_specificity, specificity_at_sensitivity])
def test_degenerate_data_have_an_answer_or_say_why_not(measure: object) -> None:
    perfect = measure(labels, labels.astype(float), pairs, replicates=50)  # type: ignore[operator]
    assert perfect.estimate == perfect.high == 1
    assert perfect.low < 0.97
    assert "variance cannot be estimated" in perfect.note
    constant = measure(labels, np.ones(120), replicates=50)  # type: ignore[operator]
    assert constant.estimate == pytest.approx(0.5 if measure is partial_auc else 0.1)
    assert constant.low < constant.estimate < constant.high
    one_positive = measure(np.arange(120) == 7, scores_a, replicates=50)  # type: ignore[operator]
    assert "only 1 group with a positive case" in one_positive.note
    assert one_positive.low <= one_positive.estimate <= one_positive.high
    with pytest.raises(ValueError, match="no negative case"):
        measure([1, 1], [0.1, 0.2])  # type: ignore[operator]
    with pytest.raises(ValueError, match="row 1 is nan"):
        measure([0, 1], [0.1, np.nan])  # type: ignore[operator]
    with pytest.raises(ValueError, match="row 0 is inf"):
        measure([0, 1], [np.inf, 0.1])  # type: ignore[operator]


def test_identical_models_differ_by_nothing_with_p_one() -> None:
    for compare in (compare_partial_aucs, compare_sensitivities_at_specificity, compare_specificities_at_sensitivity):
        result = compare(labels, scores_a, scores_a * 2 + 1, pairs, replicates=50)  # type: ignore[operator]
        assert (result.difference.estimate, result.p) == (0.0, 1.0)


def test_too_few_cases_for_a_fixed_point_are_said() -> None:
    few = np.arange(30) >= 12
    note = sensitivity_at_specificity(few, scores_a[:30], specificity=0.95, replicates=20).note
    assert "12 cases cannot tell 0.95 from 1" in note


def test_ranges_and_points_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"from 0\.9 to 0\.8"):
        partial_auc(labels, scores_a, low=0.9, high=0.8)
    with pytest.raises(ValueError, match="no range of 'fpr'"):
        partial_auc(labels, scores_a, focus="fpr")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="between 0 and 1"):
        sensitivity_at_specificity(labels, scores_a, specificity=90)
    with pytest.raises(ValueError, match="no interval 'exact'"):
        partial_auc(labels, scores_a, scale="exact")  # type: ignore[arg-type]


def test_a_95_percent_interval_covers_95_percent_of_clustered_samples() -> None:
    # Positives N(1.5, 1), negatives N(0, 1), two nodules a patient, correlation 0.5; truth by scipy.stats.norm:
    # norm.cdf(1.5 - norm.ppf(.9)), and integrate.quad(lambda f: norm.cdf(1.5 + norm.ppf(f)), 0, .2) corrected.
    generator = np.random.default_rng(2)
    y = np.repeat(np.arange(80) < 40, 2)
    covered = np.zeros(2)
    for _ in range(200):
        shared = np.repeat(generator.normal(size=80), 2)
        s = np.sqrt(0.5) * shared + np.sqrt(0.5) * generator.normal(size=160) + 1.5 * y
        options = {"groups": np.arange(160) // 2, "replicates": 200}
        found = (
            (sensitivity_at_specificity(y, s, **options), 0.586460),  # type: ignore[arg-type]
            (partial_auc(y, s, low=0.8, **options), 0.745873),  # type: ignore[arg-type]
        )
        covered += [interval.low <= truth <= interval.high for interval, truth in found]
    assert (covered >= 0.91 * 200).all()
