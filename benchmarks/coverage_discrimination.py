"""Whether 95 % intervals of ranking measures cover 95 %, and whether paired tests reject a true null in 5 %.

Scores are normal: N(delta, 1) of positives, N(0, 1) of negatives, so that every truth is a closed form or a quadrature.
Clustered: two nodules a patient, scores correlated by 0.5; a patient's nodules are of one class or, mixed, of both.
Cross-validated: five folds of patients, two seeds whose scores correlate by 0.7; truths are those within a fold.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import scipy
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

import tables
from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc
from isthmus.statistics.fixed_operating_point import sensitivity_at_specificity, specificity_at_sensitivity
from isthmus.statistics.multiclass import compare_several_classes, hand_till, macro_auc
from isthmus.statistics.partial_auc import compare_partial_aucs, partial_auc
from isthmus.statistics.partly_paired import compare_partly_paired_aucs
from isthmus.statistics.precision_recall import average_precision, compare_average_precisions
from isthmus.statistics.resampled import interval_of_replicates
from isthmus.statistics.roc import auc_interval, compare_aucs
from isthmus.statistics.roc_band import roc_band
from isthmus.statistics.roc_bootstrap import bootstrapped_auc
from isthmus.statistics.weighted_curve import average_precisions, curve_counts, over_folds, sensitivities

SEED = 2026
Found = dict[str, bool]


@dataclass(frozen=True)
class Sample:
    """How many patients of either class, nodules a patient, separation, and whether patients hold both classes."""

    name: str
    positives: int
    negatives: int
    nodules: int
    delta: float
    mixed: bool = False

    @property
    def prevalence(self) -> float:
        """The share of positive nodules."""
        return 0.5 if self.mixed else self.positives / (self.positives + self.negatives)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return labels, two arms' scores [2, N], equally good, and groups."""
        patients = self.positives + self.negatives
        groups = np.repeat(np.arange(patients), self.nodules)
        y = np.tile([True, False], patients) if self.mixed else groups < self.positives
        noise = rng.normal(size=(2, y.size))
        if self.nodules > 1:
            noise = sqrt(0.5) * rng.normal(size=(2, patients))[:, groups] + sqrt(0.5) * noise
        both = np.stack([noise[0], 0.6 * noise[0] + 0.8 * noise[1]])
        return y, both + self.delta * y, groups


SAMPLES = (
    Sample("30 + 30 patients", 30, 30, 1, 1.5),
    Sample("15 + 60 patients", 15, 60, 1, 1.5),
    Sample("100 + 200 patients, AUC 0.98", 100, 200, 1, 2.9),
    Sample("50 + 50 patients x 2 nodules", 50, 50, 2, 1.5),
    Sample("60 patients x 2 nodules of both classes", 30, 30, 2, 1.5, mixed=True),
)


def truths(delta: float, prevalence: float) -> dict[str, float]:
    """Return the measures of N(delta, 1) against N(0, 1)."""

    def area(low: float) -> float:
        return float(quad(lambda f: ndtr(delta + ndtri(f)), 0, 1 - low)[0])

    def corrected(low: float) -> float:
        chance = (1 - low) ** 2 / 2
        return (1 + (area(low) - chance) / (1 - low - chance)) / 2

    def precision(recall: float) -> float:
        hits = prevalence * recall
        return float(hits / (hits + (1 - prevalence) * ndtr(ndtri(recall) - delta)))

    return {
        "auc": float(ndtr(delta / sqrt(2))),
        "partial": corrected(0.9),
        "at 0.9": float(ndtr(delta - ndtri(0.9))),
        "precision": float(quad(precision, 1e-12, 1)[0]),
    }


def one_model(sample: Sample, rng: np.random.Generator, replicates: int) -> Found:
    """Return which intervals cover, and which tests of two equal arms reject, in one sample."""
    y, (a, b), groups = sample.draw(rng)
    true = truths(sample.delta, sample.prevalence)
    options: Any = {"groups": groups, "replicates": replicates, "seed": int(rng.integers(2**31))}
    intervals = {
        "AUC, default": (auc_interval(y, a, groups), "auc"),
        "AUC, percentile": (bootstrapped_auc(y, a, **options), "auc"),
        "AUC, BCa": (bootstrapped_auc(y, a, scale="bca", **options), "auc"),
        "partial AUC, specificity 0.9-1": (partial_auc(y, a, **options), "partial"),
        "partial AUC, specificity 0.9-1, percentile": (partial_auc(y, a, scale="percentile", **options), "partial"),
        "partial AUC, sensitivity 0.9-1": (partial_auc(y, a, focus="sensitivity", **options), "partial"),
        "sensitivity at specificity 0.9": (sensitivity_at_specificity(y, a, **options), "at 0.9"),
        "specificity at sensitivity 0.9": (specificity_at_sensitivity(y, a, **options), "at 0.9"),
        "average precision": (average_precision(y, a, **options), "precision"),
        "average precision, percentile": (average_precision(y, a, scale="percentile", **options), "precision"),
    }
    found = {name: interval.low <= true[key] <= interval.high for name, (interval, key) in intervals.items()}
    has_a, has_b = rng.random((2, y.size)) < 0.8
    tests = {
        "AUC": compare_aucs(y, a, b, groups),
        "AUC, partly paired": compare_partly_paired_aucs(y, a, b, has_a, has_b, groups),
        "partial AUC": compare_partial_aucs(y, a, b, **options),
        "average precision": compare_average_precisions(y, a, b, **options),
    }
    # A test keeps its word as an interval of the difference does: it holds 0 in 95 %.
    found |= {f"difference of {name}, no true one": not test.p < 0.05 for name, test in tests.items()}
    band = roc_band(y, a, groups, replicates=replicates, seed=options["seed"])
    at = np.array([10, 30, 50])
    inside = (band.low[at] <= ndtr(sample.delta + ndtri(band.fpr[at]))) & (
        ndtr(sample.delta + ndtri(band.fpr[at])) <= band.high[at]
    )
    return found | {f"ROC band at 1 - specificity {band.fpr[k]:.1f}": bool(i) for k, i in zip(at, inside, strict=True)}


def cross_validated(rng: np.random.Generator, replicates: int) -> Found:
    """Return the same of five folds, two seeds, 50 + 50 patients of two nodules."""
    y, arms, groups = SAMPLES[3].draw(rng)
    extra = rng.normal(size=(2, 2, y.size))  # seed, arm
    delta = SAMPLES[3].delta
    scores = [
        np.concatenate([sqrt(0.7) * (arm - delta * y) + sqrt(0.3) * extra[seed, k] + delta * y for seed in (0, 1)])
        for k, arm in enumerate(arms)
    ]
    labels, units = np.tile(y, 2), np.tile(groups, 2)
    folds, seeds = np.concatenate([groups % 5, (groups // 3) % 5]), np.repeat([0, 1], y.size)
    true = truths(delta, 0.5)
    auc = cross_validated_auc(labels, scores[0], folds, seeds, units).auc
    test = compare_cross_validated_aucs(labels, *scores, folds, seeds, units)
    rows = [np.flatnonzero((seeds == s) & (folds == f)) for s in (0, 1) for f in range(5)]

    def of_fold(part: np.ndarray, weights: np.ndarray) -> np.ndarray:
        counts = curve_counts(labels[part], scores[0][part], weights)
        return np.stack([sensitivities(counts, np.array([0.1]))[:, 0], average_precisions(counts)], axis=1)

    statistic = over_folds(of_fold, rows)
    estimates = statistic(np.ones((1, labels.size)))[0]
    drawn = group_bootstrap(statistic, labels.size, units, replicates, int(rng.integers(2**31)))
    few = (50, 50)
    at = interval_of_replicates(estimates[0], drawn[:, 0], "wilson", cases=100, groups=few)
    return {
        "AUC, default": auc.low <= true["auc"] <= auc.high,
        "difference of AUC, no true one": not test.p < 0.05,
        "sensitivity at specificity 0.9, mean of folds": at.low <= EXPECTED["at"] <= at.high,
        "average precision, mean of folds": _covers(
            interval_of_replicates(estimates[1], drawn[:, 1], "logit", cases=100, groups=few), EXPECTED["precision"]
        ),
        "average precision, mean of folds, percentile": _covers(
            percentile_interval(estimates[1], drawn[:, 1]), EXPECTED["precision"]
        ),
    }


def _covers(interval: Any, truth: float) -> bool:
    return bool(interval.low <= truth <= interval.high)


def expected_in_a_fold(draws: int = 200_000) -> dict[str, float]:
    """Return what a fold of 20 + 20 clustered nodules measures on average: small samples read curves with a bias."""
    rng = np.random.default_rng(1)
    y = np.arange(40) < 20
    found = np.zeros(2)
    weights = np.ones((1, 40))
    for _ in range(draws // 10):
        noise = sqrt(0.5) * np.repeat(rng.normal(size=20), 2) + sqrt(0.5) * rng.normal(size=40)
        counts = curve_counts(y, noise * sqrt(0.7) + sqrt(0.3) * rng.normal(size=40) + 1.5 * y, weights)
        found += [sensitivities(counts, np.array([0.1]))[0, 0], average_precisions(counts)[0]]
    return dict(zip(("at", "precision"), (found / (draws // 10)).tolist(), strict=True))


EXPECTED = {"at": float("nan"), "precision": float("nan")}


def several_classes(rng: np.random.Generator, replicates: int) -> Found:
    """Return the same of three classes, 40 patients each, two nodules a patient; three independent normal scores."""
    labels = np.repeat(np.arange(3), 80)
    groups = np.arange(240) // 2

    def arm(shared: np.ndarray) -> np.ndarray:
        noise = sqrt(0.5) * rng.normal(size=(120, 3))[groups] + sqrt(0.5) * rng.normal(size=(240, 3))
        return 0.6 * shared + 0.8 * noise + (labels[:, None] == np.arange(3))

    shared = sqrt(0.5) * rng.normal(size=(120, 3))[groups] + sqrt(0.5) * rng.normal(size=(240, 3))
    a, b = arm(shared), arm(shared)
    options: Any = {"groups": groups, "replicates": replicates, "seed": int(rng.integers(2**31))}
    truth = float(ndtr(1 / sqrt(2)))  # of every class against any other: both measures are it
    compared = compare_several_classes(labels, a, b, range(3), **options)
    return {
        "macro AUC, percentile": _covers(macro_auc(labels, a, range(3), **options), truth),
        "Hand-Till M, percentile": _covers(hand_till(labels, a, range(3), **options), truth),
        "difference of macro AUC, no true one": not compared["macro_auc"].p < 0.05,
        "difference of Hand-Till M, no true one": not compared["hand_till"].p < 0.05,
    }


def rows_of(name: str, once: Callable[[], Found], studies: int) -> list[dict[str, Any]]:
    """Return coverage of all statistics of one scenario."""
    counted: dict[str, int] = {}
    for _ in range(studies):
        for statistic, inside in once().items():
            counted[statistic] = counted.get(statistic, 0) + bool(inside)
    return [
        {
            "statistic": statistic,
            "scenario": name,
            "nominal": 0.95,
            "coverage": hits / studies,
            "Monte Carlo error": sqrt(hits / studies * (1 - hits / studies) / studies),
            "studies": studies,
        }
        for statistic, hits in counted.items()
    ]


def main() -> None:
    """Run all scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--replicates", type=int, default=400)
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    EXPECTED.update(expected_in_a_fold())
    scenarios: dict[str, Callable[[], Found]] = {
        sample.name: lambda sample=sample: one_model(sample, rng, options.replicates)  # type: ignore[misc]
        for sample in SAMPLES
    }
    scenarios["cross-validated, 50 + 50 patients x 2"] = lambda: cross_validated(rng, options.replicates)
    scenarios["three classes, 120 patients x 2"] = lambda: several_classes(rng, options.replicates)
    started, rows = time.monotonic(), []
    for name, once in scenarios.items():
        rows += rows_of(name, once, options.studies)
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    facts = {"seed": SEED, "replicates": options.replicates, "numpy": np.__version__, "scipy": scipy.__version__}
    words = (
        "Share of simulated studies whose 95 % interval holds the truth; for differences, whose test of two equally "
        "good arms does not reject at 5 %. Of means within folds the truth is what folds of that size measure on "
        "average."
    )
    tables.write("coverage_discrimination", facts, rows, words)


if __name__ == "__main__":
    main()
