"""Pictures with a dark disc in speckle, cohorts of them, and a localiser that finds what is dark without training."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from isthmus.cohort.description import Description, Target, write_description
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.read import write_mask
from isthmus.inference.localiser import Localiser
from isthmus.models.localiser_spec import LeastConfidence, LocaliserPart, LocaliserSpec, Segmenter, TrainedOn
from isthmus.tables.check import write_table

HEIGHT, WIDTH = 96, 128
REGION = (8, 4, 120, 92)
TARGET = Target(
    name="malignant", column="malignant", table="nodules", unit="nodule",
    classes={"0": "benign", "1": "malignant"}, reference="surgery",
)  # fmt: skip


def disc_picture(
    seed: int, *discs: tuple[int, int, int], shape: tuple[int, int] = (HEIGHT, WIDTH)
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return smooth speckle with dark discs (x, y, radius), and the mask of the first one."""
    generator = np.random.default_rng(seed)
    lines, columns = np.mgrid[: shape[0], : shape[1]]
    masks = [(columns - x) ** 2 + (lines - y) ** 2 <= radius**2 for x, y, radius in discs]
    grey = 150 + 10 * generator.standard_normal(shape)
    for mask in masks:
        grey[mask] -= 100
    return np.clip(grey, 20, 250).astype(np.uint8), masks[0] if masks else np.zeros(shape, bool)


def write_disc_cohort(folder: Path, patients: int = 12, *, without_region: tuple[int, ...] = ()) -> Path:
    """Patients 000 …, one nodule and two views each; ``without_region``: patients whose views nobody outlined."""
    ids = [f"{number:03}" for number in range(patients)]
    labels = ["1" if number % 2 else "0" for number in range(patients)]
    write_table(folder / "patients.csv", pd.DataFrame({"patient_id": ids, "site": ["A", "B"] * (patients // 2)}))
    nodules = {"nodule_id": ids, "patient_id": ids, "malignant": labels, "reference": "surgery"}
    write_table(folder / "nodules.csv", pd.DataFrame(nodules))
    (folder / "pictures").mkdir()
    rows = []
    for number, text in enumerate(ids):
        for view in range(2):
            generator = np.random.default_rng([number, view])
            radius = int(generator.integers(12, 22))
            x, y = int(generator.integers(40, 90)), int(generator.integers(34, 62))
            pixels, mask = disc_picture(10 * number + view, (x, y, radius))
            name = f"{text}_{view}"
            Image.fromarray(pixels).save(folder / "pictures" / f"{name}.png")
            drawn = number not in without_region
            if drawn:
                write_mask(folder / "masks" / f"{name}.png", mask)
            rows.append(
                {
                    "view_id": name, "nodule_id": text, "modality": "bmode", "path": f"pictures/{name}.png",
                    "region": " ".join(map(str, REGION)), "mask": f"masks/{name}.png" if drawn else "",
                    "box": f"{x - radius} {y - radius} {x + radius + 1} {y + radius + 1}" if drawn else "",
                    "region_source": "drawn" if drawn else "",
                }
            )  # fmt: skip
    write_table(folder / "views.csv", pd.DataFrame(rows))
    write_description(folder, Description(name="discs", licence="none", citation="none", targets={"malignant": TARGET}))
    return folder


class Dark(nn.Module):
    """Says "nodule" where a picture is darker than its own mean by half a deviation."""

    def forward(self, pictures: Tensor) -> Tensor:
        return -8.0 * (pictures + 0.5)


class Blind(nn.Module):
    """Sees nothing."""

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.full_like(pictures, -5.0)


def dark_localiser(*parts: nn.Module, least: float = 0.6, seen: dict[str, int] | None = None) -> Localiser:
    """Return a localiser of untrained parts; two of :class:`Dark` by default."""
    parts = parts or (Dark(), Dark())
    spec = LocaliserSpec(
        name="dark", network=Segmenter(name="unet", width=16),
        prepare=Preparation(crop="scan_area", normalise="z", train_size=64),
        parts=[LocaliserPart(file=f"parts/{part}.safetensors", sha256="0" * 64) for part in range(len(parts))],
        least_confidence=LeastConfidence(value=least, rule="test", chosen_on="test", coverage=0.9),
        cohorts=[TrainedOn(name="none", fingerprint="", licence="none", simulated=False, views=0, groups=0)],
        pictures_sha256="0" * 64,
    )  # fmt: skip
    return Localiser(spec, parts, "cpu", seen or {})
