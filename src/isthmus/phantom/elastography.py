"""Shear-wave elastography: a stiffness map in colour upon the B-mode picture, with such maps' artefacts."""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.bmode import in_planes, still
from isthmus.phantom.colour_maps import STIFFNESS, blend, coloured, paint
from isthmus.phantom.flow import bounding_box, colour_corners, outline_box
from isthmus.phantom.latents import Elasticity, Extent, Microcalcifications, Morphology
from isthmus.phantom.materials import Label
from isthmus.phantom.medium import Field, Plane
from isthmus.phantom.random_fields import smooth_field
from isthmus.phantom.recording import Frame, Mask, Recording, Scene
from isthmus.phantom.screen import Bar
from isthmus.phantom.view import View, aim

OPACITY: Final = 0.5
_BOX_COLOUR: Final = (235, 235, 235)
_UNDER_DB: Final = -2.0
_KPA: Final = {
    Label.GLAND: 15.0, Label.STRAP_MUSCLE: 24.0, Label.STERNOCLEIDOMASTOID: 26.0, Label.DEEP_MUSCLE: 26.0,
    Label.FAT: 9.0, Label.SKIN: 30.0, Label.CONNECTIVE: 18.0, Label.OESOPHAGUS: 20.0,
}  # fmt: skip
"""Young's modulus by tissue: gland about 15, the group latents say; muscle stiffer, fat softer."""
_NO_SHEAR: Final = (
    Label.FLUID, Label.ARTERY, Label.VEIN, Label.AIR, Label.CARTILAGE, Label.BONE, Label.CALCIFICATION,
)  # fmt: skip
"""No shear wave travels here (fluid, air) or none is tracked: the map stays empty."""
_CELL_MM: Final = 0.7  # half-width of the map's resolution cell
_EDGE_MM, _EDGE_GRAIN_MM = 0.6, 1.8  # how far the map's edge strays from the nodule's
_GRAIN_MM: Final = 2.4  # of the texture inside the nodule
_BACKGROUND_VARIATION: Final = 0.18
_NOISE, _NOISE_MM = 0.07, 0.7
_SIDE_MM, _SIDE_GAIN = 1.6, 0.35  # the box's rims, where few beams cross
_FACE_MM, _FACE_GAIN = 7.0, 0.8  # under a pressed probe tissue is stiffer
_FILL_FADES_MM: Final = 38.0  # depth from which the push no longer arrives everywhere


def render_swe(
    extent: Extent,
    morphology: Morphology,
    foci: Microcalcifications,
    elasticity: Elasticity,
    scene: Scene,
    plane: Plane,
) -> Recording:
    """Return a shear-wave elastography still; the nodule's mean modulus is the one set, as far as the scale reaches."""
    view = aim(extent, morphology, in_planes(foci), scene, plane)
    labels, lesion, calcifications = view.sections()
    corners = colour_corners(view, lesion, 0.0)
    stiffness, filled = stiffness_map(view, labels, lesion, elasticity, corners)
    limit = view.console.stiffest_kpa
    grey = coloured(view.picture(_UNDER_DB))
    over = paint(stiffness, 0.0, limit, STIFFNESS)
    picture = np.where(filled[..., None], blend(grey, over, OPACITY), grey)
    outline_box(picture, corners, view, _BOX_COLOUR)
    screen = view.screen(("SWE", "MI 1.4"), Bar(STIFFNESS, f"{limit:.0f} kPa", "0"))
    frame = Frame(screen.show(picture), screen.place(lesion), screen.place(calcifications))
    recording = still("swe", frame, view, screen, screen.box(*bounding_box(corners)))
    return replace(recording, swe_range_kpa=(0.0, limit))


def stiffness_map(
    view: View, labels: NDArray[np.uint8], lesion: Mask, elasticity: Elasticity, corners: NDArray[np.int32]
) -> tuple[Field, Mask]:
    """Return the map in kPa [H, W] and where it is filled."""
    random = view.scene.random("stiffness")
    step = view.spacing_mm[0]
    modulus = np.full(256, _KPA[Label.GLAND], dtype=np.float32)
    modulus[list(_KPA)] = list(_KPA.values())
    background = modulus[labels] * _texture(random, labels.shape, _BACKGROUND_VARIATION, 2 * _GRAIN_MM / step)
    inside = elasticity.stiffness_kpa * _texture(random, labels.shape, elasticity.stiffness_variation, _GRAIN_MM / step)
    shear = ~np.isin(labels, _NO_SHEAR)
    own = lesion & shear
    if own.any():
        # What the section shows has the mean that was set, however the texture fell there.
        inside *= elasticity.stiffness_kpa / float(inside[own].mean())
    strayed = _outside_mm(lesion, step) < _EDGE_MM * smooth_field(random, labels.shape, _EDGE_GRAIN_MM / step)
    sharp = np.where(strayed, inside, background).astype(np.float32)
    blurred = cv2.GaussianBlur(sharp, (0, 0), _CELL_MM / step)
    x0, x1 = corners[:, 0].min(), corners[:, 0].max()
    columns = np.arange(labels.shape[1])
    side = np.exp(-np.minimum(np.abs(columns - x0), np.abs(columns - x1)) * step / _SIDE_MM)
    rim = _SIDE_GAIN * side * smooth_field(random, labels.shape, 1.5 / step)
    depth = np.arange(labels.shape[0]) * step
    face = _FACE_GAIN * np.exp(-((depth / _FACE_MM) ** 2) * 3.0)[:, None] * ~lesion
    noise = _NOISE * smooth_field(random, labels.shape, _NOISE_MM / step)
    stiffness = blurred * np.clip(1.0 + rim + face + noise, 0.2, 3.0)
    return stiffness.astype(np.float32), _filled(random, view, shear, corners)


def _outside_mm(lesion: Mask, step: float) -> Field:
    """Return the distance from the nodule's edge in the picture, negative inside."""
    inside = cv2.distanceTransform(lesion.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~lesion).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray((outside - inside) * step, dtype=np.float32)


def _filled(random: np.random.Generator, view: View, shear: Mask, corners: NDArray[np.int32]) -> Mask:
    step = view.spacing_mm[0]
    tracked = cv2.GaussianBlur(shear.astype(np.float32), (0, 0), 0.5 / step) > 0.55
    depth = np.arange(shear.shape[0])[:, None] * step
    arrives = 2.2 - np.maximum(depth - _FILL_FADES_MM, 0.0) / 6.0 + smooth_field(random, shear.shape, 2.0 / step) > 0.0
    box = np.zeros(shear.shape, dtype=np.uint8)
    cv2.fillConvexPoly(box, corners, 1)
    result: Mask = tracked & arrives & (box > 0) & view.conversion.inside
    return result


def _texture(random: np.random.Generator, shape: tuple[int, ...], variation: float, grain: float) -> Field:
    """Return a smooth lognormal field of mean 1 and the coefficient of variation asked for."""
    spread = float(np.sqrt(np.log1p(variation**2)))
    field: Field = np.exp(spread * smooth_field(random, shape, grain) - spread**2 / 2).astype(np.float32)
    return field
