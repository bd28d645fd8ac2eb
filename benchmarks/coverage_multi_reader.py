"""Whether a 95 % interval of a reader study covers 95 %: scores drawn from the model of Roe and Metz.

A score is its class's mean plus independent normal effects: reader, reader x condition, case, case x condition,
case x reader and the rest; the variances are those of C. Roe and C. Metz, Academic Radiology 4 (1997) 298-303 (LL, HL,
LH, HH: high or low correlation between readings of a case, and variance between readers). Both conditions have one true
AUC, so that a test that rejects errs. Clustered: two cases a patient whose case effects share half their variance, each
of a class of its own.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import scipy
from scipy.special import ndtr, ndtri

import tables
from isthmus.statistics.interval import Comparison, Interval
from isthmus.statistics.multi_reader.obuchowski_rockette import obuchowski_rockette
from isthmus.statistics.multi_reader.standalone import model_against_readers
from isthmus.statistics.multi_reader.study import ReaderStudy

SEED = 2026
SHARED = 0.5
CONDITIONS = ("a", "b")


@dataclass(frozen=True)
class Scenario:
    """Variances of Roe and Metz (reader and reader x condition alike), the classes' separation, and the design."""

    name: str
    separation: float
    reader: float
    case: float
    case_condition: float
    case_reader: float
    rest: float
    readers: int
    cases: int
    prevalence: float = 0.5
    per_patient: int = 1

    @property
    def of_case(self) -> float:
        """Variance of a score of one reader."""
        return self.case + self.case_condition + self.case_reader + self.rest

    @property
    def mean_auc(self) -> float:
        """AUC of a reader drawn at random, in expectation."""
        return float(ndtr(self.separation / sqrt(2 * (self.of_case + 2 * self.reader))))

    @property
    def mean_sensitivity(self) -> float:
        """The same of the sensitivity at half the separation."""
        return float(ndtr(self.separation / 2 / sqrt(self.of_case + 2 * self.reader)))

    @property
    def model_separation(self) -> float:
        """Separation that gives a model, with case effects but no skill of its own, the readers' mean AUC."""
        return float(ndtri(self.mean_auc)) * sqrt(2 * self.of_case)


SCENARIOS = (
    Scenario("LL, AUC 0.86, 6 readers, 50 + 50 cases", 1.5, 0.0055, 0.1, 0.1, 0.2, 0.6, 6, 100),
    Scenario("HL, AUC 0.85, 6 readers, 50 + 50 cases", 1.5, 0.0055, 0.3, 0.3, 0.2, 0.2, 6, 100),
    Scenario("LH, AUC 0.85, 6 readers, 50 + 50 cases", 1.5, 0.03, 0.1, 0.1, 0.2, 0.6, 6, 100),
    Scenario("HH, AUC 0.85, 6 readers, 50 + 50 cases", 1.5, 0.03, 0.3, 0.3, 0.2, 0.2, 6, 100),
    Scenario("HH, AUC 0.95, 5 readers, 25 + 75 cases", 2.5, 0.056, 0.3, 0.3, 0.2, 0.2, 5, 100, 0.25),
    Scenario("HH, AUC 0.70, 10 readers, 100 + 100 cases", 0.75, 0.011, 0.3, 0.3, 0.2, 0.2, 10, 200),
    Scenario("HH, AUC 0.85, 6 readers, 60 patients x 2", 1.5, 0.03, 0.3, 0.3, 0.2, 0.2, 6, 120, 0.5, 2),
)


def drawn(scenario: Scenario, rng: np.random.Generator) -> tuple[ReaderStudy, np.ndarray, np.ndarray]:
    """Return a study, the scores of a model on its cases, and the readers' true AUCs [readers, conditions]."""
    r, n = scenario.readers, scenario.cases
    truth = np.arange(n) < round(n * scenario.prevalence)
    groups = np.arange(n)
    if scenario.per_patient > 1:
        truth = rng.permutation(truth)
        groups = np.arange(n) // scenario.per_patient
    skill = rng.normal(size=(2, r, 1)) + rng.normal(size=(2, r, 2))  # both classes; reader, reader x condition
    skill *= sqrt(scenario.reader)
    common = sqrt(scenario.case) * _case(groups, scenario, rng)
    aspect = [sqrt(scenario.case_condition) * _case(groups, scenario, rng) for _ in range(3)]  # the model's is a third
    noise = sqrt(scenario.case_reader) * rng.normal(size=(r, 1, n)) + sqrt(scenario.rest) * rng.normal(size=(r, 2, n))
    of_class = np.where(truth, skill[1][:, :, None] + scenario.separation, skill[0][:, :, None])
    scores = of_class + common + np.stack(aspect[:2]) + noise
    own = sqrt(scenario.case_reader + scenario.rest) * rng.normal(size=n)
    model = scenario.model_separation * truth + common + aspect[2] + own
    names = tuple(f"r{j}" for j in range(r)), CONDITIONS, tuple(str(k) for k in range(n))
    true = ndtr((scenario.separation + skill[1] - skill[0]) / sqrt(2 * scenario.of_case))
    return ReaderStudy(scores, truth, groups, *names), model, true


def _case(groups: np.ndarray, scenario: Scenario, rng: np.random.Generator) -> np.ndarray:
    own = rng.normal(size=groups.size)
    if scenario.per_patient == 1:
        return own
    return sqrt(SHARED) * rng.normal(size=groups.max() + 1)[groups] + sqrt(1 - SHARED) * own


def analysed(scenario: Scenario, rng: np.random.Generator) -> Iterator[tuple[str, bool, float]]:
    """Yield name, whether the interval covers, and its width."""
    study, model, true = drawn(scenario, rng)
    calls = ReaderStudy(
        (study.scores > scenario.separation / 2).astype(float), study.truth, study.groups, study.readers,
        study.conditions, study.cases,
    )  # fmt: skip
    random = obuchowski_rockette(study)
    fixed = obuchowski_rockette(study, readers="fixed")
    yield _of("difference, random readers and cases", random.comparisons[0].comparison, 0.0)
    yield _of(
        "difference, the same with the jackknife (= DBM)",
        obuchowski_rockette(study, covariance="jackknife").comparisons[0].comparison,
        0.0,
    )
    yield _of("difference, fixed readers", fixed.comparisons[0].comparison, float(np.mean(true[:, 0] - true[:, 1])))
    yield _of("mean of one condition, random readers", random.means[0], scenario.mean_auc)
    yield _of("mean of one condition, fixed readers", fixed.means[0], float(np.mean(true[:, 0])))
    plain = obuchowski_rockette(study, CONDITIONS[:1], scale="plain")
    yield _of("mean of one condition, random readers, plain as published", plain.means[0], scenario.mean_auc)
    of_calls = obuchowski_rockette(calls, figure="sensitivity")
    yield _of("difference of sensitivities, random readers", of_calls.comparisons[0].comparison, 0.0)
    yield _of("mean sensitivity, random readers", of_calls.means[0], scenario.mean_sensitivity)
    beside = model_against_readers(study, model, "a")
    yield _of("model less mean reader, random readers", beside.comparison, 0.0)


def _of(name: str, found: Comparison | Interval, true: float) -> tuple[str, bool, float]:
    interval = found.difference if isinstance(found, Comparison) else found
    return name, interval.low <= true <= interval.high, interval.high - interval.low


def covered(scenario: Scenario, replicates: int, seed: int) -> list[dict[str, Any]]:
    """Return a row for each statistic of a scenario."""
    rng = np.random.default_rng(seed)
    hits: dict[str, list[bool]] = defaultdict(list)
    widths: dict[str, list[float]] = defaultdict(list)
    for _ in range(replicates):
        for name, covers, width in analysed(scenario, rng):
            hits[name].append(covers)
            widths[name].append(width)
    rows = []
    for name, found in hits.items():
        share = float(np.mean(found))
        error = sqrt(max(share * (1 - share), 0.25 / replicates) / replicates)
        rows.append(
            {
                "statistic": name,
                "scenario": scenario.name,
                "nominal": 0.95,
                "coverage": round(share, 4),
                "Monte Carlo error": round(error, 4),
                "mean width": float(np.mean(widths[name])),
                "replicates": replicates,
            }
        )
    return rows


def main() -> None:
    """Simulate, show the progress and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=2000)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for number, scenario in enumerate(SCENARIOS):
        start = time.perf_counter()
        rows += covered(scenario, options.replicates, SEED + number)
        print(f"{scenario.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    facts = {"seed": SEED, "replicates": options.replicates, "numpy": np.__version__, "scipy": scipy.__version__}
    words = (
        "Coverage of 95 % intervals, scores drawn from the model of Roe and Metz (1997). For differences whose truth is"
        " 0, 1 - coverage is the test's type I error."
    )
    tables.write("coverage_multi_reader", facts, rows, words)


if __name__ == "__main__":
    main()
