"""Flow as a colour mode sees it: which pixels of the picture hold a moving vessel, how strong and how fast."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from isthmus.imaging.clip import Box
from isthmus.phantom.latents import Vessels
from isthmus.phantom.materials import Label
from isthmus.phantom.medium import Field
from isthmus.phantom.random_fields import smooth_field
from isthmus.phantom.vessels import VesselTree, grow
from isthmus.phantom.view import View

_AROUND_MM: Final = 4.0
"""The colour box reaches this far beyond the nodule."""
_NOTHING: Final = 1e3
_GRAIN_MM: Final = 0.3
_NO_FLOW: Final = (Label.FLUID, Label.CALCIFICATION, Label.AIR, Label.CARTILAGE, Label.BONE)


@dataclass(frozen=True)
class FlowMode:
    """What tells one colour mode from another.

    Parameters
    ----------
    blooming_mm : float
        How much wider than its lumen a vessel is drawn, to each side: the mode's resolution.
    slice_mm : float
        Half the thickness of the plane.
    smallest_mm : float
        Lumen radius below which flow is lost to the wall filter.
    specks : float
        Share of the box filled by chance.
    """

    blooming_mm: float
    slice_mm: float
    smallest_mm: float
    specks: float


@dataclass(frozen=True, eq=False)
class Flow:
    """Flow in a picture.

    Parameters
    ----------
    power : float32 array [H, W]
        0 where nothing moves, to 1 in the middle of a large vessel.
    velocity_cm_s : float32 array [H, W]
        Along the beams, towards the probe; not yet folded by aliasing.
    """

    power: Field
    velocity_cm_s: Field


def colour_corners(view: View, lesion: NDArray[np.bool_], steering_degrees: float) -> NDArray[np.int32]:
    """Return the corners [4, 2] (x, y) of the colour box around the nodule, slanted like the beams, in the picture."""
    height, width = lesion.shape
    step = view.spacing_mm[0]
    columns, rows = np.flatnonzero(lesion.any(axis=0)), np.flatnonzero(lesion.any(axis=1))
    if not len(columns):
        columns, rows = np.array([width // 3, 2 * width // 3]), np.array([height // 3, 2 * height // 3])
    reach = _AROUND_MM / step
    top, bottom = max(2.0, rows[0] - reach), min(height - 3.0, rows[-1] + reach)
    slant = np.tan(np.deg2rad(steering_degrees)) * (bottom - top) / 2
    left, right = columns[0] - reach, columns[-1] + reach
    corners = [(left - slant, top), (right - slant, top), (right + slant, bottom), (left + slant, bottom)]
    limited = [(np.clip(x, 2, width - 3), y) for x, y in corners]
    return np.rint(limited).astype(np.int32)


def bounding_box(corners: NDArray[np.int32]) -> Box:
    """Return the upright box around a colour box."""
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    return float(x0), float(y0), float(x1 + 1), float(y1 + 1)


def outline_box(
    picture: NDArray[np.uint8], corners: NDArray[np.int32], view: View, colour: tuple[int, int, int]
) -> None:
    """Draw a colour box's outline into a picture [H, W, 3], as far as it lies in the scanned area."""
    line = np.zeros(picture.shape[:2], dtype=np.uint8)
    cv2.polylines(line, [corners], True, 1)
    picture[(line > 0) & view.conversion.inside] = colour


def nodule_vessels(view: View, vessels: Vessels) -> VesselTree:
    """Return the nodule's vessels: the same in every plane and mode."""
    return grow(vessels, view.tissue.half_axes, view.tissue.nodule.radius, view.scene.random("vessels"))


def flow(view: View, tree: VesselTree, labels: NDArray[np.uint8], mode: FlowMode, steering_degrees: float) -> Flow:
    """Return the flow that a mode sees in a view, before it is limited to the colour box."""
    random = view.scene.random("flow")
    power, velocity = _vessels(view, tree, mode, steering_degrees)
    power[np.isin(labels, _NO_FLOW)] = 0.0
    _fill_great_vessels(power, velocity, view, labels, steering_degrees)
    grain = smooth_field(random, power.shape, _GRAIN_MM / view.spacing_mm[0])
    power *= np.clip(1.0 + 0.4 * grain, 0.0, 1.6)
    velocity *= 1.0 + 0.12 * grain
    _sprinkle(power, velocity, mode.specks, view.spacing_mm[0], random)
    return Flow(power, velocity)


def _vessels(view: View, tree: VesselTree, mode: FlowMode, steering_degrees: float) -> tuple[Field, Field]:
    grid, shape = view.map_grid, view.conversion.shape
    seen = tree.radius_mm >= mode.smallest_mm
    if not seen.any():
        return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    places = np.stack(view.tissue.to_tissue(grid, view.plane), axis=-1).reshape(-1, 3) - view.tissue.nodule_centre
    widest = tree.radius_mm + mode.blooming_mm
    # Across the plane the slice is thicker than the picture is sharp: distances count less there.
    squeeze = np.ones(3)
    squeeze[1 if view.plane.orientation == "transverse" else 0] = mode.blooming_mm / mode.slice_mm
    known = cKDTree(tree.points[seen] * squeeze)
    distance, nearest = known.query(places * squeeze, distance_upper_bound=float(widest[seen].max()), workers=1)
    found = np.isfinite(distance)
    point = np.flatnonzero(seen)[np.where(found, nearest, 0)]
    share = np.where(found, 1.0 - (np.where(found, distance, _NOTHING) / widest[point]) ** 2, 0.0)
    turn = np.deg2rad(view.plane.tilt_degrees)
    along = 0 if view.plane.orientation == "transverse" else 1
    direction = tree.direction[point]
    # The nodule is turned by the tilt; the beams are slanted by the steering. Towards the probe is up.
    deeper = np.sin(turn) * direction[:, along] + np.cos(turn) * direction[:, 2]
    sideways = np.cos(turn) * direction[:, along] - np.sin(turn) * direction[:, 2]
    slant = np.deg2rad(steering_degrees)
    velocity = -tree.speed_cm_s[point] * (np.cos(slant) * deeper + np.sin(slant) * sideways)
    power = _as_picture(view, np.where(share > 0, share, 0.0), order=1)
    return power, _as_picture(view, np.where(found, velocity, 0.0), order=0) * (
        np.float32(0.4) + np.float32(0.6) * power
    )


def _as_picture(view: View, values: NDArray[np.float64], order: int) -> Field:
    grid = view.map_grid
    field = values.reshape(grid.rows, grid.columns).astype(np.float32)
    return np.asarray(view.conversion.from_field(field, order), dtype=np.float32)


def _fill_great_vessels(
    power: Field, velocity: Field, view: View, labels: NDArray[np.uint8], steering_degrees: float
) -> None:
    """Carotid and jugular: fast flow along the neck, seen by the little that is not at right angles to the beam."""
    slant = abs(np.sin(np.deg2rad(steering_degrees))) + 0.12
    along = 0.25 if view.plane.orientation == "transverse" else 1.0
    for label, speed in ((Label.ARTERY, 45.0), (Label.VEIN, -12.0)):
        inside = (labels == label).astype(np.uint8)
        if not inside.any():
            continue
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3) * view.spacing_mm[0]
        profile = 1.0 - (1.0 - np.clip(depth / max(float(depth.max()), 0.5), 0.0, 1.0)) ** 2
        lumen = depth > 0.4
        power[lumen] = 0.4 + 0.6 * profile[lumen]
        velocity[lumen] = speed * slant * along * profile[lumen]


def _sprinkle(power: Field, velocity: Field, share: float, spacing_mm: float, random: np.random.Generator) -> None:
    """Scatter the false flow that noise and tremor leave: small, weak, of any direction."""
    noise = smooth_field(random, power.shape, 0.16 / spacing_mm)
    limit = float(np.quantile(noise, 1.0 - share))
    specks = (noise > limit) & (power < 0.15)
    power[specks] = np.clip(0.2 + 0.25 * (noise[specks] - limit), 0.0, 0.5)
    velocity[specks] = 2.5 * smooth_field(random, power.shape, 1.0 / spacing_mm)[specks]
