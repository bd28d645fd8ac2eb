"""The anterior neck of one patient: layers, muscles, gland, airway, vessels, in millimetres.

Tissue coordinates: x from the patient's right to left, y from cranial to caudal, z depth below the skin; x = 0 is the
midline and y = 0 the level of the isthmus. Paired structures are described at ``u``, the distance from the midline
towards the nodule's side. Dimensions of the gland: lobes 40 to 60 mm long and 13 to 20 mm wide and deep, isthmus 2 to
6 mm thick (Rumack and Levine, *Diagnostic Ultrasound*, 5th ed., chapter 19); carotid lumen 5 to 7.5 mm wide.
"""

from dataclasses import dataclass

import numpy as np

from isthmus.phantom.nodule import Nodule
from isthmus.phantom.texture import Array, draw_shift, noise


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
    trachea, isthmus : float
        Outer radius of the trachea, thickness of the isthmus, mm.
    lobe : float array [3]
        Half axes of a lobe, mm.
    lobe_turn, lobe_slope, lobe_spread : float
        Rotation of the lobe's section (radians); deepening and parting of the lobes along y.
    layer_slope, deep_slope : float
        Deepening along y of the layers in front of the gland and of what lies behind it.
    carotid, jugular : tuple
        Radius of the artery; half axes of the vein (it is flattened by the probe's weight).
    """

    skin: float
    fat: float
    sternohyoid: float
    sternothyroid: float
    platysma: float
    undulation: float
    trachea: float
    isthmus: float
    lobe: Array
    lobe_turn: float
    lobe_slope: float
    lobe_spread: float
    layer_slope: float
    deep_slope: float
    carotid: float
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
        isthmus=float(random.uniform(1.8, 5.0)),
        lobe=lobe.astype(np.float32),
        lobe_turn=float(random.uniform(-0.2, 0.5)),
        lobe_slope=float(random.uniform(-0.12, 0.16)),
        lobe_spread=float(random.uniform(-0.14, 0.02)),
        layer_slope=float(random.normal(0, 0.03)),
        deep_slope=float(random.normal(0, 0.07)),
        carotid=float(random.uniform(2.5, 3.8)),
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
        z = neck.front + max(neck.isthmus / 2, deep + rim - protrusion_mm)
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


class Anatomy:
    """Signed distances (mm, negative inside) of a neck's structures, moved aside by its nodule.

    Parameters
    ----------
    neck : Neck
        The patient's.
    side : float
        1 where the nodule lies left or in the middle, -1 where right: towards ``u``.
    centre, half_axes : float32 arrays [3]
        The nodule's.
    isthmic : bool
        Whether the nodule lies in the isthmus: it then pushes the trachea backward instead of aside.
    """

    def __init__(self, neck: Neck, side: float, centre: Array, half_axes: Array, *, isthmic: bool) -> None:
        self.neck = neck
        self.side = side
        self._u, self._y, self._z = side * float(centre[0]), float(centre[1]), float(centre[2])
        self._across, self._along, self._deep = (float(axis) for axis in half_axes)
        self._isthmic = isthmic
        back = neck.lobe_centre[1] + float(neck.lobe[2])
        self.deep_shift = max(0.0, (self._z + self._deep + 1.5 - back) * (0.5 if isthmic else 1.0))

    def _reach(self, y: Array) -> Array:
        """Return how far the nodule pushes at ``y``: 1 at its middle, 0 beyond its ends."""
        return np.exp(-0.5 * ((y - np.float32(self._y)) / np.float32(self._along + 1.0)) ** 4).astype(np.float32)

    def lateral(self, x: Array) -> Array:
        """Return ``u``, the distance from the midline towards the nodule's side."""
        return (np.float32(self.side) * x).astype(np.float32)

    def layer(self, x: Array, y: Array, depth: float, kind: int) -> Array:
        """Return the wavy depth of a layer's surface at mean ``depth``."""
        neck = self.neck
        fade = np.float32(neck.undulation * min(1.0, depth / 4.0))
        flat = np.zeros((1, 1), dtype=np.float32)
        wave = noise(x, y, flat, (14.0, 22.0, 9.0), neck.shifts[kind % len(neck.shifts)])
        return np.float32(depth) + fade * (wave + np.float32(neck.layer_slope / 0.5) * y)

    def lobes(self, x: Array, y: Array, z: Array) -> Array:
        """Both lobes."""
        neck = self.neck
        u = np.abs(x)
        a, b, c = neck.lobe
        centre_u, centre_z = neck.lobe_centre
        du = u - np.float32(centre_u) - np.float32(neck.lobe_spread) * y
        dz = z - np.float32(centre_z) - np.float32(neck.lobe_slope) * y
        cos, sin = np.float32(np.cos(neck.lobe_turn)), np.float32(np.sin(neck.lobe_turn))
        distance = ellipsoid(cos * du + sin * dz, y, cos * dz - sin * du, (a, b, c))
        return distance + np.float32(0.09 * c) * noise(x, y, z, (12.0, 18.0, 10.0), neck.shifts[1])

    def isthmus(self, x: Array, y: Array, z: Array) -> Array:
        """The bridge between the lobes, in front of the trachea."""
        neck = self.neck
        across, down = self._tracheal(x, y, z)
        ring = np.abs(np.hypot(across, down) - np.float32(neck.trachea + 0.3 + neck.isthmus / 2))
        ends = np.maximum(np.abs(y) - np.float32(8.0), np.abs(across) - np.float32(neck.trachea))
        return np.maximum(np.maximum(ring - np.float32(neck.isthmus / 2), ends), down)

    def _tracheal(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Return positions from the middle of the trachea, across and down, where the nodule has pushed it."""
        neck = self.neck
        reach = self._reach(y)
        if self._isthmic:
            need = max(0.0, self._z + self._deep + 0.8 - (neck.trachea_depth - neck.trachea))
            return x, z - np.float32(neck.trachea_depth) - np.float32(need) * reach
        need = max(0.0, 0.85 * neck.trachea + 0.8 - (self._u - self._across))
        return self.lateral(x) + np.float32(need) * reach, z - np.float32(neck.trachea_depth)

    def trachea(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Return the distance to the trachea's outer surface, and the positions across and down from its middle."""
        across, down = self._tracheal(x, y, z)
        return np.hypot(across, down * np.float32(1.05)) - np.float32(self.neck.trachea), across, down

    def carotid(self, x: Array, y: Array, z: Array, dilation: float = 1.0) -> Array:
        """The common carotid arteries' lumen."""
        u, v = self._carotid(x, y)
        return np.hypot(np.abs(self.lateral(x)) - u, z - v) - np.float32(self.neck.carotid * dilation)

    def _carotid(self, x: Array, y: Array) -> tuple[Array, Array]:
        neck = self.neck
        centre_u, centre_z = neck.lobe_centre
        u = centre_u + float(neck.lobe[0]) + 0.7 * neck.carotid
        need = max(0.0, self._u + self._across + neck.carotid + 1.2 - u) if not self._isthmic else 0.0
        pushed = np.float32(u) + np.float32(need) * self._reach(y) * (self.lateral(x) > 0)
        return pushed - np.float32(0.06) * y, np.float32(centre_z + neck.carotid_depth) + np.float32(0.05) * y

    def jugular(self, x: Array, y: Array, z: Array) -> Array:
        """The internal jugular veins."""
        neck = self.neck
        u, v = self._carotid(x, y)
        du = np.abs(self.lateral(x)) - u - np.float32(neck.jugular_offset[0])
        dz = z - v - np.float32(neck.jugular_offset[1]) - np.float32(0.25) * du
        return ellipse(du, dz, *neck.jugular)

    def straps(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Sternohyoid and sternothyroid."""
        neck = self.neck
        u = np.abs(x)
        wave = self.layer(x, y, neck.fascia, 2) - np.float32(neck.fascia)
        first = np.float32(neck.fascia + 0.35 + neck.sternohyoid / 2) + wave
        second = np.float32(neck.fascia + 0.8 + neck.sternohyoid + neck.sternothyroid / 2) + 0.7 * wave
        thick = 1 + np.float32(0.25) * noise(x, y, np.zeros((1, 1), np.float32), (16.0, 26.0, 9.0), neck.shifts[3])
        bow = np.float32(0.012) * np.maximum(u - 10, 0) ** 2
        return (
            stadium(u - 13, z - first - bow, 11.0, thick * np.float32(neck.sternohyoid / 2)),
            stadium(u - 16, z - second - bow, 12.0, thick * np.float32(neck.sternothyroid / 2)),
        )

    def cleidomastoid(self, x: Array, y: Array, z: Array) -> Array:
        """The sternocleidomastoids."""
        a, b, u, turn = self.neck.cleidomastoid
        du = np.abs(x) - np.float32(u) + np.float32(0.2) * y
        dz = z - np.float32(self.neck.fascia + 0.3 + b) - np.float32(turn) * du
        return ellipse(du, dz, a, b)

    def longus(self, x: Array, y: Array, z: Array) -> Array:
        """The longus colli muscles, behind the lobes."""
        du = np.abs(x) - np.float32(11.5)
        deep = z - np.float32(self.spine_depth - 4.6) - np.float32(0.15) * du - self._deepening(x, y)
        return stadium(du, deep, 10.0, 3.6)

    def scalene(self, x: Array, y: Array, z: Array) -> Array:
        """The anterior scalenes, deep and lateral."""
        deep = z - np.float32(self.spine_depth - 3.5) - self._deepening(x, y)
        return ellipse(np.abs(x) - np.float32(34), deep, 9.5, 6.0)

    def _deepening(self, x: Array, y: Array) -> Array:
        """Return how much deeper than at y = 0 the prevertebral tissues lie."""
        flat = np.zeros((1, 1), dtype=np.float32)
        return np.float32(self.neck.deep_slope) * y + np.float32(0.7) * noise(
            x, y, flat, (14.0, 20.0, 9.0), self.neck.shifts[2]
        )

    @property
    def spine_depth(self) -> float:
        """Depth of the front of the spine."""
        neck = self.neck
        return neck.lobe_centre[1] + float(neck.lobe[2]) + neck.deep_gap + 8.6 + self.deep_shift

    def spine(self, x: Array, y: Array, z: Array) -> Array:
        """The vertebrae: a rounded front, with discs every 17 mm."""
        discs = np.float32(0.9) * np.cos(y * np.float32(2 * np.pi / 17))
        side = np.maximum(np.abs(x) - 16, 0)
        front = np.float32(self.spine_depth) - discs + np.float32(0.02) * x**2 + np.float32(0.6) * side
        return front + self._deepening(x, y) - z

    def oesophagus(self, x: Array, y: Array, z: Array) -> Array:
        """The oesophagus, which comes out behind the trachea on the left."""
        neck = self.neck
        depth = neck.trachea_depth + 0.75 * neck.trachea + 0.5 * self.deep_shift
        return ellipse(x - np.float32(0.95 * neck.trachea), z - np.float32(depth), 5.5, 3.8)


def united(first: Array, second: Array, blend_mm: float) -> Array:
    """Return the distance to two bodies joined with a fillet of about ``blend_mm``."""
    share = np.clip(0.5 + (first - second) / np.float32(2 * blend_mm), 0, 1)
    return first + (second - first) * share - np.float32(blend_mm) * share * (1 - share)


def ellipse(u: Array, v: Array, a: float, b: float) -> Array:
    """Return the first-order signed distance to an ellipse with half axes ``a`` and ``b``."""
    level = np.sqrt((u / a) ** 2 + (v / b) ** 2) + np.float32(1e-6)
    slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2) + np.float32(1e-7)
    return (level * (level - 1) / slope).astype(np.float32)


def ellipsoid(u: Array, v: Array, w: Array, axes: tuple[float, float, float]) -> Array:
    """Return the first-order signed distance to an ellipsoid."""
    a, b, c = axes
    level = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2) + np.float32(1e-6)
    slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2 + (w / c**2) ** 2) + np.float32(1e-7)
    return (level * (level - 1) / slope).astype(np.float32)


def stadium(u: Array, v: Array, length: float, half: Array | float) -> Array:
    """Return the distance to a flat band with tapering ends, of half length ``length`` and half thickness ``half``."""
    taper = np.sqrt(np.clip(1 - np.abs(u / length) ** 3, 0, 1))
    return np.maximum(np.abs(v) - np.float32(half) * taper, np.abs(u) - np.float32(length)).astype(np.float32)
