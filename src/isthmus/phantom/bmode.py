"""B-mode stills."""

from dataclasses import replace
from typing import Final

import numpy as np

from isthmus.imaging.clip import Box
from isthmus.phantom.colour_maps import GREY
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.medium import Plane
from isthmus.phantom.recording import Frame, Recording, Scene
from isthmus.phantom.screen import Bar, Screen, draw_calipers
from isthmus.phantom.view import View, aim

GREY_BAR: Final = Bar(GREY)
_BEAMS_AT_ONCE, _FASTEST_HZ = 2, 45.0


def render_still(
    extent: Extent, morphology: Morphology, foci: Microcalcifications, scene: Scene, plane: Plane
) -> Recording:
    """Return a B-mode still, with calipers where the site's habit and the view's chance ask for them.

    Foci that only a sweep meets are taken out before anything is drawn.
    """
    view = aim(extent, morphology, in_planes(foci), scene, plane)
    picture = view.picture()
    _, lesion, calcifications = view.sections()
    if with_calipers(scene):
        picture = draw_calipers(picture, lesion, view.console, scene.random("hand"))
    device = view.device
    settings = (f"DR {device.dynamic_range_db:.0f}", f"FR {frame_rate(view):.0f}", "MI 0.9")
    screen = view.screen(settings, GREY_BAR)
    frame = Frame(screen.show(picture), screen.place(lesion), screen.place(calcifications))
    return still("bmode", frame, view, screen)


def with_calipers(scene: Scene) -> bool:
    """Tell whether a still is saved with calipers: the site's rate and the view's chance, nothing of the nodule."""
    return bool(scene.random("calipers").random() < scene.habits.caliper_rate)


def in_planes(foci: Microcalcifications) -> Microcalcifications:
    """Return the foci that stills can show."""
    return replace(foci, punctate_elsewhere=0)


def frame_rate(view: View) -> float:
    """Return the scanner's own frame rate in Hz: one echo a beam, there and back at 1.54 mm a microsecond."""
    echo_s = 2.0 * view.depth_mm / 1.54 * 1e-6
    return min(_FASTEST_HZ, _BEAMS_AT_ONCE / (echo_s * view.device.lines * view.device.looks))


def still(modality: str, frame: Frame, view: View, screen: Screen, colour_box: Box | None = None) -> Recording:
    """Return one drawn frame as a recording."""
    height, width, channels = frame.pixels.shape
    return Recording(
        modality=modality,
        scene=view.scene,
        plane=view.plane,
        shape=(1, height, width, channels),
        draw=lambda: iter((frame,)),
        frame_times_s=np.zeros(1),
        spacing_mm=view.spacing_mm,
        region=screen.region,
        colour_box=colour_box,
    )
