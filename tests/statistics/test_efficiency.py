"""Nearness to an ideal observer: against the equal-variance binormal model, DeLong, and a bootstrap by copied rows."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from isthmus.statistics.bootstrap import group_counts
from isthmus.statistics.cross_validated import cross_validated_auc
from isthmus.statistics.efficiency import detectability, nearness_to_ideal
from isthmus.statistics.roc import auc, compare_aucs

GENERATOR = np.random.default_rng(11)
LABELS = np.arange(240) % 3 == 0
IDEAL = GENERATOR.normal(size=240) + 1.6 * LABELS
SCORE = IDEAL + GENERATOR.normal(size=240)
GROUPS = np.arange(240) // 2
FOLDS = np.arange(240) // 6 % 4


def test_the_detectability_of_a_binormal_auc_is_the_distance_of_its_classes() -> None:
    # Equal-variance binormal model: AUC = Phi(d' / sqrt 2), e.g. Barrett & Myers 2004, eq. 13.50.
    distances = np.array([0.0, 0.5, 1.0, 2.0, 3.0])
    assert detectability(norm.cdf(distances / np.sqrt(2))) == pytest.approx(distances)


def test_noise_as_strong_as_the_task_halves_the_efficiency() -> None:
    # Ideal: N(0, 1) against N(1.5, 1), d' = 1.5. Independent noise of unit variance leaves d' = 1.5 / sqrt 2.
    generator = np.random.default_rng(3)
    labels = np.arange(40_000) % 2 == 0
    ideal = generator.normal(size=40_000) + 1.5 * labels
    near = nearness_to_ideal(labels, ideal + generator.normal(size=40_000), ideal, replicates=50)
    assert near.efficiency.estimate == pytest.approx(0.5, abs=0.02)
    assert near.efficiency.low < 0.5 < near.efficiency.high
    expected = norm.cdf(1.5 / np.sqrt(2)) - norm.cdf(1.5 / 2)
    assert near.gap.estimate == pytest.approx(expected, abs=0.005)


def test_the_intervals_are_those_of_replicates_by_copied_rows() -> None:
    near = nearness_to_ideal(LABELS, SCORE, IDEAL, GROUPS, replicates=200, seed=5)
    gaps, ratios = [], []
    for counts in np.concatenate(list(group_counts(120, 200, seed=5))):
        rows = np.repeat(np.arange(240), counts[GROUPS].astype(int))
        own, best = (roc_auc_score(LABELS[rows], values[rows]) for values in (SCORE, IDEAL))
        gaps.append(best - own)
        ratios.append((norm.ppf(own) / norm.ppf(best)) ** 2)
    for interval, replicates in ((near.gap, gaps), (near.efficiency, ratios)):
        assert [interval.low, interval.high] == pytest.approx(np.quantile(replicates, [0.025, 0.975]))
    assert near.gap.estimate == pytest.approx(auc(LABELS, IDEAL) - auc(LABELS, SCORE))


def test_the_gap_is_as_wide_as_delongs_paired_interval() -> None:
    paired = compare_aucs(LABELS, IDEAL, SCORE)
    near = nearness_to_ideal(LABELS, SCORE, IDEAL)
    assert near.gap.estimate == pytest.approx(paired.difference.estimate)
    width = paired.difference.high - paired.difference.low
    assert near.gap.high - near.gap.low == pytest.approx(width, rel=0.08)


def test_both_aucs_of_a_cross_validation_are_means_of_folds_then_of_seeds() -> None:
    labels, seeds = np.tile(LABELS, 2), np.repeat([0, 1], 240)
    folds = np.concatenate([FOLDS, np.minimum(FOLDS, 2)])
    score, ideal, groups = np.concatenate([SCORE, SCORE + 0.1 * IDEAL]), np.tile(IDEAL, 2), np.tile(GROUPS, 2)
    near = nearness_to_ideal(labels, score, ideal, groups, folds, seeds, replicates=20)
    best, own = (cross_validated_auc(labels, x, folds, seeds, groups).auc.estimate for x in (ideal, score))
    assert near.gap.estimate == pytest.approx(best - own)
    assert near.efficiency.estimate == pytest.approx((norm.ppf(own) / norm.ppf(best)) ** 2)


def test_the_observer_itself_has_no_gap_and_full_efficiency() -> None:
    near = nearness_to_ideal(LABELS, IDEAL, IDEAL, GROUPS, FOLDS, replicates=50)
    assert (near.gap.low, near.gap.high) == (0, 0)
    assert (near.efficiency.low, near.efficiency.high) == pytest.approx((1, 1))


def test_what_has_no_efficiency_says_why() -> None:
    worse = nearness_to_ideal(LABELS, -SCORE, IDEAL, replicates=20)
    assert np.isnan(worse.efficiency.estimate)
    assert "0.5 or less" in worse.efficiency.note
    assert worse.gap.low > 0
    assert "infinite" in nearness_to_ideal(LABELS, SCORE, LABELS, replicates=20).efficiency.note


def test_a_replicate_at_chance_counts_as_no_efficiency() -> None:
    weak = nearness_to_ideal(LABELS, 0.1 * IDEAL + GENERATOR.normal(size=240), IDEAL, replicates=300)
    assert weak.efficiency.low == 0
    assert weak.efficiency.note == ""


def test_several_classes_have_a_gap_of_the_macro_auc_and_no_efficiency() -> None:
    several = np.stack([np.arange(240) % 3 == k for k in range(3)])
    ideal = several + GENERATOR.normal(size=(3, 240))
    score = ideal + GENERATOR.normal(size=(3, 240))
    near = nearness_to_ideal(several, score, ideal, GROUPS, replicates=20)
    expected = np.mean([auc(t, i) - auc(t, s) for t, i, s in zip(several, ideal, score, strict=True)])
    assert near.gap.estimate == pytest.approx(expected)
    assert "two classes" in near.efficiency.note


def test_shapes_and_folds_are_checked() -> None:
    with pytest.raises(ValueError, match="for labels of shape"):
        nearness_to_ideal(LABELS, SCORE, np.stack([IDEAL, IDEAL]))
    with pytest.raises(ValueError, match=r"\[240\] was expected"):
        nearness_to_ideal(LABELS, SCORE, IDEAL, folds=[0, 1])
    with pytest.raises(ValueError, match="a fold or class has no case"):
        nearness_to_ideal(LABELS, SCORE, IDEAL, folds=LABELS.astype(int))


def test_replicates_that_tell_all_cases_apart_have_no_answer_and_are_counted():
    # Few cases, nearly apart: many resamples reach an AUC of 1, whose detectability is infinite.
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    scores = np.array([0.1, 0.2, 0.3, 0.6, 0.5, 0.7, 0.8, 0.9])
    ideal = np.array([0.1, 0.2, 0.6, 0.3, 0.5, 0.7, 0.8, 0.9])
    efficiency = nearness_to_ideal(labels, scores, ideal).efficiency
    assert efficiency.high is not None
    assert np.isfinite(efficiency.high)
    assert "no answer" in efficiency.note
