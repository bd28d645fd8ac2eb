"""One examination of one nodule: the scene that its picture is drawn from, and the recording that comes of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import Box, Spacing
from isthmus.phantom.devices import Device
from isthmus.phantom.habits import SiteHabits
from isthmus.phantom.medium import Plane

Mask = NDArray[np.bool_]

_PURPOSES = (
    "view",
    "calipers",
    "hand",
    "motion",
    "pulse",
    "arrival",
    "perfusion",
    "bubbles",
    "vessels",
    "flow",
    "stiffness",
)
_NODULE_ALONE = ("vessels", "perfusion", "stiffness")


@dataclass(frozen=True)
class Scene:
    """Everything that a picture depends on beside the nodule's rendered latents and the image plane.

    Parameters
    ----------
    patient_seed, nodule_seed, view_seed : int
        Not negative. The patient's fixes the anatomy; the nodule's its outline, speckle, vessels and stiffness; the
        view's how the probe was held and the noise.
    device : Device
        The scanner.
    habits : SiteHabits
        How the site works it.
    """

    patient_seed: int
    nodule_seed: int
    view_seed: int
    device: Device
    habits: SiteHabits

    def random(self, purpose: str) -> np.random.Generator:
        """Return the stream of random numbers kept for one purpose; no two purposes share a number.

        What belongs to the nodule itself (its vessels, perfusion and stiffness) is the same in all its views.
        """
        view = 0 if purpose in _NODULE_ALONE else self.view_seed
        key = [self.patient_seed, self.nodule_seed, view, _PURPOSES.index(purpose)]
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a recording.

    Parameters
    ----------
    pixels : uint8 array [H, W, C]
        C is 1 (grey) or 3 (red, green, blue).
    lesion : bool array [H, W]
        The nodule's section, empty where the plane misses it.
    calcifications : bool array [H, W], optional
        Calcifications that the plane meets; None where the modality shows none.
    """

    pixels: NDArray[np.uint8]
    lesion: Mask
    calcifications: Mask | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """A still or clip, drawn frame by frame when it is iterated, so that a long clip never lies in memory whole.

    Parameters
    ----------
    modality : str
        As in :data:`isthmus.phantom.latents.RENDERED`.
    scene : Scene
        What it was drawn from.
    plane : Plane
        Where the probe was held.
    shape : tuple of int
        ``(T, H, W, C)``.
    draw : callable
        Starts the drawing anew; each call gives the same ``T`` frames.
    frame_times_s : float64 array [T]
        Seconds since the first frame.
    spacing_mm : tuple of float
        Millimetres a pixel, across and down.
    region : Box
        The ultrasound picture inside the frame.
    colour_box : Box, optional
        Where colour (flow or stiffness) may lie.
    dynamic_range_db : float, optional
        Of the display, where grey is a known measure of power: contrast mode.
    swe_range_kpa : tuple of float, optional
        What the foot and the head of the colour bar stand for, in elastography.
    """

    modality: str
    scene: Scene
    plane: Plane
    shape: tuple[int, int, int, int]
    draw: Callable[[], Iterator[Frame]]
    frame_times_s: NDArray[np.float64]
    spacing_mm: Spacing
    region: Box
    colour_box: Box | None = None
    dynamic_range_db: float | None = None
    swe_range_kpa: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.frame_times_s.shape != self.shape[:1]:
            raise PictureError(f"{len(self.frame_times_s)} times for {self.shape[0]} frames")

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames one after another; each is drawn when it is asked for."""
        return self.draw()

    @cached_property
    def _stacked(self) -> tuple[NDArray[np.uint8], Mask, Mask | None]:
        drawn = list(self)
        marks = [frame.calcifications for frame in drawn if frame.calcifications is not None]
        return (
            np.stack([frame.pixels for frame in drawn]),
            np.stack([frame.lesion for frame in drawn]),
            np.stack(marks) if marks else None,
        )

    @property
    def frames(self) -> NDArray[np.uint8]:
        """All frames at once, uint8 [T, H, W, C]; for stills and short clips."""
        return self._stacked[0]

    @property
    def lesion(self) -> Mask:
        """The nodule in all frames, bool [T, H, W]."""
        return self._stacked[1]

    @property
    def calcifications(self) -> Mask | None:
        """The calcifications in all frames, bool [T, H, W]; None where the modality shows none."""
        return self._stacked[2]

    @property
    def frame_rate_hz(self) -> float | None:
        """Frames a second; None for a still."""
        return None if self.shape[0] < 2 else float(1.0 / (self.frame_times_s[1] - self.frame_times_s[0]))
