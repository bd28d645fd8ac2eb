"""A made-up report of a simulated cohort: three arms below their observers, readers, a leak, heat on calcifications."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.report.context import ArmFacts, CohortFacts, LeakDemonstration, Localisation, ReportContext
from isthmus.report.evidence import compute_evidence
from isthmus.report.ideal_observer import ideal_observer_evidence
from tests.report.made import made_context, made_frozen, made_predictions
from tests.report.made_truth import made_truth

TITLES = {"new": "B-mode and SWE", "old": "B-mode alone", "none": "Coin"}
MODALITIES = {"new": ["bmode", "swe"], "old": ["bmode"], "none": ["bmode"]}


def made_several(**options: object) -> pd.DataFrame:
    """Return predictions of three arms of unlike strength."""
    parts = [
        made_predictions((arm,), strength=strength, **options)  # type: ignore[arg-type]
        for arm, strength in (("new", 0.75), ("old", 0.7), ("none", 0.0))
    ]
    parts[1]["p_1"] = 0.5 * parts[1]["p_1"] + 0.5 * parts[2]["p_1"].to_numpy()
    parts[1]["p_0"] = 1 - parts[1]["p_1"]
    return pd.concat(parts, ignore_index=True)


def made_reads(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return reads of two readers, without and with help, of the test units."""
    units = predictions[predictions["split"] == "test"].drop_duplicates("unit_id")
    random = np.random.default_rng(9)
    frames = []
    for reader, experience, strength in (("R1", "junior", 0.4), ("R2", "senior", 1.2)):
        for condition, gain in (("unaided", 0.0), ("aided", 0.5)):
            logit = (strength + gain) * (2.0 * (units["label"] == "1") - 1) + random.normal(size=len(units))
            frames.append(
                pd.DataFrame(
                    {"reader_id": reader, "experience": experience, "condition": condition, "session": "1"}
                    | {"target": "malignant", "unit_id": units["unit_id"], "score": 100 / (1 + np.exp(-logit))}
                    | {"call": np.where(logit > 0, "1", "0"), "seconds": 20 + random.random(len(units))}
                )
            )
    return pd.concat(frames, ignore_index=True)


def made_leak() -> LeakDemonstration:
    """Return a picture-level split whose AUC reads higher."""

    def entry(estimate: float, low: float, high: float) -> dict[str, object]:
        return {"estimate": estimate, "low": low, "high": high, "level": 0.95, "method": "made"}

    return LeakDemonstration(
        arm="old", title="B-mode alone", unit="view", picture_level=entry(0.91, 0.87, 0.94),
        honest=entry(0.74, 0.67, 0.80), difference=entry(0.17, 0.11, 0.23), views=260, patients=60, folds=3,
    )  # fmt: skip


def made_simulated_context(cohort: Path, bootstrap: int = 60) -> ReportContext:
    """Return a context of a simulated cohort in which every section has something to show."""
    test = made_several(seeds=(0,), folds=1, split="test")
    predictions = pd.concat([made_several(), test], ignore_index=True)
    frozen = made_frozen(predictions)
    evidence = compute_evidence(
        predictions,
        frozen=frozen,
        bootstrap=bootstrap,
        primary={"arm": "new", "against": "old"},
        reads=made_reads(predictions),
        simulated_readers=True,
    )
    truth = made_truth(cohort, predictions)
    evidence["ideal_observer"] = ideal_observer_evidence(predictions, truth, MODALITIES, bootstrap=bootstrap)
    random = np.random.default_rng(1)
    area = random.uniform(0.005, 0.03, 40)
    heat = area * np.exp(random.normal(0.8, 0.7, 40))
    base = made_context()
    assert base.cohort is not None
    names = {"0": "benign", "1": "malignant"}
    facts = CohortFacts(
        "Virtual cohort, stills", licence="CC0", patients=60, groups=60, nodules=120, views=260, positives=72, sites=3,
        simulated=True, label_names=names, label_counts={"0": 48, "1": 72}, flow=base.cohort.flow,
        region_source="drawn",
    )  # fmt: skip
    found = Localisation([0.4, 0.5, 0.6], [0.5, 0.5, 0.5], 0.7, 0.8, heat.tolist(), area.tolist(), 0.12)
    return replace(
        base,
        title="Who reads thyroid nodules best?",
        question="Does elastography add to B-mode, and how near does either come to what is possible?",
        evidence=evidence,
        predictions=predictions,
        frozen=frozen,
        cohort=facts,
        arms={arm: ArmFacts(title, "net", 1.2) for arm, title in TITLES.items()},
        localisation={"new": found, "old": replace(found, calcification_pointing=None)},
        leak=made_leak(),
        truth=truth,
        marks=["SMALL PROFILE", "SIMULATED"],
    )
