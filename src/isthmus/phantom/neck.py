"""Dimensions of one patient's neck, and the nodule's place in it.

Lobes are 40 to 60 mm long and 13 to 20 mm wide and deep, the isthmus 2 to 6 mm thick (Rumack and Levine, *Diagnostic
Ultrasound*, 5th ed., chapter 19); the carotid's lumen is 5 to 7.5 mm wide.
"""

from dataclasses import dataclass

import numpy as np

from isthmus.phantom.nodule import Nodule
from isthmus.phantom.texture import Array, draw_shift


@dataclass(frozen=True)
class Neck:
    """Dimensions of one patient's neck, before a nodule needs room.

    Parameters
    ----------
    skin, fat, sternohyoid, sternothyroid : float
        Thickness of the layers in front of the gland, mm.
    platysma : float
        Depth of the platysma as a share of the fat.
    undulation : float
        Amplitude of the layers' waves, mm.
    trachea, trachea_shape, isthmus : float
        Outer radius of the trachea (mm) and its width over its depth; thickness of the isthmus, mm.
    lobe : float array [3]
        Half axes of a lobe, mm.
    lobe_turn, lobe_slope, lobe_spread : float
        Rotation of the lobe's section (radians); deepening and parting of the lobes along y.
    layer_slope, deep_slope : float
        Deepening along y of the layers in front of the gland and of what lies behind it.
    carotid, carotid_shape, carotid_depth : float
        Radius of the artery (mm), its depth over its width, its depth below the lobe's middle (mm).
    jugular, jugular_offset : tuple of two floats
        Half axes of the vein, which the probe's weight flattens, and its place from the artery, mm.
    cleidomastoid : tuple of four floats
        Half axes (mm), distance from the midline (mm) and slope of the muscle.
    deep_gap : float
        Between the lobe's back and the prevertebral muscles, mm.
    shifts : tuple of arrays
        Stretches of noise.
    """

    skin: float
    fat: float
    sternohyoid: float
    sternothyroid: float
    platysma: float
    undulation: float
    trachea: float
    trachea_shape: float
    isthmus: float
    lobe: Array
    lobe_turn: float
    lobe_slope: float
    lobe_spread: float
    layer_slope: float
    deep_slope: float
    carotid: float
    carotid_shape: float
    carotid_depth: float
    jugular: tuple[float, float]
    jugular_offset: tuple[float, float]
    cleidomastoid: tuple[float, float, float, float]
    deep_gap: float
    shifts: tuple[Array, ...]

    @property
    def fascia(self) -> float:
        """Depth of the superficial fascia: where fat ends and muscle begins."""
        return self.skin + self.fat

    @property
    def front(self) -> float:
        """Depth of the gland's front surface."""
        return self.fascia + self.sternohyoid + self.sternothyroid + 1.2

    @property
    def lobe_centre(self) -> tuple[float, float]:
        """Distance from the midline, and depth, of the lobe's middle."""
        return 0.72 * self.trachea + float(self.lobe[0]), self.front + 0.97 * float(self.lobe[2])

    @property
    def trachea_depth(self) -> float:
        """Depth of the middle of the trachea."""
        return self.front + self.isthmus + self.trachea + 0.6


def draw_neck(seed: int) -> Neck:
    """Draw one patient's neck; the same seed gives the same neck."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 11])))
    size = float(np.exp(random.normal(0, 0.13)))
    lobe = size * np.array([random.uniform(7.5, 10.0), random.uniform(21, 28), random.uniform(7.0, 9.5)])
    return Neck(
        skin=float(random.uniform(1.2, 2.2)),
        fat=float(np.clip(np.exp(random.normal(1.0, 0.5)), 0.9, 9.0)),
        sternohyoid=float(random.uniform(1.6, 3.4)),
        sternothyroid=float(random.uniform(1.2, 3.0)),
        platysma=float(random.uniform(0.45, 0.85)),
        undulation=float(random.uniform(0.15, 0.7)),
        trachea=float(random.uniform(7.5, 10.5)),
        trachea_shape=float(random.uniform(0.92, 1.2)),
        isthmus=float(random.uniform(1.8, 5.0)),
        lobe=lobe.astype(np.float32),
        lobe_turn=float(random.uniform(-0.2, 0.5)),
        lobe_slope=float(random.uniform(-0.12, 0.16)),
        lobe_spread=float(random.uniform(-0.14, 0.02)),
        layer_slope=float(random.normal(0, 0.03)),
        deep_slope=float(random.normal(0, 0.07)),
        carotid=float(random.uniform(2.5, 3.8)),
        carotid_shape=float(random.uniform(0.85, 1.1)),
        carotid_depth=float(random.uniform(-1.0, 5.0)),
        jugular=(float(random.uniform(3.0, 7.5)), float(random.uniform(0.8, 3.6))),
        jugular_offset=(float(random.uniform(5.0, 9.0)), float(random.uniform(-5.0, -1.0))),
        cleidomastoid=(
            float(random.uniform(11, 17)),
            float(random.uniform(3.5, 6.5)),
            float(random.uniform(23, 30)),
            float(random.uniform(-0.25, 0.25)),
        ),
        deep_gap=float(random.uniform(0.8, 2.5)),
        shifts=tuple(draw_shift(random) for _ in range(4)),
    )


def place(neck: Neck, nodule: Nodule, lobe: str, protrusion_mm: float, random: np.random.Generator) -> Array:
    """Return where the nodule's centre lies (x, y, z), so that it keeps inside the gland and below the muscles.

    A nodule larger than the lobe sits in its middle and pushes outward and backward.
    """
    across, along, deep = (float(axis) for axis in nodule.half_axes)
    rim = 0.7
    if lobe == "isthmus":
        u = random.uniform(-0.6, 0.6) * neck.trachea * 0.8
        bulge = min(0.5 * (neck.front - neck.fascia), max(2 * deep - neck.isthmus, 0.0)) * random.uniform(0.4, 1.0)
        z = neck.front + max(neck.isthmus / 2, deep + rim - protrusion_mm - bulge)
        return np.array([u, random.uniform(-4, 4), z], dtype=np.float32)
    centre_u, centre_z = neck.lobe_centre
    free = np.maximum(np.array([float(axis) for axis in neck.lobe]) - (across + rim, along + rim, deep + rim), 0)
    u, y, z = random.uniform(-0.8, 0.8, 3) * free * (1.0, 0.75, 1.0)
    u += max(centre_u, across + 3.0)
    z += centre_z + neck.lobe_slope * y
    if protrusion_mm:
        z = neck.front + deep - protrusion_mm
    thinnest = neck.fascia + 0.4 * (neck.sternohyoid + neck.sternothyroid) + rim
    z = max(z, thinnest + deep)
    side = 1.0 if lobe == "left" else -1.0
    return np.array([side * u, y, z], dtype=np.float32)
