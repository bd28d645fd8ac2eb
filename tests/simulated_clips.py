"""The small cohort of blobs with a sweep through each nodule beside its stills: for tests of what reads clips.

The nodule grows and shrinks over ten frames and is out of plane in the first; a nodule with specks shows them in
frames 6 and 7 only. Every other clip has boxes of its frames in `boxes.csv` too, the others have masks alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.files import read_yaml, write_yaml
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.tables.check import write_table
from tests.simulated_cohort import HEIGHT, WIDTH, write_simulated_cohort

FRAMES, SPECKS_IN = 10, (6, 7)


def write_simulated_clips(folder: Path, patients: int = 48, seed: int = 0) -> Path:
    """Write the cohort of :func:`write_simulated_cohort` with one cine view C… a nodule more."""
    write_simulated_cohort(folder, patients, seed, name="sweeps of blobs")
    generator = np.random.default_rng([seed, 1])
    views, seen = (pd.read_csv(path, dtype=str) for path in (folder / "views.csv", folder / "truth" / "views.csv"))
    stills = views.drop_duplicates("nodule_id")
    specks = set(seen.loc[seen["calcifications"].notna(), "view_id"])
    (folder / "clips").mkdir()
    rows, shown, boxes = [], [], []
    for number, (still, nodule) in enumerate(zip(stills["view_id"], stills["nodule_id"], strict=True)):
        view = f"C{nodule[1:]}"
        frames, masks, bright = _sweep(still in specks, generator)
        np.save(folder / "clips" / f"{view}.npy", frames)
        write_clip_mask(folder / "masks" / f"{view}.tiff", masks)
        if bright.any():
            write_clip_mask(folder / "truth" / "calcifications" / f"{view}.tiff", bright)
        calcifications = f"calcifications/{view}.tiff" if bright.any() else ""
        shown.append({"view_id": view, "calcifications": calcifications, "plane": "transverse"})
        rows.append(
            {
                "view_id": view, "nodule_id": nodule, "modality": "cine", "path": f"clips/{view}.npy",
                "region": f"0 0 {WIDTH} {HEIGHT}", "mask": f"masks/{view}.tiff", "region_source": "drawn",
                "frame_rate_hz": "10",
            }
        )  # fmt: skip
        if number % 2:
            rows[-1]["box"] = _box(masks.any(axis=0))
            boxes += [
                {"view_id": view, "frame": frame, "box": _box(mask)} for frame, mask in enumerate(masks) if mask.any()
            ]
    write_table(folder / "views.csv", pd.concat([views, pd.DataFrame(rows)]))
    write_table(folder / "boxes.csv", pd.DataFrame(boxes))
    write_table(folder / "truth" / "views.csv", pd.concat([seen, pd.DataFrame(shown)]))
    _add_an_observer(folder / "truth")
    return folder


def _sweep(specks: bool, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames = 110 * generator.rayleigh(0.6, (FRAMES, HEIGHT, WIDTH))
    reach = np.sin(np.pi * np.arange(FRAMES) / FRAMES)  # out of plane in the first frame
    masks = np.stack([((x - 50) / 22) ** 2 + ((y - 36) / 16) ** 2 < size**2 for size in reach])
    masks[0] = False
    frames[masks] *= 0.6
    bright = np.zeros_like(masks)
    for frame in SPECKS_IN if specks else ():
        for left, top in generator.integers((44, 32), (56, 40), (4, 2)):
            bright[frame, top : top + 2, left : left + 2] = True
    frames[bright] = 250
    return np.clip(frames, 1, 255).astype(np.uint8)[..., None], masks, bright


def _box(mask: np.ndarray) -> str:
    columns, lines = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return f"{columns[0]} {lines[0]} {columns[-1] + 1} {lines[-1] + 1}"


def _add_an_observer(truth: Path) -> None:
    observers = pd.read_csv(truth / "observers.csv", dtype={"unit_id": str})
    cine = observers[observers["observer"] == "latents"].assign(observer="cine")
    write_table(truth / "observers.csv", pd.concat([observers, cine]))
    description = read_yaml(truth / "truth.yaml")
    description["observers"]["cine"] = description["observers"]["bmode"]
    write_yaml(truth / "truth.yaml", description)
