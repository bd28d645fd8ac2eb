"""Whether 95 % intervals of calibration, reclassification and abstention cover 95 %, and sets hold what they promise.

The chance of being positive is known: a logistic function of what the model sees, and, where clustered, of a patient's
own share that no model sees. True values come from 400,000 patients. Sets promise 90 % for one nodule of a new patient:
their row counts such nodules, not intervals.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import scipy
from scipy.special import expit

import tables
from isthmus.statistics.abstention import abstained, band_width, certainty, risk_coverage
from isthmus.statistics.calibration_curve import flexible_curve
from isthmus.statistics.calibration_measures import brier, calibration_in_the_large, calibration_slope, scaled_brier
from isthmus.statistics.conformal import conformal_limits, prediction_sets
from isthmus.statistics.interval import Interval
from isthmus.statistics.reclassification import integrated_discrimination, net_reclassification

SEED = 2026
WHOLE = 400_000
POINT = 0.3
POINTS = 41


@dataclass(frozen=True)
class Scenario:
    """Patients, most nodules of one, spread of a patient's unseen share, and how the probabilities are off."""

    name: str
    patients: int
    most: int
    unseen: float
    shift: float = 0.0
    stretch: float = 1.0


SCENARIOS = (
    Scenario("200 patients, one nodule each", 200, 1, 0.0),
    Scenario("200 patients, one nodule each, too extreme and too high", 200, 1, 0.0, 0.5, 1.7),
    Scenario("100 patients, two nodules each, alike", 100, 2, 1.0),
    Scenario("250 patients, one to four nodules, alike", 250, 4, 1.0, 0.3, 1.3),
)


def drawn(scenario: Scenario, patients: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Return labels, new and old probabilities, and groups."""
    sizes = np.full(patients, scenario.most) if scenario.most < 4 else rng.integers(1, scenario.most + 1, patients)
    groups = np.repeat(np.arange(patients), sizes)
    seen = sqrt(0.5) * rng.normal(size=patients)[groups] + sqrt(0.5) * rng.normal(size=groups.size)
    own = scenario.unseen * rng.normal(size=patients)[groups]
    truth = rng.random(groups.size) < expit(-0.5 + 1.5 * seen + own)
    worse = 0.7 * seen + sqrt(0.51) * rng.normal(size=groups.size)
    new = expit(scenario.shift + scenario.stretch * (-0.5 + 1.5 * seen))
    return truth, new, expit(-0.5 + worse), groups


def measured(scenario: Scenario, sample: tuple[np.ndarray, ...], replicates: int, width: float) -> dict[str, Interval]:
    """Return every interval that is judged."""
    truth, new, old, groups = sample
    sure = certainty(new, 0.5)
    net = net_reclassification(truth, new >= 0.5, old >= 0.5, groups, replicates=replicates)
    gained = integrated_discrimination(truth, new, old, groups, replicates=replicates)
    rest = abstained(truth, new >= 0.5, sure, width, groups)
    found = {
        "Brier score": brier(truth, new, groups),
        "scaled Brier score": scaled_brier(truth, new, groups),
        "calibration slope": calibration_slope(truth, new, groups),
        "calibration intercept": calibration_in_the_large(truth, new, groups),
        "NRI by calls, positives": net.events,
        "NRI by calls, sum": net.total,
        "IDI": gained.total,
        "accuracy outside a band": rest.accuracy,
        "gain of a band": rest.gain,
        "area under risk-coverage": risk_coverage((new >= 0.5) == truth, sure, groups, replicates=replicates).area,
    }
    if len(truth) < WHOLE:
        curve = flexible_curve(truth, new, groups, replicates=replicates)
        at = [float(np.interp(POINT, curve.predicted, values)) for values in (curve.observed, curve.low, curve.high)]
        found["flexible curve at 0.3"] = Interval(*at)
        found["ICI"] = curve.ici
    return found


def true_values(scenario: Scenario, rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """Return the value of each measure in a population, and the width of a band that leaves a fifth out there."""
    sample = drawn(scenario, WHOLE, rng)
    width = band_width(certainty(sample[1], 0.5), 0.2)
    values = {name: one.estimate for name, one in measured(scenario, sample, 1, width).items()}
    # What is seen of a nodule gives its chance, the unseen share averaged over 64 nodes.
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)

    def chance(p: np.ndarray) -> np.ndarray:
        line = (np.log(p / (1 - p)) - scenario.shift) / scenario.stretch
        return expit(line[:, None] + scenario.unseen * nodes) @ weights / weights.sum()

    some = sample[1][:200_000]
    values["flexible curve at 0.3"] = float(chance(np.array([POINT]))[0])
    values["ICI"] = float(np.abs(chance(some) - some).mean())
    return values, width


def rows_of(scenario: Scenario, studies: int, replicates: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return a row for each measure of one scenario."""
    truth, width = true_values(scenario, rng)
    covered: dict[str, list[bool]] = {name: [] for name in truth}
    estimates: dict[str, list[float]] = {name: [] for name in truth}
    held: dict[bool, list[float]] = {True: [], False: []}
    start = time.monotonic()
    for study in range(studies):
        sample = drawn(scenario, scenario.patients, rng)
        for name, one in measured(scenario, sample, replicates, width).items():
            covered[name].append(bool(one.low <= truth[name] <= one.high))
            estimates[name].append(one.estimate)
        fresh = drawn(scenario, 400, rng)
        for by_class in held:
            held[by_class].append(_held(sample, fresh, by_class=by_class))
        if sys.stderr.isatty() or study % 100 == 99:
            print(
                f"\r{scenario.name}: {study + 1} of {studies}, {time.monotonic() - start:.0f} s",
                end="",
                file=sys.stderr,
            )
    print(file=sys.stderr)
    rows = []
    for name, hits in covered.items():
        share = float(np.mean(hits))
        rows.append(
            _row(scenario, name, 0.95, share, sqrt(share * (1 - share) / studies), truth[name], estimates[name])
        )
    for by_class, shares in held.items():
        name = f"set of a new patient's nodule, {'a limit a class' if by_class else 'one limit'}"
        rows.append(
            _row(scenario, name, 0.9, float(np.mean(shares)), float(np.std(shares) / sqrt(studies)), 0.9, shares)
        )
    return rows


def _held(sample: tuple[np.ndarray, ...], fresh: tuple[np.ndarray, ...], *, by_class: bool) -> float:
    truth, new, _, groups = sample
    limits = conformal_limits(truth.astype(int), np.stack([1 - new, new], 1), 0.1, groups, by_class=by_class)
    first = np.unique(fresh[3], return_index=True)[1]
    p, y = fresh[1][first], fresh[0][first].astype(int)
    return float(prediction_sets(np.stack([1 - p, p], 1), limits)[np.arange(len(y)), y].mean())


def _row(
    scenario: Scenario, name: str, nominal: float, share: float, error: float, truth: float, estimates: list[float]
) -> dict[str, Any]:
    return {
        "statistic": name,
        "scenario": scenario.name,
        "nominal": nominal,
        "coverage": share,
        "Monte Carlo error": error,
        "studies": len(estimates),
        "truth": truth,
        "mean estimate": float(np.mean(estimates)),
    }


def main() -> None:
    """Simulate and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=600, help="of each scenario")
    parser.add_argument("--replicates", type=int, default=300, help="bootstraps behind an interval")
    options = parser.parse_args()
    rng = np.random.default_rng(SEED)
    rows = [row for scenario in SCENARIOS for row in rows_of(scenario, options.studies, options.replicates, rng)]
    words = (
        "Coverage of 95 % intervals; of the sets, the share of new patients' nodules whose class they hold. The ICI is "
        "a mean distance and cannot be below 0; with perfect calibration its truth is 0, and the estimate is above it."
    )
    facts = {"seed": SEED, "replicates": options.replicates, "numpy": np.__version__, "scipy": scipy.__version__}
    tables.write("coverage_probabilities", facts, rows, words)


if __name__ == "__main__":
    main()
