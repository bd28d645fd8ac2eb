"""Made-up predictions and facts, small, the same each time."""

import numpy as np
import pandas as pd

from isthmus.report.context import (
    ArmFacts,
    Check,
    CohortFacts,
    Failure,
    FlowStep,
    Localisation,
    Picture,
    ProtocolFacts,
    ReportContext,
    SplitFacts,
)
from isthmus.report.evidence import compute_evidence

QUESTION = "Does the network tell suspicious from unsuspicious nodules?"


def made_predictions(
    arms: tuple[str, ...] = ("new", "old"),
    *,
    units: int = 120,
    folds: int = 3,
    seeds: tuple[int, ...] = (0, 1),
    strength: float = 0.6,
    split: str = "cv",
) -> pd.DataFrame:
    """Return predictions of binary arms; two units share a group, arms share folds."""
    random = np.random.default_rng(7)
    label = np.arange(units) % 5 < 3
    frames = []
    for seed in seeds:
        fold = random.permutation(units // 2) % folds
        for arm in arms:
            logit = strength * (2.0 * label - 1) + random.normal(size=units)
            probability = 1 / (1 + np.exp(-logit))
            frames.append(
                pd.DataFrame(
                    {
                        "arm": arm,
                        "split": split,
                        "seed": seed,
                        "fold": np.repeat(fold, 2)[:units],
                        "unit_id": [f"n{unit:03d}" for unit in range(units)],
                        "group_id": [f"g{unit // 2:03d}" for unit in range(units)],
                        "label": np.where(label, "1", "0"),
                        "call": "",
                        "p_0": 1 - probability,
                        "p_1": probability,
                        "target": "malignant",
                        "cohort": "made",
                        "candidate": "default",
                        "unit": "nodule",
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def made_frozen(predictions: pd.DataFrame, threshold: float = 0.55) -> dict[str, object]:
    """Return a frozen.json with one calibrator and threshold for all folds."""
    point = {
        "calibration": {"intercept": 0.1, "slope": 0.8, "method": "logistic recalibration"},
        "threshold": threshold,
        "rule": "youden",
    }
    pairs = predictions[["seed", "fold"]].drop_duplicates().itertuples(index=False)
    folds = {f"{seed}/{fold}": point for seed, fold in pairs}
    return {"arms": {arm: {**point, "folds": folds} for arm in set(predictions["arm"])}}


def made_context(pictures: tuple[Picture, ...] = (), **changes: object) -> ReportContext:
    """Return a context in which every section has something to show."""
    predictions = made_predictions()
    frozen = made_frozen(predictions)
    evidence = compute_evidence(
        predictions,
        primary={"arm": "new", "against": "old"},
        reference_arm="old",
        frozen=frozen,
        reference="tirads",
        bootstrap=100,
    )
    log = pd.DataFrame(
        {"epoch": [1, 2, 3], "train_loss": [0.7, 0.6, 0.5], "tune_loss": [0.7, 0.65, 0.7], "tune_auc": [0.5, 0.6, 0.6]}
    )
    facts: dict[str, object] = {
        "title": "New against old",
        "question": QUESTION,
        "evidence": evidence,
        "predictions": predictions,
        "frozen": frozen,
        "protocol": ProtocolFacts("made2025", citation="Made et al. 2025", profile="small", reductions=["epochs: 2"]),
        "cohort": CohortFacts(
            "made",
            licence="CC0",
            patients=58,
            groups=60,
            nodules=120,
            views=130,
            positives=72,
            sites=1,
            reference="tirads",
            label_names={"0": "TI-RADS 2 or 3", "1": "TI-RADS 4a or higher"},
            label_counts={"0": 48, "1": 72},
            excluded=[("label", "blank TI-RADS", 4)],
            import_counts={"labelled": 130, "unlabelled": 4},
            flow=[FlowStep("Files", 1134, "", [("unreadable", 1)]), FlowStep("Nodules analysed", 120, "130 views")],
            region_source="drawn",
        ),
        "splits": SplitFacts(3, [0, 1], 0.2),
        "arms": {"new": ArmFacts("New $net", "new_net", 20.1), "old": ArmFacts("Old <net>", "old_net", 21.3)},
        "learning": {"new": {"seed 0, fold 0": log}, "old": {"seed 0, fold 0": log}},
        "localisation": {"new": Localisation([0.4, 0.5, 0.6], [0.5, 0.5, 0.5], 0.7, 0.8)},
        "gallery": list(pictures),
        "failures": [Failure("view", "7_1.jpg", "truncated JPEG")],
        "protocol_resolved": made_protocol(),
        "manifest": {"python": "3.11", "seeds": [0, 1], "packages": {"numpy": "2"}},
        "checks": [Check("leak", "passed", "No group stands on two sides.")],
        "openings": "The test set of Made was opened 1 time: by New.",
        "marks": ["SMALL PROFILE"],
    }
    return ReportContext(**(facts | changes))  # type: ignore[arg-type]


def made_protocol() -> dict[str, object]:
    """Return a resolved protocol of two arms that are prepared and trained alike."""
    arm = {
        "weights": None,
        "prepare": {
            "crop": "lesion",
            "margin": 0.15,
            "denoise": "median",
            "normalise": "z",
            "channels": "gray",
            "train_size": 112,
            "crop_size": 96,
        },
        "train": {
            "optimiser": "adam",
            "rate": 0.001,
            "schedule": "cosine",
            "batch": 32,
            "epochs": 12,
            "augment": ["flip", "crop"],
            "class_weight": "balanced",
            "early_stopping": {"patience": 5},
        },
    }
    return {
        "splits": {"cross_validation": {"folds": 3}, "seeds": [0, 1], "tune": 0.2, "test": None},
        "threshold": "youden",
        "arms": {"new": {**arm, "network": "new_net"}, "old": {**arm, "network": "old_net"}},
    }
