"""A small cohort of three classes, benign, malignant and metastatic, labelled by patient: speckle with discs.

Every third patient has two nodules, the first of two pictures, the second of three; darker and rougher discs are of
higher classes. Of the second class there are few. Two readers have called every patient.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isthmus.files import write_yaml
from isthmus.tables.check import write_table

HEIGHT, WIDTH = 56, 72
CLASSES = {"BTN": "benign", "NMTN": "malignant without metastasis", "MMTN": "malignant with metastasis"}
PATIENTS: Mapping[str, int] = {"BTN": 12, "NMTN": 6, "MMTN": 16}


def write_three_class_cohort(
    folder: Path, patients: Mapping[str, int] = PATIENTS, seed: int = 0, name: str = "discs of three kinds"
) -> Path:
    """Write it; every fourth patient of a class is of the test part."""
    generator = np.random.default_rng(seed)
    (folder / "pictures").mkdir(parents=True)
    people, nodules, views, reads = [], [], [], []
    labels = [(label, number) for label, count in patients.items() for number in range(count)]
    for place, (label, number) in enumerate(labels):
        patient, shade = f"P{place:02d}", list(CLASSES).index(label)
        people.append({"patient_id": patient, "site": "AB"[place % 2], "sex": "FM"[place % 3 == 0], "diagnosis": label})
        for other in range(1 + (place % 3 == 0)):
            nodule = f"N{place:02d}{'ab'[other]}"
            nodules.append(
                {
                    "nodule_id": nodule, "patient_id": patient, "reference": "surgery", "sampling": "consecutive",
                    "size_mm": round(float(generator.uniform(6, 30)), 1),
                    "split": "test" if number % 4 == 3 else "train",
                }
            )  # fmt: skip
            views += [_view(folder, nodule, picture, shade, generator) for picture in range(2 + other)]
        for reader, right in (("junior", 0.55), ("senior", 0.8)):
            call = label if generator.random() < right else str(generator.choice(list(CLASSES)))
            reads.append(
                {
                    "reader_id": reader, "experience": reader, "condition": "unaided", "target": "diagnosis",
                    "unit_id": patient, "call": call,
                }
            )  # fmt: skip
    tables = {"patients": people, "nodules": nodules, "views": views, "reads": reads}
    for table, rows in tables.items():
        write_table(folder / f"{table}.csv", pd.DataFrame(rows))
    target = {
        "column": "diagnosis", "table": "patients", "unit": "patient", "classes": dict(CLASSES),
        "aggregation": {"nodule": "mean", "patient": "mean"}, "reference": "surgery",
    }  # fmt: skip
    description = {
        "format": "isthmus-cohort/1.0", "name": name, "licence": "CC0-1.0", "citation": "a test", "simulated": True,
        "patient_ids": "real", "targets": {"diagnosis": target},
    }  # fmt: skip
    write_yaml(folder / "cohort.yaml", description)
    return folder


def _view(folder: Path, nodule: str, picture: int, shade: int, generator: np.random.Generator) -> dict[str, str]:
    view = f"V{nodule[1:]}{picture}"
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    left, top = generator.integers(18, 26), generator.integers(12, 18)
    inside = ((x - left - 16) / 16) ** 2 + ((y - top - 12) / 12) ** 2 < 1
    pixels = 90 * generator.rayleigh(0.6, (HEIGHT, WIDTH))
    pixels[inside] *= 1.1 - 0.35 * shade + generator.normal(0, 0.1)
    Image.fromarray(np.clip(pixels, 1, 255).astype(np.uint8)).save(folder / "pictures" / f"{view}.png")
    return {
        "view_id": view, "nodule_id": nodule, "modality": "bmode", "path": f"pictures/{view}.png",
        "region": f"0 0 {WIDTH} {HEIGHT}", "box": f"{left} {top} {left + 32} {top + 24}", "region_source": "drawn",
        "device": "linear",
    }  # fmt: skip
