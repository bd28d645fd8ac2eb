"""With permuted labels nothing can be learned: cross-fitting says so, a classifier that meets seen patients does not.

The stand-in network knows its training patients by heart and nothing else, as an over-fitted network does.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from isthmus.errors import FitError
from isthmus.statistics.roc import auc
from isthmus.training.fusion import FusionSettings, fit_head
from isthmus.training.halves import Pair, check_unseen, halve_groups, pairs_of
from isthmus.training.lasso import LassoSettings

PATIENTS, MEASURED, PERMUTATIONS = 96, 12, 54
COLUMNS = [f"image:{i}" for i in range(5)]
SETTINGS = FusionSettings(lasso=LassoSettings(cv=3, count=6, smallest=0.01, largest=0.3))
GROUPS = np.array([f"p{index:03d}" for index in range(PATIENTS)], object)
PICTURES = np.random.default_rng(0).normal(size=(PATIENTS, MEASURED))


@dataclass
class Memory:
    """A network that gives a trained patient's label back, and of another the label of the nearest trained one."""

    labels: np.ndarray[Any, Any]
    seen: set[str] = field(default_factory=set)

    def train(self, groups: Iterable[str]) -> "Memory":
        rows = np.isin(GROUPS, list(groups))
        self.seen = set(GROUPS[rows])
        self.pictures, self.truth = PICTURES[rows], self.labels[rows]
        return self

    def embed(self, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        distance = np.linalg.norm(PICTURES[rows][:, None] - self.pictures[None], axis=2)
        said = (2 * self.truth - 1)[distance.argmin(axis=1)]
        return np.column_stack([said + 0.5 * PICTURES[rows, 0], PICTURES[rows, :4]])


def rows_of(groups: Iterable[str]) -> np.ndarray[Any, Any]:
    return np.flatnonzero(np.isin(GROUPS, list(groups)))


def scores_of(
    pairs: Iterable[Pair], labels: np.ndarray[Any, Any], scored: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the mean over pairs of networks and heads, as a fused model gives it."""
    found = []
    for pair in pairs:
        network, rows = Memory(labels).train(pair.networks), rows_of(pair.head)
        head = fit_head(network.embed(rows), labels[rows], GROUPS[rows], COLUMNS, "logistic", SETTINGS, 0).head
        found.append(head.probabilities(network.embed(scored)))
    return np.mean(found, axis=0)


def permuted(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(1000 + seed).permutation(np.arange(PATIENTS) < PATIENTS // 3).astype(int)


def mean_and_error(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def cross_fitted(labels: np.ndarray[Any, Any], seed: int) -> float:
    """Return the AUC of held-out patients, a third, under a model cross-fitted on the others."""
    held_out = rows_of(np.random.default_rng(seed).permutation(GROUPS)[: PATIENTS // 3])
    training = np.setdiff1d(np.arange(PATIENTS), held_out)
    pairs = pairs_of(GROUPS[training], labels[training], "cross_fit", seed)
    return auc(labels[held_out], scores_of(pairs, labels, held_out))


def test_cross_fitting_learns_nothing_from_permuted_labels() -> None:
    mean, error = mean_and_error([cross_fitted(permuted(seed), seed) for seed in range(PERMUTATIONS)])
    assert error < 0.025
    assert abs(mean - 0.5) < 3 * error


def test_the_head_s_half_is_unknown_to_its_networks_before_fusion() -> None:
    found = []
    for seed in range(PERMUTATIONS):
        labels = permuted(seed)
        for pair in pairs_of(GROUPS, labels, "cross_fit", seed):
            rows = rows_of(pair.head)
            found.append(auc(labels[rows], Memory(labels).train(pair.networks).embed(rows)[:, 0]))
    mean, error = mean_and_error(found)
    assert abs(mean - 0.5) < 3 * error


def test_the_paper_s_way_is_seen_to_leak() -> None:
    """Networks of all, classifiers cross-validated over their embeddings: the held-out patients were seen before."""
    found, apparent = [], []
    for seed in range(PERMUTATIONS // 6):
        labels = permuted(seed)
        (pair,) = pairs_of(GROUPS, labels, "paper", seed)
        fitted, held_out = halve_groups(GROUPS, labels, seed)
        found.append(
            auc(labels[rows_of(held_out)], scores_of([Pair("leak", pair.networks, fitted)], labels, rows_of(held_out)))
        )
        apparent.append(auc(labels, scores_of([pair], labels, np.arange(PATIENTS))))
    assert min(found) > 0.9
    assert min(apparent) > 0.9


def test_a_planted_leak_of_one_half_is_seen() -> None:
    """Networks that were trained on a third of the patients that their head learns from and scores."""
    found = []
    for seed in range(PERMUTATIONS // 3):
        labels = permuted(seed)
        a, _ = pairs_of(GROUPS, labels, "cross_fit", seed)
        leaky = Memory(labels).train((*a.networks, *a.head[::3]))
        found.append(auc(labels[rows_of(a.head)], leaky.embed(rows_of(a.head))[:, 0]))
    mean, error = mean_and_error(found)
    assert mean - 0.5 > 5 * error


def test_no_fit_sees_a_patient_that_it_later_scores() -> None:
    for seed in range(20):
        labels = permuted(seed)
        held_out = rows_of(np.random.default_rng(seed).permutation(GROUPS)[:30])
        training = np.setdiff1d(np.arange(PATIENTS), held_out)
        for pair in pairs_of(GROUPS[training], labels[training], "cross_fit", seed):
            network = Memory(labels).train(pair.networks)
            check_unseen(sorted(network.seen), pair.head, "networks")
            check_unseen([*pair.networks, *pair.head], GROUPS[held_out].tolist(), "held out")
    (paper,) = pairs_of(GROUPS, labels, "paper", 0)
    with pytest.raises(FitError, match="96 groups are scored by what was fitted on them"):
        check_unseen(paper.networks, paper.head, "networks")
