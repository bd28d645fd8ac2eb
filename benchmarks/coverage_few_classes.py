"""How often the limits of a macro AUC hold the truth where a class has few patients, by three ways to make them.

Three independent normal scores, the own class's raised by 0, 1 or 2.5, as probabilities; one case a patient.
"""

import argparse
import sys
import time
from math import sqrt
from typing import Any

import numpy as np
import scipy
from scipy.special import softmax

import tables
from isthmus.statistics.few_groups import compare_by_intervals, mean_by_limits
from isthmus.statistics.interval import Interval
from isthmus.statistics.mean_recall import mean_recall
from isthmus.statistics.multiclass import macro_auc, one_vs_rest_aucs

SEED = 2026
SIZES = ((2, 1, 7), (3, 3, 3), (10, 4, 20), (9, 9, 9), (5, 60, 60))
LARGE = 120_000


def scored(rng: np.random.Generator, labels: np.ndarray, apart: float) -> np.ndarray:
    """Return probabilities [N, 3]."""
    return softmax(rng.normal(size=(labels.size, 3)) + apart * (labels[:, None] == np.arange(3)), axis=1)


def squared_and_added(parts: list[Interval]) -> Interval:
    """Return the mean as if the classes' AUCs were independent of each other."""
    estimate = float(np.mean([one.estimate for one in parts]))
    down, up = (
        sqrt(sum(away**2 for away in side)) / len(parts)
        for side in ([one.estimate - one.low for one in parts], [one.high - one.estimate for one in parts])
    )
    return Interval(estimate, estimate - down, estimate + up)


def once(rng: np.random.Generator, sizes: tuple[int, ...], apart: float, truth: dict[str, float]) -> dict[str, Any]:
    """Return of one study which limits hold the truth, and how wide they are."""
    labels = np.repeat(np.arange(3), sizes)
    arms = [scored(rng, labels, apart) for _ in range(2)]
    parts = [list(one_vs_rest_aucs(labels, arm, range(3)).values()) for arm in arms]
    means = [mean_by_limits(own) for own in parts]
    boot = macro_auc(labels, arms[0], range(3), replicates=200, seed=int(rng.integers(2**31)))
    recall = mean_recall(labels, arms[0].argmax(axis=1), range(3))
    gap = compare_by_intervals(*means).difference
    return {
        "macro AUC, mean of the limits": _held(means[0], truth["auc"]),
        "macro AUC, percentile bootstrap (not used here)": _held(boot, truth["auc"]),
        "macro AUC, square-and-add (not used)": _held(squared_and_added(parts[0]), truth["auc"]),
        "difference of macro AUCs": _held(gap, 0.0),
        "balanced accuracy": _held(recall, truth["recall"]),
    }


def _held(found: Interval, truth: float) -> tuple[bool, float]:
    return found.low - 1e-9 <= truth <= found.high + 1e-9, found.high - found.low


def main() -> None:
    """Run all scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=500)
    studies = parser.parse_args().studies
    rng, started, rows = np.random.default_rng(SEED), time.monotonic(), list[dict[str, Any]]()
    for sizes in SIZES:
        for apart in (0.0, 1.0, 2.5):
            many = np.repeat(np.arange(3), [LARGE // sum(sizes) * size for size in sizes])
            values = scored(rng, many, apart)
            truth = {
                "auc": macro_auc(many, values, range(3), replicates=1).estimate,
                "recall": mean_recall(many, values.argmax(axis=1), range(3)).estimate,
            }
            found = [once(rng, sizes, apart, truth) for _ in range(studies)]
            for name in found[0]:
                share = float(np.mean([one[name][0] for one in found]))
                width = float(np.mean([one[name][1] for one in found]))
                where = f"{', '.join(map(str, sizes))} patients, macro AUC {truth['auc']:.2f}"
                rows.append({"statistic": name, "scenario": where, "nominal": 0.95, "coverage": share, "width": width})
                rows[-1] |= {"Monte Carlo error": sqrt(share * (1 - share) / studies), "studies": studies}
            print(f"{sizes} {apart}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    rows.sort(key=lambda row: str(row["statistic"]))
    facts = {"seed": SEED, "numpy": np.__version__, "scipy": scipy.__version__}
    words = "Share of simulated studies whose 95 % interval holds the truth (of differences: 0), and its mean width."
    tables.write("coverage_few_classes", facts, rows, words)


if __name__ == "__main__":
    main()
