"""Colour Doppler and superb microvascular imaging (SMI): the nodule's vessels in colour upon its B-mode picture."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.bmode import in_planes, still
from isthmus.phantom.colour_maps import GOLD, POWER, VELOCITY, ColourMap, coloured, paint
from isthmus.phantom.flow import Flow, FlowMode, bounding_box, colour_corners, flow, nodule_vessels, outline_box
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology, Vessels
from isthmus.phantom.medium import Plane
from isthmus.phantom.recording import Frame, Recording, Scene
from isthmus.phantom.screen import Bar
from isthmus.phantom.view import View, aim

COLOUR_DOPPLER: Final = FlowMode(blooming_mm=0.3, slice_mm=1.4, smallest_mm=0.2, specks=0.004)
MICROVASCULAR: Final = FlowMode(blooming_mm=0.16, slice_mm=0.9, smallest_mm=0.0, specks=0.0015)
_SHOWN: Final = 0.12  # of the power, from which a pixel has colour
_UNDER_DB: Final = -4.0  # examiners turn the grey picture down under colour
_BOX_COLOUR: Final = (210, 225, 210)
_MICRO_CM_S: Final = 1.8  # limit of the directional microvascular scale
_MUTED: Final = 0.35  # of the grey picture inside the box of monochrome SMI


def render_doppler(
    extent: Extent, morphology: Morphology, foci: Microcalcifications, vessels: Vessels, scene: Scene, plane: Plane
) -> Recording:
    """Return a colour Doppler still: velocity towards (red) and away (blue), folded over at the scale's limits."""
    view = aim(extent, morphology, in_planes(foci), scene, plane)
    limit = view.console.velocity_cm_s
    bar = Bar(VELOCITY, f"{limit:.0f} cm/s", f"-{limit:.0f}")
    settings = ("CF", "WF 60 Hz", f"PRF {limit * 0.18:.1f} kHz", "MI 0.9")
    return _render("doppler", view, vessels, COLOUR_DOPPLER, view.console.steering_degrees, bar, limit, settings)


def render_smi(
    extent: Extent, morphology: Morphology, foci: Microcalcifications, vessels: Vessels, scene: Scene, plane: Plane
) -> Recording:
    """Return a still of superb microvascular imaging: finer vessels, slower flow, less false colour."""
    view = aim(extent, morphology, in_planes(foci), scene, plane)
    bars = {
        "power": Bar(POWER, "SMI"),
        "monochrome": Bar(GOLD, "mSMI"),
        "directional": Bar(VELOCITY, f"{_MICRO_CM_S} cm/s", f"-{_MICRO_CM_S}"),
    }
    settings = ("SMI", f"PRF {_MICRO_CM_S * 0.18:.2f} kHz", "MI 1.2")
    bar = bars[view.console.microvessels]
    return _render("smi", view, vessels, MICROVASCULAR, 0.0, bar, _MICRO_CM_S, settings)


def _render(
    modality: str,
    view: View,
    vessels: Vessels,
    mode: FlowMode,
    steering_degrees: float,
    bar: Bar,
    limit_cm_s: float,
    settings: tuple[str, ...],
) -> Recording:
    labels, lesion, calcifications = view.sections()
    seen = flow(view, nodule_vessels(view, vessels), labels, mode, steering_degrees)
    corners = colour_corners(view, lesion, steering_degrees)
    box = np.zeros(lesion.shape, dtype=np.uint8)
    cv2.fillConvexPoly(box, corners, 1)
    inside = (box > 0) & view.conversion.inside
    grey = view.picture(_UNDER_DB)
    if bar.colours is GOLD:
        grey = np.where(inside, (grey * _MUTED).astype(np.uint8), grey)
    picture = coloured(grey)
    shown = inside & (seen.power > _SHOWN)
    picture[shown] = _colours(seen, bar.colours, limit_cm_s, folded=mode is COLOUR_DOPPLER)[shown]
    outline_box(picture, corners, view, _BOX_COLOUR)
    screen = view.screen(settings, bar)
    frame = Frame(screen.show(picture), screen.place(lesion), screen.place(calcifications))
    return still(modality, frame, view, screen, screen.box(*bounding_box(corners)))


def _colours(seen: Flow, colours: ColourMap, limit_cm_s: float, *, folded: bool) -> NDArray[np.uint8]:
    if colours is VELOCITY:
        velocity = (
            alias(seen.velocity_cm_s, limit_cm_s) if folded else limit_cm_s * np.tanh(seen.velocity_cm_s / limit_cm_s)
        )
        return paint(velocity, -limit_cm_s, limit_cm_s, colours)
    return paint(seen.power, -0.05, 0.85, colours)


def alias(velocity_cm_s: NDArray[np.floating], limit_cm_s: float) -> NDArray[np.floating]:
    """Return velocities as a pulsed system shows them: beyond the Nyquist limit they turn up at the other end.

    Examples
    --------
    >>> alias(np.array([3.0, 7.0, -6.5]), 5.0).tolist()
    [3.0, -3.0, 3.5]
    """
    folded: NDArray[np.floating] = (velocity_cm_s + limit_cm_s) % (2.0 * limit_cm_s) - limit_cm_s
    return folded
