"""A folder as a hospital hands it over: pictures, outlines beside them, and a spreadsheet with a few human mistakes."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tests.cohort.hospital_data import write_workbook
from tests.simulated_cohort import write_simulated_cohort

HEADINGS = ["Patient ID", "Nodule", "Name", "Sex", "Age", "Size (mm)", "Histology", "Reader 1", "Reader 2"]
FAULTS = {3: ("Histology", "not sure"), 5: ("Size (mm)", 1200), 8: ("Age", "unknown")}


def write_export(folder: Path, patients: int = 24, seed: int = 3) -> Path:
    """Write `pictures/1001_a_1.png …` of blobs, a mask beside each, and `pathology.xlsx` with a row a nodule."""
    drawn = write_simulated_cohort(folder / "drawn", patients, seed)
    nodules = pd.read_csv(drawn / "nodules.csv", dtype=str)
    views = pd.read_csv(drawn / "views.csv", dtype=str)
    generator = np.random.default_rng(seed)
    (folder / "pictures").mkdir()
    rows: list[list[object]] = []
    for place, nodule in enumerate(nodules.to_dict("records")):
        number, letter = 1001 + int(nodule["patient_id"][1:]), nodule["nodule_id"][-1]
        for picture, view in enumerate(views[views["nodule_id"] == nodule["nodule_id"]].to_dict("records"), 1):
            name = f"{number}_{letter}_{picture}"
            shutil.move(drawn / view["path"], folder / "pictures" / f"{name}.png")
            shutil.move(drawn / view["mask"], folder / "pictures" / f"{name}_mask.png")
        label = "malignant" if nodule["malignant"] == "1" else "benign"
        calls = [label if generator.random() < 0.8 else "benign" for _ in range(2)]
        sex, age = ("F", "M")[number % 2], 30 + number % 40
        row = [number, letter, f"Patient {number}", sex, age, 8 + place % 20, label, *calls]
        if place in FAULTS:
            heading, value = FAULTS[place]
            row[HEADINGS.index(heading)] = value
        rows.append(row)
    rows.append([4711, "a", "Patient 4711", "F", 50, 12, "benign", "benign", "benign"])
    write_workbook(folder / "pathology.xlsx", [HEADINGS, *rows])
    shutil.rmtree(drawn)
    return folder
