"""How the neck's tissues look in a section: painted on a :class:`Canvas` from their signed distances and textures."""

from dataclasses import dataclass

import numpy as np

from isthmus.phantom.anatomy import Anatomy
from isthmus.phantom.canvas import Canvas
from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.texture import Array, draw_shift, fractal, lines, noise

Section = tuple[Array, Array, Array]
"""Positions x, y, z in tissue coordinates that broadcast to the canvas; x or y is one number."""


@dataclass(frozen=True)
class Looks:
    """How one patient's tissues look.

    Parameters
    ----------
    gland_db, gland_patches_db, gland_patch_mm, gland_septa_db : float
        Level of the gland against a normal one, its slow variation, how coarse, and its fibrous septa: thyroiditis is
        darker, patchy and septate.
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
    reverberation_mm, fading : float
        Distance between the trachea's reverberation lines, and their loss in dB/mm.
    shifts : tuple of arrays
        Stretches of noise.
    """

    gland_db: float
    gland_patches_db: float
    gland_patch_mm: float
    gland_septa_db: float
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
    reverberation_mm: float
    fading: float
    shifts: tuple[Array, ...]


def draw_looks(seed: int) -> Looks:
    """Draw the looks of one patient's tissues; about three in ten have some thyroiditis."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 12])))
    thyroiditis = float(random.uniform(0.3, 1.0)) if random.random() < 0.3 else 0.0
    return Looks(
        gland_db=float(random.normal(0, 1.0)) - 5.0 * thyroiditis,
        gland_patches_db=float(random.uniform(0.7, 1.8)) + 1.6 * thyroiditis,
        gland_patch_mm=float(random.uniform(1.5, 4.5)),
        gland_septa_db=3.5 * thyroiditis * float(random.random()),
        vessel_mm=float(random.uniform(0.35, 0.9)) if random.random() < 0.5 else 0.0,
        muscle_db=float(random.normal(0, 1.8)),
        striation_db=float(random.uniform(6, 14)),
        striation_mm=float(random.uniform(0.7, 1.5)),
        contact=float(random.uniform(0.2, 0.9)),
        fat_db=float(random.normal(0, 2.0)),
        septa_db=float(random.uniform(5, 12)),
        fascia_db=float(random.uniform(6, 13)),
        connective_db=float(random.normal(0, 1.5)),
        capsule=float(random.uniform(1.0, 4.0)),
        reverberation_mm=float(random.uniform(2.2, 4.5)),
        fading=float(random.uniform(0.4, 1.3)),
        shifts=tuple(draw_shift(random) for _ in range(8)),
    )


def paint_neck(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks) -> None:
    """Paint all behind and in front of the gland: layers, muscles, oesophagus, spine."""
    _connective(canvas, section, looks)
    _deep(canvas, section, anatomy, looks)
    _layers(canvas, section, anatomy, looks)
    _muscles(canvas, section, anatomy, looks)


def _connective(canvas: Canvas, section: Section, looks: Looks) -> None:
    """Loose connective tissue and fat between the organs: bright, streaky, uneven."""
    x, y, z = section
    tilted = z + np.float32(1.2) * noise(x, y, z, (15.0, 20.0, 15.0), looks.shifts[3])
    streaks = fractal(x, y, tilted, (7.0, 10.0, 1.6), looks.shifts[0])
    clouds = noise(x, y, z, (5.0, 8.0, 3.0), looks.shifts[1])
    canvas.level_db += np.float32(looks.connective_db) + np.float32(4.0) * streaks + np.float32(3.5) * clouds


def _layers(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks) -> None:
    """Skin, fat with its septa, platysma and the superficial fascia."""
    x, y, z = section
    neck = anatomy.neck
    skin = anatomy.layer(x, y, neck.skin, 0)
    fascia = anatomy.layer(x, y, neck.fascia, 2)
    septa = lines(x, y, z, (9.0, 9.0, 2.2), looks.shifts[2], 0.28)
    fat = np.float32(looks.fat_db) + np.float32(looks.septa_db) * septa
    canvas.paint(z - fascia, Label.FAT, fat, edge_mm=0.4)
    platysma = z - anatomy.layer(x, y, neck.skin + neck.platysma * neck.fat, 1)
    if neck.fat > 1.5:
        canvas.brighten(platysma + 0.35, 0.22, np.float32(looks.fascia_db - 4))
        canvas.brighten(platysma - 0.35, 0.22, np.float32(looks.fascia_db - 4))
    patchy = np.float32(2.0) * fractal(x, y, z, (5.0, 5.0, 0.9), looks.shifts[3])
    passage = 1 + np.float32(looks.contact) * fractal(x, y, np.zeros_like(z), (9.0, 9.0, 9.0), looks.shifts[4])
    skinned = np.float32(MATERIALS[Label.SKIN].attenuation) * np.clip(passage, 0.1, 3.5)
    canvas.paint(z - skin, Label.SKIN, patchy, skinned, edge_mm=0.5)
    canvas.brighten(z - fascia, 0.32, np.float32(looks.fascia_db) + 1.5 * patchy)
    canvas.reflect(z - skin, 0.8)
    canvas.reflect(z - fascia, _uneven(section, looks, 1.6))


def _muscles(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks) -> None:
    """Strap muscles and sternocleidomastoids: dark, with striations along the neck, in bright sheaths."""
    x, y, z = section
    step = looks.striation_mm
    fibres = lines(x, y, z, (3.2 * step, 24.0, step), looks.shifts[4], 0.3)
    fibres *= np.clip(0.7 + 0.6 * noise(x, y, z, (5.0, 14.0, 2.5), looks.shifts[5]), 0, 1.6)
    texture = np.float32(looks.muscle_db) + np.float32(looks.striation_db) * (fibres - np.float32(0.25))
    sheath = np.float32(looks.fascia_db - 1) + np.float32(3) * fractal(x, y, z, (6.0, 8.0, 6.0), looks.shifts[7])
    front, back = anatomy.straps(x, y, z)
    bodies = (
        (anatomy.cleidomastoid(x, y, z), Label.STERNOCLEIDOMASTOID),
        (back, Label.STRAP_MUSCLE),
        (front, Label.STRAP_MUSCLE),
    )
    for distance, label in bodies:
        canvas.paint(distance, label, texture)
        canvas.brighten(distance - 0.15, 0.3, sheath)
        canvas.reflect(distance, _uneven(section, looks, 1.6))


def _deep(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks) -> None:
    """Longus colli, scalene, oesophagus and spine."""
    x, y, z = section
    fibres = lines(x, y, z, (4.0, 20.0, 1.5), looks.shifts[6], 0.3)
    texture = np.float32(looks.muscle_db) + np.float32(looks.striation_db) * (fibres - np.float32(0.2))
    uneven = np.clip(0.8 + 0.5 * fractal(x, y, z, (7.0, 9.0, 7.0), looks.shifts[7]), 0, 1.5)
    for distance in (anatomy.scalene(x, y, z), anatomy.longus(x, y, z)):
        canvas.paint(distance, Label.DEEP_MUSCLE, texture, edge_mm=0.5)
        canvas.brighten(distance - 0.2, 0.4, np.float32(looks.fascia_db - 3) * uneven)
        canvas.reflect(distance, _uneven(section, looks, 1.2))
    gullet = anatomy.oesophagus(x, y, z)
    canvas.paint(gullet, Label.OESOPHAGUS, np.float32(looks.muscle_db - 1), edge_mm=0.4)
    canvas.brighten(gullet + 2.4, 0.7, np.float32(10.0) * uneven)
    canvas.brighten(gullet, 0.4, np.float32(5.0) * uneven)
    spine = anatomy.spine(x, y, z)
    canvas.paint(spine, Label.BONE, np.float32(-1.5) * np.maximum(-spine, 0))
    canvas.reflect(spine, _uneven(section, looks, 3.0))


def paint_gland(canvas: Canvas, section: Section, gland: Array, looks: Looks) -> None:
    """Paint the gland, ``gland`` being the signed distance to its capsule."""
    x, y, z = section
    patch = looks.gland_patch_mm
    texture = np.float32(looks.gland_db) + np.float32(looks.gland_patches_db) * fractal(
        x, y, z, (patch, patch, 0.7 * patch), looks.shifts[0]
    )
    if looks.gland_septa_db:
        texture += np.float32(looks.gland_septa_db) * lines(x, y, z, (6.0, 6.0, 3.0), looks.shifts[7], 0.15)
    attenuation = MATERIALS[Label.GLAND].attenuation * (0.75 if looks.gland_db < -2 else 1.0)
    canvas.hide(np.broadcast_to(gland, canvas.labels.shape) < 0)
    if looks.vessel_mm:
        texture -= np.float32(14.0) * _tubes(section, looks)
    canvas.paint(gland, Label.GLAND, texture, np.float32(attenuation), edge_mm=0.35)
    canvas.brighten(gland - 0.1, 0.22, np.float32(1.5 * looks.capsule))
    canvas.reflect(gland, _uneven(section, looks, looks.capsule))


def _tubes(section: Section, looks: Looks) -> Array:
    """Return 1 in small vessels of the gland, 0 outside: tubes along the lines where two fields vanish together."""
    x, y, z = section
    scale = (12.0, 12.0, 12.0)
    first, second = (noise(x, y, z, scale, looks.shifts[number]) for number in (4, 5))
    radius = np.hypot(first, second) * np.float32(5.1)  # a feature of 12 mm has a gradient of about 1 in 5.1 mm
    return np.clip((np.float32(looks.vessel_mm) - radius) / np.float32(0.25) + np.float32(0.5), 0, 1)


def paint_vessels(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks, dilation: float) -> None:
    """Paint carotid and jugular: no echo inside, bright walls where they face the probe."""
    x, y, z = section
    artery = anatomy.carotid(x, y, z, dilation)
    vein = np.maximum(anatomy.jugular(x, y, z), 0.9 - artery)
    for distance, label, wall_mm, wall, shine in (
        (vein, Label.VEIN, 0.25, 5.0, 1.2),
        (artery, Label.ARTERY, 0.4, 7.0, 3.0),
    ):
        canvas.hide(np.broadcast_to(distance, canvas.labels.shape) < wall_mm)
        canvas.brighten(distance - wall_mm, wall_mm, np.float32(wall))
        haze = np.float32(7.0) * np.exp(-np.maximum(-distance, 0) / np.float32(0.8))
        canvas.paint(distance, label, haze)
        canvas.reflect(distance, _uneven(section, looks, shine))
        canvas.graze(distance, 0.5)
        if label is Label.ARTERY:
            canvas.reflect(distance - 0.8, _uneven(section, looks, shine))


def paint_trachea(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks) -> None:
    """Paint the trachea: rings of dark cartilage, the bright face of the air, and reverberation for all below it."""
    x, y, z = section
    outer, across, down = anatomy.trachea(x, y, z)
    rings = np.float32(0.5) * (1 + np.tanh(np.float32(3) * np.cos(y * np.float32(2 * np.pi / 4.8))))
    wall = np.float32(0.9) + np.float32(1.1) * rings
    air = outer + wall + np.float32(0.25) * noise(x, y, z, (2.5, 2.5, 2.5), looks.shifts[2])
    opaque = np.maximum.accumulate(np.broadcast_to(air, canvas.labels.shape) < 0, axis=0)
    canvas.hide((np.broadcast_to(outer, canvas.labels.shape) < 0) | opaque)
    canvas.paint(np.broadcast_to(outer, canvas.labels.shape), Label.CARTILAGE, np.float32(6.0) * (1 - rings))
    canvas.brighten(outer - 0.1, 0.25, np.float32(4.0))
    depth = np.cumsum(opaque, axis=0, dtype=np.float32) * np.float32(canvas.grid.depth_mm / canvas.grid.rows)
    facing = np.exp(-((across / np.float32(0.55 * anatomy.neck.trachea)) ** 2))
    echo = lines(x * 0.15, y * 0.15, depth, (8.0, 8.0, looks.reverberation_mm), looks.shifts[3], 0.35)
    haze = np.float32(16.0) * facing * (0.3 + 0.7 * echo) - np.float32(looks.fading) * depth + np.float32(8) * (facing - 1)
    canvas.paint(np.where(opaque, np.float32(-1), np.float32(1)), Label.AIR, np.maximum(haze, np.float32(-26)))
    canvas.labels[opaque & (np.broadcast_to(outer, canvas.labels.shape) > 0)] = Label.CONNECTIVE
    face = np.where(opaque, np.minimum(air, -0.05), np.maximum(air, 0.0)).astype(np.float32)
    canvas.brighten(air, 0.3, np.float32(14.0) * (0.35 + 0.65 * rings) * np.sqrt(facing))
    canvas.reflect(face, _uneven(section, looks, 9.0))


def _uneven(section: Section, looks: Looks, amplitude: float) -> Array:
    """Return an interface's amplitude, uneven along it."""
    x, y, z = section
    return np.float32(amplitude) * np.clip(0.8 + 0.6 * noise(x, y, z, (2.5, 2.5, 2.5), looks.shifts[6]), 0, 2)
