"""A made-up reader study: readers of several experiences, without and with help, who score, call and are timed."""

import numpy as np
import pandas as pd

from tests.report.made import made_predictions

JUNIOR, SENIOR = ("J1", "J2", "J3"), ("S1", "S2", "S3")


def made_cases(arms: tuple[str, ...] = ("new", "old"), **options: object) -> pd.DataFrame:
    """Return predictions of a test set: 120 nodules of 60 patients."""
    return made_predictions(arms, seeds=(0,), folds=1, split="test", **options)  # type: ignore[arg-type]


def made_study(predictions: pd.DataFrame, *, gain: float = 0.6) -> pd.DataFrame:
    """Return the reads of three juniors and three seniors, who are slower and better with help."""
    units = predictions.drop_duplicates("unit_id")
    random = np.random.default_rng(11)
    hard = random.normal(size=len(units))
    truth = 2.0 * (units["label"].to_numpy() == "1") - 1
    frames = []
    for reader in (*JUNIOR, *SENIOR):
        strength = (0.5 if reader in JUNIOR else 0.9) + 0.1 * random.normal()
        own = random.normal(size=len(units))
        for condition in ("unaided", "aided"):
            more = gain if condition == "aided" else 0.0
            logit = (strength + more) * truth + 0.6 * hard + 0.6 * own + 0.5 * random.normal(size=len(units))
            slow = 1.25 if condition == "aided" else 1.0
            frames.append(
                pd.DataFrame(
                    {"reader_id": reader, "experience": "junior" if reader in JUNIOR else "senior"}
                    | {"condition": condition, "session": "1" if condition == "unaided" else "2", "target": "malignant"}
                    | {"unit_id": units["unit_id"], "score": np.clip(np.round(2.5 + logit), 1, 5)}
                    | {"call": np.where(logit > 0, "1", "0")}
                    | {"seconds": np.round(slow * np.exp(3 + 0.3 * random.normal(size=len(units))), 1)}
                )
            )
    return pd.concat(frames, ignore_index=True)
