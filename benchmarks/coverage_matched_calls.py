"""Whether a 95 % interval of a score against a table's calls, at the calls' specificity, covers 95 %.

A score and a reading are normal, of a class and of a patient: the reading is cut into calls, as a TI-RADS level is. The
true difference follows from the two normal curves. Clustered: two nodules a patient, whose score and reading share a
part; patients may have nodules of both classes.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import scipy
from scipy.special import ndtr, ndtri

import tables
from isthmus.statistics.matched_calls import compare_with_calls

SEED = 2026


@dataclass(frozen=True)
class Scenario:
    """Nodules a patient, share of positives, separations of score and reading, and the false positive rate of calls."""

    name: str
    patients: int
    per_patient: int
    prevalence: float
    score: float
    reading: float
    false_positives: float
    shared: float = 0.4

    @property
    def truth(self) -> float:
        """Sensitivity of the score minus that of the calls, at the specificity of the calls."""
        cut = ndtri(1 - self.false_positives)
        return float(ndtr(self.score - cut) - ndtr(self.reading - cut))


SCENARIOS = (
    Scenario("200 nodules, AUC 0.85 against 0.80, specificity 0.6", 200, 1, 0.4, 1.47, 1.19, 0.4),
    Scenario("200 nodules, AUC 0.80 against 0.80, specificity 0.9", 200, 1, 0.4, 1.19, 1.19, 0.1),
    Scenario("100 patients x 2, AUC 0.85 against 0.80, specificity 0.6", 100, 2, 0.4, 1.47, 1.19, 0.4),
    Scenario("250 patients x 2, AUC 0.90 against 0.85, specificity 0.8", 250, 2, 0.3, 1.81, 1.47, 0.2),
)


def drawn(scenario: Scenario, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return labels, scores, calls and groups of one study."""
    groups = np.repeat(np.arange(scenario.patients), scenario.per_patient)
    truth = rng.random(groups.size) < scenario.prevalence
    of_patient, of_nodule = rng.normal(size=scenario.patients)[groups], rng.normal(size=groups.size)
    common = sqrt(0.5) * of_patient + sqrt(0.5) * of_nodule if scenario.per_patient > 1 else of_nodule
    score, reading = (
        separation * truth + sqrt(scenario.shared) * common + sqrt(1 - scenario.shared) * rng.normal(size=groups.size)
        for separation in (scenario.score, scenario.reading)
    )
    return truth, score, reading > ndtri(1 - scenario.false_positives), groups


def row(scenario: Scenario, studies: int, replicates: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return coverage and bias of one scenario."""
    covered, estimates = 0, []
    for _ in range(studies):
        truth, score, calls, groups = drawn(scenario, rng)
        (one,) = compare_with_calls(truth, score, calls, groups, replicates=replicates)
        covered += one.difference.low <= scenario.truth <= one.difference.high
        estimates.append(one.difference.estimate)
    share = covered / studies
    return {
        "statistic": "sensitivity at the calls' specificity, score minus calls",
        "scenario": scenario.name,
        "nominal": 0.95,
        "coverage": share,
        "Monte Carlo error": sqrt(share * (1 - share) / studies),
        "studies": studies,
        "replicates": replicates,
        "truth": scenario.truth,
        "mean estimate": float(np.mean(estimates)),
    }


def main() -> None:
    """Run all scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=400)
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    started, rows = time.monotonic(), []
    for scenario in SCENARIOS:
        rows.append(row(scenario, arguments.studies, arguments.replicates, rng))
        print(f"{scenario.name}: {rows[-1]['coverage']:.3f} ({time.monotonic() - started:.0f} s)", file=sys.stderr)
    facts = {"seed": SEED, "numpy": np.__version__, "scipy": scipy.__version__}
    words = (
        "Coverage of 95 % intervals of a score's sensitivity at the specificity of a table's calls, less the calls' "
        "sensitivity."
    )
    tables.write("coverage_matched_calls", facts, rows, words)


if __name__ == "__main__":
    main()
