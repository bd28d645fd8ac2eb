"""Whether 95 % intervals of calls and of decision curves cover 95 %, and whether McNemar's tests keep 5 %.

Two models' scores are normal in each class, of a part that a patient's nodules share, a part that the models share, and
noise; each model's probability is the true one given its score, so sensitivities, specificities and net benefits are
known from the normal curve. Patients may have nodules of both classes.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt
from typing import Any

import numpy as np
import scipy
from scipy.special import expit, ndtr

import tables
from isthmus.statistics.confusion import binary_measures
from isthmus.statistics.decision_curve import decision_curves
from isthmus.statistics.mcnemar import mcnemar
from isthmus.statistics.per_thousand import per_thousand

SEED = 2026
CUTS = (0.1, 0.3)
CLINIC = 0.1
CALL_AT = 0.3


@dataclass(frozen=True)
class Scenario:
    """Patients, the most nodules of one, share of cases, separations of both models, share of variance in patients."""

    name: str
    patients: int
    most: int
    prevalence: float
    separations: tuple[float, float]
    of_patient: float

    def rates(self, model: int, cut: float) -> tuple[float, float]:
        """Return sensitivity and rate of false alarms of calling at a probability."""
        d = self.separations[model]
        at = (log(cut / (1 - cut)) - log(self.prevalence / (1 - self.prevalence)) + d**2 / 2) / d
        return float(ndtr(d - at)), float(ndtr(-at))

    def benefit(self, model: int, cut: float) -> float:
        """Return the true net benefit."""
        sensitivity, alarms = self.rates(model, cut)
        return self.prevalence * sensitivity - (1 - self.prevalence) * alarms * cut / (1 - cut)


SCENARIOS = (
    Scenario("200 nodules, one a patient", 200, 1, 0.3, (1.5, 1.0), 0.0),
    Scenario("100 patients with 1 to 4, half of the variance theirs", 100, 4, 0.3, (1.5, 1.0), 0.5),
    Scenario("40 patients with 1 to 4, half of the variance theirs", 40, 4, 0.3, (1.5, 1.0), 0.5),
    Scenario("100 patients with 1 to 4, no difference", 100, 4, 0.3, (1.2, 1.2), 0.5),
)


def matthews(prevalence: float, sensitivity: float, alarms: float) -> float:
    """Return Matthews' correlation of the whole population."""
    tp, fp = prevalence * sensitivity, (1 - prevalence) * alarms
    fn, tn = prevalence - tp, 1 - prevalence - fp
    return (tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))


def drawn(scenario: Scenario, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, probabilities [2, N] and groups of one study."""
    groups = np.repeat(np.arange(scenario.patients), rng.integers(1, scenario.most + 1, scenario.patients))
    truth = rng.random(groups.size) < scenario.prevalence
    own = rng.normal(size=(3, scenario.patients))[:, groups]  # of the patient: shared by the models, and each one's
    each = rng.normal(size=(3, groups.size))
    parts = sqrt(scenario.of_patient) * own + sqrt(1 - scenario.of_patient) * each
    separations = np.array(scenario.separations)[:, None]
    scores = separations * truth + sqrt(0.5) * parts[0] + sqrt(0.5) * parts[1:]
    odds = log(scenario.prevalence / (1 - scenario.prevalence)) + separations * scores - separations**2 / 2
    return truth, expit(odds), groups


def intervals(scenario: Scenario, rng: np.random.Generator, replicates: int) -> Iterator[tuple[str, float, Any, Any]]:
    """Yield the name, the true value and the limits of each statistic in one study."""
    truth, p, groups = drawn(scenario, rng)
    sensitivity, alarms = scenario.rates(0, CALL_AT)
    calls = p[0] >= CALL_AT
    measures = binary_measures(truth, calls, groups, replicates=replicates)
    true = {
        "sensitivity": sensitivity,
        "specificity": 1 - alarms,
        "balanced_accuracy": (sensitivity + 1 - alarms) / 2,
        "likelihood_ratio_positive": sensitivity / alarms,
        "likelihood_ratio_negative": (1 - sensitivity) / (1 - alarms),
        "diagnostic_odds_ratio": sensitivity * (1 - alarms) / (alarms * (1 - sensitivity)),
        "f1": 2 * scenario.prevalence * sensitivity
        / (scenario.prevalence * (1 + sensitivity) + (1 - scenario.prevalence) * alarms),
        "mcc": matthews(scenario.prevalence, sensitivity, alarms),
    }  # fmt: skip
    for name, value in true.items():
        yield name.replace("_", " "), value, measures[name].low, measures[name].high
    people = per_thousand(truth, calls, CLINIC, groups)
    positive = 1000 * (CLINIC * sensitivity + (1 - CLINIC) * alarms)
    yield "positive calls of 1,000", positive, people["positive"].low, people["positive"].high
    yield "missed of 1,000", 1000 * CLINIC * (1 - sensitivity), people["missed"].low, people["missed"].high
    curves = decision_curves(truth, p, CUTS, groups=groups, replicates=replicates)
    stated = decision_curves(truth, p, CUTS, scenario.prevalence, groups=groups, replicates=replicates)
    for k, cut in enumerate(CUTS):
        value, band = scenario.benefit(0, cut), curves.net_benefit[0]
        yield f"net benefit at {cut}", value, band.low[k], band.high[k]
        band = stated.net_benefit[0]
        yield f"net benefit at {cut}, prevalence stated", value, band.low[k], band.high[k]
        everybody = scenario.prevalence - (1 - scenario.prevalence) * cut / (1 - cut)
        band = curves.against_all[0]
        yield f"net benefit against everybody at {cut}", value - everybody, band.low[k], band.high[k]
        difference = curves.difference(0, 1)
        if difference.groups[k] >= 5:
            between = scenario.benefit(0, cut) - scenario.benefit(1, cut)
            yield f"net benefit difference at {cut}", between, difference.low[k], difference.high[k]
    if scenario.separations[0] == scenario.separations[1]:
        right = (p >= CALL_AT) == truth
        for method in ("obuchowski", "yang", "durkalski"):
            tested = mcnemar(right[0], right[1], groups, clustered=method)
            kept = 0.0 if tested.clustered_p < 0.05 else 1.0
            yield f"McNemar over groups, {method}: not rejected", 1.0, kept, kept
        naive = 0.0 if mcnemar(right[0], right[1]).mid_p < 0.05 else 1.0
        yield "McNemar mid-p, clusters ignored: not rejected", 1.0, naive, naive


def main() -> None:
    """Run all scenarios and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--replicates", type=int, default=400)
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    started, rows = time.monotonic(), []
    for scenario in SCENARIOS:
        covered: dict[str, list[bool]] = {}
        for _ in range(arguments.studies):
            for name, value, low, high in intervals(scenario, rng, arguments.replicates):
                if not np.isnan(low):
                    covered.setdefault(name, []).append(bool(low <= value <= high))
        for name, hits in covered.items():
            share = float(np.mean(hits))
            rows.append(
                {
                    "statistic": name,
                    "scenario": scenario.name,
                    "nominal": 0.95,
                    "coverage": share,
                    "Monte Carlo error": sqrt(share * (1 - share) / len(hits)),
                    "studies": len(hits),
                }
            )
        print(f"{scenario.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    facts = {"seed": SEED, "replicates": arguments.replicates, "numpy": np.__version__, "scipy": scipy.__version__}
    words = (
        "Coverage of 95 % intervals of calls (at a probability of 0.3), of numbers per 1,000 patients at a prevalence "
        "of 0.1, and of decision curves; and how often tests of no difference keep quiet. Fewer studies: in the others "
        "the two models differ in fewer than 5 patients of a class, and nothing is claimed."
    )
    tables.write("coverage_decisions", facts, rows, words)


if __name__ == "__main__":
    main()
