"""Contrast-enhanced clips at a low mechanical index: bubbles bright on an almost black neck, artery first.

The tissue under them is a nodule of no particular look, since these pixels may depend on extent and perfusion alone.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.bmode import GREY_BAR
from isthmus.phantom.colour_maps import CONTRAST, GREY
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology, Perfusion
from isthmus.phantom.materials import Label
from isthmus.phantom.medium import Field, Plane
from isthmus.phantom.perfusion import Uptake, uptake
from isthmus.phantom.recording import Frame, Mask, Recording, Scene
from isthmus.phantom.screen import Bar
from isthmus.phantom.view import View, aim

HEIGHT: Final = 320
SECONDS: Final = 30.0
FRAME_RATE_HZ: Final = 8.0
PLAIN: Final = Morphology(
    composition="solid", cystic_fraction=0.0, contrast_db=-3.0, heterogeneity_db=1.0, margin="smooth",
    irregularity=0.05, edge_mm=0.5, halo=False, macrocalcifications=0, rim_calcification=0.0, comet_tails=0,
)  # fmt: skip
"""The look that every nodule has under contrast agent; the tissue's own echoes are all but suppressed."""
_NO_FOCI: Final = Microcalcifications(0, 0, 0)
GLAND_ARRIVAL_S: Final = (9.0, 14.0)
"""After the injection."""
_LEAD_S: Final = 5.0  # a clip too short for the whole passage starts this long before the gland's arrival, or a quarter
_WHOLE_S: Final = 45.0
_CELL_MM: Final = (0.28, 0.2)  # half-widths of the contrast mode's resolution cell, across and along the beam
_MEMORY: Final = 0.55  # correlation of the bubbles' speckle from one frame to the next at 8 Hz
_FULL_DENSITY: Final = 0.15  # power, against the gland's peak, from which every cell holds bubbles
_RANGE_DB, _GLAND_LEVEL = 42.0, 0.66  # of the display, and where on it the gland's peak lies
_NOISE_DB, _TISSUE_DB = -33.0, -10.0
_FALL_DB_MM, _FALL_FROM_MM, _SHADOW = 0.35, 24.0, 0.003  # what is lost with depth, and left behind air and bone
_STOPS_SOUND: Final = (Label.AIR, Label.CARTILAGE, Label.BONE)
_BREATH_MM, _BREATH_S, _DRIFT_MM, _DRIFT_S = 0.5, 4.0, 0.5, 61.0
_COARSE: Final = 2  # pixels of the picture to one of the agent's

_Kind = TypeVar("_Kind", bound=np.generic)


def render_ceus(
    extent: Extent,
    perfusion: Perfusion,
    scene: Scene,
    plane: Plane,
    *,
    seconds: float = SECONDS,
    frame_rate_hz: float = FRAME_RATE_HZ,
) -> Recording:
    """Return a contrast-enhanced clip of 2 s or more; frames are drawn as they are asked for.

    A long clip starts at the injection; one too short for the passage starts shortly before the agent comes. The clock
    in the corner counts from the injection.
    """
    view = aim(extent, PLAIN, _NO_FOCI, scene, plane, height=HEIGHT)
    times = np.arange(max(2, round(seconds * frame_rate_hz))) / frame_rate_hz
    start, arrival = start_and_arrival(scene, seconds)
    colours = CONTRAST[view.console.contrast_map]
    settings = ("CEUS", f"FR {frame_rate_hz:.0f}", "MI 0.07")
    screen = view.screen(settings, GREY_BAR if colours is GREY else Bar(colours))

    def draw() -> Iterator[Frame]:
        labels, lesion, _ = view.sections()
        agent = _uptake(view, perfusion, labels, start + seconds - arrival)
        tissue = _leakage(view)
        bubbles = _Bubbles(scene.random("bubbles"), agent.peak.shape, _COARSE * view.spacing_mm[0], frame_rate_hz)
        for time, shift in zip(times, motion(scene, times, view.spacing_mm[0]), strict=True):
            clock = start + float(time)
            power = bubbles.echo(agent.at(clock - arrival)) + tissue
            level = _moved(_display(power, bubbles.random), lesion.shape, shift)
            level[~view.conversion.inside] = 0
            pixels = screen.show(level if colours is GREY else colours[level], _clock(clock))
            yield Frame(pixels, screen.place(_shifted(lesion, shift)))

    blank = np.zeros(view.conversion.shape, np.uint8)
    height, width, channels = screen.show(blank if colours is GREY else colours[blank]).shape
    return Recording(
        modality="ceus",
        scene=scene,
        plane=view.plane,
        shape=(len(times), height, width, channels),
        draw=draw,
        frame_times_s=times,
        spacing_mm=view.spacing_mm,
        region=screen.region,
        dynamic_range_db=_RANGE_DB,
    )


def start_and_arrival(scene: Scene, seconds: float) -> tuple[float, float]:
    """Return, in seconds after the injection, when a clip starts and when the agent reaches the gland."""
    arrival = float(scene.random("arrival").uniform(*GLAND_ARRIVAL_S))
    return (0.0 if seconds >= _WHOLE_S else arrival - min(_LEAD_S, seconds / 4)), arrival


def motion(scene: Scene, times: NDArray[np.float64], spacing_mm: float) -> NDArray[np.float64]:
    """Return the tissue's shift at each moment [T, 2] in pixels, across and down: breathing and the hand's drift."""
    random = scene.random("motion")
    phase, turn = random.uniform(0.0, 2.0 * np.pi, 2)
    breath = _BREATH_MM * np.sin(2.0 * np.pi * times / _BREATH_S + phase)
    drift = _DRIFT_MM * np.sin(2.0 * np.pi * times / _DRIFT_S + turn)
    shifts: NDArray[np.float64] = np.stack([drift + 0.3 * breath, breath], axis=1) / spacing_mm
    return shifts


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{seconds % 60:04.1f}"


def _uptake(view: View, perfusion: Perfusion, labels: NDArray[np.uint8], seconds: float) -> Uptake:
    distance = view.tissue.signed_distance(*view.places())
    radius = float(np.cbrt(np.prod(view.tissue.half_axes)))
    agent = uptake(
        perfusion,
        _coarse(labels),
        _coarse(np.asarray(distance, dtype=np.float32)),
        radius,
        _COARSE * view.spacing_mm[0],
        seconds,
        view.scene.random("perfusion"),
    )
    return replace(agent, peak=agent.peak * _coarse(_reached(labels, view.spacing_mm[0])))


def _reached(labels: NDArray[np.uint8], spacing_mm: float) -> Field:
    """Return the share of the sound's power that comes back from each depth."""
    behind = np.maximum.accumulate(np.isin(labels, _STOPS_SOUND), axis=0)
    depth = np.arange(len(labels), dtype=np.float32)[:, None] * np.float32(spacing_mm)
    left = 10.0 ** (-_FALL_DB_MM / 10.0 * np.maximum(depth - _FALL_FROM_MM, 0.0))
    return np.where(behind, _SHADOW, left).astype(np.float32)


def _leakage(view: View) -> Field:
    """What the suppression leaves of the tissue's own echoes, as power: its brightest interfaces."""
    grey = view.picture(-view.gain_db).astype(np.float32) / 255.0
    return _coarse((10.0 ** (_TISSUE_DB / 10.0) * grey**4).astype(np.float32))


class _Bubbles:
    """Speckle of moving bubbles: complex Gaussian where they are many, single bright cells where they are few."""

    def __init__(
        self, random: np.random.Generator, shape: tuple[int, ...], spacing_mm: float, frame_rate_hz: float
    ) -> None:
        self.random = random
        self._shape = shape
        self._sigma = tuple(width / spacing_mm for width in _CELL_MM)
        self._memory = np.float32(_MEMORY ** (FRAME_RATE_HZ / frame_rate_hz))
        self._field = np.zeros((*shape, 2), dtype=np.float32)
        # An impulse's energy after the blur: restores unit power.
        self._gain = np.float32(np.sqrt(2.0 * np.pi * self._sigma[0] * self._sigma[1]))

    def echo(self, power: Field) -> Field:
        """Return one frame's echo power [H, W] for the agent's mean power."""
        filled = np.minimum(power * np.float32(1.0 / _FULL_DENSITY), np.float32(1.0))
        np.maximum(filled, np.float32(0.004), out=filled)
        present = self.random.random(self._shape, dtype=np.float32) < filled
        amplitude = np.sqrt(power / filled) * present
        scattered = self.random.standard_normal((*self._shape, 2), dtype=np.float32) * amplitude[..., None]
        fresh = cv2.GaussianBlur(scattered, (0, 0), sigmaX=self._sigma[0], sigmaY=self._sigma[1])
        self._field *= self._memory
        self._field += np.sqrt(1.0 - self._memory**2) * self._gain * fresh
        echoes: Field = self._field[..., 0] ** 2 + self._field[..., 1] ** 2
        return echoes


def _display(power: Field, random: np.random.Generator) -> NDArray[np.uint8]:
    noise = random.standard_exponential(power.shape, dtype=np.float32, method="inv")
    whole = power * np.float32(0.5) + np.float32(10.0 ** (_NOISE_DB / 10.0)) * (noise + np.float32(0.05))
    level = (10.0 / _RANGE_DB) * np.log10(whole) + _GLAND_LEVEL
    shown: NDArray[np.uint8] = np.rint(np.clip(level, 0.0, 1.0) * 255.0).astype(np.uint8)
    return shown


def _coarse(field: NDArray[_Kind]) -> NDArray[_Kind]:
    """Return a picture at the resolution at which the agent is drawn; its cells are several pixels wide."""
    return np.ascontiguousarray(field[::_COARSE, ::_COARSE])


def _moved(level: NDArray[np.uint8], shape: tuple[int, int], shift: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a coarse picture enlarged to ``shape`` and moved by ``shift`` pixels."""
    step = 1.0 / _COARSE
    matrix = np.array([[step, 0.0, -shift[0] * step], [0.0, step, -shift[1] * step]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(level, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, dtype=np.uint8)


def _shifted(mask: Mask, shift: NDArray[np.float64]) -> Mask:
    matrix = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
    moved = cv2.warpAffine(mask.view(np.uint8), matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST)
    return np.asarray(moved, dtype=np.bool_)
