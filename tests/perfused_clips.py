"""A cohort of small contrast-enhanced clips whose curves are known: blobs that fill and empty as bolus curves say."""

from pathlib import Path

import numpy as np
import pandas as pd

from isthmus.cohort.description import Description, Target, write_description
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.statistics.bolus import BolusFit
from isthmus.tables.check import write_table

SIDE, FRAMES, RATE_HZ, RANGE_DB = 72, 80, 2.0, 50.0
GLAND = BolusFit(1e-5, 0.05, 5.0, 8.0, 0.6, 1.0)
LESION = BolusFit(1e-5, 0.02, 7.0, 8.0, 0.45, 1.0)
"""4 dB weaker, 2 s later, faster gone."""


def disc(x: float = SIDE / 2, y: float = SIDE / 2, radius: float = 14.0) -> np.ndarray:
    lines, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return np.hypot(columns - x, lines - y) < radius


def grey(power: np.ndarray) -> np.ndarray:
    """Linear intensity as a display of RANGE_DB shows it."""
    shown = np.clip(1 + 10 * np.log10(np.maximum(power, 1e-12)) / RANGE_DB, 0, 1)
    return np.rint(255 * shown).astype(np.uint8)


def contrast_clip(lesion: np.ndarray, inside: BolusFit = LESION, frames: int = FRAMES) -> np.ndarray:
    """Frames [T, H, W, 1]: gland around, the lesion's own curve inside, a muscle that never enhances on top."""
    times = np.arange(frames) / RATE_HZ
    outlines = np.broadcast_to(lesion, (frames, SIDE, SIDE))
    power = np.where(outlines, inside.curve(times)[:, None, None], GLAND.curve(times)[:, None, None])
    power[:, :8] = 1e-5
    return grey(power)[..., None]


def write_perfused_cohort(folder: Path, *, faults: bool = False) -> Path:
    """Write nodules N1 and N2 with clips V1 (mask) and V2 (a box a frame), and with ``faults`` one bad clip each.

    Faults, in order of their ids X1 …: a still, no lesion, constant, ends before the peak, no frame rate, a lesion
    that fills the frame, a file that is no clip, a range that is no number.
    """
    lesion = disc()
    (folder / "clips").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = [_view(folder, "V1", contrast_clip(lesion), lesion), _view(folder, "V2", contrast_clip(lesion), None)]
    boxes = [{"view_id": "V2", "frame": frame, "box": "22 22 50 50"} for frame in range(FRAMES)]
    if faults:
        rows += _faults(folder, lesion)
    views = pd.DataFrame(rows).assign(modality="ceus")
    nodules = pd.DataFrame({"nodule_id": views["nodule_id"], "patient_id": "P" + views["nodule_id"].str[1:]})
    write_table(folder / "views.csv", views)
    write_table(folder / "nodules.csv", nodules.assign(malignant=["0", "1"] * (len(views) // 2), reference="surgery"))
    write_table(folder / "patients.csv", pd.DataFrame({"patient_id": nodules["patient_id"], "site": "A"}))
    write_table(folder / "boxes.csv", pd.DataFrame(boxes))
    target = Target(
        name="malignant", column="malignant", table="nodules", unit="nodule",
        classes={"0": "benign", "1": "malignant"}, reference="surgery",
    )  # fmt: skip
    write_description(
        folder,
        Description(name="bubbles", licence="none", citation="none", simulated=True, targets={"malignant": target}),
    )
    return folder


def _view(folder: Path, view: str, frames: np.ndarray, lesion: np.ndarray | None, **changed: object) -> dict:
    np.save(folder / "clips" / f"{view}.npy", frames)
    row = {"view_id": view, "nodule_id": f"N{view}", "path": f"clips/{view}.npy", "frame_rate_hz": str(RATE_HZ)}
    row["region"] = f"0 0 {SIDE} {SIDE}"
    if lesion is not None:
        write_clip_mask(folder / "masks" / f"{view}.tiff", [lesion] * len(frames))
        row["mask"] = f"masks/{view}.tiff"
    return row | {"dynamic_range_db": ""} | changed


def _faults(folder: Path, lesion: np.ndarray) -> list[dict]:
    clip = contrast_clip(lesion)
    rows = [
        _view(folder, "X1", clip[:1], lesion),
        _view(folder, "X2", clip, None),
        _view(folder, "X3", np.full_like(clip, 90), lesion),
        _view(folder, "X4", clip[:20], lesion),
        _view(folder, "X5", clip, lesion, frame_rate_hz=""),
        _view(folder, "X6", clip, np.ones_like(lesion)),
        _view(folder, "X7", clip, lesion),
        _view(folder, "X8", clip, lesion, dynamic_range_db="many"),
    ]
    (folder / "clips" / "X7.npy").write_bytes(b"no clip at all")
    return rows
