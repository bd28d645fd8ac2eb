"""The tissue of one virtual examination: a thyroid nodule in its neck, as the sound meets it.

Everything is a function of position in three dimensions, so planes and sweeps of one tissue agree. What the latents
leave open is drawn from two seeds: the patient's (layers, gland, vessels, airway) and the nodule's (outline, layout of
fluid and calcium, place in the lobe).
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.anatomy import Anatomy
from isthmus.phantom.appearance import paint_gland, paint_neck, paint_trachea, paint_vessels
from isthmus.phantom.calcification import SLICE_MM, Coarse, comet_tails, draw_foci
from isthmus.phantom.canvas import Canvas, coarse_grid, enlarge
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.looks import draw_looks
from isthmus.phantom.medium import Field, Grid, Medium, Plane
from isthmus.phantom.neck import draw_neck, place
from isthmus.phantom.nodule import Nodule
from isthmus.phantom.nodule_looks import NoduleLooks
from isthmus.phantom.scatterers import FixedScatterers
from isthmus.phantom.section import Section, in_neck, in_nodule, seen
from isthmus.phantom.shapes import united
from isthmus.phantom.texture import Array

_POINT_REACH_MM: Final = 3.0
"""Point reflectors up to this far from the plane are handed on: beyond, no probe's slice reaches."""


@dataclass(frozen=True, eq=False)
class Regions:
    """What lies where in one plane.

    Parameters
    ----------
    labels : uint8 array [D, W]
        Codes of :class:`isthmus.phantom.materials.Label`.
    lesion : bool array [D, W]
        Inside the nodule's outline.
    calcifications : bool array [D, W]
        Coarse, rim and punctate calcium; a focus counts where it lies within half of
        :data:`isthmus.phantom.calcification.SLICE_MM` of the plane.
    """

    labels: NDArray[np.uint8]
    lesion: NDArray[np.bool_]
    calcifications: NDArray[np.bool_]


class Tissue:
    """A nodule in its neck.

    Parameters
    ----------
    extent, morphology, microcalcifications : Extent, Morphology, Microcalcifications
        All that a B-mode picture shows; nothing else enters.
    patient_seed, nodule_seed : int
        Of what the latents leave open.

    Attributes
    ----------
    nodule_centre : float32 array [3]
        Tissue coordinates (x left-right, y cranio-caudal, z depth below the skin), mm.
    half_axes : float32 array [3]
        Of the nodule, mm.
    foci : Foci
        Punctate echogenic foci, from the nodule's centre.

    Examples
    --------
    >>> extent = Extent(size_mm=12, height_to_width=0.8, lobe="left")
    >>> morphology = Morphology("solid", 0.0, -8.0, 1.0, "smooth", 0.0, 0.2, False, 0, 0.0, 0)
    >>> tissue = Tissue(extent, morphology, Microcalcifications(2, 0, 0), patient_seed=1, nodule_seed=2)
    >>> width, depth = tissue.field_of_view(Plane("transverse"))
    >>> regions = tissue.regions(Grid(width, depth, 200, 200), Plane("transverse"))
    >>> bool(regions.lesion.any())
    True
    """

    def __init__(
        self,
        extent: Extent,
        morphology: Morphology,
        microcalcifications: Microcalcifications,
        patient_seed: int,
        nodule_seed: int,
    ) -> None:
        self.extent, self.morphology = extent, morphology
        self._seed = nodule_seed
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([nodule_seed, 2])))
        self.nodule = Nodule(extent, morphology, nodule_seed)
        self.half_axes = self.nodule.half_axes
        neck = draw_neck(patient_seed)
        self.looks = draw_looks(patient_seed)
        extends = morphology.margin == "extrathyroidal_extension"
        self._protrusion_mm = min(2.5, 0.5 * float(self.half_axes[2])) if extends else 0.0
        self.nodule_centre = place(neck, self.nodule, extent.lobe, self._protrusion_mm, random)
        self.anatomy = Anatomy(
            neck,
            -1.0 if extent.lobe == "right" else 1.0,
            self.nodule_centre,
            self.half_axes,
            isthmic=extent.lobe == "isthmus",
        )
        self._rim_mm = float(random.uniform(0.6, 2.0))
        self.coarse = Coarse(self.nodule, random)
        self.foci = draw_foci(self.nodule, microcalcifications, random)
        self._comet_tails = comet_tails(self.nodule, morphology.comet_tails, random)
        self._nodule_looks = NoduleLooks(self.nodule, self.coarse, self.looks.gland_db, random)
        self._slices: OrderedDict[tuple[object, ...], Field] = OrderedDict()

    def field_of_view(self, plane: Plane) -> tuple[float, float]:
        """Return a picture's (width, depth) in mm that holds the nodule: usual settings, or larger for a large one."""
        across = float(self.half_axes[0 if plane.orientation == "transverse" else 1])
        deep = float(self.half_axes[2])
        turn = np.deg2rad(plane.tilt_degrees)
        growth = 1.0 + 1.3 * self.morphology.irregularity + 0.12
        wide = growth * float(np.hypot(across * np.cos(turn), deep * np.sin(turn))) + abs(plane.lateral_mm)
        down = growth * float(np.hypot(deep * np.cos(turn), across * np.sin(turn))) + float(self.nodule_centre[2])
        width = max(38.0, 2 * wide + 6.0)
        return width, float(max(35.0, 5.0 * np.ceil((down + 5.0) / 5.0)))

    def to_tissue(self, grid: Grid, plane: Plane) -> tuple[Field, Field, Field]:
        """Return tissue coordinates x, y, z [D, W] of a grid's points, in the frame of the nodule.

        A tilt turns the nodule and what is in it about its centre, while the neck stays: the coordinates are those that
        :meth:`signed_distance` needs.
        """
        x, y, z = (
            part + centre
            for part, centre in zip(in_nodule(grid, plane, self.nodule_centre), self.nodule_centre, strict=True)
        )
        shape = (grid.rows, grid.columns)
        return np.broadcast_to(x, shape), np.broadcast_to(y, shape), np.broadcast_to(z, shape)

    def signed_distance(self, x: Array, y: Array, z: Array) -> Array:
        """Return the distance in mm to the nodule's outline at tissue coordinates, negative inside."""
        u, v, w = self.nodule_centre
        return self.nodule.signed_distance(x - u, y - v, z - w)

    def medium(self, grid: Grid, plane: Plane, pulse: float = 0.0) -> Medium:
        """Return what the sound meets in one plane.

        Parameters
        ----------
        grid : Grid
            Of the result.
        plane : Plane
            Where it lies.
        pulse : float
            Of the carotid: 0 at rest to 1 at its widest (6 % more radius).
        """
        canvas = self._paint(coarse_grid(grid), plane, pulse)
        return Medium(
            grid=grid,
            elevation_mm=plane.offset_mm,
            backscatter=canvas.backscatter(grid),
            attenuation=np.asarray(enlarge(canvas.attenuation, grid), dtype=np.float32),
            specular=canvas.specular(grid),
            points=self._points(plane),
            scatterers=FixedScatterers(self._seed, plane.orientation, plane.lateral_mm, self._slices),
        )

    def regions(self, grid: Grid, plane: Plane) -> Regions:
        """Return labels, the lesion's mask and calcium on any grid."""
        canvas = self._paint(coarse_grid(grid), plane, 0.0)
        labels = np.asarray(enlarge(canvas.labels, grid, nearest=True), dtype=np.uint8)
        return Regions(labels, *self.masks(grid, plane))

    def masks(self, grid: Grid, plane: Plane) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the lesion and the calcifications of :meth:`regions`, several times as fast."""
        local = in_nodule(coarse_grid(grid), plane, self.nodule_centre)
        outline = self.nodule.signed_distance(*local)
        calcium = self._foci_mask(grid, plane)
        for distance, _ in self.coarse.distances(*local, outline):
            calcium |= enlarge(distance, grid) < 0
        return np.asarray(enlarge(outline, grid) < 0), calcium

    def _paint(self, coarse: Grid, plane: Plane, pulse: float) -> Canvas:
        canvas = Canvas(coarse)
        section = in_neck(coarse, plane, self.nodule_centre)
        local = in_nodule(coarse, plane, self.nodule_centre)
        outline = self.nodule.signed_distance(*local)
        gland = self._gland(section, outline)
        paint_neck(canvas, section, gland, self.anatomy, self.looks)
        paint_gland(canvas, section, gland, self.looks)
        paint_trachea(canvas, section, self.anatomy, self.looks)
        paint_vessels(canvas, section, self.anatomy, self.looks, 1.0 + 0.06 * pulse)
        self._nodule_looks.paint(canvas, local, outline)
        return canvas

    def _gland(self, section: Section, outline: Array) -> Array:
        """Return the distance to the capsule: lobes and isthmus, swollen where the nodule needs room."""
        x, y, z = section
        whole = united(self.anatomy.lobes(x, y, z), self.anatomy.isthmus(x, y, z), 2.0)
        swollen = outline - np.float32(self._rim_mm)
        if self._protrusion_mm:
            swollen = np.maximum(swollen, np.float32(self.anatomy.neck.front) - z)
        return united(whole, swollen, 2.5)

    def _points(self, plane: Plane) -> Field:
        """Return point reflectors near the plane: lateral x, depth z, elevation, amplitude."""
        foci = np.column_stack([self.foci.positions, self.foci.amplitudes])
        whole = np.concatenate([foci, self._comet_tails]).astype(np.float32)
        placed = np.column_stack([*seen(whole[:, :3], plane, float(self.nodule_centre[2])), whole[:, 3]])
        return np.asarray(placed[np.abs(placed[:, 2]) <= _POINT_REACH_MM], dtype=np.float32)

    def _foci_mask(self, grid: Grid, plane: Plane) -> NDArray[np.bool_]:
        mask = np.zeros((grid.rows, grid.columns), dtype=np.uint8)
        lateral, depth, elevation = seen(self.foci.positions, plane, float(self.nodule_centre[2]))
        step_x, step_z = grid.width_mm / grid.columns, grid.depth_mm / grid.rows
        for x, z, away, size in zip(lateral, depth, elevation, self.foci.diameters, strict=True):
            if abs(away) <= SLICE_MM / 2:
                centre = (round((x + grid.width_mm / 2) / step_x - 0.5), round(z / step_z - 0.5))
                axes = (round(size / 2 / step_x), round(size / 2 / step_z))
                cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, cv2.FILLED)
        return mask.astype(bool)
