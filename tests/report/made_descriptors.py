"""Made-up descriptors of cases: more suspicious where the label is positive, some blank."""

import numpy as np
import pandas as pd


def made_descriptors(
    units: int = 120, *, blank: float = 0.1, names: str = "n{:03d}", cohort: str = "made"
) -> pd.DataFrame:
    """Return descriptors, size and a recorded level of the units of ``made_predictions``."""
    random = np.random.default_rng(11)
    positive = np.arange(units) % 5 < 3
    drawn = {
        "composition": (["solid", "mixed", "spongiform", "cystic"], [0.8, 0.18, 0.01, 0.01], [0.4, 0.4, 0.1, 0.1]),
        "echogenicity": (["isoechoic", "hypoechoic", "very_hypoechoic"], [0.2, 0.5, 0.3], [0.6, 0.35, 0.05]),
        "shape": (["wider_than_tall", "taller_than_wide"], [0.6, 0.4], [0.95, 0.05]),
        "margin": (["smooth", "ill_defined", "irregular"], [0.4, 0.2, 0.4], [0.8, 0.15, 0.05]),
        "echogenic_foci": (["none", "punctate", "macrocalcifications", "comet_tail"], [0.4, 0.5, 0.1, 0.0],
                           [0.7, 0.05, 0.15, 0.1]),
    }  # fmt: skip
    columns: dict[str, object] = {"unit_id": [names.format(unit) for unit in range(units)], "cohort": cohort}
    for name, (codes, if_positive, if_negative) in drawn.items():
        values = np.where(
            positive, random.choice(codes, units, p=if_positive), random.choice(codes, units, p=if_negative)
        )
        columns[name] = np.where(random.random(units) < blank, None, values)
    columns["size_mm"] = np.round(random.uniform(4, 40, units), 1)
    columns["tirads"] = np.where(
        positive, random.choice(["3", "4a", "4b", "5"], units), random.choice(["2", "3", "4a"], units)
    )
    return pd.DataFrame(columns)
