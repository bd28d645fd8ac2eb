"""Cross-validated AUCs: against R cvAUC, against DeLong, and by coverage."""

import numpy as np
import pytest

from isthmus.statistics import cross_validated
from isthmus.statistics.bootstrap import group_bootstrap, weighted_aucs
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc, pooled_auc
from isthmus.statistics.roc import auc, compare_aucs, delong
from tests.statistics.cases import blocks, i, labels, pairs, scores_a, scores_b

ONE_SEED = np.zeros(120, dtype=int)


def _standard_error(interval: object) -> float:
    # Undo the logit interval: its half width is z se / (A (1 - A)).
    estimate, high = interval.estimate, interval.high  # type: ignore[attr-defined]
    half = np.log(high / (1 - high)) - np.log(estimate / (1 - estimate))
    return float(half / 1.959963984540054 * estimate * (1 - estimate))


@pytest.mark.parametrize(
    ("groups", "standard_error"),
    [
        # cvAUC: ci.cvAUC(split(s, f), split(y, f))$se
        (i, 0.04081308753618),
        # cvAUC: ci.pooled.cvAUC(split(s, f), split(y, f), ids = split(g, f))$se
        (pairs, 0.0464049436732),
    ],
)
def test_estimate_and_error_equal_cvauc(
    monkeypatch: pytest.MonkeyPatch, groups: np.ndarray, standard_error: float
) -> None:
    # cvAUC has no small-sample factor; without ours the two are the same formula (equal stratified folds, no ties).
    monkeypatch.setattr(cross_validated, "_correction", lambda groups: 1.0)
    result = cross_validated_auc(labels, scores_a, blocks, ONE_SEED, groups).auc
    assert result.estimate == pytest.approx(0.787037037037037, rel=1e-12)
    assert _standard_error(result) == pytest.approx(standard_error, rel=1e-10)


def test_the_variance_of_one_seed_is_the_mean_of_delongs_variances_over_the_folds() -> None:
    parts = [delong(labels[blocks == k], scores_a[blocks == k]) for k in range(4)]
    result = cross_validated_auc(labels, scores_a, blocks, ONE_SEED, i)
    assert result.auc.estimate == pytest.approx(np.mean([aucs[0] for aucs, _ in parts]))
    variance = sum(covariance[0, 0] for _, covariance in parts) / 16
    assert _standard_error(result.auc) ** 2 == pytest.approx(variance, rel=1e-10)
    assert [fold.auc for fold in result.folds] == [aucs[0] for aucs, _ in parts]


def test_one_fold_and_one_seed_are_plain_delong() -> None:
    mine = compare_cross_validated_aucs(labels, scores_a, scores_b, ONE_SEED, ONE_SEED, i)
    theirs = compare_aucs(labels, scores_a, scores_b)
    assert (mine.statistic, mine.p) == pytest.approx((theirs.statistic, theirs.p), rel=1e-12)


def test_folds_dealt_alike_or_differently_are_compared_by_the_same_rule() -> None:
    shared = compare_cross_validated_aucs(labels, scores_a, scores_b, blocks, ONE_SEED, pairs)
    told = compare_cross_validated_aucs(labels, scores_a, scores_b, blocks, ONE_SEED, pairs, folds_b=blocks)
    assert told == shared
    # One arm in four folds, the other in one: by a bootstrap of groups, the fold models held fixed, which we did not
    # derive from influence values. Its error at 4,000 replicates is about 1 %, the linearisation's some more.
    mine = compare_cross_validated_aucs(labels, scores_a, scores_b, blocks, ONE_SEED, pairs, folds_b=ONE_SEED)

    def difference(weights: np.ndarray) -> np.ndarray:
        parts = [weighted_aucs(labels[blocks == k], scores_a[blocks == k], weights[:, blocks == k]) for k in range(4)]
        return np.mean(parts, axis=0) - weighted_aucs(labels, scores_b, weights)

    replicates = group_bootstrap(difference, labels.size, pairs, 4000)
    assert mine.difference.estimate == pytest.approx(difference(np.ones((1, labels.size)))[0])
    error = (mine.difference.high - mine.difference.estimate) / 1.959963984540054
    assert error == pytest.approx(np.std(replicates), rel=0.1)


def test_repeating_a_seed_adds_no_certainty() -> None:
    def stack(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values] * 3)

    once = cross_validated_auc(labels, scores_a, blocks, ONE_SEED, pairs)
    seeds = np.repeat([0, 1, 2], 120)
    thrice = cross_validated_auc(stack(labels), stack(scores_a), stack(blocks), seeds, stack(pairs))
    assert (thrice.auc.low, thrice.auc.high) == pytest.approx((once.auc.low, once.auc.high), rel=1e-12)
    assert thrice.seed_sd == pytest.approx(0, abs=1e-15)
    assert thrice.fold_sd == pytest.approx(once.fold_sd)
    assert np.isnan(once.seed_sd)


def test_fold_and_seed_deviations_describe_folds_and_seeds() -> None:
    # Seed 1 holds the same rows out in another order: its folds are i % 4 within blocks of labels.
    second = np.empty(120, dtype=int)
    for value in (False, True):
        rows = np.flatnonzero(labels == value)
        second[rows] = np.arange(rows.size) % 4
    result = cross_validated_auc(
        np.tile(labels, 2), np.tile(scores_a, 2), np.r_[blocks, second], np.repeat([0, 1], 120), np.tile(pairs, 2)
    )
    by_seed = [[f.auc for f in result.folds if f.seed == seed] for seed in (0, 1)]
    assert result.auc.estimate == pytest.approx(np.mean([np.mean(values) for values in by_seed]))
    assert result.seed_sd == pytest.approx(np.std([np.mean(values) for values in by_seed], ddof=1))
    assert result.fold_sd == pytest.approx(np.sqrt(np.mean([np.var(values, ddof=1) for values in by_seed])))


def test_scores_of_different_folds_are_not_ranked_against_each_other() -> None:
    shifted = scores_a + 10 * blocks
    assert cross_validated_auc(labels, shifted, blocks, ONE_SEED, i).auc.estimate == pytest.approx(0.787037037037037)
    pooled = pooled_auc(labels, shifted, ONE_SEED, i)
    assert pooled.estimate == pytest.approx(auc(labels, shifted))
    assert pooled.method == "pooled over folds, as often published"


def test_a_fold_without_a_class_is_named() -> None:
    with pytest.raises(ValueError, match="fold 0 of seed 0 holds no negative case"):
        cross_validated_auc(labels, scores_a, labels.astype(int) ^ 1, ONE_SEED, i)


def test_names_of_seeds_and_folds_may_be_text() -> None:
    numbered = cross_validated_auc(labels, scores_a, blocks, ONE_SEED, pairs)
    folds = np.array([f"fold {k}" for k in blocks], dtype=object)
    named = cross_validated_auc(labels, scores_a, folds, np.array(["a"] * 120, dtype=object), pairs)
    assert named.auc == numbered.auc
    assert (named.folds[3].seed, named.folds[3].fold) == ("a", "fold 3")


def test_few_groups_and_thin_folds_are_flagged() -> None:
    y = np.array([0, 0, 0, 1, 0, 0, 0, 1, 1])
    result = cross_validated_auc(y, np.arange(9.0), [0, 0, 0, 0, 1, 1, 1, 1, 1], np.zeros(9), np.arange(9))
    assert "Newcombe" in result.auc.method
    assert "only 3 groups with a positive case" in result.auc.note
    assert "1 fold with one group in a class" in result.auc.note


def test_intervals_and_paired_tests_keep_their_word() -> None:
    # Two equal arms on 120 groups of two correlated nodules, 5 folds, 2 seeds; the arms and the seeds correlate.
    generator = np.random.default_rng(11)
    truth = 0.7602499389065233  # norm.cdf(1 / sqrt(2))
    covered = rejected = 0
    runs = 400
    groups = np.arange(240) // 2
    fold_of_group = np.arange(120) // 2 % 5
    for _ in range(runs):
        y = np.repeat(np.arange(120) % 2 == 0, 2)
        arms = []
        case = np.sqrt(0.4) * np.repeat(generator.normal(size=120), 2) + np.sqrt(0.2) * generator.normal(size=240)
        for _arm in range(2):
            arm = np.sqrt(0.2) * generator.normal(size=240)
            arms.append(np.concatenate([case + arm + np.sqrt(0.2) * generator.normal(size=240) + y for _ in range(2)]))
        rows = {
            "labels": np.tile(y, 2),
            "folds": np.r_[fold_of_group[groups], (fold_of_group[groups] + groups // 10) % 5],
            "seeds": np.repeat([0, 1], 240),
            "groups": np.tile(groups, 2),
        }
        interval = cross_validated_auc(scores=arms[0], **rows).auc
        covered += interval.low <= truth <= interval.high
        rejected += compare_cross_validated_aucs(scores_a=arms[0], scores_b=arms[1], **rows).p < 0.05
    # Two and a half binomial standard errors of 400 runs around 95 % and 5 %.
    assert 0.92 <= covered / runs <= 0.98
    assert 0.02 <= rejected / runs <= 0.08
