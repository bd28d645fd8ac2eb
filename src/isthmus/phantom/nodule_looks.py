"""The nodule painted on a :class:`Canvas`: halo, solid part, fluid, calcium."""

import numpy as np

from isthmus.phantom.calcification import Coarse
from isthmus.phantom.canvas import Canvas
from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.nodule import Nodule
from isthmus.phantom.section import Section
from isthmus.phantom.texture import Array, draw_shift, fractal, glints, lines, noise


class NoduleLooks:
    """How one nodule looks.

    Parameters
    ----------
    nodule : Nodule
        Its shape and fluid.
    coarse : Coarse
        Its lumps and rim of calcium.
    gland_db : float
        Level of the gland around it, against which its contrast is set.
    random : Generator
        Of what the latents leave open.
    """

    def __init__(self, nodule: Nodule, coarse: Coarse, gland_db: float, random: np.random.Generator) -> None:
        self._nodule, self._coarse = nodule, coarse
        self._morphology = nodule.morphology
        self._level_db = gland_db + nodule.morphology.contrast_db
        self._halo_mm = float(random.uniform(0.5, 1.1)) * min(1.0, nodule.mean_radius / 4)
        self._patch_mm = float(random.uniform(1.6, 4.0))
        self._grain_db = float(random.uniform(0.5, 1.8))
        self._haze_db = self._draw_haze(random)
        self._seam_mm = 0.25 if nodule.fluid_pattern.tiny else float(random.uniform(0.3, 0.8))
        self._shifts = [draw_shift(random) for _ in range(3)]
        self._glints_db = float(random.uniform(1, 8))
        self._mean_texture = 0.0
        self._mean_texture = float(self._texture(*nodule.inside).mean())

    def _draw_haze(self, random: np.random.Generator) -> float:
        """Draw how far the fluid is above clear: debris in some, and tiny cysts share their voxels with septa."""
        if self._nodule.fluid_pattern.tiny:
            return float(random.uniform(14, 24))
        return float(random.uniform(16, 24) if random.random() < 0.2 else random.uniform(0, 10))

    def _texture(self, x: Array, y: Array, z: Array) -> Array:
        """Return slow variations of the solid part, of mean 0 over the nodule and spread about 1."""
        scale, wide = (self._patch_mm,) * 3, (1.8 * self._patch_mm,) * 3
        strands = lines(x, y, z, wide, self._shifts[1], 0.15)
        return fractal(x, y, z, scale, self._shifts[0]) + np.float32(1.2) * strands - np.float32(self._mean_texture)

    def paint(self, canvas: Canvas, local: Section, outline: Array) -> None:
        """Paint the nodule over the neck; ``outline`` is the signed distance to it in mm."""
        canvas.hide(outline < 0.2)
        self._halo(canvas, local, outline)
        self._solid(canvas, local, outline)
        fluid = self._nodule.fluid(*local, outline)
        haze = np.float32(self._haze_db) + np.float32(10) * np.exp(np.minimum(fluid, 0) / np.float32(0.8))
        canvas.paint(fluid, Label.FLUID, haze, edge_mm=self._seam_mm)
        canvas.reflect(fluid, 2.5)
        for calcium, attenuation in self._coarse.distances(*local, outline):
            shade = np.float32(4) * fractal(*local, (1.2, 1.2, 0.8), self._shifts[1])
            porous = attenuation * np.clip(1 + np.float32(0.1) * shade, 0.25, 1.1)
            canvas.paint(calcium, Label.CALCIFICATION, shade, porous, edge_mm=0.35)
            canvas.reflect(calcium, np.float32(6) * np.clip(1 + np.float32(0.25) * shade, 0.0, 2))

    def _halo(self, canvas: Canvas, local: Section, outline: Array) -> None:
        if not self._morphology.halo:
            return
        width = np.float32(0.6 * self._halo_mm)
        ring = np.exp(-(((outline - np.float32(0.4 * self._halo_mm)) / width) ** 2))
        ring *= np.clip(np.float32(0.8) + np.float32(0.4) * noise(*local, (4.0, 4.0, 4.0), self._shifts[1]), 0.1, 1)
        canvas.level_db += ring * (np.minimum(canvas.level_db, np.float32(-11)) - canvas.level_db)

    def _solid(self, canvas: Canvas, local: Section, outline: Array) -> None:
        morphology = self._morphology
        edge = max(0.2, morphology.edge_mm)
        texture = np.float32(self._level_db) + np.float32(morphology.heterogeneity_db) * self._texture(*local)
        texture = texture + np.float32(self._grain_db) * noise(*local, (1.1, 1.1, 0.9), self._shifts[1])
        texture = texture + np.float32(self._glints_db) * glints(*local, self._shifts[2])
        attenuation = MATERIALS[Label.NODULE].attenuation + 0.02 * max(0.0, -morphology.contrast_db)
        frayed = outline + np.float32(0.18) * noise(*local, (0.9, 0.9, 0.9), self._shifts[2])
        canvas.paint(frayed, Label.NODULE, texture, attenuation, edge_mm=edge)
        sharpness = min(1.0, 0.3 / edge)
        canvas.reflect(outline, 1.2 * sharpness)
        canvas.graze(outline, (0.7 if morphology.margin == "smooth" else 0.2) * sharpness)
