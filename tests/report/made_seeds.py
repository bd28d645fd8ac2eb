"""Made-up test sets that every seed's model has scored."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd


def made_seeds(
    strengths: Mapping[str, float],
    *,
    seeds: Sequence[int] = range(5),
    units: int = 120,
    split: str = "test",
    training: float = 0.1,
    draw: int = 3,
) -> pd.DataFrame:
    """Return predictions of arms whose seeds differ in strength by a normal deviate of sd `training`.

    Two units share a group; all models share much of what makes a unit hard.
    """
    random = np.random.default_rng(draw)
    sign = 2.0 * (np.arange(units) % 5 < 2) - 1
    hard = random.normal(size=units)
    frames = []
    for arm, strength in strengths.items():
        own = 0.5 * random.normal(size=units)
        for seed in seeds:
            logit = (strength + training * random.normal()) * sign + hard + own + 0.3 * random.normal(size=units)
            probability = 1 / (1 + np.exp(-logit))
            frames.append(
                pd.DataFrame(
                    {"target": "malignant", "cohort": "made", "arm": arm, "candidate": "default", "split": split}
                    | {"seed": seed, "fold": 0, "unit": "nodule"}
                    | {"unit_id": [f"{split}{unit:04d}" for unit in range(units)]}
                    | {"group_id": [f"{split}g{unit // 2:04d}" for unit in range(units)]}
                    | {"label": np.where(sign > 0, "1", "0"), "call": "", "p_0": 1 - probability, "p_1": probability}
                )
            )
    return pd.concat(frames, ignore_index=True)
