"""What is known of made-up cases: two nodules a patient, some of it missing."""

import numpy as np
import pandas as pd

from tests.report.made import made_predictions


def made_two_sets() -> pd.DataFrame:
    """Return a cross-validation and a test set of other patients."""
    inside = made_predictions(units=160)
    unseen = made_predictions(units=90, split="test", folds=1, seeds=(0,))
    for name in ("unit_id", "group_id"):
        unseen[name] = "t" + unseen[name]
    together = pd.concat([inside, unseen], ignore_index=True)
    return together.assign(patient_id=together["group_id"])


def made_cases(predictions: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return one row a unit: positives are larger and more often solid and punctate."""
    random = np.random.default_rng(seed)
    units = predictions.drop_duplicates(["cohort", "unit_id"])
    count, positive = len(units), (units["label"] == "1").to_numpy()
    names, patient = np.unique(units["group_id"], return_inverse=True)
    solid = random.random(count) < 0.6 + 0.2 * positive
    punctate = positive & (random.random(count) < 0.5)
    return pd.DataFrame(
        {
            "cohort": units["cohort"].to_numpy(),
            "unit_id": units["unit_id"].to_numpy(),
            "patient_id": units["group_id"].to_numpy(),
            "age_years": np.round(random.normal(50, 12, len(names)))[patient],
            "sex": np.where(random.random(len(names)) < 0.7, "F", "M")[patient],
            "size_mm": np.round(random.gamma(3, 5, count) + 4 * positive, 1),
            "composition": np.where(solid, "solid", np.where(random.random(count) < 0.5, "mixed", "cystic")),
            "echogenic_foci": np.where(punctate, "macrocalcifications punctate", "none"),
            "tirads": np.where(
                positive, random.choice(["TR4", "TR5"], count), random.choice(["TR2", "TR3", "TR4"], count)
            ),
            "device": random.choice(["Console A", "Console B", "Console C"], count),
            "site": random.choice(["North", "South"], count),
            "stiffness_kpa": np.where(random.random(count) < 0.1, np.nan, np.round(random.exponential(20, count), 1)),
        }
    )
