"""Whether 95 % intervals of agreement, of a model against readers who only call, and of time ratios cover 95 %.

Each case has a difficulty that readers and the model share; readers differ in skill and in where they cut. What is true
is taken from the same readers on 60,000 cases (and, where readers stand for others, from 200 readers). Clustered: three
nodules a patient, who share most of what is shared. Intervals of agreement are about these readers; the mean of
six readers is about readers like them; of three it is about these three.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

import tables
from isthmus.statistics.category_agreement import cohen_kappa, reader_agreement
from isthmus.statistics.inputs import as_groups
from isthmus.statistics.interval import Interval
from isthmus.statistics.intraclass import intraclass_correlation
from isthmus.statistics.matched_point import matched_points
from isthmus.statistics.mean_reader import model_less_mean_reader, proportions_of_groups
from isthmus.statistics.means import clustered_mean

SEED = 2026
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Patients, nodules of each, readers, and how the skill and the cut of readers vary."""

    name: str
    patients: int
    per_patient: int
    readers: int
    skill_spread: float = 0.15
    cut_spread: float = 0.2


class Study(NamedTuple):
    """Labels, groups, the model's scores, the readers' scores and calls [R, N], and log time ratios [R, N]."""

    truth: NDArray[np.bool_]
    groups: NDArray[np.intp]
    model: FloatArray
    scores: FloatArray
    calls: NDArray[np.bool_]
    ratios: FloatArray


DESIGNS = (
    Design("150 patients, 1 nodule each, 3 readers", 150, 1, 3),
    Design("150 patients, 1 nodule each, 6 readers", 150, 1, 6),
    Design("80 patients, 3 nodules each, 3 readers", 80, 3, 3),
    Design("80 patients, 3 nodules each, 6 readers", 80, 3, 6),
)
_WORST, _SHARED, _OWN = 0.35, 0.75, 1.0


class Readers(NamedTuple):
    """What is a reader's own: skill, cut, and how much longer help takes."""

    skill: FloatArray
    cut: FloatArray
    slow: FloatArray


def drawn_readers(design: Design, number: int, random: np.random.Generator) -> Readers:
    """Return readers like those of the design."""
    skill = 1.3 + design.skill_spread * random.normal(size=number)
    return Readers(skill, 0.7 + design.cut_spread * random.normal(size=number), 0.2 + 0.1 * random.normal(size=number))


def drawn_study(design: Design, readers: Readers, patients: int, random: np.random.Generator) -> Study:
    """Return a study of these readers on new patients."""
    groups = np.repeat(np.arange(patients), design.per_patient)
    truth = random.random(patients)[groups] * 0.5 + random.random(groups.size) * 0.5 < _WORST
    alike = sqrt(0.7) * random.normal(size=patients)[groups] + sqrt(0.3) * random.normal(size=groups.size)
    alike = alike if design.per_patient > 1 else random.normal(size=groups.size)
    model = 1.6 * truth + _SHARED * alike + _OWN * random.normal(size=groups.size)
    own = random.normal(size=(len(readers.skill), groups.size))
    scores = readers.skill[:, None] * truth + _SHARED * alike + _OWN * own
    ratios = readers.slow[:, None] + 0.2 * alike + 0.4 * random.normal(size=own.shape)
    return Study(truth, groups, model, scores, scores > readers.cut[:, None], ratios)


def intervals(study: Study, replicates: int) -> dict[str, Interval]:
    """Return every interval that is judged."""
    calls, codes = study.calls.astype(float), study.groups
    points = matched_points(study.truth, study.model, study.calls, codes, replicates=replicates)
    one, other = points.comparisons()[0]
    found = {
        "Cohen kappa, two readers": cohen_kappa(calls[0], calls[1], codes),
        "Fleiss kappa": reader_agreement("Fleiss kappa", calls.T, codes),
        "Gwet AC1": reader_agreement("Gwet AC", calls.T, codes),
        "ICC(3,1)": intraclass_correlation(study.scores.T, codes, replicates=replicates, form="3,1"),
        "sensitivity at one reader's specificity, difference": one.difference,
        "specificity at one reader's sensitivity, difference": other.difference,
    }
    middle = float(points.model_sensitivity.mean())
    gaps = points.model_sensitivity - points.reader_sensitivity
    spread = np.pad(points.covariance_sensitivity, (0, 1))
    found["sensitivity at the readers' specificity, mean of readers"] = model_less_mean_reader(
        np.append(middle - gaps, middle), spread
    ).comparison.difference
    among = study.truth
    right = np.vstack([calls[:, among], (study.model[among] > 0.8).astype(float)])
    some, number = as_groups(codes[among], int(among.sum()))
    found["sensitivity of the calls, mean of readers"] = model_less_mean_reader(
        *proportions_of_groups(right, some, number), groups=number
    ).comparison.difference
    crossing = np.repeat(np.arange(len(calls)), codes.size) if len(calls) >= 5 else None
    found["log time ratio"] = clustered_mean(study.ratios.ravel(), np.tile(codes, len(calls)), crossing)
    return found


def truths(design: Design, readers: Readers, random: np.random.Generator) -> dict[str, float]:
    """Return what the intervals are about: these readers on 60,000 cases."""
    study = drawn_study(design, readers, 60_000 // design.per_patient, random)
    calls, right = study.calls.astype(float), study.truth
    points = matched_points(right, study.model, study.calls, replicates=2)
    gaps = points.model_sensitivity - points.reader_sensitivity
    return {
        "Cohen kappa, two readers": cohen_kappa(calls[0], calls[1]).estimate,
        "Fleiss kappa": reader_agreement("Fleiss kappa", calls.T).estimate,
        "Gwet AC1": reader_agreement("Gwet AC", calls.T).estimate,
        "ICC(3,1)": intraclass_correlation(study.scores.T, form="3,1").estimate,
        "sensitivity at one reader's specificity, difference": float(gaps[0]),
        "specificity at one reader's sensitivity, difference": float(
            (points.model_specificity - points.reader_specificity)[0]
        ),
        "sensitivity at the readers' specificity, mean of readers": float(gaps.mean()),
        "sensitivity of the calls, mean of readers": float(np.mean(study.model[right] > 0.8) - calls[:, right].mean()),
        "log time ratio": float(readers.slow.mean()),
    }


def rows_of(design: Design, studies: int, replicates: int, random: np.random.Generator) -> list[dict[str, Any]]:
    """Return coverage of every interval under one design; three readers stay the same, six are drawn anew."""
    fixed = design.readers < 5
    readers = drawn_readers(design, design.readers, random)
    of_these = truths(design, readers, random)
    if not fixed:
        many = drawn_readers(design, 200, random)
        several = [truths(design, Readers(*(part[at : at + 20] for part in many)), random) for at in range(0, 200, 20)]
        of_like = {name: float(np.mean([one[name] for one in several])) for name in of_these}
        of_like["log time ratio"] = 0.2
    covered: dict[str, list[bool]] = {}
    estimates: dict[str, list[float]] = {}
    for _ in range(studies):
        anew = drawn_readers(design, design.readers, random) if not fixed else readers
        found = intervals(drawn_study(design, anew, design.patients, random), replicates)
        for name, one in found.items():
            about_like = not fixed and ("mean of readers" in name or name == "log time ratio")
            if not fixed and not about_like:
                continue  # with other readers each time there is no one truth of agreement
            true = (of_like if about_like else of_these)[name]
            covered.setdefault(name, []).append(bool(one.low <= true <= one.high))
            estimates.setdefault(name, []).append(one.estimate - true)
    return [
        {
            "statistic": name,
            "scenario": design.name + (", the same" if fixed else ", drawn anew"),
            "nominal": 0.95,
            "coverage": (share := float(np.mean(one))),
            "Monte Carlo error": sqrt(share * (1 - share) / len(one)),
            "bias": float(np.mean(estimates[name])),
            "studies": len(one),
        }
        for name, one in covered.items()
    ]


def main() -> None:
    """Run all designs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=600)
    parser.add_argument("--replicates", type=int, default=200)
    arguments = parser.parse_args()
    random = np.random.default_rng(SEED)
    started, rows = time.monotonic(), []
    for design in DESIGNS:
        rows += rows_of(design, arguments.studies, arguments.replicates, random)
        print(f"{design.name} ({time.monotonic() - started:.0f} s)", file=sys.stderr)
    facts = {"seed": SEED, "replicates": arguments.replicates, "numpy": np.__version__, "scipy": scipy.__version__}
    tables.write("coverage_readers", facts, rows, __doc__.split("\n\n")[1].replace("\n", " "))


if __name__ == "__main__":
    main()
