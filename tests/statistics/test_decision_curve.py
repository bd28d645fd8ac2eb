"""Decision curves: against dcurves, against the definition by loops, laws, degenerate cases, coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.decision_curve import GRID, decision_curves, net_benefit
from isthmus.statistics.joined_shares import shares
from isthmus.statistics.proportions import clustered_proportion
from tests.statistics.cases import blocks, labels, pairs, probabilities, scores_b

other = np.clip(0.05 + 0.7 * scores_b, 0.02, 0.95)
CUTS = [0.1, 0.3, 0.5, 0.7]

some_cases = st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 5)), max_size=30).map(
    lambda rows: (
        np.array([True, False] + [r[0] for r in rows]),
        np.array([0.4, 0.4] + [r[1] / 20 for r in rows]),
        np.array([7, 8] + [r[2] for r in rows]),
    )
)


@pytest.mark.parametrize(
    ("prevalence", "first", "second", "everybody", "avoided"),
    # Python dcurves 1.1.7: dca(data=DataFrame(dict(y=labels, a=probabilities, b=other)), outcome="y",
    # modelnames=["a", "b"], thresholds=[0.1, 0.3, 0.5, 0.7], nper=100), then with prevalence=0.1
    [
        (
            None,
            [0.333333333333, 0.220238095238, 0.066666666667, 0.125],
            [0.338888888889, 0.164285714286, 0.016666666667, 0.030555555556],
            [0.333333333333, 0.142857142857, -0.2, -1.0],
            [0.0, 18.055555555556, 26.666666666667, 48.214285714286],
        ),
        (
            0.1,
            [0.0, -0.159226190476, -0.222916666667, 0.03125],
            [0.008333333333, -0.159821428571, -0.25625, -0.089583333333],
            [0.0, -0.285714285714, -0.8, -2.0],
            [0.0, 29.513888888889, 57.708333333333, 87.053571428571],
        ),
    ],
)
def test_curves_equal_dcurves(
    prevalence: float | None, first: list[float], second: list[float], everybody: list[float], avoided: list[float]
) -> None:
    curves = decision_curves(labels, [probabilities, other], CUTS, prevalence, replicates=20)
    assert curves.net_benefit[0].estimate == pytest.approx(first, abs=1e-11)
    assert curves.net_benefit[1].estimate == pytest.approx(second, abs=1e-11)
    assert curves.treat_all == pytest.approx(everybody, abs=1e-11)
    assert curves.avoided(0).estimate == pytest.approx(avoided, abs=1e-9)


def test_family_history_in_the_published_cancer_data() -> None:
    # dcurves 1.1.7, its data set of 750 patients, 105 with cancer; family history finds 24 of them and alarms 91:
    # dca(data=load_binary_df(), outcome="cancer", modelnames=["famhistory"], thresholds=[0.05, 0.15, 0.2, 0.35])
    has = np.repeat([True, True, False, False], [24, 81, 91, 554])
    history = np.repeat([1.0, 0.0, 1.0, 0.0], [24, 81, 91, 554])
    curves = decision_curves(has, history, [0.05, 0.15, 0.2, 0.35], replicates=5)
    expected = [0.025614035088, 0.010588235294, 0.001666666667, -0.033333333333]
    assert curves.net_benefit[0].estimate == pytest.approx(expected, abs=1e-11)
    assert curves.avoided(0).estimate / 100 == pytest.approx([-1.31333333, 0.126666667, 0.306666667, 0.538095238])
    assert curves.standardised(0).estimate == pytest.approx(np.array(expected) / 0.14, abs=1e-9)


@given(some_cases, st.one_of(st.none(), st.floats(0.02, 0.9)))
def test_the_definition_by_loops(cases: tuple[np.ndarray, np.ndarray, np.ndarray], prevalence: float | None) -> None:
    y, p, _ = cases
    values = net_benefit(y, p, GRID, prevalence)
    for value, t in zip(values, GRID, strict=True):
        tp = sum(bool(label) and score >= t for label, score in zip(y, p, strict=True))
        fp = sum(not label and score >= t for label, score in zip(y, p, strict=True))
        if prevalence is None:
            expected = tp / len(y) - fp / len(y) * t / (1 - t)
        else:
            expected = tp / y.sum() * prevalence - fp / (~y).sum() * (1 - prevalence) * t / (1 - t)
        assert value == pytest.approx(expected, abs=1e-12)


def test_the_bootstrap_is_that_of_resampled_patients() -> None:
    curves = decision_curves(labels, [probabilities, other], CUTS, groups=pairs, replicates=40, seed=3)
    from isthmus.statistics.bootstrap import group_counts

    (drawn,) = group_counts(60, 40, 3)
    for replicate in (0, 17, 39):
        rows = np.repeat(np.arange(120), drawn[replicate][pairs].astype(int))
        expected = net_benefit(labels[rows], probabilities[rows], CUTS)
        assert curves.models[replicate, 0] == pytest.approx(expected)
    difference = curves.models[:, 0] - curves.models[:, 1]
    found = curves.difference(0, 1)
    assert (found.low <= np.quantile(difference, 0.025, axis=0)).all()
    assert found.high == pytest.approx(np.quantile(difference, 1 - curves.tail, axis=0))
    # A pair of one class of which each model calls another nodule does not tell them apart.
    called = (probabilities[:, None] >= CUTS) * 1.0 - (other[:, None] >= CUTS)
    sums = np.array([[called[(pairs == g) & (labels == y)].sum(axis=0) for y in (True, False)] for g in range(60)])
    assert found.groups.tolist() == np.count_nonzero(sums, axis=0).min(axis=0).tolist()
    assert found.estimate == pytest.approx(curves.net_benefit[0].estimate - curves.net_benefit[1].estimate)


def test_few_groups_widen_the_band_as_they_widen_a_t_interval() -> None:
    few, many = (decision_curves(labels, probabilities, CUTS, groups=g, replicates=50) for g in (blocks, None))
    # R 4.2: pnorm(sqrt(4 / 3) * qt(0.025, 3)); pnorm(sqrt(48 / 47) * qt(0.025, 47)); 4 blocks, 48 cases
    assert few.tail == pytest.approx(0.000119030739153)
    assert many.tail == pytest.approx(0.0210247781196)


def test_laws() -> None:
    perfect = decision_curves(labels, labels.astype(float), GRID, replicates=30)
    assert perfect.net_benefit[0].estimate == pytest.approx(np.full(99, labels.mean()))
    assert perfect.standardised(0).estimate == pytest.approx(np.ones(99))
    assert (perfect.above_default(0).estimate >= 0).all()
    # No case is missed, but one might be: at low thresholds a perfect model is not shown to beat acting on everybody.
    assert perfect.above_default(0).low[0] < 0 < perfect.above_default(0).low[30]
    # Acting on everybody crosses acting on nobody at the prevalence; at the prevalence given, too.
    assert decision_curves(labels, probabilities, [0.25], 0.25, replicates=2).treat_all == pytest.approx([0.0])
    alike = decision_curves(labels, [probabilities, probabilities], replicates=30).difference(0, 1)
    assert not np.any([alike.estimate, alike.low, alike.high])
    constant = decision_curves(labels, np.full(120, 0.4), [0.39, 0.4, 0.41], replicates=10)
    assert constant.net_benefit[0].estimate[:2] == pytest.approx(constant.treat_all[:2])
    assert constant.net_benefit[0].estimate[2] == 0


def test_seeds_share_a_units_weight_and_add_no_certainty() -> None:
    single = [decision_curves(labels, p, CUTS, groups=blocks, replicates=200) for p in (probabilities, other)]
    stacked = decision_curves(
        np.tile(labels, 2), np.concatenate([probabilities, other]), CUTS, None, np.tile(blocks, 2), np.full(240, 0.5),
        replicates=200,
    )  # fmt: skip
    mean = (single[0].net_benefit[0].estimate + single[1].net_benefit[0].estimate) / 2
    assert stacked.net_benefit[0].estimate == pytest.approx(mean)
    copied = decision_curves(
        np.tile(labels, 2), np.tile(probabilities, 2), CUTS, None, np.tile(blocks, 2), np.full(240, 0.5), replicates=200
    )
    assert copied.net_benefit[0].low == pytest.approx(single[0].net_benefit[0].low)


def test_limits_of_a_curve_join_those_of_its_two_shares() -> None:
    # With a prevalence of 0.5 at a threshold of 0.5: half of sensitivity less false alarms, Newcombe's method 10.
    # statsmodels 0.15: confint_proportions_2indep(40, 48, 15, 72, compare="diff", method="newcomb")
    y, p = np.repeat([True, False], [48, 72]), np.repeat([0.9, 0.1, 0.9, 0.1], [40, 8, 15, 57])
    band = decision_curves(y, p, [0.5], 0.5, replicates=2).net_benefit[0]
    assert (band.low[0], band.high[0]) == pytest.approx((0.4570838625537284 / 2, 0.7363946023676485 / 2))


@given(some_cases)
def test_the_shares_are_clustered_proportions(cases: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    _, p, groups = cases
    codes = np.unique(groups, return_inverse=True)[1]
    called = np.zeros((codes.max() + 1, 1))
    np.add.at(called[:, 0], codes, p >= 0.5)
    for given_codes, of in ((codes, np.bincount(codes).astype(float)), (None, np.ones(len(p)))):
        found = shares((p >= 0.5)[:, None] * 1.0 if given_codes is None else called, of, 0.95)
        expected = clustered_proportion(p >= 0.5, given_codes)
        assert (found.estimate[0], found.low[0], found.high[0]) == pytest.approx(
            (expected.estimate, expected.low, expected.high)
        )


def test_one_class_is_answered_and_explained() -> None:
    curves = decision_curves([True, True], [[0.2, 0.9], [0.1, 0.3]], CUTS)
    assert np.isnan(curves.net_benefit[1].estimate).all()
    assert np.isnan(curves.difference(0, 1).low).all()
    assert "a class has no case" in curves.note


def test_one_case_of_a_class_leaves_out_replicates_without_it() -> None:
    y = np.arange(12) == 0
    curves = decision_curves(y, np.linspace(0.9, 0.1, 12), CUTS, 0.1, replicates=300)
    assert 0 < np.isnan(curves.models[:, 0]).any(axis=1).sum() < 300
    assert np.isfinite(curves.net_benefit[0].low).all()
    both = decision_curves(y, [np.linspace(0.9, 0.1, 12), np.linspace(0.1, 0.9, 12)], CUTS, 0.1, replicates=300)
    assert np.isfinite(both.difference(0, 1).low).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 0], [0.2, 5e15]), "row 1 is 5000000000000000.0, outside 0 to 1"),
        (([1, 0], [0.2, float("nan")]), "row 1 is nan"),
        (([1, 0], [0.2, 0.3], [0.5, 0.2]), "ascending probabilities"),
        (([1, 0], [0.2, 0.3], [0.0, 0.2]), "strictly between 0 and 1"),
        (([1, 0], [0.2, 0.3], [0.2], 1.0), "a prevalence of 1.0"),
        (([1, 0], [0.2, 0.3], [0.2], None, None, [1.0]), "one weight of 0 or more for each of 2 rows"),
        (([1, 0, 1], [0.2, 0.3]), "was expected"),
    ],
)
def test_wrong_use_names_what_is_wrong(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decision_curves(*arguments, replicates=2)


def test_the_difference_covers_95_percent_of_clustered_samples() -> None:
    # 60 patients of 2 nodules; two models that see the same patient effect; truth from 400,000 nodules.
    random = np.random.default_rng(2)

    def sample(patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        group = np.repeat(np.arange(patients), 2)
        y = random.random(2 * patients) < 0.3
        shared = random.normal(size=patients)[group]
        logits = [gain * y - 1.3 + 0.7 * shared + 0.7 * random.normal(size=y.size) for gain in (1.6, 0.8)]
        return y, 1 / (1 + np.exp(-np.array(logits))), group

    y, p, _ = sample(200_000)
    true = float((net_benefit(y, p[0], [0.2]) - net_benefit(y, p[1], [0.2]))[0])
    hits = 0
    for seed in range(300):
        y, p, group = sample(60)
        band = decision_curves(y, p, [0.2], groups=group, replicates=300, seed=seed).difference(0, 1)
        hits += band.low[0] <= true <= band.high[0]
    assert 0.915 <= hits / 300 <= 0.985
