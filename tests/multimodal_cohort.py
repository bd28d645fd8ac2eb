"""A small cohort of stills of three modalities, drawn by hand: speckle with a disc, in colour where it is SMI or SWE.

Every nodule has two B-mode pictures, all but every fourth SMI, all but every third SWE; colour tells the classes apart.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isthmus.files import write_yaml
from isthmus.tables.check import write_table

HEIGHT, WIDTH = 56, 72
MODALITIES = ("bmode", "smi", "swe")


def write_multimodal_cohort(
    folder: Path, patients: int = 24, *, name: str = "discs in colour", modalities: Sequence[str] = MODALITIES
) -> Path:
    """Write it; every other patient is malignant, every fourth pair of patients of the test part."""
    generator = np.random.default_rng(len(name))
    (folder / "pictures").mkdir(parents=True)
    people, nodules, views = [], [], []
    for number in range(patients):
        patient, nodule, malignant = f"{name[:1]}P{number:02d}", f"{name[:1]}N{number:02d}", number % 2
        split = "test" if number // 2 % 4 == 3 else "train"
        people.append({"patient_id": patient, "site": "AB"[number // 2 % 2], "sex": "FM"[number % 3 == 0]})
        nodules.append(
            {
                "nodule_id": nodule, "patient_id": patient, "malignant": malignant, "reference": "surgery",
                "sampling": "consecutive", "split": split, "size_mm": 8.0 + number,
            }
        )  # fmt: skip
        absent = [one for one, every in (("smi", 4), ("swe", 3)) if number % every == every - 1]
        shown = [one for one in ("bmode", *modalities) if one in modalities and one not in absent]
        for place, modality in enumerate(shown):
            plane = "longitudinal" if modality == "bmode" and place == 1 else "transverse"
            views.append(_view(folder, nodule, f"{nodule}v{place}", modality, plane, malignant, generator))
    for table, rows in (("patients", people), ("nodules", nodules), ("views", views)):
        write_table(folder / f"{table}.csv", pd.DataFrame(rows))
    target = {
        "column": "malignant", "table": "nodules", "unit": "nodule", "classes": {"0": "benign", "1": "malignant"},
        "aggregation": {"nodule": "mean", "patient": "maximum"}, "reference": "surgery",
    }  # fmt: skip
    description = {
        "format": "isthmus-cohort/1.0", "name": name, "licence": "CC0-1.0", "citation": "a test", "simulated": False,
        "patient_ids": "real", "targets": {"malignant": target},
    }  # fmt: skip
    write_yaml(folder / "cohort.yaml", description)
    return folder


def _view(
    folder: Path, nodule: str, view: str, modality: str, plane: str, malignant: int, generator: np.random.Generator
) -> dict[str, str]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    left, top = generator.integers(18, 26), generator.integers(12, 18)
    inside = ((x - left - 16) / 16) ** 2 + ((y - top - 12) / 12) ** 2 < 1
    pixels = np.repeat(90 * generator.rayleigh(0.6, (HEIGHT, WIDTH, 1)), 3, axis=2)
    pixels[inside] *= 0.8 - 0.2 * malignant
    if modality != "bmode":
        pixels[inside, 0 if malignant else 2] += 120
    path = f"pictures/{view}.png"
    Image.fromarray(np.clip(pixels, 1, 255).astype(np.uint8)).save(folder / path)
    return {
        "view_id": view, "nodule_id": nodule, "modality": modality, "plane": plane, "path": path,
        "acquisition_id": f"{nodule}-{plane[:1]}", "region": f"0 0 {WIDTH} {HEIGHT}",
        "box": f"{left} {top} {left + 32} {top + 24}", "region_source": "drawn", "device": "linear",
    }  # fmt: skip
