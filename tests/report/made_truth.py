"""A made-up ``truth/`` for the made-up predictions: its observers know the label better than any arm."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isthmus.files import write_yaml
from isthmus.report.truth import Truth, read_truth

STRENGTHS = {"latents": 1.6, "bmode": 1.1, "bmode+swe": 1.4}


def made_truth(
    cohort: Path, predictions: pd.DataFrame, *, flipped: int = 0, strengths: dict[str, float] = STRENGTHS
) -> Truth:
    """Write ``truth/`` into a cohort folder and read it; ``flipped`` labels are said to be noisy."""
    folder = cohort / "truth"
    (folder / "calcifications").mkdir(parents=True)
    units = predictions.drop_duplicates("unit_id")
    classes = [name.removeprefix("p_") for name in units if name.startswith("p_")]
    random = np.random.default_rng(5)
    noise = random.normal(size=(len(units), len(classes)))
    frames = []
    for name, strength in strengths.items():
        logits = strength * 1.5 * (units["label"].to_numpy()[:, None] == np.array(classes)) + noise
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        frames.append(
            pd.DataFrame({"target": units["target"], "observer": name, "unit_id": units["unit_id"]}).assign(
                **{f"p_{label}": p[:, k] for k, label in enumerate(classes)}
            )
        )
    pd.concat(frames).to_csv(folder / "observers.csv", index=False)
    pd.DataFrame(
        {"nodule_id": units["unit_id"], "label_flipped": np.arange(len(units)) < flipped, "size_mm": 12.0}
    ).to_csv(folder / "nodules.csv", index=False)
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[2, 3] = 255
    Image.fromarray(mask).save(folder / "calcifications" / "V1.png")
    Image.fromarray(mask).save(
        folder / "calcifications" / "V3.tiff", save_all=True, append_images=[Image.fromarray(mask * 0)]
    )
    pd.DataFrame(
        {"view_id": ["V1", "V2", "V3"], "calcifications": ["calcifications/V1.png", "", "calcifications/V3.tiff"]}
    ).to_csv(folder / "views.csv", index=False)
    population = {name: {"auc": 0.5 + 0.3 * value / 1.6, "standard_error": 0.0004} for name, value in strengths.items()}
    content = {
        "preset": "made",
        "nodules": len(units),
        "seed": 0,
        "observers_draws": 1_000_000,
        "observers": population,
    }
    write_yaml(folder / "truth.yaml", {"format": "isthmus-truth/1.0", **content})
    truth = read_truth(cohort)
    assert truth is not None
    return truth
