"""The smallest cohort worth the name: one still a nodule, two sites, readers, labels that are wrong on purpose."""

from pathlib import Path
from typing import Any

from isthmus.phantom.cohort import simulate
from isthmus.phantom.preset import Preset, load_preset
from isthmus.phantom.simulation import Simulation

NODULES, SEED, DRAWS = 12, 1, 20_000

READERS = {
    "observer": "bmode",
    "groups": {
        "junior": {"readers": 2, "auc": 0.65, "seconds": 30, "reliance": 0.5, "over_reliance": 0.1},
        "senior": {"readers": 2, "auc": 0.8, "seconds": 20, "reliance": 0.2},
    },
}


def small_preset() -> Preset:
    content = load_preset("stills").model_dump(mode="json")
    site = {"share": 0.6, "classes": {"0": 0.5, "1": 0.5}, "devices": {"linear-12": 1.0}}
    other = {**site, "share": 0.4, "stills": "dicom", "external": True, "devices": {"linear-9": 1.0}}
    return Preset.model_validate(
        content
        | {
            "name": "small",
            "sites": {"inside": site, "outside": other},
            "parts": {"train": {"0": 2, "1": 2}, "test": {"0": 1, "1": 1}},
            "views": [{"modality": "bmode", "plane": "transverse"}],
            "label_noise": 0.4,
            "readers": READERS,
        }
    )


def make(folder: Path, nodules: int = NODULES, seed: int = SEED, workers: int = 1, **others: Any) -> Simulation:
    return simulate(small_preset(), folder, nodules, seed, workers, draws=DRAWS, **others)
