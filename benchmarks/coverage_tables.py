"""Whether the tests of Table 1 and of subgroups are wrong in 5 % of tables without a difference, and plans hold.

Clustered: two nodules a patient, whose values and scores share a part; patients may have nodules of both classes, and
of both sizes. Standardised differences: how often the 95 % interval holds the truth. Plans: how often DeLong's and
McNemar's tests find the difference that a size was computed for.
"""

import argparse
import sys
import time
from collections.abc import Callable
from math import ceil, sqrt
from typing import Any

import numpy as np
import scipy
from scipy.special import ndtri

import tables
from isthmus.statistics.clustered_group_tests import clustered_categorical_test, clustered_numeric_test
from isthmus.statistics.group_tests import categorical_test, numeric_test
from isthmus.statistics.interaction import auc_heterogeneity, difference_heterogeneity, subgroup_auc
from isthmus.statistics.roc import compare_aucs
from isthmus.statistics.sample_size import paired_proportions
from isthmus.statistics.sample_size_auc import auc_difference
from isthmus.statistics.standardised_difference import standardised_mean_difference, standardised_share_difference

SEED = 2026
Draw = Callable[[np.random.Generator], bool]


def normal(rng: np.random.Generator) -> bool:
    """20 and 40 cases, standard deviations 1 and 3."""
    return numeric_test([rng.normal(size=20), 3 * rng.normal(size=40)]).p < 0.05


def skewed(rng: np.random.Generator) -> bool:
    """30 and 60 cases, lognormal."""
    return numeric_test([rng.lognormal(size=30), rng.lognormal(size=60)]).p < 0.05


def categories(shares: list[float], sizes: tuple[int, int]) -> Draw:
    """Return two groups with the same shares."""

    def draw(rng: np.random.Generator) -> bool:
        p = categorical_test(np.array([rng.multinomial(size, shares) for size in sizes]).T).p
        return bool(p < 0.05)

    return draw


def clustered_numbers(patients: int, skew: bool) -> Draw:
    """Return two nodules a patient, all of the patient's class."""

    def draw(rng: np.random.Generator) -> bool:
        group = np.repeat(np.arange(patients), 2)
        of = (np.arange(patients) % 3 == 0).astype(int)[group]
        values = rng.normal(size=patients)[group] + rng.normal(size=2 * patients)
        return bool(clustered_numeric_test(np.exp(values) if skew else values, of, group).p < 0.05)

    return draw


def clustered_categories(patients: int) -> Draw:
    """Return two nodules a patient in three categories."""

    def draw(rng: np.random.Generator) -> bool:
        group = np.repeat(np.arange(patients), 2)
        of = (np.arange(patients) % 3 == 0).astype(int)[group]
        values = rng.normal(size=patients)[group] + 0.5 * rng.normal(size=2 * patients)
        return bool(clustered_categorical_test(np.digitize(values, [-0.6, 0.6]), of, group).p < 0.05)

    return draw


def equal_aucs(per_class: int, levels: int, auc: float) -> Draw:
    """Return subgroups of independent cases with one AUC, so many of either class in each."""

    def draw(rng: np.random.Generator) -> bool:
        truth = np.tile(np.repeat([True, False], per_class), levels)
        level = np.repeat(np.arange(levels), 2 * per_class)
        scores = rng.normal(size=truth.size) + sqrt(2) * ndtri(auc) * truth
        return bool(auc_heterogeneity([subgroup_auc(truth, scores, level == k) for k in range(levels)]).p < 0.05)

    return draw


def equal_aucs_of_patients(patients: int, folds: int) -> Draw:
    """Return patients with two nodules in different subgroups, scored by so many fold models."""

    def draw(rng: np.random.Generator) -> bool:
        group = np.repeat(np.arange(patients), 2)
        level = np.tile([0, 1], patients)
        truth = rng.random(2 * patients) < 0.4
        scores = 0.7 * (rng.normal(size=patients)[group] + rng.normal(size=2 * patients)) + 1.5 * truth
        fold = group % folds
        found = [subgroup_auc(truth, scores + fold, level == k, fold, group) for k in (0, 1)]
        return bool(auc_heterogeneity(found).p < 0.05)

    return draw


def equal_differences(per_class: int) -> Draw:
    """Return two arms whose difference is one in three subgroups."""

    def draw(rng: np.random.Generator) -> bool:
        truth = np.tile(np.repeat([True, False], per_class), 3)
        level = np.repeat(np.arange(3), 2 * per_class)
        shared = rng.normal(size=truth.size)
        a, b = (sqrt(0.5) * (shared + rng.normal(size=truth.size)) + shift * truth for shift in (1.5, 1.1))
        found = [[subgroup_auc(truth, scores, level == k) for k in range(3)] for scores in (a, b)]
        return bool(difference_heterogeneity(*found).p < 0.05)

    return draw


def means_covered(rng: np.random.Generator) -> bool:
    """A true difference of 0.5, 40 and 80 cases."""
    found = standardised_mean_difference(rng.normal(0.5, 1, 40), rng.normal(0, 1, 80))
    return found.low <= 0.5 <= found.high


def shares_covered(rng: np.random.Generator) -> bool:
    """Shares of 0.3 and 0.5, 60 and 120 cases."""
    true = -0.2 / sqrt((0.21 + 0.25) / 2)
    found = standardised_share_difference(rng.multinomial(60, [0.3, 0.7]), rng.multinomial(120, [0.5, 0.5]))
    return found.low <= true <= found.high


def planned_aucs(a: float, b: float, correlation: float, prevalence: float) -> Draw:
    """Return a study of the size that was computed for a power of 0.8."""
    plan = auc_difference(a, b, prevalence, correlation=correlation)
    truth = np.repeat([True, False], [plan.positives, plan.negatives])
    shifts = ndtri(np.array([a, b])) * sqrt(2)

    def draw(rng: np.random.Generator) -> bool:
        shared = sqrt(correlation) * rng.normal(size=truth.size)
        one, other = (shared + sqrt(1 - correlation) * rng.normal(size=truth.size) + s * truth for s in shifts)
        return compare_aucs(truth, one, other).p < 0.05

    return draw


def planned_calls(a: float, b: float, phi: float) -> Draw:
    """Return pairs of the size that was computed for a power of 0.8."""
    pairs = ceil(paired_proportions(a, b, phi))
    both = a * b + phi * sqrt(a * (1 - a) * b * (1 - b))

    def draw(rng: np.random.Generator) -> bool:
        _, lone, other, _ = rng.multinomial(pairs, [both, a - both, b - both, 1 - a - b + both])
        return bool(lone + other and abs(lone - other) > 1.959964 * sqrt(lone + other))

    return draw


SCENARIOS: tuple[tuple[str, str, float, Draw], ...] = (
    ("Table 1, numbers: wrong", "20 and 40 normal cases, SD 1 and 3", 0.05, normal),
    ("Table 1, numbers: wrong", "30 and 60 lognormal cases", 0.05, skewed),
    ("Table 1, numbers: wrong", "60 patients x 2, normal", 0.05, clustered_numbers(60, False)),
    ("Table 1, numbers: wrong", "60 patients x 2, lognormal", 0.05, clustered_numbers(60, True)),
    ("Table 1, categories: wrong", "80 and 120 cases, 3 categories", 0.05, categories([0.5, 0.3, 0.2], (80, 120))),
    ("Table 1, categories: wrong", "20 and 40 cases, rare category (exact)", 0.05,
     categories([0.6, 0.34, 0.06], (20, 40))),
    ("Table 1, categories: wrong", "60 patients x 2, 3 categories", 0.05, clustered_categories(60)),
    ("Subgroups, AUC: wrong", "3 levels, 10 + 10 cases each, AUC 0.8", 0.05, equal_aucs(10, 3, 0.8)),
    ("Subgroups, AUC: wrong", "3 levels, 30 + 30 cases each, AUC 0.85", 0.05, equal_aucs(30, 3, 0.85)),
    ("Subgroups, AUC: wrong", "8 levels, 15 + 15 cases each, AUC 0.75", 0.05, equal_aucs(15, 8, 0.75)),
    ("Subgroups, AUC: wrong", "100 patients x 2 in both levels", 0.05, equal_aucs_of_patients(100, 1)),
    ("Subgroups, AUC: wrong", "100 patients x 2 in both levels, 5 folds", 0.05, equal_aucs_of_patients(100, 5)),
    ("Subgroups, difference of two arms: wrong", "3 levels, 25 + 25 cases each", 0.05, equal_differences(25)),
    ("Standardised difference of means: covered", "0.5, 40 and 80 cases", 0.95, means_covered),
    ("Standardised difference of shares: covered", "0.3 against 0.5, 60 and 120 cases", 0.95, shares_covered),
    ("Planned difference of AUCs: found", "0.85 and 0.78, correlation 0.5, prevalence 1/3", 0.8,
     planned_aucs(0.85, 0.78, 0.5, 1 / 3)),
    ("Planned difference of AUCs: found", "0.92 and 0.85, correlation 0.3, prevalence 0.2", 0.8,
     planned_aucs(0.92, 0.85, 0.3, 0.2)),
    ("Planned difference of calls: found", "0.9 and 0.8, phi 0.3", 0.8, planned_calls(0.9, 0.8, 0.3)),
)  # fmt: skip


def row(statistic: str, scenario: str, nominal: float, draw: Draw, studies: int) -> dict[str, Any]:
    """Return how often it happened in one scenario."""
    rng = np.random.default_rng(SEED)
    share = sum(draw(rng) for _ in range(studies)) / studies
    return {
        "statistic": statistic,
        "scenario": scenario,
        "nominal": nominal,
        "share": share,
        "Monte Carlo error": sqrt(share * (1 - share) / studies),
        "studies": studies,
    }


def main() -> None:
    """Run all scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    started, rows = time.monotonic(), []
    for statistic, scenario, nominal, draw in SCENARIOS:
        rows.append(row(statistic, scenario, nominal, draw, studies))
        print(f"{statistic}, {scenario}: {rows[-1]['share']:.3f} ({time.monotonic() - started:.0f} s)", file=sys.stderr)
    facts = {"seed": SEED, "numpy": np.__version__, "scipy": scipy.__version__}
    words = (
        "How often tests without a difference are significant at 0.05 (wrong), 95 % intervals hold the truth (covered) "
        "and studies of the computed size find the difference (found)."
    )
    tables.write("coverage_tables", facts, rows, words)


if __name__ == "__main__":
    main()
