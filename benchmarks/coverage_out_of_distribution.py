"""How often new cases like the training cohort are called unlike it: one in twenty is what is promised.

    python benchmarks/coverage_out_of_distribution.py [--runs 50]

Distances of made cases, whose logarithms have a given correlation between two networks and 0.4 between two pictures of
a case, of normal, skewed and heavy-tailed parts; five folds, whose tuning part is a fifth of the rest, as a run has
them. Writes `results/coverage_out_of_distribution.json` and `.md`: what is reached now; `as before 2026-11-22`, where
means over networks and pictures were compared with single pictures; and `one network`, the cases' means by one network
alone beside unseen cases. The error of a figure over its runs is 0.2 percentage points with 200 training cases and 0.4
with 60.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tables
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.protocol.fold_likeness import LikenessOfFold, UnseenViews
from isthmus.protocol.training_likeness import likeness_of
from isthmus.statistics.out_of_distribution import Neighbours, chances

Values = NDArray[np.float64]
FOLDS, NEW, ALIKE = 5, 400, 0.4
NO_DISTANCE = Neighbours(np.ones((1, 1)), 1)


SHAPES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Values]] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "skewed": lambda rng, size: np.asarray(rng.gamma(1.0, size=size) - 1),
    "heavy tails": lambda rng, size: np.asarray(rng.standard_t(4, size=size) / np.sqrt(2)),
}


def main() -> None:
    """Make cases, judge them, and write down how many were called unlike."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=50)
    runs = parser.parse_args().runs
    pictures = (1, 1), (3, 3), (6, 6), (6, 1), (1, 3)
    asked: dict[tuple[int, str], tuple[tuple[int, int], ...]] = {
        (60, "normal"): pictures,
        (200, "normal"): pictures,
        (200, "skewed"): pictures,
    }
    asked[200, "heavy tails"] = pictures[:1] + pictures[2:3]
    given = [
        (cases, shape, networks, views, shown)
        for (cases, shape), own in asked.items()
        for networks in (0.0, 0.5, 0.9)
        for views, shown in own
    ]
    words = (
        "Percent of new cases like the training cohort that are called unlike its pictures; promised: 5. Where "
        "training cases have but one picture, how alike two of a case are is not known, and fewer are called."
    )
    rows = [_row(*one, runs) for one in given]
    tables.write("coverage_out_of_distribution", {"runs": runs, "new cases a run": NEW, "folds": FOLDS}, rows, words)


def _row(cases: int, shape: str, networks: float, views: int, shown: int, runs: int) -> dict[str, Any]:
    found = [_once(np.random.default_rng([n, cases]), cases, shape, networks, views, shown) for n in range(runs)]
    now, before, one = (round(100 * float(value), 1) for value in np.mean(found, axis=0))
    return {
        "training cases": cases,
        "distances": shape,
        "correlation of networks": networks,
        "pictures a training case": views,
        "pictures a new case": shown,
        "now": now,
        "as before 2026-11-22": before,
        "one network": one,
    }


def _distances(rng: np.random.Generator, cases: int, views: int, networks: float, shape: str) -> Values:
    """Return distances [networks, cases, views]."""

    def part(*size: int) -> Values:
        shared, own = SHAPES[shape](rng, (1, *size)), SHAPES[shape](rng, (FOLDS, *size))
        return np.asarray(np.sqrt(networks) * shared + np.sqrt(1 - networks) * own)

    return np.asarray(np.exp(0.2 * (np.sqrt(ALIKE) * part(cases, 1) + np.sqrt(1 - ALIKE) * part(cases, views))))


def _once(
    rng: np.random.Generator, cases: int, shape: str, networks: float, views: int, shown: int
) -> tuple[float, float, float]:
    far, new = _distances(rng, cases, views, networks, shape), _distances(rng, NEW, shown, networks, shape)
    fold_of = np.arange(cases) % FOLDS
    known = likeness_of([_fold(rng, far, fold_of, number) for number in range(FOLDS)], [], "patient")
    each = np.stack([scale.scores(own) for scale, own in zip(known.scales, new, strict=True)]).mean(axis=2)
    singles = [known.scales[number].scores(far[number, fold_of == number].ravel()) for number in range(FOLDS)]
    older = TrainingLikeness(known.parts, known.scales, np.concatenate(singles), [], "")
    mean = each.mean(axis=0)
    alone = chances(each[0], known.reference) <= 0.05
    return float(known.unlike(mean, shown).mean()), float(older.unlike(mean).mean()), float(alone.mean())


def _fold(rng: np.random.Generator, far: Values, fold_of: NDArray[np.int64], number: int) -> LikenessOfFold:
    rest = np.flatnonzero(fold_of != number)
    tuning = rng.choice(rest, len(rest) // 5, replace=False)
    held_out = np.flatnonzero(fold_of == number)
    return LikenessOfFold(NO_DISTANCE, _unseen(far, number, held_out), _unseen(far, number, tuning), {})


def _unseen(far: Values, number: int, cases: NDArray[np.int64]) -> UnseenViews:
    pairs = [(case, view) for case in cases for view in range(far.shape[2])]
    return UnseenViews(
        [f"{case}/{view}" for case, view in pairs], [f"{case}" for case, _ in pairs], far[number, cases].ravel()
    )


if __name__ == "__main__":
    main()
