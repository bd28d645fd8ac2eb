"""A small cohort with `truth/`, as a simulation leaves it, from blobs instead of physics: for tests of what reads it.

Patients have two nodules of one shade each and two pictures a nodule; dark nodules with specks are more often
positive. Sites A and B hold the parts `train`, `tune` and `test`, site C is `external`.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from isthmus.cohort.description import Description, ReadScale, Target, write_description
from isthmus.files import write_yaml
from isthmus.imaging.read import write_mask
from isthmus.phantom.readers import ReaderGroup, ReaderSettings
from isthmus.phantom.reads import unaided_reads
from isthmus.tables.check import write_table

HEIGHT, WIDTH = 72, 96
OBSERVERS = ("latents", "bmode")
TARGET = Target(
    name="malignant",
    column="malignant",
    table="nodules",
    unit="nodule",
    classes={"0": "benign", "1": "malignant"},
    reference="surgery",
)
READERS = ReaderSettings(
    observer="bmode",
    groups={
        "junior": ReaderGroup(readers=2, auc=0.7, seconds=30, reliance=0.6, over_reliance=0.2),
        "senior": ReaderGroup(readers=1, auc=0.85, seconds=20, reliance=0.2),
    },
)
_PARTS = ("train", "train", "tune", "train", "test", "external")


def write_simulated_cohort(folder: Path, patients: int = 48, seed: int = 0, name: str = "blobs") -> Path:
    """Write patients P00 … with two nodules each, N00a and N00b, and two views a nodule."""
    generator = np.random.default_rng(seed)
    numbers = np.arange(patients)
    parts = [_PARTS[number % len(_PARTS)] for number in numbers]
    sites = ["C" if part == "external" else "AB"[number % 2] for number, part in zip(numbers, parts, strict=True)]
    people = pd.DataFrame({"patient_id": [f"P{number:02}" for number in numbers], "site": sites})
    nodules = people.loc[np.repeat(numbers, 2)].drop(columns="site").reset_index(drop=True)
    nodules.insert(0, "nodule_id", [f"N{row // 2:02}{'ab'[row % 2]}" for row in range(len(nodules))])
    darkness, specks = generator.normal(size=len(nodules)), generator.random(len(nodules)) < 0.4
    p_true = 1 / (1 + np.exp(-(1.5 * darkness + 1.5 * specks - 0.6)))
    label = np.where(generator.random(len(nodules)) < p_true, "1", "0")
    views = _views(folder, nodules["nodule_id"].tolist(), darkness, specks, generator)
    write_table(folder / "patients.csv", people)
    tables = {"malignant": label, "reference": "surgery", "split": np.repeat(parts, 2)}
    write_table(folder / "nodules.csv", nodules.assign(**tables))
    write_table(folder / "views.csv", views.drop(columns="calcifications"))
    write_description(
        folder,
        Description(
            name=name,
            licence="none",
            citation="none",
            simulated=True,
            targets={"malignant": TARGET},
            reads=ReadScale(low=0, high=100, higher_is="positive"),
        ),
    )
    units = pd.DataFrame(
        {"unit_id": nodules["nodule_id"], "label": label, "read": np.isin(np.repeat(parts, 2), ("test", "external"))}
    )
    observed = np.column_stack([1 - p_true, p_true])
    write_table(folder / "reads.csv", unaided_reads(READERS, "malignant", units, list(TARGET.classes), observed, seed))
    _write_truth(folder / "truth", nodules, views, p_true, label, seed)
    return folder


def _views(
    folder: Path, nodules: list[str], darkness: np.ndarray, specks: np.ndarray, generator: np.random.Generator
) -> pd.DataFrame:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for place, nodule in enumerate(nodules):
        for number in range(2):
            view = f"V{nodule[1:]}{number}"
            centre = np.array([WIDTH / 2, HEIGHT / 2]) + generator.uniform(-8, 8, 2)
            mask = ((x - centre[0]) / 20) ** 2 + ((y - centre[1]) / 15) ** 2 < 1
            pixels = 110 * generator.rayleigh(0.6, (HEIGHT, WIDTH))
            pixels[mask] *= np.clip(0.7 - 0.2 * darkness[place], 0.1, 1.2)
            bright = np.zeros_like(mask)
            if specks[place]:
                for left, top in np.round(centre + generator.uniform(-8, 8, (4, 2))).astype(int):
                    bright[top : top + 2, left : left + 2] = True
                write_mask(folder / "truth" / "calcifications" / f"{view}.png", bright)
            pixels[bright] = 250
            Image.fromarray(np.clip(pixels, 1, 255).astype(np.uint8)).save(folder / "pictures" / f"{view}.png")
            write_mask(folder / "masks" / f"{view}.png", mask)
            rows.append(
                {
                    "view_id": view,
                    "nodule_id": nodule,
                    "modality": "bmode",
                    "path": f"pictures/{view}.png",
                    "region": f"0 0 {WIDTH} {HEIGHT}",
                    "mask": f"masks/{view}.png",
                    "region_source": "drawn",
                    "calcifications": f"calcifications/{view}.png" if specks[place] else "",
                }
            )
    return pd.DataFrame(rows)


def _write_truth(
    folder: Path, nodules: pd.DataFrame, views: pd.DataFrame, p_true: np.ndarray, label: np.ndarray, seed: int
) -> None:
    population = {name: {"auc": 0.85, "standard_error": 0.001} for name in OBSERVERS}
    write_yaml(
        folder / "truth.yaml",
        {"format": "isthmus-truth/1.0", "preset": "blobs", "nodules": len(nodules), "seed": seed,
         "observers": population, "readers": READERS.model_dump(mode="json"),
         "prevalence": {"malignant": {"0": 0.5, "1": 0.5}}},
    )  # fmt: skip
    write_table(folder / "nodules.csv", nodules.assign(p_true_1=p_true, true_malignant=label, label_flipped=False))
    # Knowing less pulls an observer's probabilities towards each other.
    observers = [
        pd.DataFrame({"target": "malignant", "observer": name, "unit_id": nodules["nodule_id"], "p_0": 1 - p, "p_1": p})
        for name, p in zip(OBSERVERS, (p_true, 0.2 + 0.6 * p_true), strict=True)
    ]
    write_table(folder / "observers.csv", pd.concat(observers))
    write_table(folder / "views.csv", views[["view_id", "calcifications"]].assign(plane="transverse"))
