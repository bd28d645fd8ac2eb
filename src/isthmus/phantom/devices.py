"""The scanners of the virtual hospitals: transducer, beam former and display as data (``tables/devices.yaml``)."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.files import read_yaml
from isthmus.phantom.medium import Grid

TABLE: Final = Path(__file__).parent / "tables" / "devices.yaml"

Geometry = Literal["linear", "trapezoid", "curved"]
Quality = Literal["still", "clip"]
ROW_STEP: Final[Mapping[Quality, float]] = {"still": 1 / 6, "clip": 3 / 8}
"""Distance of a grid's rows in wavelengths; the echo of a still has three samples a period."""


class Device(BaseModel):
    """One scanner with its probe and preset.

    Parameters
    ----------
    name, title : str
        Its key in the table, and words for a report; no vendor's.
    geometry : str
        ``linear`` (parallel beams), ``trapezoid`` (a flat probe whose beams fan out: virtual convex) or ``curved``.
    footprint_mm : float
        Width of the probe's face along its surface, over which beams start.
    radius_mm : float or None
        From the beams' common apex to the face; None for parallel beams.
    frequency_mhz, bandwidth : float
        Two-way centre frequency, and -6 dB bandwidth as a share of it.
    transmit_f, receive_f, focus_mm, active_mm : float
        f-numbers, depth of the transmit focus, largest aperture in reception.
    beam_constant : float
        One-way beam width over wavelength times f-number: 1.21 without apodisation.
    sidelobe_db : float
        Level of the broad skirt of the lateral profile against its peak.
    elevation_aperture_mm, elevation_focus_mm : float
        Of the lens, across the image plane.
    lines : int
        Beams over the footprint.
    compensation_db_cm_mhz : float
        Attenuation that the time-gain compensation assumes, one way.
    noise_db : float
        Electronic noise before that gain, against the gland's echo at the face.
    reverberation_db, reverberation_mm : float
        Level and delay in depth of a second, late echo, which the layers next to the probe make; None for none.
    clutter_db : float or None
        Level of the echoes strewn from the surroundings, against their mean (:mod:`clutter`); None for none.
    looks, steering_degrees : int, float
        Spatial compounding: number of looks, and the largest angle to either side.
    smoothing, window : float
        Strength of the adaptive speckle filter (0 none, 1 full), and the standard deviation of its window in widths of
        the point-spread function.
    edge, edge_mm : float
        Strength of the edge enhancement after it, and the standard deviation of the surroundings it compares with.
    persistence : float
        Share of the last frame that stays in the next.
    dynamic_range_db, headroom_db : float
        Range of the display, and how far its white lies above the gland's mean power.
    grey : tuple of pairs
        Knots (level 0 to 1, grey 0 to 1) of the grey map.
    video_noise : float
        Standard deviation of the noise of an analogue video output, in grey levels of 255; 0 where it is digital.
    height : int
        Rows of the picture; the pixels are square.
    layout : str
        Of the screen around the picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    geometry: Geometry
    footprint_mm: float = Field(gt=5, le=100)
    radius_mm: float | None = Field(default=None, gt=5)
    frequency_mhz: float = Field(ge=2, le=25)
    bandwidth: float = Field(ge=0.1, le=1)
    transmit_f: float = Field(ge=0.5)
    receive_f: float = Field(ge=0.5)
    focus_mm: float = Field(gt=0)
    active_mm: float = Field(gt=0)
    beam_constant: float = Field(default=1.21, ge=0.8, le=2.5)
    sidelobe_db: float = Field(default=-40, le=-20)
    elevation_aperture_mm: float = Field(gt=0)
    elevation_focus_mm: float = Field(gt=0)
    lines: int = Field(ge=32)
    compensation_db_cm_mhz: float = Field(ge=0, le=2)
    noise_db: float = Field(le=-10)
    reverberation_db: float | None = Field(default=None, le=-15)
    reverberation_mm: float = Field(default=3.5, gt=0.5)
    clutter_db: float | None = Field(default=None, le=-10)
    looks: int = Field(default=1, ge=1, le=9)
    steering_degrees: float = Field(default=0, ge=0, le=20)
    smoothing: float = Field(default=0, ge=0, le=1)
    window: float = Field(default=0.8, gt=0.2, le=3)
    edge: float = Field(default=0, ge=0, le=2)
    edge_mm: float = Field(default=0.12, gt=0.02, le=1)
    persistence: float = Field(default=0, ge=0, lt=1)
    dynamic_range_db: float = Field(ge=30, le=100)
    headroom_db: float = Field(ge=0, le=60)
    grey: tuple[tuple[float, float], ...]
    video_noise: float = Field(default=0, ge=0, le=20)
    height: int = Field(ge=64, le=2048)
    layout: str

    @model_validator(mode="after")
    def _radius(self) -> Self:
        if (self.geometry == "linear") != (self.radius_mm is None):
            raise ValueError("radius_mm belongs to trapezoid and curved devices, and to them only")
        return self

    @property
    def wavelength_mm(self) -> float:
        """At the centre frequency, in soft tissue (1.54 mm a microsecond)."""
        return 1.54 / self.frequency_mhz

    @property
    def angles(self) -> tuple[float, ...]:
        """Steering angle of each look, degrees."""
        if self.looks == 1:
            return (0.0,)
        return tuple((np.linspace(-1, 1, self.looks) * self.steering_degrees).tolist())

    def half_width_mm(self, depth_mm: float) -> float:
        """Return the lateral reach, to one side, of the outermost beam down to ``depth_mm``."""
        half = self.footprint_mm / 2
        if self.radius_mm is None:
            return half
        if self.geometry == "trapezoid":
            return half + depth_mm * float(np.sin(np.arctan(half / self.radius_mm)))
        return (self.radius_mm + depth_mm) * float(np.sin(half / self.radius_mm))

    def grid(self, depth_mm: float, quality: Quality = "still") -> Grid:
        """Return the grid that a medium must have for this device.

        Parameters
        ----------
        depth_mm : float
            Of the picture below the probe's face.
        quality : str
            ``still``: rows fine enough for the RF signal. ``clip``: less than half as many; the same physics in the
            envelope (the carrier is taken off before anything is sampled), but no RF.
        """
        rows = round(depth_mm / (ROW_STEP[quality] * self.wavelength_mm))
        return Grid(2 * self.half_width_mm(depth_mm), depth_mm, self.lines, rows)


@cache
def devices() -> dict[str, Device]:
    """Return every device of the table, by name.

    Examples
    --------
    >>> devices()["linear-12"].geometry
    'linear'
    """
    rows = read_yaml(TABLE, name="devices")["devices"]
    return {name: Device(name=name, **row) for name, row in rows.items()}
