"""A small faultless cohort folder, for tests that then spoil one thing in it."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isthmus.cohort.description import Description, Target, write_description
from isthmus.imaging.read import write_mask
from isthmus.tables.check import write_table

TARGET = Target(
    name="malignant",
    column="malignant",
    table="nodules",
    unit="nodule",
    classes={"0": "benign", "1": "malignant"},
    reference="surgery",
)


def write_small_cohort(folder: Path, patients: int = 24) -> Path:
    """Patients p000 …, one nodule each, every third malignant, the last without a label; one 64x48 view a nodule."""
    numbers = range(patients)
    ids = [f"{number:03}" for number in numbers]
    labels = ["1" if number % 3 == 0 else "0" for number in numbers]
    labels[-1] = ""
    write_table(folder / "patients.csv", pd.DataFrame({"patient_id": ids, "site": ["A", "B"] * (patients // 2)}))
    nodules = pd.DataFrame({"nodule_id": ids, "patient_id": ids, "malignant": labels, "reference": "surgery"})
    write_table(folder / "nodules.csv", nodules)
    views = pd.DataFrame(
        {
            "view_id": [f"v{text}" for text in ids],
            "nodule_id": ids,
            "modality": "bmode",
            "path": [f"pictures/{text}.png" for text in ids],
            "region": "4 4 60 44",
            "mask": [f"masks/{text}.png" for text in ids],
            "box": "20 10 40 30",
            "region_source": "drawn",
        }
    )
    write_table(folder / "views.csv", views)
    description = Description(name="small", licence="none", citation="none", targets={"malignant": TARGET})
    write_description(folder, description)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:40] = True
    (folder / "pictures").mkdir()
    for number, text in zip(numbers, ids, strict=True):
        write_mask(folder / "masks" / f"{text}.png", mask)
        pixels = np.zeros((48, 64), np.uint8)
        # Smooth in both directions, so that nothing in it looks like a letter.
        pixels[4:44, 4:60] = 60 + number + np.arange(56, dtype=np.uint8)[None, :] // 4
        Image.fromarray(pixels).save(folder / "pictures" / f"{text}.png")
    return folder


def spoil(folder: Path, table: str, line: int, column: str, value: str) -> None:
    """Put ``value`` into one cell; ``line`` counts as in the file, the header being 1."""
    path = folder / f"{table}.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if column not in frame:
        frame[column] = ""
    frame.loc[line - 2, column] = value
    write_table(path, frame)
