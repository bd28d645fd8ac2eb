"""A cohort of small elastograms whose stiffness is known: a disc upon its surroundings, painted by matplotlib's jet."""

import io
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

from isthmus.cohort.description import Description, Target, write_description
from isthmus.imaging.read import write_mask
from isthmus.tables.check import write_table

HEIGHT, WIDTH = 150, 170
PICTURE = (10, 10, 120, 140)
"""Left, top, right, bottom of the ultrasound picture; the bar stands to the right of it."""
TOP_KPA, SOFT, HARD, OPACITY = 120.0, 20.0, 75.0, 0.6


def colours_of(shares: np.ndarray, name: str = "jet") -> np.ndarray:
    """Red, green, blue of shares of the scale."""
    return np.rint(matplotlib.colormaps[name](np.clip(shares, 0, 1))[..., :3] * 255)


def disc(x: float = 65, y: float = 75, radius: float = 22) -> np.ndarray:
    lines, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    return np.hypot(columns - x, lines - y) < radius


def stiffness(lesion: np.ndarray, inside: float = HARD) -> np.ndarray:
    """kPa on the whole screen: rising a little from left to right, harder in the lesion."""
    return np.where(lesion, inside, SOFT) + np.linspace(0, 5, WIDTH)[None]


def screen(
    kpa: np.ndarray, seen: np.ndarray | None = None, opacity: float = OPACITY, name: str = "jet", seed: int = 0
) -> np.ndarray:
    """A screen [H, W, 3]: speckle, upon it a map of ``kpa`` where ``seen``, and the bar beside it."""
    grey = np.clip(np.random.default_rng(seed).normal(90, 35, (HEIGHT, WIDTH)), 0, 255)[..., None]
    mixed = opacity * colours_of(kpa / TOP_KPA, name) + (1 - opacity) * grey
    where = np.ones((HEIGHT, WIDTH), bool) if seen is None else seen
    left, top, right, bottom = PICTURE
    drawn = np.zeros((HEIGHT, WIDTH, 3))
    inside = np.where(where[..., None], mixed, grey)[top:bottom, left:right]
    drawn[top:bottom, left:right] = inside
    drawn[20:120, 140:150] = colours_of(np.linspace(1, 0, 100), name)[:, None]
    return np.rint(drawn).astype(np.uint8)


def as_jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def write_elastogram_cohort(folder: Path, *, faults: bool = False) -> Path:
    """Write nodules of views V1 (mask) and V2 (box), and with ``faults`` one bad picture each.

    Faults, in order of their ids X1 …: grey, no bar, no lesion, no colour in the lesion, stiffer than the scale, no
    scale, a scale that is none, no picture.
    """
    (folder / "pictures").mkdir(parents=True)
    (folder / "masks").mkdir()
    lesion = disc()
    good = screen(stiffness(lesion))
    rows = [_view(folder, "V1", good, lesion), _view(folder, "V2", good, None, box="43 53 87 97")]
    if faults:
        rows += _faults(folder, good, lesion)
    views = pd.DataFrame(rows).assign(modality="swe")
    nodules = pd.DataFrame({"nodule_id": views["nodule_id"], "patient_id": "P" + views["nodule_id"].str[1:]})
    write_table(folder / "views.csv", views)
    write_table(folder / "nodules.csv", nodules.assign(malignant=["0", "1"] * (len(views) // 2), reference="surgery"))
    write_table(folder / "patients.csv", pd.DataFrame({"patient_id": nodules["patient_id"], "site": "A"}))
    target = Target(
        name="malignant", column="malignant", table="nodules", unit="nodule",
        classes={"0": "benign", "1": "malignant"}, reference="surgery",
    )  # fmt: skip
    write_description(
        folder,
        Description(name="springs", licence="none", citation="none", simulated=True, targets={"malignant": target}),
    )
    return folder


def _view(folder: Path, view: str, frame: np.ndarray, lesion: np.ndarray | None, **changed: str) -> dict[str, str]:
    Image.fromarray(frame).save(folder / "pictures" / f"{view}.png")
    row = {"view_id": view, "nodule_id": f"N{view}", "path": f"pictures/{view}.png", "box": "", "mask": ""}
    row |= {"region": " ".join(map(str, PICTURE)), "swe_range_kpa": f"0 {TOP_KPA:g}"}
    if lesion is not None:
        write_mask(folder / "masks" / f"{view}.png", lesion)
        row["mask"] = f"masks/{view}.png"
    return row | changed


def _faults(folder: Path, good: np.ndarray, lesion: np.ndarray) -> list[dict[str, str]]:
    bare = good.copy()
    bare[:, 130:] = 0
    rows = [
        _view(folder, "X1", np.repeat(good.max(axis=2, keepdims=True), 3, axis=2), lesion),
        _view(folder, "X2", bare, lesion),
        _view(folder, "X3", good, None),
        _view(folder, "X4", screen(stiffness(lesion), seen=~lesion), lesion),
        _view(folder, "X5", screen(stiffness(lesion, 300.0)), lesion),
        _view(folder, "X6", good, lesion, swe_range_kpa=""),
        _view(folder, "X7", good, lesion, swe_range_kpa="hard"),
        _view(folder, "X8", good, lesion),
    ]
    (folder / "pictures" / "X8.png").write_bytes(b"no picture at all")
    return rows
