"""Cine sweeps: the plane passes through the nodule, so that what is small shows in a few frames only."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from isthmus.phantom.acoustics import form_clip
from isthmus.phantom.bmode import GREY_BAR
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.medium import Plane
from isthmus.phantom.recording import Frame, Recording, Scene
from isthmus.phantom.view import View, aim

HEIGHT: Final = 360
SECONDS: Final = 3.0
FRAME_RATE_HZ: Final = 10.0
_BEYOND: Final = 1.15  # the sweep starts and ends this many nodule half-lengths from the centre
_PACE: Final = 0.25  # relative unevenness of the hand's speed
_RISE, _FALL = 0.06, 0.3  # of a heart beat
_HIGHEST: Final = _FALL / (_RISE + _FALL) * (_RISE / (_RISE + _FALL)) ** (_RISE / _FALL)  # of that wave
_TREMOR_MM, _TREMOR_DEGREES, _TREMOR_S = 0.35, 0.8, 0.35


def render_cine(
    extent: Extent,
    morphology: Morphology,
    foci: Microcalcifications,
    scene: Scene,
    plane: Plane,
    *,
    seconds: float = SECONDS,
    frame_rate_hz: float = FRAME_RATE_HZ,
) -> Recording:
    """Return a sweep through the whole nodule at right angles to ``plane``; frames are drawn as they are asked for.

    The hand moves unevenly and trembles, the carotid beats; the scanner's persistence joins the frames. The masks of
    nodule and calcifications are those of each frame's own plane.
    """
    view = aim(extent, morphology, foci, scene, plane, height=HEIGHT)
    times = np.arange(max(2, round(seconds * frame_rate_hz))) / frame_rate_hz
    planes = sweep(view, times)
    screen = view.screen((f"DR {view.device.dynamic_range_db:.0f}", f"FR {frame_rate_hz:.0f}", "MI 0.9"), GREY_BAR)

    def draw() -> Iterator[Frame]:
        grid = view.device.grid(view.depth_mm, "clip")
        beats = pulse(scene, times)
        media = (view.tissue.medium(grid, held, beat) for held, beat in zip(planes, beats, strict=True))
        pictures = form_clip(media, view.device, view.gain_db, scene.view_seed)
        for held, picture in zip(planes, pictures, strict=True):
            _, lesion, calcifications = view.sections(held)
            yield Frame(screen.show(picture.pixels), screen.place(lesion), screen.place(calcifications))

    height, width, channels = screen.show(np.zeros(view.conversion.shape, np.uint8)).shape
    return Recording(
        modality="cine",
        scene=scene,
        plane=view.plane,
        shape=(len(times), height, width, channels),
        draw=draw,
        frame_times_s=times,
        spacing_mm=view.spacing_mm,
        region=screen.region,
    )


def pulse(scene: Scene, times: NDArray[np.float64]) -> list[float]:
    """Return how wide the carotid stands at each moment, 0 to 1: a steep rise and a slow fall with every beat."""
    rate_hz, phase = scene.random("pulse").uniform((0.9, 0.0), (1.5, 1.0))
    since = (times * rate_hz + phase) % 1.0
    wave = (1.0 - np.exp(-since / _RISE)) * np.exp(-since / _FALL)
    return [float(width) for width in np.clip(wave / _HIGHEST, 0.0, 1.0)]


def sweep(view: View, times: NDArray[np.float64]) -> list[Plane]:
    """Return the image plane of each moment: from one end of the nodule to the other, by an unsteady hand."""
    random = view.scene.random("motion")
    smooth = max(_TREMOR_S / (times[1] - times[0]), 1e-3)
    tremor = gaussian_filter1d(random.standard_normal((3, len(times))), smooth, axis=1, mode="reflect")
    tremor *= np.sqrt(2.0 * np.sqrt(np.pi) * max(smooth, 0.3))  # back to unit variance after the filter
    pace = np.clip(1.0 + _PACE * tremor[0], 0.3, None)
    travelled = np.concatenate([[0.0], np.cumsum(pace[1:])])
    half_mm = _BEYOND * float(view.tissue.half_axes[1 if view.plane.orientation == "transverse" else 0])
    direction = 1.0 if random.random() < 0.5 else -1.0
    offsets = direction * half_mm * (2.0 * travelled / travelled[-1] - 1.0)
    return [
        replace(
            view.plane,
            offset_mm=float(offset),
            lateral_mm=view.plane.lateral_mm + float(shift) * _TREMOR_MM,
            tilt_degrees=float(np.clip(view.plane.tilt_degrees + turn * _TREMOR_DEGREES, -20.0, 20.0)),
        )
        for offset, shift, turn in zip(offsets, tremor[1], tremor[2], strict=True)
    ]
