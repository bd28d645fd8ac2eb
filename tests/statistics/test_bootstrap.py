"""The group bootstrap and the ROC band."""

import time

import numpy as np
import pytest

from isthmus.statistics import bootstrap
from isthmus.statistics.bootstrap import group_bootstrap, group_counts, percentile_interval, weighted_aucs
from isthmus.statistics.roc import auc, delong
from isthmus.statistics.roc_band import roc_band
from tests.statistics.cases import labels, pairs, scores_a


def test_whole_groups_are_drawn_as_often_as_there_are_groups() -> None:
    weights = np.concatenate(list(group_counts(60, 500, seed=1)))
    assert (weights.sum(axis=1) == 60).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(60), abs=0.25)
    rows = group_bootstrap(lambda w: w, 120, pairs, replicates=20)
    assert (rows[:, ::2] == rows[:, 1::2]).all()


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = group_bootstrap(lambda w: w, 120, pairs, replicates=50, seed=3)
    monkeypatch.setattr(bootstrap, "CHUNK", 500)
    assert group_bootstrap(lambda w: w, 120, pairs, replicates=50, seed=3).tolist() == whole.tolist()


def test_the_bootstrapped_spread_of_an_auc_is_delongs() -> None:
    drawn = group_bootstrap(lambda w: weighted_aucs(labels, scores_a, w), 120, replicates=4000)
    assert drawn.std() == pytest.approx(np.sqrt(delong(labels, scores_a)[1][0, 0]), rel=0.06)


def test_weights_are_repeated_rows() -> None:
    weights = (np.arange(120) % 4).astype(float)
    rounded = np.round(scores_a * 6)
    repeated = np.repeat(np.arange(120), weights.astype(int))
    expected = auc(labels[repeated], rounded[repeated])
    assert weighted_aucs(labels, rounded, weights[None])[0] == pytest.approx(expected, rel=1e-13)
    assert np.isnan(weighted_aucs(labels, rounded, labels[None].astype(float))[0])


def test_replicates_without_an_answer_are_counted() -> None:
    interval = percentile_interval(0.5, np.array([0.1, np.nan, 0.9]), 0.95)
    assert interval.note == "1 replicate had no answer"
    assert np.isnan(percentile_interval(np.nan, np.array([0.1])).low)


def test_2000_replicates_of_10000_cases_take_seconds() -> None:
    generator = np.random.default_rng(0)
    y = generator.random(10_000) < 0.3
    s = generator.normal(size=10_000) + y
    start = time.perf_counter()
    drawn = group_bootstrap(lambda w: weighted_aucs(y, s, w), 10_000)
    # About one second alone on one core; the limit allows for a busy machine.
    assert time.perf_counter() - start < 15
    assert drawn.shape == (2000,)


@pytest.mark.parametrize("kind", ["pointwise", "simultaneous"])
def test_a_band_surrounds_its_curve(kind: str) -> None:
    band = roc_band(labels, scores_a, pairs, kind=kind, replicates=300)  # type: ignore[arg-type]
    assert (band.low <= band.sensitivity).all()
    assert (band.sensitivity <= band.high).all()
    assert band.low.min() >= 0
    assert band.high.max() <= 1
    assert (np.diff(band.sensitivity) >= 0).all()
    assert np.trapezoid(band.sensitivity, band.fpr) == pytest.approx(auc(labels, scores_a), abs=0.01)
    assert kind in band.method


def test_the_curve_is_the_top_of_its_steps() -> None:
    # Two of three positives above every negative, the third below all: sensitivity 2/3 until the last negative.
    band = roc_band([1, 1, 0, 0, 1], [5, 4, 3, 2, 1], points=3, replicates=50)
    assert band.sensitivity == pytest.approx([2 / 3, 2 / 3, 1])


def test_a_band_of_a_perfect_ranking_is_not_certain_of_it() -> None:
    # 48 of 48 positives found: Wilson's lower limit is 48 / (48 + z^2).
    band = roc_band(labels, labels.astype(float), points=11, replicates=50)
    assert (band.sensitivity == 1).all()
    assert band.low[:-1] == pytest.approx(np.full(10, 48 / (48 + 1.959963984540054**2)))
    assert band.low[-1] == band.high[-1] == 1


def test_a_pointwise_band_is_the_interval_at_each_rate() -> None:
    # pROC 1.18: ci.se(r, specificities = c(.9, .8), boot.n = 20000, boot.stratified = FALSE):
    # 0.306122-0.615385 and 0.375-0.717949, percentiles of steps of 1/48
    band = roc_band(labels, scores_a, points=11, replicates=4000)
    assert (band.low[1], band.high[1]) == pytest.approx((0.306122, 0.615385), abs=0.04)
    assert (band.low[2], band.high[2]) == pytest.approx((0.375, 0.717949), abs=0.04)


def test_a_simultaneous_band_holds_95_percent_of_curves_and_is_wider() -> None:
    one = roc_band(labels, scores_a, replicates=1000, points=21)
    all_of_it = roc_band(labels, scores_a, kind="simultaneous", replicates=1000, points=21)
    assert (all_of_it.high - all_of_it.low >= one.high - one.low - 1e-12).all()
    assert (all_of_it.high - all_of_it.low).mean() > 1.1 * (one.high - one.low).mean()


def test_degenerate_curves_have_a_band_or_say_why_not() -> None:
    flat = roc_band(labels, np.ones(120), points=11, replicates=50)
    assert flat.sensitivity == pytest.approx(flat.fpr)
    assert (flat.high[1:-1] > flat.sensitivity[1:-1]).all()
    alone = roc_band(np.arange(120) == 7, scores_a, points=11, replicates=50)
    assert set(alone.sensitivity.tolist()) <= {0.0, 1.0}
    assert alone.high[0] > 0.7
    for bad, words in (([0.1, np.nan], "row 1 is nan"), ([np.inf, 0.1], "row 0 is inf")):
        with pytest.raises(ValueError, match=words):
            roc_band([0, 1], bad)
    with pytest.raises(ValueError, match="no positive case"):
        roc_band([0, 0], [0.1, 0.2])
    with pytest.raises(ValueError, match="no bootstrap replicate held both classes"):
        roc_band([0, 1], [0.1, 0.2], ["one patient", "another"], replicates=1, seed=0)
