"""Folders of explanations as a run leaves them: made-up crops, heat and calls."""

from pathlib import Path

import numpy as np
import pandas as pd


def write_explanations(folder: Path, *, groups: int = 8, cold: tuple[str, ...] = (), seed: int = 0) -> Path:
    """Write ``localisation.csv``, ``heat.npy`` and ``pictures.npy`` of two views a group; `cold` ones have no heat."""
    random = np.random.default_rng(seed)
    views = [f"secret{group}_{side}" for group in range(groups) for side in ("a", "b")]
    count = len(views)
    label, probability = np.arange(count) // 2 % 2, random.random(count)
    heat = random.integers(1, 255, (count, 56, 56)).astype(np.uint8)
    for place, view in enumerate(views):
        if view in cold:
            heat[place] = 0
    table = pd.DataFrame(
        {
            "view_id": views,
            "nodule_id": [view[:-2] for view in views],
            "group_id": [f"patient{number // 2}" for number in range(count)],
            "seed": 0,
            "fold": 0,
            "label": label.astype(str),
            "probability": probability,
            "threshold": 0.5,
            "call": (probability >= 0.5).astype(int).astype(str),
            "heat_in_lesion": random.random(count),
            "picture": np.arange(count),
            "composition": np.where(label == 1, "solid", "cystic"),
            "echogenic_foci": np.where(label == 1, "punctate macrocalcifications", "none"),
        }
    )
    folder.mkdir(parents=True)
    table.to_csv(folder / "localisation.csv", index=False)
    np.save(folder / "heat.npy", heat)
    np.save(folder / "pictures.npy", random.integers(0, 255, (count, 64, 64, 1)).astype(np.uint8))
    return folder
