"""Draw ``docs/virtual_cohort.png``, the virtual scanner's modalities: ``python docs/virtual_cohort.py``."""

from pathlib import Path

import cv2
import matplotlib
import matplotlib.pyplot as plt
import numpy as np

from isthmus.phantom.devices import devices
from isthmus.phantom.habits import SiteHabits
from isthmus.phantom.latents import Elasticity, Extent, Microcalcifications, Morphology, Perfusion, Vessels
from isthmus.phantom.medium import Plane
from isthmus.phantom.modalities import render
from isthmus.phantom.recording import Scene

SUSPICIOUS = (
    Extent(size_mm=15, height_to_width=1.15, lobe="right"),
    Morphology(
        composition="solid", cystic_fraction=0.0, contrast_db=-9, heterogeneity_db=1.5, margin="irregular",
        irregularity=0.22, edge_mm=0.4, halo=False, macrocalcifications=0, rim_calcification=0, comet_tails=0,
    ),
    Microcalcifications(punctate_transverse=6, punctate_longitudinal=5, punctate_elsewhere=8),
)  # fmt: skip
HALOED = (
    Extent(size_mm=18, height_to_width=0.75, lobe="left"),
    Morphology(
        composition="solid", cystic_fraction=0.0, contrast_db=-1, heterogeneity_db=1.5, margin="smooth",
        irregularity=0.03, edge_mm=0.3, halo=True, macrocalcifications=0, rim_calcification=0, comet_tails=0,
    ),
    Microcalcifications(0, 0, 0),
)  # fmt: skip
MIXED = (
    Extent(size_mm=24, height_to_width=0.7, lobe="right"),
    Morphology(
        composition="mixed", cystic_fraction=0.4, contrast_db=-2, heterogeneity_db=2, margin="smooth",
        irregularity=0.04, edge_mm=0.3, halo=False, macrocalcifications=0, rim_calcification=0, comet_tails=2,
    ),
    Microcalcifications(0, 0, 0),
)  # fmt: skip
ENHANCEMENT = Perfusion(arrival_s=0.5, peak_db=-4, washout=1.5, rim_enhancement=0.5, core_deficit=0.3)


def picture(modality: str, groups: tuple, device: str, seed: int, **clip: float) -> list[np.ndarray]:
    """Return the frames of one recording, without the screen around them."""
    scene = Scene(seed, seed + 1, seed + 2, devices()[device], SiteHabits())
    recording = render(modality, groups, scene, Plane("transverse"), **clip)
    x0, y0, x1, y1 = (round(edge) for edge in recording.region)
    return [frame.pixels[y0:y1, x0:x1] for frame in recording]


def fitted(pixels: np.ndarray, width: int = 560, height: int = 500) -> np.ndarray:
    """Return a picture as RGB, fitted into a black panel."""
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    scale = min(width / rgb.shape[1], height / rgb.shape[0])
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    panel = np.zeros((height, width, 3), np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    panel[top : top + small.shape[0], left : left + small.shape[1]] = small
    return panel


def panels() -> list[tuple[str, np.ndarray]]:
    """Return title and picture of each panel."""
    suspicious, stiff = SUSPICIOUS, Elasticity(stiffness_kpa=95, stiffness_variation=0.3)
    sweep = picture("cine", suspicious, "linear-12", 40, seconds=1.5, frame_rate_hz=20.0)
    contrast = picture("ceus", (suspicious[0], ENHANCEMENT), "linear-12", 40, seconds=30.0, frame_rate_hz=2.0)
    return [
        ("B-mode: haloed nodule", picture("bmode", HALOED, "linear-12", 10)[0]),
        ("B-mode: mixed, comet tails", picture("bmode", MIXED, "curved-7", 20)[0]),
        ("B-mode: microcalcifications", picture("bmode", suspicious, "linear-9", 40)[0]),
        ("cine sweep: 1 of 30 frames", sweep[len(sweep) // 3]),
        ("shear-wave elastography", picture("swe", (*suspicious, stiff), "linear-12", 40)[0]),
        ("colour Doppler", picture("doppler", (*HALOED, Vessels(0.3, 0.9)), "linear-12", 10)[0]),
        ("microvascular imaging", picture("smi", (*suspicious, Vessels(0.8, 0.4)), "linear-9", 40)[0]),
        ("contrast agent: 1 of 60 frames", contrast[26]),
    ]


def main() -> None:
    """Draw and save."""
    matplotlib.use("Agg")
    figure, axes = plt.subplots(2, 4, figsize=(16, 8), facecolor="white")
    for axis, (title, pixels) in zip(axes.flat, panels(), strict=True):
        axis.imshow(fitted(pixels))
        axis.set_title(title, fontsize=13)
        axis.axis("off")
    figure.text(0.995, 0.99, "SIMULATED", ha="right", va="top", color="#8a2500", weight="bold", fontsize=12)
    figure.tight_layout(rect=(0, 0, 1, 0.97), h_pad=1.5)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


if __name__ == "__main__":
    main()
