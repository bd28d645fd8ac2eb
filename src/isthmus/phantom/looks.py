"""How one patient's tissues look: levels, textures and sheaths that differ between people."""

from dataclasses import dataclass

import numpy as np

from isthmus.phantom.texture import Array, draw_shift


@dataclass(frozen=True)
class Looks:
    """How one patient's tissues look.

    Parameters
    ----------
    gland_db, gland_patches_db, gland_patch_mm, gland_grain_db, gland_septa_db : float
        Level of the gland against a normal one, its slow variation, how coarse, its fine grain, and its fibrous septa:
        thyroiditis is darker, patchy and septate.
    glints_db : float
        Strength of the gland's sparse bright streaks.
    vessel_mm : float
        Radius of the gland's larger vessels; 0 where none is wide enough to see.
    muscle_db, striation_db, fat_db, septa_db, fascia_db, connective_db : float
        Shifts of levels and strengths of striations and sheaths.
    striation_mm : float
        Distance between striations.
    contact : float
        Unevenness of the sound's passage through skin and fat, as a share of the skin's attenuation.
    capsule : float
        Strength of the gland's capsule.
    ring_mm : float
        Thickness of the trachea's cartilage.
    reverberation_mm, fading : float
        Distance between the trachea's reverberation lines, and their loss in dB/mm.
    clutter_db : float
        Echoes that side lobes and reverberation leave in blood.
    shifts : tuple of arrays
        Stretches of noise.
    """

    gland_db: float
    gland_patches_db: float
    gland_patch_mm: float
    gland_grain_db: float
    gland_septa_db: float
    glints_db: float
    vessel_mm: float
    muscle_db: float
    striation_db: float
    striation_mm: float
    contact: float
    fat_db: float
    septa_db: float
    fascia_db: float
    connective_db: float
    capsule: float
    ring_mm: float
    reverberation_mm: float
    fading: float
    clutter_db: float
    shifts: tuple[Array, ...]


def draw_looks(seed: int) -> Looks:
    """Draw the looks of one patient's tissues; about three in ten have some thyroiditis."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 12])))
    thyroiditis = float(random.uniform(0.3, 1.0)) if random.random() < 0.3 else 0.0
    return Looks(
        gland_db=float(random.normal(0, 1.0)) - 5.0 * thyroiditis,
        gland_patches_db=float(random.uniform(0.9, 2.1)) + 1.5 * thyroiditis,
        gland_patch_mm=float(random.uniform(1.5, 4.5)),
        gland_grain_db=float(random.uniform(0.5, 1.8)),
        gland_septa_db=float(random.uniform(0.0, 2.5)) + 2.5 * thyroiditis,
        vessel_mm=float(random.uniform(0.35, 0.9)) if random.random() < 0.5 else 0.0,
        muscle_db=float(random.normal(0, 1.8)),
        striation_db=float(random.uniform(6, 14)),
        striation_mm=float(random.uniform(0.7, 1.5)),
        contact=float(random.uniform(0.3, 1.3)),
        fat_db=float(random.normal(0, 2.0)),
        septa_db=float(random.uniform(5, 12)),
        fascia_db=float(random.uniform(6, 13)),
        connective_db=float(random.normal(0, 1.5)),
        capsule=float(random.uniform(1.0, 4.0)),
        ring_mm=float(random.uniform(0.5, 1.2)),
        reverberation_mm=float(random.uniform(2.2, 4.5)),
        fading=float(random.uniform(0.4, 1.3)),
        clutter_db=float(random.uniform(0, 10)),
        shifts=tuple(draw_shift(random) for _ in range(8)),
        glints_db=float(random.uniform(1, 5)),
    )
