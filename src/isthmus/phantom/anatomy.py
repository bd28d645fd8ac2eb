"""The anterior neck of one patient: layers, muscles, gland, airway, vessels, in millimetres.

Tissue coordinates: x from the patient's right to left, y from cranial to caudal, z depth below the skin; x = 0 is the
midline and y = 0 the level of the isthmus. Paired structures are described at ``u``, the distance from the midline
towards the nodule's side.
"""

import numpy as np

from isthmus.phantom.neck import Neck
from isthmus.phantom.shapes import ellipse, ellipsoid, stadium
from isthmus.phantom.texture import Array, noise


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

    def _reach(self, y: Array, stiff: float = 1.0) -> Array:
        """Return how far the nodule pushes at ``y``: 1 at its middle, 0 ``stiff`` mm beyond its ends."""
        beyond = (y - np.float32(self._y)) / np.float32(self._along + stiff)
        return np.asarray(np.exp(-0.5 * beyond**4), dtype=np.float32)

    def lateral(self, x: Array) -> Array:
        """Return ``u``, the distance from the midline towards the nodule's side."""
        return np.asarray((np.float32(self.side) * x), dtype=np.float32)

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
        if self._isthmic:
            need = max(0.0, self._z + self._deep + 0.8 - (neck.trachea_depth - neck.trachea))
            return x, z - np.float32(neck.trachea_depth) - np.float32(need) * self._reach(y, stiff=12.0)
        need = max(0.0, 0.85 * neck.trachea + 0.8 - (self._u - self._across))
        return self.lateral(x) + np.float32(need) * self._reach(y, stiff=6.0), z - np.float32(neck.trachea_depth)

    def trachea(self, x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
        """Return the distance to the trachea's outer surface, and the positions across and down from its middle."""
        across, down = self._tracheal(x, y, z)
        uneven = np.float32(0.55) * noise(x, y, z, (7.0, 9.0, 7.0), self.neck.shifts[3])
        return np.hypot(across, down * np.float32(self.neck.trachea_shape)) - self.neck.trachea + uneven, across, down

    def carotid(self, x: Array, y: Array, z: Array, dilation: float = 1.0) -> Array:
        """The common carotid arteries' lumen."""
        u, v = self._carotid(x, y)
        across = (np.abs(self.lateral(x)) - u) * np.float32(self.neck.carotid_shape)
        uneven = np.float32(0.3) * noise(x, y, z, (3.5, 9.0, 3.5), self.neck.shifts[0])
        distance: Array = np.hypot(across, z - v) - np.float32(self.neck.carotid * dilation) + uneven
        return distance

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
        front: Array = np.float32(self.spine_depth) - discs + np.float32(0.02) * x**2 + np.float32(0.6) * side
        return front + self._deepening(x, y) - z

    def oesophagus(self, x: Array, y: Array, z: Array) -> Array:
        """The oesophagus, which comes out behind the trachea on the left."""
        neck = self.neck
        depth = neck.trachea_depth + 0.75 * neck.trachea + 0.5 * self.deep_shift
        return ellipse(x - np.float32(0.95 * neck.trachea), z - np.float32(depth), 5.5, 3.8)
