"""A small cohort of one still and one contrast-enhanced clip a patient, some with occult metastasis: noise and discs.

The clip's nodule lights up and fades; with a metastasis it does so earlier, and its rim shines. One patient in eight
lacks the clip, and the clip of the first is shorter than five samples.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isthmus.files import write_yaml
from isthmus.tables.check import write_table

SIZE, SECONDS, RATE_HZ = 72, 24, 1.0
SHORT_SECONDS = 6


def write_contrast_cohort(folder: Path, patients: int = 40, seed: int = 0) -> Path:
    """Write it: every third patient of the positive class, every fourth in the test part."""
    generator = np.random.default_rng(seed)
    (folder / "pictures").mkdir(parents=True)
    people, nodules, views, reads = [], [], [], []
    for number in range(patients):
        name, positive, male = f"P{number:02d}", number % 3 == 0, bool(generator.random() < 0.3)
        people.append(
            {
                "patient_id": name, "site": f"centre-{number % 2 + 1}", "sex": "M" if male else "F",
                "age_years": round(float(generator.normal(42, 11)), 1), "olnm": int(positive),
            }
        )  # fmt: skip
        nodules.append(
            {
                "nodule_id": f"N{number:02d}", "patient_id": name, "group_id": name, "reference": "surgery",
                "sampling": "consecutive", "split": "test" if number % 4 == 3 else "train",
                "size_mm": round(float(generator.normal(10 + 3 * positive, 3)), 1),
                "margin": "irregular" if number % 5 else "smooth",
                "echogenic_foci": "punctate" if generator.random() < 0.4 + 0.2 * positive else "none",
            }
        )  # fmt: skip
        views += _views(folder, number, positive, generator)
        for reader, right in (("junior", 0.55), ("senior", 0.8)):
            call = int(positive) if generator.random() < right else int(not positive)
            reads.append(
                {
                    "reader_id": reader, "experience": reader, "condition": "unaided", "target": "olnm",
                    "unit_id": name, "call": call,
                }
            )  # fmt: skip
    write_table(folder / "reads.csv", pd.DataFrame(reads))
    write_table(folder / "patients.csv", pd.DataFrame(people))
    write_table(folder / "nodules.csv", pd.DataFrame(nodules))
    write_table(folder / "views.csv", pd.DataFrame(views))
    write_yaml(
        folder / "cohort.yaml",
        {
            "format": "isthmus-cohort/1.0", "name": "discs that shine", "licence": "CC0-1.0", "citation": "a test",
            "simulated": True, "patient_ids": "real",
            "targets": {
                "olnm": {
                    "column": "olnm", "table": "patients", "unit": "patient",
                    "classes": {"0": "no occult metastasis", "1": "occult metastasis"},
                    "aggregation": {"nodule": "mean", "patient": "maximum"}, "reference": "surgery",
                }
            },
        },
    )  # fmt: skip
    return folder


def _views(folder: Path, number: int, positive: bool, generator: np.random.Generator) -> list[dict[str, str]]:
    centre, radius = generator.uniform(30, 42, 2), generator.uniform(10, 15)
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(x - centre[0], y - centre[1])
    box = " ".join(str(round(float(edge))) for edge in (*(centre - radius), *(centre + radius)))
    shared = {"nodule_id": f"N{number:02d}", "plane": "transverse", "box": box, "region": f"0 0 {SIZE} {SIZE}"}
    shared |= {"region_source": "drawn", "acquisition_id": f"A{number:02d}"}
    still = 110 * generator.rayleigh(0.6, (SIZE, SIZE)) * np.where(distance < radius, 0.5, 1.0)
    Image.fromarray(np.clip(still, 1, 255).astype(np.uint8)).save(folder / "pictures" / f"B{number:02d}.png")
    found = [{**shared, "view_id": f"B{number:02d}", "modality": "bmode", "path": f"pictures/B{number:02d}.png"}]
    if number % 8 == 5:
        return found
    seconds = np.arange((SHORT_SECONDS if number == 0 else SECONDS) * RATE_HZ) / RATE_HZ
    arrival = 5 if positive else 8
    uptake = np.clip(seconds - arrival, 0, None) * np.exp(-np.clip(seconds - arrival, 0, None) / 5)
    shine = np.where(distance < radius, 1.0, 0.6) + (positive * 0.5) * (np.abs(distance - radius) < 2)
    frames = 20 * generator.rayleigh(0.6, (len(seconds), SIZE, SIZE)) + 60 * uptake[:, None, None] * shine
    np.save(folder / "pictures" / f"C{number:02d}.npy", np.clip(frames, 1, 255).astype(np.uint8)[..., None])
    clip = {"view_id": f"C{number:02d}", "modality": "ceus", "path": f"pictures/C{number:02d}.npy"}
    return [*found, {**shared, **clip, "frame_rate_hz": str(RATE_HZ)}]
