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

from isthmus.phantom.anatomy import Anatomy, draw_neck, place, united
from isthmus.phantom.appearance import Section, draw_looks, paint_gland, paint_neck, paint_trachea, paint_vessels
from isthmus.phantom.calcification import SLICE_MM, Coarse, draw_comets, draw_foci
from isthmus.phantom.canvas import Canvas, coarse_grid, enlarge
from isthmus.phantom.latents import Extent, Microcalcifications, Morphology
from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.medium import Field, Grid, Medium, Plane
from isthmus.phantom.nodule import Nodule
from isthmus.phantom.scatterers import FixedScatterers
from isthmus.phantom.texture import Array, draw_shift, fractal, noise

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
        self._halo_mm = float(random.uniform(0.5, 1.1)) * min(1.0, self.nodule.mean_radius / 4)
        self._patch_mm = float(random.uniform(1.6, 4.0))
        self._haze_db = self._draw_haze(random)
        self._shifts = [draw_shift(random) for _ in range(3)]
        self._mean_unevenness = float(fractal(*self.nodule.inside, (self._patch_mm,) * 3, self._shifts[0]).mean())
        self.coarse = Coarse(self.nodule, random)
        self.foci = draw_foci(self.nodule, microcalcifications, random)
        self._echoes = self._reverberations(draw_comets(self.nodule, morphology.comet_tails, random), random)
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
        x, y, z = (part + centre for part, centre in zip(self._local(grid, plane), self.nodule_centre, strict=True))
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
        coarse = coarse_grid(grid)
        canvas = self._paint(coarse, plane, 0.0)
        local = self._local(coarse, plane)
        outline = self.nodule.signed_distance(*local)
        calcium = self.coarse.distance(*local, outline)
        mask = np.zeros((grid.rows, grid.columns), dtype=bool)
        if calcium is not None:
            mask |= enlarge(calcium, grid) < 0
        mask |= self._foci_mask(grid, plane)
        labels = np.asarray(enlarge(canvas.labels, grid, nearest=True), dtype=np.uint8)
        return Regions(labels, np.asarray(enlarge(outline, grid) < 0), mask)

    def _section(self, grid: Grid, plane: Plane) -> Section:
        """Return the neck's coordinates, one of x and y a single number."""
        along, z = grid.x_mm[None, :] + np.float32(plane.lateral_mm), grid.z_mm[:, None]
        u, v, _ = self.nodule_centre
        offset = np.full((1, 1), plane.offset_mm, dtype=np.float32)
        if plane.orientation == "transverse":
            return along + u, offset + v, z
        return offset + u, along + v, z

    def _local(self, grid: Grid, plane: Plane) -> Section:
        """Return coordinates from the nodule's centre, turned with it."""
        x, y, z = (part - centre for part, centre in zip(self._section(grid, plane), self.nodule_centre, strict=True))
        turn = np.deg2rad(plane.tilt_degrees)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        if plane.orientation == "transverse":
            return cos * x + sin * z, y, cos * z - sin * x
        return x, cos * y + sin * z, cos * z - sin * y

    def _paint(self, coarse: Grid, plane: Plane, pulse: float) -> Canvas:
        canvas = Canvas(coarse)
        section, local = self._section(coarse, plane), self._local(coarse, plane)
        outline = self.nodule.signed_distance(*local)
        paint_neck(canvas, section, self.anatomy, self.looks)
        paint_gland(canvas, section, self._gland(section, outline), self.looks)
        paint_trachea(canvas, section, self.anatomy, self.looks)
        paint_vessels(canvas, section, self.anatomy, self.looks, 1.0 + 0.06 * pulse)
        self._paint_nodule(canvas, local, outline)
        return canvas

    def _gland(self, section: Section, outline: Array) -> Array:
        """Return the distance to the capsule: lobes and isthmus, swollen where the nodule needs room."""
        x, y, z = section
        whole = united(self.anatomy.lobes(x, y, z), self.anatomy.isthmus(x, y, z), 2.0)
        swollen = outline - np.float32(self._rim_mm)
        if self._protrusion_mm:
            swollen = np.maximum(swollen, np.float32(self.anatomy.neck.front) - z)
        return united(whole, swollen, 2.5)

    def _paint_nodule(self, canvas: Canvas, local: Section, outline: Array) -> None:
        morphology = self.morphology
        x, y, z = local
        canvas.hide(outline < 0.2)
        edge = np.float32(max(0.2, morphology.edge_mm))
        if morphology.halo:
            ring = np.exp(-(((outline - np.float32(0.4 * self._halo_mm)) / np.float32(0.6 * self._halo_mm)) ** 2))
            canvas.level_db += ring * (np.minimum(canvas.level_db, np.float32(-11.0)) - canvas.level_db)
        texture = np.float32(self.looks.gland_db + morphology.contrast_db) + self._unevenness(x, y, z)
        attenuation = MATERIALS[Label.NODULE].attenuation + 0.02 * max(0.0, -morphology.contrast_db)
        canvas.paint(outline, Label.NODULE, texture, np.float32(attenuation), edge_mm=float(edge))
        fluid = self.nodule.fluid(x, y, z, outline)
        haze = np.float32(self._haze_db) + np.float32(10.0) * np.exp(np.minimum(fluid, 0) / np.float32(0.8))
        canvas.paint(fluid, Label.FLUID, haze, edge_mm=0.25)
        sharpness = min(1.0, 0.3 / float(edge))
        canvas.reflect(outline, np.float32(1.2 * sharpness))
        canvas.graze(outline, 0.7 * sharpness if morphology.margin == "smooth" else 0.2 * sharpness)
        canvas.reflect(fluid, np.float32(2.5))
        calcium = self.coarse.distance(x, y, z, outline)
        if calcium is not None:
            shade = np.float32(2.0) * noise(x, y, z, (0.6,) * 3, self._shifts[1])
            canvas.paint(calcium, Label.CALCIFICATION, shade, edge_mm=0.2)
            canvas.reflect(calcium, np.float32(6.0) * np.clip(1 + 0.5 * shade, 0.1, 2))

    def _draw_haze(self, random: np.random.Generator) -> float:
        """Draw how far the fluid is above clear: debris in some, and tiny cysts share their voxels with septa."""
        if self.morphology.composition == "spongiform":
            return float(random.uniform(14, 24))
        return float(random.uniform(16, 24) if random.random() < 0.2 else random.uniform(0, 10))

    def _unevenness(self, x: Array, y: Array, z: Array) -> Array:
        """Return slow variations of the solid part in dB, of mean 0 over the nodule."""
        scale = (self._patch_mm,) * 3
        return np.float32(self.morphology.heterogeneity_db) * (
            fractal(x, y, z, scale, self._shifts[0]) - np.float32(self._mean_unevenness)
        )

    def _reverberations(self, crystals: Array, random: np.random.Generator) -> Array:
        """Return crystals and the echoes behind them [N, 4] (position from the nodule's centre, amplitude)."""
        rows = []
        for crystal in crystals:
            step, fall = random.uniform(0.25, 0.4), random.uniform(0.5, 0.7)
            x, y, z = crystal
            rows += [(x, y, z + step * order, 6.0 * fall**order) for order in range(7)]
        return np.array(rows, dtype=np.float32).reshape(-1, 4)

    def _points(self, plane: Plane) -> Field:
        """Return point reflectors near the plane: lateral x, depth z, elevation, amplitude."""
        foci = np.column_stack([self.foci.positions, self.foci.amplitudes])
        whole = np.concatenate([foci, self._echoes]).astype(np.float32)
        placed = np.column_stack([*self._seen(whole[:, :3], plane), whole[:, 3]])
        return placed[np.abs(placed[:, 2]) <= _POINT_REACH_MM].astype(np.float32)

    def _seen(self, positions: Array, plane: Plane) -> tuple[Array, Array, Array]:
        """Return picture positions (lateral, depth) and elevation from the plane of points given from the centre."""
        along, away = (0, 1) if plane.orientation == "transverse" else (1, 0)
        turn = np.deg2rad(plane.tilt_degrees)
        u, w = positions[:, along], positions[:, 2]
        lateral = np.cos(turn) * u - np.sin(turn) * w - plane.lateral_mm
        depth = np.sin(turn) * u + np.cos(turn) * w + self.nodule_centre[2]
        return lateral, depth, positions[:, away] - plane.offset_mm

    def _foci_mask(self, grid: Grid, plane: Plane) -> NDArray[np.bool_]:
        mask = np.zeros((grid.rows, grid.columns), dtype=np.uint8)
        lateral, depth, elevation = self._seen(self.foci.positions, plane)
        step_x, step_z = grid.width_mm / grid.columns, grid.depth_mm / grid.rows
        for x, z, away, size in zip(lateral, depth, elevation, self.foci.diameters, strict=True):
            if abs(away) <= SLICE_MM / 2:
                centre = (round((x + grid.width_mm / 2) / step_x - 0.5), round(z / step_z - 0.5))
                axes = (round(size / 2 / step_x), round(size / 2 / step_z))
                cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, cv2.FILLED)
        return mask.astype(bool)
