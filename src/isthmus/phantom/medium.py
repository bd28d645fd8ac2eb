"""What the sound meets in one image plane: the meeting point of :mod:`tissue` (makes it) and :mod:`acoustics`."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]


Orientation = Literal["transverse", "longitudinal"]


@dataclass(frozen=True)
class Plane:
    """Where an image plane lies against the nodule.

    Parameters
    ----------
    orientation : str
        ``transverse`` (across the neck) or ``longitudinal`` (along it).
    offset_mm : float
        Of the plane from the nodule's centre, across the plane.
    lateral_mm : float
        Of the picture's middle from the nodule's centre, along the plane.
    tilt_degrees : float
        Rotation of the nodule's section about its centre in the picture, -20 to 20.
    """

    orientation: Orientation
    offset_mm: float = 0.0
    lateral_mm: float = 0.0
    tilt_degrees: float = 0.0


@dataclass(frozen=True)
class Grid:
    """A regular grid of one image plane.

    Parameters
    ----------
    width_mm, depth_mm : float
        Lateral extent (centred on 0) and depth below the probe's face (from 0).
    columns, rows : int
        Number of grid points across (W) and down (D).
    """

    width_mm: float
    depth_mm: float
    columns: int
    rows: int

    @property
    def x_mm(self) -> Field:
        """Lateral positions of the columns' centres [W], ascending, centred on 0."""
        step = self.width_mm / self.columns
        return ((np.arange(self.columns, dtype=np.float32) + 0.5) * step - self.width_mm / 2).astype(np.float32)

    @property
    def z_mm(self) -> Field:
        """Depths of the rows' centres [D], ascending, below the probe's face."""
        step = self.depth_mm / self.rows
        return ((np.arange(self.rows, dtype=np.float32) + 0.5) * step).astype(np.float32)


class Scatterers(Protocol):
    """Random scatterers fixed in the tissue, slice by slice across the image plane (elevation)."""

    pitch_mm: float
    """Distance between slices in elevation."""

    def slice(self, index: int, grid: Grid) -> Field:
        """Return standard normal strengths [D, W] of slice ``index`` (its elevation is ``index * pitch_mm``).

        The same for the same tissue, index and grid, whatever was asked before.
        """
        ...


@dataclass(frozen=True, eq=False)
class Medium:
    """What lies in one image plane.

    Parameters
    ----------
    grid : Grid
        Of all fields.
    elevation_mm : float
        Of the plane, on the scatterers' axis.
    backscatter : float32 array [D, W]
        Amplitude of diffuse scattering against the normal gland's (1); 0 in fluid. Multiplies the scatterers.
    attenuation : float32 array [D, W]
        One way, dB / (cm MHz); soft tissue 0.3 to 1, fluid near 0, calcification 5 to 30.
    specular : float32 array [D, W]
        Amplitude of coherent reflection, in units of the gland's scattering; 0 elsewhere. A broad interface of value A
        seen face on shows with envelope A; one thinner than the pulse shows less.
    points : float32 array [P, 4]
        Point reflectors near the plane: lateral x, depth z, elevation from the plane (mm), amplitude. Amplitude 1
        scatters as much as 0.05 mm³ of the normal gland.
    scatterers : Scatterers
        Of this tissue.
    """

    grid: Grid
    elevation_mm: float
    backscatter: Field
    attenuation: Field
    specular: Field
    points: Field
    scatterers: Scatterers
