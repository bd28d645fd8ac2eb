"""How the probe was held for one view: image plane, depth, gain; the ground that every modality stands on."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Spacing
from isthmus.phantom.acoustics import form_picture
from isthmus.phantom.consoles import CONSOLES, Console
from isthmus.phantom.devices import Device
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.medium import Field, Grid, Plane
from isthmus.phantom.recording import Mask, Scene
from isthmus.phantom.scan import Conversion, conversion
from isthmus.phantom.screen import Bar, Screen
from isthmus.phantom.tissue import Tissue

_DEPTHS_MM: Final = (25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 60.0, 70.0, 80.0, 100.0)
_BELOW_MM: Final = 8.0  # tissue that is shown below the nodule
_DEEPER: Final = 0.3  # share of views one step deeper than needed
_TILT_DEGREES, _LATERAL_SHARE, _OFFSET_MM, _GAIN_DB = 4.0, 0.05, 0.1, 1.5  # standard deviations of the hand
_OFFSET_LIMIT_MM: Final = 0.25  # a still stays where the foci of its plane are
_MAP_PITCH_MM: Final = 0.15
_PLANES: Final = {"transverse": "TRV", "longitudinal": "SAG"}
_LOBES: Final = {"left": "LT", "right": "RT", "isthmus": "ISTHMUS"}


@dataclass(frozen=True, eq=False)
class View:
    """One nodule under the probe.

    Parameters
    ----------
    tissue : Tissue
        What lies below the probe.
    extent : Extent
        Of the nodule.
    scene : Scene
        Device, habits and seeds.
    device : Device
        The scene's, with the picture height that the modality is saved in.
    plane : Plane
        Where the probe was held.
    depth_mm : float
        Of the picture.
    gain_db : float
        Site's habit and the hand on the knob.
    """

    tissue: Tissue
    extent: Extent
    scene: Scene
    device: Device
    plane: Plane
    depth_mm: float
    gain_db: float

    @property
    def console(self) -> Console:
        """The screen's make."""
        return CONSOLES[self.device.layout]

    @cached_property
    def conversion(self) -> Conversion:
        """Where each pixel of the picture lies."""
        return conversion(self.device, self.device.grid(self.depth_mm))

    @property
    def spacing_mm(self) -> Spacing:
        """Millimetres a pixel, across and down."""
        return float(self.conversion.spacing_mm), float(self.conversion.spacing_mm)

    @cached_property
    def map_grid(self) -> Grid:
        """A grid for what varies slowly: labels, distances, perfusion."""
        fine = self.device.grid(self.depth_mm)
        return Grid(
            width_mm=fine.width_mm,
            depth_mm=fine.depth_mm,
            columns=round(fine.width_mm / _MAP_PITCH_MM),
            rows=round(fine.depth_mm / _MAP_PITCH_MM),
        )

    def sections(self, plane: Plane | None = None) -> tuple[NDArray[np.uint8], Mask, Mask]:
        """Return labels, nodule and calcifications as they lie in the picture [H, W]."""
        regions = self.tissue.regions(self.map_grid, plane or self.plane)
        parts = regions.labels, regions.lesion, regions.calcifications
        labels, lesion, calcifications = (self.conversion.from_field(part, order=0) for part in parts)
        return labels, lesion, calcifications

    def places(self) -> tuple[Field, Field, Field]:
        """Return tissue coordinates (x, y, z in mm) of the picture's pixels [H, W]."""
        x, y, z = (
            self.conversion.from_field(np.ascontiguousarray(part, dtype=np.float32))
            for part in np.broadcast_arrays(*self.tissue.to_tissue(self.map_grid, self.plane))
        )
        return x, y, z

    def picture(self, gain_db: float = 0.0) -> NDArray[np.uint8]:
        """Return the B-mode picture [H, W] of a still."""
        medium = self.tissue.medium(self.device.grid(self.depth_mm), self.plane)
        return form_picture(medium, self.device, self.gain_db + gain_db, self.scene.view_seed).pixels

    def screen(self, settings: tuple[str, ...], bar: Bar) -> Screen:
        """Return the screen around the picture."""
        depth = f"{self.depth_mm / 10:.1f} cm"
        probe = f"{self.device.frequency_mhz:g} MHz"
        title = f"{_LOBES[self.extent.lobe]}  {_PLANES[self.plane.orientation]}"
        return Screen(
            self.console,
            self.conversion.shape,
            self.spacing_mm,
            annotations=self.scene.habits.annotations,
            bar=bar,
            settings=(probe, depth, f"G {70 + self.gain_db:.0f}", *settings),
            title=title,
            focus_mm=self.device.focus_mm,
        )


def aim(
    extent: Extent,
    morphology: Morphology,
    foci: Microcalcifications,
    scene: Scene,
    plane: Plane,
    *,
    height: int | None = None,
) -> View:
    """Return the view of a nodule that an examiner would save: it lies in the middle, with some tissue below it.

    Parameters
    ----------
    extent, morphology, foci
        The nodule.
    scene : Scene
        Its view seed moves the probe a little from the plane asked for.
    plane : Plane
        As asked for.
    height : int, optional
        Rows of the picture at most; clips are saved smaller than stills.
    """
    random = scene.random("view")
    device = scene.device
    if height is not None and height < device.height:
        device = device.model_copy(update={"height": height})
    tissue = Tissue(extent, morphology, foci, scene.patient_seed, scene.nodule_seed)
    hand = np.clip(random.standard_normal(4), -2.5, 2.5)
    held = replace(
        plane,
        offset_mm=plane.offset_mm + float(np.clip(hand[0] * _OFFSET_MM, -_OFFSET_LIMIT_MM, _OFFSET_LIMIT_MM)),
        lateral_mm=plane.lateral_mm + float(hand[1]) * _LATERAL_SHARE * device.footprint_mm,
        tilt_degrees=float(np.clip(plane.tilt_degrees + hand[2] * _TILT_DEGREES, -20.0, 20.0)),
    )
    gain = scene.habits.gain_db + float(hand[3]) * _GAIN_DB
    depth = _depth_mm(tissue, one_deeper=random.random() < _DEEPER)
    return View(tissue, extent, scene, device, held, depth, gain)


def _depth_mm(tissue: Tissue, *, one_deeper: bool) -> float:
    needed = float(tissue.nodule_centre[2] + tissue.half_axes[2]) + _BELOW_MM
    step = next((number for number, depth in enumerate(_DEPTHS_MM) if depth >= needed), len(_DEPTHS_MM) - 1)
    return _DEPTHS_MM[min(step + one_deeper, len(_DEPTHS_MM) - 1)]
