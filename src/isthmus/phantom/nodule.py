"""The nodule: its outline, its fluid and how bright its solid part is, in its own coordinates (mm from its centre)."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from isthmus.phantom.latents import Extent, Morphology
from isthmus.phantom.texture import Array, draw_shift, noise

_SAMPLES: Final = 6000
"""Points by which shares of the volume are set: a share is met within about 1.5 %."""


_SCATTERED: Final = 0.06
"""Below this share the fluid of a nodule that is not spongiform lies in scattered tiny cysts, not in a pocket."""


@dataclass(frozen=True)
class _Relief:
    """How the outline departs from the ellipsoid: amplitudes and features a radian of three kinds of bumps."""

    waves: float
    lobules: float
    spicules: float
    frequency: float


_RELIEFS: Final = {
    "smooth": _Relief(1.0, 0.0, 0.0, 0.9),
    "well_defined": _Relief(1.0, 0.0, 0.0, 0.9),
    "ill_defined": _Relief(0.8, 0.2, 0.2, 1.1),
    "lobulated": _Relief(0.25, 1.0, 0.0, 1.3),
    "irregular": _Relief(0.45, 0.15, 0.9, 2.0),
    "extrathyroidal_extension": _Relief(0.6, 0.3, 0.6, 1.6),
}


def half_axes(extent: Extent, random: np.random.Generator) -> Array:
    """Return the half axes (x, y, z) in mm: the largest diameter is the size; the length along the neck is drawn."""
    height = extent.height_to_width
    length = random.uniform(0.85, 1.3) * max(1.0, 0.9 * height)
    diameters = np.array([1.0, length, height])
    return np.asarray((extent.size_mm / 2 * diameters / diameters.max()), dtype=np.float32)


class Nodule:
    """Shape and inside of one nodule, as functions of position about its centre.

    Parameters
    ----------
    extent, morphology : Extent, Morphology
        As drawn for the patient.
    seed : int
        Of everything that the latents leave open: length along the neck, bumps, layout of fluid.

    Attributes
    ----------
    half_axes : float32 array [3]
        Along x (left-right), y (cranio-caudal) and z (depth), mm.
    """

    def __init__(self, extent: Extent, morphology: Morphology, seed: int) -> None:
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 1])))
        self.morphology = morphology
        self.half_axes = half_axes(extent, random)
        self.mean_radius = float(np.cbrt(np.prod(self.half_axes)))
        self._relief = _RELIEFS[morphology.margin]
        self._shifts = [draw_shift(random) for _ in range(3)]
        self._roundness = random.uniform(0.02, 0.045)
        self._norm = (0.0, 1.0, 1.0)
        self._norm = self._normalise()
        self.inside = self._sample(random)
        self.fluid_pattern = _FluidPattern(self, random)

    def signed_distance(self, x: Array, y: Array, z: Array) -> Array:
        """Return about how far positions lie from the outline in mm, negative inside.

        First-order distance to a deformed ellipsoid: exact on the outline, within about a tenth near it.
        """
        a, b, c = self.half_axes
        level = np.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2) + np.float32(1e-6)
        slope = np.sqrt((x / a**2) ** 2 + (y / b**2) ** 2 + (z / c**2) ** 2) + np.float32(1e-7)
        near = level < 1.0 + 4.0 / float(self.half_axes.min()) + 0.7
        radius = np.ones_like(level)
        full = np.broadcast_arrays(x / a, y / b, z / c)
        directions = np.stack([part[near] for part in full]) / level[near]
        radius[near] = self.radius(directions)
        return np.asarray((level * (level - radius) / slope), dtype=np.float32)

    def radius(self, directions: Array) -> Array:
        """Return the outline's radius against the ellipsoid's, about 1, for unit ``directions`` [3, N]."""
        mean, spread, size = self._norm
        raw = (self._bumps(directions) - np.float32(mean)) / np.float32(spread)
        amplitude = max(self.morphology.irregularity / 2, 0.0)
        x, y, z = directions
        waves = noise(x, y, z, (1.3, 1.3, 1.3), self._shifts[2])
        bumps = np.clip(raw, -2.4, 2.4) * np.float32(amplitude) + waves * np.float32(self._roundness)
        return np.asarray(np.maximum((1 + bumps) / np.float32(size), np.float32(0.3)), dtype=np.float32)

    def _bumps(self, directions: Array) -> Array:
        relief = self._relief
        x, y, z = directions
        coarse = (1 / relief.frequency,) * 3
        fine = (0.55 / relief.frequency,) * 3
        waves = noise(x, y, z, coarse, self._shifts[0])
        total = np.float32(relief.waves) * waves
        if relief.lobules:  # rounded outward, sharp clefts between
            total = total + np.float32(2 * relief.lobules) * np.abs(waves)
        if relief.spicules:  # sharp outward
            spikes = np.maximum(np.float32(0.6) - np.abs(noise(x, y, z, fine, self._shifts[1])), 0)
            total = total + np.float32(2.5 * relief.spicules) * spikes * np.clip(1 + np.float32(1.2) * waves, 0, 3)
        return np.asarray(total, dtype=np.float32)

    def _normalise(self) -> tuple[float, float, float]:
        """Centre the bumps, and keep the ellipsoid's volume whatever the bumps."""
        directions = sphere(2000)
        bumps = self._bumps(directions)
        self._norm = (float(bumps.mean()), max(float(bumps.std()), 1e-3), 1.0)
        return (*self._norm[:2], float(np.cbrt(np.mean(self.radius(directions) ** 3))))

    def _sample(self, random: np.random.Generator) -> Array:
        """Draw positions [3, N] evenly in the nodule's volume."""
        cube = random.uniform(-1.7, 1.7, (3, _SAMPLES * 12)).astype(np.float32)
        level = np.linalg.norm(cube, axis=0) + 1e-6
        cube, level = cube[:, level < 1.7], level[level < 1.7]
        kept = cube[:, level < self.radius(cube / level)][:, :_SAMPLES]
        return np.asarray(kept * self.half_axes[:, None], dtype=np.float32)

    def fluid(self, x: Array, y: Array, z: Array, distance: Array) -> Array:
        """Return a level that is negative in fluid and grows about 1 a mm outward; ``distance`` is the outline's."""
        return self.fluid_pattern(x, y, z, distance)


class _FluidPattern:
    """Where a nodule holds fluid, of the share asked for: pockets, or tiny cysts if spongiform or all but solid."""

    def __init__(self, nodule: Nodule, random: np.random.Generator) -> None:
        morphology = nodule.morphology
        self.share = float(np.clip(morphology.cystic_fraction, 0.0, 1.0))
        self.tiny = morphology.composition == "spongiform" or self.share < _SCATTERED
        self.grain_mm = float(random.uniform(0.8, 1.3))
        self._nodule = nodule
        self._shifts = [draw_shift(random) for _ in range(2)]
        self.wall_mm = 0.0 if self.share > 0.9 else min(0.5, 0.12 * nodule.mean_radius)
        pockets = 1 if self.share > 0.85 else int(random.integers(1, 5))
        spread = 0.08 if self.share > 0.85 else 0.62
        self._centres = random.normal(0, spread / 1.6, (pockets, 3)).clip(-spread, spread) * nodule.half_axes
        self._weights = np.exp(random.normal(0, 0.3, pockets))
        septate = morphology.composition in ("mixed", "predominantly_cystic") and random.random() < 0.6
        self._septum = random.uniform(0.04, 0.08) if septate else 0.0
        self._sheets_mm = (1.7 * nodule.mean_radius + 2.0,) * 3
        self._level = 0.0
        self._level = self._threshold()

    def __call__(self, x: Array, y: Array, z: Array, distance: Array) -> Array:
        if self.share <= 0.005:
            return np.ones_like(distance)
        if self.tiny:
            level = (self._cells(x, y, z) - np.float32(self._level)) * np.float32(0.35 * self.grain_mm)
        else:
            level = self._pockets(x, y, z) - np.float32(self._level)
            if self._septum:
                sheets = np.abs(noise(x, y, z, self._sheets_mm, self._shifts[1])) - np.float32(self._septum)
                level = np.maximum(level, -sheets * np.float32(0.45 * self._sheets_mm[0]))
        return np.asarray(np.maximum(level, distance + np.float32(self.wall_mm)), dtype=np.float32)

    def _cells(self, x: Array, y: Array, z: Array) -> Array:
        """Return a level that is lowest in the middle of tiny flat cells and 0 in the septa between them.

        Septa lie where either of two fields vanishes: more of them, hence smaller cells, than one field has.
        """
        flat = (1.25 * self.grain_mm, 1.25 * self.grain_mm, 0.7 * self.grain_mm)
        first, second = (np.abs(noise(x, y, z, flat, shift)) for shift in self._shifts)
        return np.asarray(-np.sqrt(first * second))

    def _pockets(self, x: Array, y: Array, z: Array) -> Array:
        """Return a level in mm that grows away from the pockets' centres, shaped like the nodule."""
        mean = self._nodule.mean_radius
        a, b, c = self._nodule.half_axes / np.float32(mean)
        level = None
        for centre, weight in zip(self._centres, self._weights, strict=True):
            u, v, w = centre
            near = np.sqrt(((x - u) / a) ** 2 + ((y - v) / b) ** 2 + ((z - w) / c) ** 2) / np.float32(weight)
            level = near if level is None else np.minimum(level, near)
        assert level is not None
        waves = noise(x, y, z, (0.9 * mean,) * 3, self._shifts[0])
        waves = waves + np.float32(min(2.5 / mean, 0.5)) * noise(x, y, z, (1.4,) * 3, self._shifts[1])
        return np.asarray((level + np.float32(0.1 * mean) * waves), dtype=np.float32)

    def _threshold(self) -> float:
        """Return the level below which the asked share of the volume lies, walls and septa left out."""
        x, y, z = self._nodule.inside
        if self.share <= 0.005:
            return 0.0
        self._level = 0.0
        open_to_fluid = self._nodule.signed_distance(x, y, z) < -self.wall_mm
        if self.tiny:
            values = self._cells(x, y, z)
        else:
            values = self._pockets(x, y, z)
            if self._septum:
                open_to_fluid &= np.abs(noise(x, y, z, self._sheets_mm, self._shifts[1])) > self._septum
        wanted = round(self.share * values.size)
        values = np.sort(values[open_to_fluid])
        return float(values[min(wanted, values.size - 1)]) if values.size else 0.0


def sphere(count: int) -> Array:
    """Return unit vectors [3, count] spread evenly over the sphere (a Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    polar = np.arccos(1 - 2 * index / count)
    azimuth = np.pi * (1 + 5**0.5) * index
    return np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)]).astype(
        np.float32
    )
