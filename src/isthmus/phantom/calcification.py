"""Where calcium and crystals lie in a nodule, in its own coordinates (mm from its centre)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.latents import Microcalcifications
from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.nodule import Nodule, sphere
from isthmus.phantom.texture import Array, draw_shift, noise

NEAR_MM: Final = 0.3
"""A focus of a plane lies within this distance of it."""
CLEAR_MM: Final = 1.5
"""A focus that is not of a plane keeps at least this far from it, where the nodule is wide enough."""
RIM_ATTENUATION: Final = 7.0
"""dB/(cm MHz): a thin rim is porous and lets some sound pass, where a lump casts a full shadow."""
SLICE_MM: Final = 1.5
"""Thickness of the slice in which a focus counts as met by a plane (truth masks)."""


@dataclass(frozen=True, eq=False)
class Foci:
    """Punctate echogenic foci.

    Parameters
    ----------
    positions : float32 array [N, 3]
        From the nodule's centre, mm.
    diameters : float32 array [N]
        0.2 to 0.5 mm.
    amplitudes : float32 array [N]
        Echo against the gland's mean speckle.
    """

    positions: Array
    diameters: Array
    amplitudes: Array


def clearance(nodule: Nodule) -> float:
    """Return how far foci keep from the planes that they are not of.

    :data:`CLEAR_MM`, or 0.45 of the shorter horizontal half axis where that is less: in a nodule under 7 mm wide the
    foci of one plane come near the other, but never within :data:`NEAR_MM`, so that counts are kept.
    """
    return float(max(min(CLEAR_MM, 0.45 * float(nodule.half_axes[:2].min())), NEAR_MM + 0.02))


def draw_foci(nodule: Nodule, counts: Microcalcifications, random: np.random.Generator) -> Foci:
    """Draw the foci: exactly as many near each central plane, and away from both, as asked."""
    chosen: list[Array] = []
    for count, planes in (
        (counts.punctate_transverse, (True, False)),
        (counts.punctate_longitudinal, (False, True)),
        (counts.punctate_elsewhere, (False, False)),
    ):
        for _ in range(count):
            chosen.append(_draw_focus(nodule, planes, chosen, random))
    number = len(chosen)
    return Foci(
        np.array(chosen, dtype=np.float32).reshape(number, 3),
        random.uniform(0.2, 0.5, number).astype(np.float32),
        np.exp(random.normal(np.log(6.0), 0.3, number)).astype(np.float32),
    )


def _draw_focus(nodule: Nodule, planes: tuple[bool, bool], others: list[Array], random: np.random.Generator) -> Array:
    """Draw one focus in the solid part, apart from the others; wishes give way in turn where there is no room."""
    candidates = _candidates(nodule, planes, 200, random)
    x, y, z = candidates
    distance = nodule.signed_distance(x, y, z)
    wishes = [
        distance < -min(0.5, 0.25 * float(nodule.half_axes.min())),
        nodule.fluid(x, y, z, distance) > 0.1,
    ]
    if others:
        apart = np.linalg.norm(candidates[:, :, None] - np.array(others).T[:, None, :], axis=0).min(axis=1)
        wishes.append(apart > min(1.2, 0.3 * nodule.mean_radius))
    allowed = np.ones(len(distance), dtype=bool)
    for wish in wishes:
        if (allowed & wish).any():
            allowed &= wish
    index = int(np.argmax(allowed)) if allowed.any() else int(np.argmin(distance))
    return candidates[:, index].copy()


def _candidates(nodule: Nodule, planes: tuple[bool, bool], count: int, random: np.random.Generator) -> Array:
    """Draw positions [3, count] in the ellipsoid: near, or clear of, the transverse (y) and longitudinal (x) plane."""
    clear = clearance(nodule)
    transverse, longitudinal = planes
    x = _axis(longitudinal, clear, 0.85 * float(nodule.half_axes[0]), count, random)
    room = np.sqrt(np.clip(1 - (x / nodule.half_axes[0]) ** 2, 0.1, 1))
    y = _axis(transverse, clear, 0.85 * float(nodule.half_axes[1]), count, random)
    y = np.where(np.abs(y) > clear, np.sign(y) * (clear + (np.abs(y) - clear) * room), y)
    left = 1 - (x / nodule.half_axes[0]) ** 2 - (y / nodule.half_axes[1]) ** 2
    z = random.uniform(-0.85, 0.85, count) * np.sqrt(np.clip(left, 0.01, 1)) * nodule.half_axes[2]
    return np.asarray(np.stack([x, y, z]), dtype=np.float32)


def _axis(near: bool, clear: float, reach: float, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    if near:
        return random.uniform(-0.9 * NEAR_MM, 0.9 * NEAR_MM, count)
    sign = random.choice([-1.0, 1.0], count)
    return sign * random.uniform(clear * 1.001, max(reach, clear * 1.02), count)


class Coarse:
    """Coarse calcifications and the calcified rim.

    The first coarse calcification is met by both central planes, the others by one of them in turn.
    """

    def __init__(self, nodule: Nodule, random: np.random.Generator) -> None:
        morphology = nodule.morphology
        self._nodule = nodule
        self.centres, self.sizes = _place_coarse(nodule, morphology.macrocalcifications, random)
        self._rough = draw_shift(random)
        self.rim = float(np.clip(morphology.rim_calcification, 0, 1))
        self.rim_mm = float(random.uniform(0.2, 0.45)) * min(1.0, nodule.mean_radius / 4)
        self._pole = np.array([random.normal(0, 0.3), random.normal(0, 0.3), -1.0])
        self._pole /= np.linalg.norm(self._pole)
        self._rim_level = 0.0
        if self.rim:
            self._rim_level = float(np.quantile(self._rim_field(sphere(2000)), 1 - self.rim))

    def distances(self, x: Array, y: Array, z: Array, outline: Array) -> list[tuple[Array, float]]:
        """Return the distance in mm to each kind of calcium present, negative inside, with its attenuation."""
        found = []
        if len(self.centres):
            parts = [self._one(x, y, z, centre, size) for centre, size in zip(self.centres, self.sizes, strict=True)]
            found.append((np.minimum.reduce(parts).astype(np.float32), MATERIALS[Label.CALCIFICATION].attenuation))
        if self.rim:
            found.append((self._rim(x, y, z, outline), RIM_ATTENUATION))
        return found

    def _one(self, x: Array, y: Array, z: Array, centre: Array, size: Array) -> Array:
        u, v, w = (x - centre[0]) / size[0], (y - centre[1]) / size[1], (z - centre[2]) / size[2]
        level = np.sqrt(u**2 + v**2 + w**2)
        rough = noise(x, y, z, (float(size[0]),) * 3, self._rough)
        rough = rough + np.float32(0.7) * noise(x, y, z, (0.45 * float(size[0]),) * 3, self._rough)
        return np.asarray(((level - 1 + np.float32(0.2) * rough) * np.float32(size.min())), dtype=np.float32)

    def _rim(self, x: Array, y: Array, z: Array, outline: Array) -> Array:
        thickness = np.float32(self.rim_mm) * (1 + np.float32(0.4) * noise(x, y, z, (1.5,) * 3, self._rough))
        shell = np.abs(outline + np.float32(self.rim_mm)) - thickness
        near = shell < 1.0
        full = np.stack([part[near] for part in np.broadcast_arrays(x, y, z)]) / self._nodule.half_axes[:, None]
        directions = full / (np.linalg.norm(full, axis=0) + 1e-6)
        gap = (np.float32(self._rim_level) - self._rim_field(directions)) * np.float32(0.6 * self._nodule.mean_radius)
        result: Array = shell.astype(np.float32)
        result[near] = np.maximum(shell[near], gap)
        return result

    def _rim_field(self, directions: Array) -> Array:
        """Return a level over directions: calcium begins at the front pole and spreads unevenly as the share grows."""
        x, y, z = directions
        bias = self._pole.astype(np.float32) @ directions
        return (np.float32(0.9) * bias + np.float32(0.35) * noise(x, y, z, (0.6,) * 3, self._rough)).astype(np.float32)


def _place_coarse(nodule: Nodule, count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Draw centres and half axes [count, 3] of coarse calcifications."""
    limit = float(nodule.half_axes.min())
    centres: list[Array] = []
    sizes: list[Array] = []
    for number in range(count):
        size = float(np.clip(random.uniform(0.12, 0.3) * limit, 0.3, 3.0))
        in_both, transverse = number == 0, number % 2 == 1
        span = 0.62 * nodule.half_axes
        near = 0.4 * size
        best, best_gap = np.zeros(3), -np.inf
        for _ in range(30):
            x = random.uniform(-near, near) if in_both or not transverse else random.uniform(-span[0], span[0])
            y = random.uniform(-near, near) if in_both or transverse else random.uniform(-span[1], span[1])
            left = max(1 - (x / nodule.half_axes[0]) ** 2 - (y / nodule.half_axes[1]) ** 2, 0.05)
            z = random.uniform(-0.6, 0.5) * np.sqrt(left) * nodule.half_axes[2]
            gap = min((float(np.hypot(*(np.array([x, y]) - other[:2]))) for other in centres), default=np.inf)
            point = np.array([[x], [y], [z]], dtype=np.float32)
            outline = nodule.signed_distance(point[0], point[1], point[2])
            if float(nodule.fluid(point[0], point[1], point[2], outline)[0]) < 0:
                gap = min(gap, 2.5 * size) - 100.0  # calcium lies in walls and solid tissue where there are any
            if gap > best_gap:
                best, best_gap = np.array([x, y, z]), gap
            if gap > 2.5 * size:
                break
        centres.append(best)
        sizes.append(size * np.array([random.uniform(0.9, 1.5), random.uniform(0.9, 1.4), random.uniform(0.5, 0.8)]))
    return np.array(centres, dtype=np.float32).reshape(-1, 3), np.array(sizes, dtype=np.float32).reshape(-1, 3)


def comet_tails(nodule: Nodule, count: int, random: np.random.Generator) -> Array:
    """Return colloid crystals, in fluid where there is any, and the echoes behind them [N, 4]: position and amplitude.

    The planes meet them as they meet coarse calcium: both the first, one of them each other.
    """
    chosen: list[Array] = []
    for number in range(count):
        candidates = _candidates(nodule, (True, True), 200, random)
        if number:
            free = 1 if number % 2 else 0
            candidates[1 - free] *= 0.5
            axis = 0 if free else 1
            candidates[axis] = random.uniform(-0.6, 0.6, 200) * nodule.half_axes[axis]
        x, y, z = candidates
        distance = nodule.signed_distance(x, y, z)
        fluid = nodule.fluid(x, y, z, distance)
        wet = (fluid < 0.1) & (distance < -0.2)
        index = int(np.argmax(wet)) if wet.any() else int(np.argmin(fluid))
        chosen.append(candidates[:, index])
    rows = []
    for x, y, z in chosen:
        step, fall = random.uniform(0.16, 0.26), random.uniform(0.65, 0.8)
        rows += [(x, y, z + step * order, 6.0 * fall**order) for order in range(10)]
    return np.array(rows, dtype=np.float32).reshape(-1, 4)
