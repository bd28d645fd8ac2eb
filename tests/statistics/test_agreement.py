import numpy as np
import pytest
from scipy import stats

from isthmus.statistics.agreement import quadratic_kappa, rank_correlation
from isthmus.statistics.means import clustered_mean, compare_clustered_means


@pytest.mark.parametrize("seed", range(6))
def test_kappa_is_that_of_scikit_learn(seed):
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    a = random.integers(1, 6, 60)
    b = np.clip(a + random.integers(-1, 2, 60), 1, 5)
    expected = sklearn.cohen_kappa_score(a, b, weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert quadratic_kappa(a, b, replicates=20).estimate == pytest.approx(expected, abs=1e-12)


def test_kappa_of_replicates_is_that_of_repeated_cases():
    # Weights are counts: a case drawn twice counts as two cases, here against scikit-learn on the repeated rows.
    sklearn = pytest.importorskip("sklearn.metrics")
    a, b = np.array([1, 2, 3, 4, 5, 5]), np.array([2, 2, 3, 3, 5, 4])
    repeated = np.repeat(np.arange(6), [2, 1, 0, 3, 1, 1])
    expected = sklearn.cohen_kappa_score(a[repeated], b[repeated], weights="quadratic", labels=[1, 2, 3, 4, 5])
    assert quadratic_kappa(a[repeated], b[repeated], replicates=5).estimate == pytest.approx(expected)


def test_readers_who_agree_on_everything_or_always_say_the_same():
    assert quadratic_kappa([1, 3, 5], [1, 3, 5], replicates=50).estimate == 1.0
    alike = quadratic_kappa([3, 3, 3], [3, 3, 3], replicates=5)
    assert np.isnan(alike.estimate)
    assert "one rating" in alike.note
    with pytest.raises(ValueError, match="both rated"):
        quadratic_kappa([1, 2], [1, 2, 3])


def test_one_patient_gives_an_estimate_without_an_interval():
    found = quadratic_kappa([1, 2, 3], [1, 2, 4], ["p", "p", "p"]).as_dict()
    assert found["estimate"] == pytest.approx(6 / 7)  # by hand: mean squared difference 1/3, expected 7/3
    assert (found["low"], found["high"], found["note"]) == (None, None, "one group only: no interval")


def test_rank_correlation_is_that_of_scipy():
    random = np.random.default_rng(1)
    x = random.integers(1, 6, 50).astype(float)
    y = x + random.normal(size=50)
    found = rank_correlation(x, y, replicates=200)
    assert found.estimate == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.low < found.estimate < found.high
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]).estimate)


def test_a_mean_of_independent_values_has_scipys_t_interval():
    values = np.random.default_rng(2).normal(size=15)
    found = clustered_mean(values)
    low, high = stats.t.interval(0.95, 14, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_equal_clusters_have_the_t_interval_of_their_means():
    values = np.random.default_rng(3).normal(size=(8, 4))
    found = clustered_mean(values.ravel(), np.repeat(np.arange(8), 4))
    means = values.mean(axis=1)
    low, high = stats.t.interval(0.95, 7, loc=means.mean(), scale=stats.sem(means))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_two_crossing_kinds_of_clusters_are_never_narrower_than_one():
    random = np.random.default_rng(4)
    values = random.normal(size=(10, 3)) + random.normal(size=3) + random.normal(size=(10, 1))
    cases, readers = np.repeat(np.arange(10), 3), np.tile(np.arange(3), 10)
    one, both = clustered_mean(values.ravel(), cases), clustered_mean(values.ravel(), cases, readers)
    assert both.high - both.low >= one.high - one.low
    # By hand: variance over cases plus over readers less over single ratings, t with two degrees.
    off = values - values.mean()
    v = [
        10 / 9 * (off.sum(axis=1) ** 2).sum() / 900,
        3 / 2 * (off.sum(axis=0) ** 2).sum() / 900,
        30 / 29 * (off**2).sum() / 900,
    ]
    variance = max(v[0] + v[1] - v[2], v[0], v[1])
    assert both.high - both.estimate == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(variance))


def test_one_reader_gives_a_mean_without_an_interval_over_readers():
    found = clustered_mean([1.0, 2.0, 5.0], ["a", "b", "c"], ["r", "r", "r"])
    assert found.as_dict()["low"] is None
    assert "one cluster" in found.note


def test_the_difference_of_two_means_is_welchs_where_all_are_independent():
    random = np.random.default_rng(5)
    a, b = random.normal(size=12), random.normal(size=12)
    found = compare_clustered_means(a, b, np.arange(12), np.arange(12, 24))
    error = np.sqrt(a.var(ddof=1) / 12 + b.var(ddof=1) / 12)
    assert found.high - found.estimate == pytest.approx(stats.t.ppf(0.975, 11) * error)
