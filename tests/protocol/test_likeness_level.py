"""Of new cases like the training cohort about one in twenty are called unlike, whatever networks and pictures do."""

import numpy as np
import pytest

from isthmus.models.training_likeness import RARE, TrainingLikeness
from isthmus.protocol.fold_likeness import LikenessOfFold, UnseenViews
from isthmus.protocol.training_likeness import likeness_of
from isthmus.statistics.out_of_distribution import Neighbours
from isthmus.statistics.spread_of_means import Agreement

FOLDS, CASES, NEW, RUNS = 5, 100, 300, 24
NO_DISTANCE = Neighbours(np.ones((1, 1)), 1)


def distances(rng: np.random.Generator, cases: int, views: int, networks: float, alike: float = 0.4) -> np.ndarray:
    """Return distances [networks, cases, views] whose logarithms have these correlations."""

    def part(*shape: int) -> np.ndarray:
        shared, own = rng.normal(size=(1, *shape)), rng.normal(size=(FOLDS, *shape))
        return np.sqrt(networks) * shared + np.sqrt(1 - networks) * own

    return np.exp(0.2 * (np.sqrt(alike) * part(cases, 1) + np.sqrt(1 - alike) * part(cases, views)))


def fitted(rng: np.random.Generator, far: np.ndarray) -> TrainingLikeness:
    """Return what networks know whose cross-validation is laid out as a run's: a fifth of the rest tunes each."""
    fold_of, folds = np.arange(CASES) % FOLDS, []

    def unseen(number: int, cases: np.ndarray) -> UnseenViews:
        pairs = [(case, view) for case in cases for view in range(far.shape[2])]
        names = [f"{case}" for case, _ in pairs]
        return UnseenViews([f"{case}/{view}" for case, view in pairs], names, far[number, cases].ravel())

    for number in range(FOLDS):
        tuning = rng.choice(np.flatnonzero(fold_of != number), CASES // 6, replace=False)
        held_out = unseen(number, np.flatnonzero(fold_of == number))
        folds.append(LikenessOfFold(NO_DISTANCE, held_out, unseen(number, tuning), {}))
    return likeness_of(folds, [], "patient")


def called(networks: float, views: int, shown: int) -> tuple[float, float]:
    """Return the share of new cases that is called unlike, and that by comparing means with single pictures."""
    found = []
    for run in range(RUNS):
        rng = np.random.default_rng([run, views, shown])
        far, new = distances(rng, CASES, views, networks), distances(rng, NEW, shown, networks)
        known = fitted(rng, far)
        scores = np.mean([scale.scores(own) for scale, own in zip(known.scales, new, strict=True)], axis=(0, 2))
        singles = [known.scales[n].scores(far[n, np.arange(CASES) % FOLDS == n].ravel()) for n in range(FOLDS)]
        older = TrainingLikeness(known.parts, known.scales, np.concatenate(singles), [], "")
        found.append((known.unlike(scores, shown).mean(), older.unlike(scores).mean()))
    now, before = np.mean(found, axis=0)
    return float(now), float(before)


@pytest.mark.parametrize("networks", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("views", "shown"), [(1, 1), (6, 6), (6, 1)])
def test_one_new_case_in_twenty_is_called_unlike(networks: float, views: int, shown: int) -> None:
    now, before = called(networks, views, shown)
    assert 0.03 < now < 0.065
    if (networks, views, shown) != (0.9, 1, 1) and not (networks == 0.9 and shown == 1):
        assert before < 0.025


def test_pictures_of_a_kind_that_training_cases_had_but_one_of_are_called_unlike_too_rarely_never_too_often() -> None:
    now, _ = called(0.5, 1, 3)
    assert now < RARE


def test_a_case_that_two_networks_held_out_counts_once_and_says_how_they_agree() -> None:
    rng = np.random.default_rng(0)
    scores, cases = np.exp(rng.normal(size=(2, 24))), [f"{n // 2}" for n in range(24)]
    views = [f"{n}" for n in range(24)]
    folds = [
        LikenessOfFold(NO_DISTANCE, UnseenViews(views, cases, own), UnseenViews([], [], np.zeros(0)), {})
        for own in scores
    ]
    found = likeness_of(folds, [], "nodule")
    assert found.cases is not None
    np.testing.assert_array_equal(found.cases.views, np.full(12, 2.0))
    assert found.cases.usual == 2
    np.testing.assert_allclose(found.reference, np.sort(folds[0].held_out_scores.reshape(12, 2).mean(axis=1)))
    agree = found.cases.agreement
    assert agree.networks == pytest.approx(0, abs=0.35)
    assert agree.both is not None
    alone = likeness_of(folds[:1], [], "nodule")
    assert alone.cases is not None
    assert alone.cases.agreement == Agreement(None, agree.views, None)


def test_held_out_cases_are_judged_by_the_others_alone() -> None:
    rng = np.random.default_rng(1)
    known = fitted(rng, distances(rng, CASES, 2, 0.5))
    assert known.cases is not None
    unlike = known.unlike(known.reference, known.cases.views, networks=1, among=True)
    # The p-value of the r-th farthest of M cases among the other M - 1 is r / M.
    assert unlike.sum() == int(RARE * CASES)
    shares = known.shares_nearer(known.reference, known.cases.views, networks=1, among=True)
    np.testing.assert_allclose(shares, np.arange(CASES) / (CASES - 1))
