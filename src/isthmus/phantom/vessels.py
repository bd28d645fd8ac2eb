"""The vessels of a nodule: arcs on its surface, branching trees into its inside, a few in the gland around.

Drawn once for a nodule, whatever the plane and the modality. Each of a fixed number of vessels is there when its place
in the order lies below the density, so a denser nodule has all the vessels of a less dense one and more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from isthmus.phantom.latents import Vessels

Points = NDArray[np.float64]
_STEP: Final = 0.035  # of a vessel's path, in nodule radii
_ARCS_PER_MM, _ARCS = 4.0, (14, 140)  # at density 1, by mean radius; at least and at most
_TREES_PER_MM, _TREES = 1.4, (8, 40)
_GLAND_VESSELS: Final = 8
_GENERATIONS: Final = 3
_ACROSS: Final = 0.4  # how far vessels stray across their plane, against along it
_BRANCHES: Final = 2
_SHRINK: Final = 0.72  # a branch's radius over its parent's: Murray's law for two equal daughters gives 0.79


@dataclass(frozen=True, eq=False)
class VesselTree:
    """Vessels as points along their course.

    Parameters
    ----------
    points : float64 array [N, 3]
        Position against the nodule's centre, mm (x left-right, y cranio-caudal, z depth).
    direction : float64 array [N, 3]
        Unit vectors of the flow.
    radius_mm : float64 array [N]
        Of the lumen.
    speed_cm_s : float64 array [N]
        In its middle.
    """

    points: Points
    direction: Points
    radius_mm: NDArray[np.float64]
    speed_cm_s: NDArray[np.float64]


def grow(
    vessels: Vessels,
    half_axes_mm: NDArray[np.floating],
    outline: Callable[[NDArray[np.floating]], NDArray[np.floating]],
    random: np.random.Generator,
) -> VesselTree:
    """Return the vessels of one nodule.

    Parameters
    ----------
    vessels : Vessels
        Densities.
    half_axes_mm : array [3]
        Of the nodule.
    outline : callable
        Radius of the nodule's outline against the ellipsoid's, for unit directions [3, N].
    random : Generator
        Of the nodule alone.
    """
    mean_mm = float(np.cbrt(np.prod(half_axes_mm)))
    arcs = _arcs(_count(mean_mm, _ARCS_PER_MM, _ARCS), random, at=(0.97, 1.05))
    trees = _trees(_count(mean_mm, _TREES_PER_MM, _TREES), random)
    outside = _arcs(_GLAND_VESSELS, random, at=(1.25, 2.2))
    kept = [
        *_kept(arcs, vessels.vessels_peripheral),
        *_kept(trees, vessels.vessels_central),
        *_kept(outside, 1.0),
    ]
    return _in_mm(kept, half_axes_mm, outline)


@dataclass(frozen=True, eq=False)
class _Course:
    """Courses of several vessels in the unit ball: positions and lumen [S, M, …], speed and rank (0 to 1) [M]."""

    path: Points
    radius_mm: NDArray[np.float64]
    speed_cm_s: NDArray[np.float64]
    rank: NDArray[np.float64]


def _count(mean_mm: float, a_mm: float, limits: tuple[int, int]) -> int:
    return int(np.clip(round(a_mm * mean_mm), *limits))


def _kept(courses: list[_Course], density: float) -> list[_Course]:
    return [
        _Course(course.path[:, there], course.radius_mm[:, there], course.speed_cm_s[there], course.rank[there])
        for course in courses
        if (there := course.rank < density).any()
    ]


def _ranks(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count


def _unit(vectors: Points) -> Points:
    result: Points = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return result


def _lean(count: int) -> Points:
    """Factors [M, 3] that lay every other vessel along the transverse plane and the rest along the longitudinal one.

    Examiners turn the probe until vessels lie in the picture; here the vessels lie where the probe is held.
    """
    lean = np.ones((count, 3))
    lean[0::2, 1] = lean[1::2, 0] = _ACROSS
    return lean


def _arcs(count: int, random: np.random.Generator, at: tuple[float, float]) -> list[_Course]:
    """Winding arcs on a sphere, 0.4 to 1.2 radii long, in one call for all."""
    lean = _lean(count)
    place = _unit(random.standard_normal((count, 3)) * lean)
    heading = random.standard_normal((count, 3)) * lean
    height = random.uniform(*at, (count, 1))
    steps = round(1.2 / _STEP)
    length = random.uniform(0.4, 1.2, count)
    path = np.empty((steps, count, 3))
    for step in range(steps):
        heading += 0.35 * lean * random.standard_normal((count, 3))
        heading = _unit(heading - place * (heading * place).sum(axis=1, keepdims=True))
        going = (step * _STEP < length)[:, None]
        place = np.where(going, _unit(place + _STEP * heading), place)
        height = np.clip(height + 0.006 * random.standard_normal((count, 1)), *at)
        path[step] = place * height
    lumen = random.uniform(0.12, 0.42, count)
    speed = 16.0 * lumen * random.uniform(0.6, 1.4, count)
    return [_Course(path, lumen * _uneven(random, steps, count), speed, _ranks(count))]


def _trees(count: int, random: np.random.Generator) -> list[_Course]:
    """Trunks that enter at the surface and run inwards, each forking in two, and so on."""
    lean = _lean(count)
    start = _unit(random.standard_normal((count, 3)) * lean)
    heading = _unit(-start + 0.35 * lean * random.standard_normal((count, 3)))
    lumen = random.uniform(0.2, 0.42, count)
    rank, length = _ranks(count), 0.85
    courses = []
    for _ in range(_GENERATIONS):
        path = _wander(start, heading, lean, length * random.uniform(0.7, 1.2, len(start)), random)
        speed = 15.0 * lumen * random.uniform(0.6, 1.4, len(lumen))
        courses.append(_Course(path, lumen * _uneven(random, len(path), len(lumen)), speed, rank))
        forks = [int(share * (len(path) - 2)) for share in random.uniform(0.3, 0.95, _BRANCHES)]
        start = np.concatenate([path[fork] for fork in forks])
        along = np.concatenate([_unit(path[fork + 1] - path[fork]) for fork in forks])
        lean = np.tile(lean, (_BRANCHES, 1))
        heading = _unit(along + 0.8 * lean * random.standard_normal(along.shape))
        lumen, rank = np.tile(lumen * _SHRINK, _BRANCHES), np.tile(rank, _BRANCHES)
        length *= 0.6
    return courses


def _wander(
    place: Points, heading: Points, lean: Points, length: NDArray[np.float64], random: np.random.Generator
) -> Points:
    """Winding paths [S, M, 3] inside the ball, each of its own length (afterwards it stands still)."""
    steps = max(3, round(float(length.max()) / _STEP))
    path = np.empty((steps, *place.shape))
    for step in range(steps):
        heading = _unit(heading + 0.2 * lean * random.standard_normal(heading.shape))
        near_rim = np.linalg.norm(place, axis=1, keepdims=True) > 0.93
        heading = np.where(near_rim & (step > 3), _unit(heading - 0.4 * place), heading)
        going = (step * _STEP < length)[:, None]
        place = np.where(going, place + _STEP * heading, place)
        path[step] = place
    return path


def _uneven(random: np.random.Generator, steps: int, count: int) -> NDArray[np.float64]:
    """Factors [S, M] of the lumen along the course: it tapers, and is nowhere even."""
    waves = gaussian_filter1d(random.standard_normal((steps, count)), 3.0, axis=0) * 3.3
    factors: NDArray[np.float64] = np.linspace(1.0, 0.7, steps)[:, None] * np.clip(1.0 + 0.3 * waves, 0.3, 1.7)
    return factors


def _in_mm(
    courses: list[_Course],
    half_axes_mm: NDArray[np.floating],
    outline: Callable[[NDArray[np.floating]], NDArray[np.floating]],
) -> VesselTree:
    points, directions, radii, speeds = [], [], [], []
    for course in courses:
        level = np.linalg.norm(course.path, axis=2, keepdims=True)
        facing = (course.path / np.maximum(level, 1e-6)).reshape(-1, 3)
        reach = np.asarray(outline(facing.T.astype(np.float32))).reshape(level.shape)
        path = course.path * reach * np.asarray(half_axes_mm, dtype=np.float64)
        along = gaussian_filter1d(np.gradient(path, axis=0), 3.0, axis=0)
        moved = np.linalg.norm(along, axis=2) > 1e-6
        points.append(path[moved])
        directions.append(_unit(along[moved]))
        radii.append(course.radius_mm[moved])
        speeds.append(np.broadcast_to(course.speed_cm_s, moved.shape)[moved])
    return VesselTree(*(np.concatenate(part) for part in (points, directions, radii, speeds)))
