"""Pictures to measure speckle on: DDTI stills, thyroid cine frames and any cohort folder, each at a known scale."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.imaging.clip import Box

# Millimetres a pixel, read off the depth scale beside each case's pictures.
CINE_SPACING_MM = {
    "case_001": 0.0690, "case_010": 0.0690, "case_057": 0.0633, "case_069": 0.0802, "case_087": 0.0923,
}  # fmt: skip
_FRAMES = 8


@dataclass(frozen=True, eq=False)
class Still:
    """One picture with its lesion.

    Parameters
    ----------
    name, patient, source, device : str
        What it is of.
    rgb : uint8 array [H, W, 3]
    lesion : bool array [H, W]
    area : Box
        The scan area.
    spacing_mm : float
        Of a pixel.
    """

    name: str
    patient: str
    source: str
    device: str
    rgb: NDArray[np.uint8]
    lesion: NDArray[np.bool_]
    area: Box
    spacing_mm: float


def data_folder(named: str | None) -> Path:
    """Return the folder of real data, or end with one clear line."""
    folder = Path(named or os.environ.get("ISTHMUS_DATA", ""))
    if not (folder / "ddti").is_dir():
        raise SystemExit(
            "no real pictures to compare with: name the folder that holds ddti/ with --data or in ISTHMUS_DATA"
        )
    return folder


def of_cohort(folder: Path, source: str) -> Iterator[Still]:
    """Yield the outlined B-mode stills of a cohort; without a spacing of its own, the one of its depth scale."""
    from isthmus.cohort.cohort import load_cohort
    from isthmus.imaging.read import read_clip, read_mask
    from isthmus.tables.cohort import parse_box

    cohort = load_cohort(folder)
    views = cohort.views[(cohort.views["modality"] == "bmode") & cohort.views["mask"].notna()]
    groups = dict(zip(cohort.nodules["nodule_id"], cohort.nodules["group_id"], strict=True))
    for row in views.itertuples():
        rgb = read_clip(folder / row.path).frames[0]
        rgb = np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb
        given = getattr(row, "spacing_mm", None)
        spacing = float(given) if given is not None and not pd.isna(given) else spacing_of_scale(rgb)
        if spacing is not None:
            device = str(getattr(row, "device", "") or "")
            area = parse_box(row.region)
            mask = read_mask(folder / row.mask)
            yield Still(str(row.view_id), str(groups[row.nodule_id]), source, device, rgb, mask, area, spacing)


def of_cine_frames(folder: Path) -> Iterator[Still]:
    """Yield eight outlined frames of each sweep, evenly through the nodule."""
    from isthmus.imaging.region import find_scan_area

    for case, spacing in CINE_SPACING_MM.items():
        frames = []
        for path in sorted((folder / case / "images").glob("*.jpg")):
            mask = cv2.imread(str(folder / case / "masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
            if mask is not None and (mask > 127).any():
                frames.append((path, mask > 127))
        for place in np.unique(np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int)):
            path, mask = frames[place]
            rgb = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            area = find_scan_area(rgb).box
            yield Still(f"{case}/{path.stem}", case, "cine", "", rgb, mask, area, spacing)


def spacing_of_scale(rgb: NDArray[np.uint8]) -> float | None:
    """Return millimetres a pixel from DDTI's depth scale: dots every 10 mm, one column left of the picture.

    None where no column holds four to eight evenly spaced dots on black.
    """
    grey = rgb.max(axis=2).astype(int)
    best: tuple[float, float] | None = None
    for x in range(20, 140):
        bright = grey[:, x - 1 : x + 2].max(axis=1) > 100
        beside = grey[:, x - 5 : x - 2].max(axis=1) < 60
        rows = np.flatnonzero(bright & beside)
        if not rows.size:
            continue
        dots = np.array([part.mean() for part in np.split(rows, np.flatnonzero(np.diff(rows) > 3) + 1)])
        steps = np.diff(dots)
        if 4 <= len(dots) <= 8 and steps.min() > 30 and steps.std() < 1.5 and (best is None or steps.std() < best[1]):
            best = float(steps.mean()), float(steps.std())
    return None if best is None else 10.0 / best[0]
