"""The neck's tissues painted on a :class:`Canvas` from their signed distances and textures."""

import numpy as np
from scipy import ndimage

from isthmus.phantom.anatomy import Anatomy
from isthmus.phantom.canvas import Canvas
from isthmus.phantom.looks import Looks
from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.neck import Neck
from isthmus.phantom.section import Section
from isthmus.phantom.texture import Array, fractal, glints, lines, noise


def paint_neck(canvas: Canvas, section: Section, gland: Array, anatomy: Anatomy, looks: Looks) -> None:
    """Paint all behind and in front of the gland: layers, muscles, oesophagus, spine.

    ``gland`` is the signed distance to its capsule: muscles are thinned where it bulges forward.
    """
    _connective(canvas, section, looks)
    _deep(canvas, section, anatomy, looks)
    _layers(canvas, section, anatomy, looks)
    _muscles(canvas, _draped(section, gland, anatomy.neck), anatomy, looks)


def _draped(section: Section, gland: Array, neck: Neck) -> Section:
    """Return the section with the depths between fascia and gland stretched to what they were before it bulged."""
    x, y, z = section
    inside = gland < 0
    first = np.where(inside.any(axis=0), z[np.argmax(inside, axis=0), 0], np.float32(np.inf))
    usual = np.float32(neck.front - neck.fascia)
    room = np.clip(first - np.float32(neck.fascia), 0.3 * usual, usual)
    room = ndimage.gaussian_filter1d(room, 3.0, mode="nearest").astype(np.float32)
    below = z - np.float32(neck.fascia)
    stretched = np.where(below < room, below * (usual / room), below + usual - room)
    return x, y, np.where(below > 0, stretched, below) + np.float32(neck.fascia)


def _connective(canvas: Canvas, section: Section, looks: Looks) -> None:
    """Loose connective tissue and fat between the organs: bright, streaky, uneven."""
    x, y, z = section
    tilted = z + np.float32(1.2) * noise(x, y, z, (15.0, 20.0, 15.0), looks.shifts[3])
    streaks = fractal(x, y, tilted, (7.0, 10.0, 1.6), looks.shifts[0])
    clouds = noise(x, y, z, (5.0, 8.0, 3.0), looks.shifts[1])
    strands = lines(x, y, tilted, (8.0, 11.0, 2.6), looks.shifts[5], 0.2) * np.clip(clouds + streaks, 0, 2)
    canvas.level_db += np.float32(looks.connective_db) + np.float32(4.0) * streaks + np.float32(4.5) * clouds
    short = np.maximum(noise(x, y, tilted, (3.5, 5.0, 0.7), looks.shifts[6]) - np.float32(0.7), 0)
    canvas.level_db += np.float32(8.0) * strands + np.float32(9.0) * short


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
    ragged = np.float32(0.3) * noise(x, y, z, (3.5, 8.0, 3.5), looks.shifts[3])
    for body, label in bodies:
        distance = body + ragged
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
    texture += np.float32(looks.gland_grain_db) * noise(x, y, z, (1.1, 1.1, 0.9), looks.shifts[1])
    texture += np.float32(looks.glints_db) * glints(x, y, z, looks.shifts[2])
    texture += np.float32(looks.gland_septa_db) * lines(x, y, z, (6.0, 6.0, 2.5), looks.shifts[7], 0.15)
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
    return np.asarray(np.clip((np.float32(looks.vessel_mm) - radius) / np.float32(0.25) + np.float32(0.5), 0, 1))


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
        canvas.paint(distance, label, haze + np.float32(looks.clutter_db), edge_mm=0.5)
        canvas.reflect(distance, _uneven(section, looks, shine))
        canvas.graze(distance, 0.5)
        if label is Label.ARTERY:
            canvas.reflect(distance - 0.8, _uneven(section, looks, shine))


def paint_trachea(canvas: Canvas, section: Section, anatomy: Anatomy, looks: Looks) -> None:
    """Paint the trachea: rings of dark cartilage, the bright face of the air, and reverberation for all below it."""
    x, y, z = section
    outer, across, down = anatomy.trachea(x, y, z)
    rings = _rings(y, looks)
    wall = np.float32(0.6) + np.float32(looks.ring_mm) * (np.float32(0.7) + np.float32(0.3) * rings)
    air = outer + wall + np.float32(0.22) * noise(x, y, z, (4.0, 4.0, 4.0), looks.shifts[2])
    opaque = np.maximum.accumulate(np.broadcast_to(air, canvas.labels.shape) < 0, axis=0)
    canvas.hide((np.broadcast_to(outer, canvas.labels.shape) < 0) | opaque)
    canvas.paint(np.broadcast_to(outer, canvas.labels.shape), Label.CARTILAGE, np.float32(6.0) * (1 - rings))
    canvas.brighten(outer - 0.1, 0.25, np.float32(4.0))
    depth = np.cumsum(opaque, axis=0, dtype=np.float32) * np.float32(canvas.grid.depth_mm / canvas.grid.rows)
    facing = np.exp(-((across / np.float32(0.55 * anatomy.neck.trachea)) ** 2))
    echo = lines(x * 0.15, y * 0.15, depth, (8.0, 8.0, looks.reverberation_mm), looks.shifts[3], 0.35)
    haze = (
        np.float32(16.0) * facing * (0.3 + 0.7 * echo) - np.float32(looks.fading) * depth + np.float32(8) * (facing - 1)
    )
    canvas.paint(np.where(opaque, np.float32(-1), np.float32(1)), Label.AIR, np.maximum(haze, np.float32(-26)))
    canvas.labels[opaque & (np.broadcast_to(outer, canvas.labels.shape) > 0)] = Label.CONNECTIVE
    face = np.where(opaque, np.minimum(air, -0.05), np.maximum(air, 0.0)).astype(np.float32)
    front = np.clip(0.5 - down, 0, 1) * np.sqrt(facing)
    canvas.brighten(air, 0.45, np.float32(31.0) * (0.5 + 0.5 * rings) * front)
    canvas.reflect(face, _uneven(section, looks, 18.0))


def _rings(y: Array, looks: Looks) -> Array:
    """Return 1 in the trachea's rings and 0 between them: about 4.8 mm apart, none like the next."""
    nowhere = np.zeros((1, 1), np.float32)
    apart = np.float32(1.1) * noise(nowhere, y, nowhere, (9.0, 9.0, 9.0), looks.shifts[5])
    wide = np.float32(0.6) * noise(nowhere, y, nowhere, (7.0, 7.0, 7.0), looks.shifts[7])
    waves = np.cos((y + apart) * np.float32(2 * np.pi / 4.8)) + wide
    return np.asarray(np.float32(0.5) * (1 + np.tanh(np.float32(2) * waves)), dtype=np.float32)


def _uneven(section: Section, looks: Looks, amplitude: float) -> Array:
    """Return an interface's amplitude, uneven along it."""
    x, y, z = section
    waves = noise(x, y, z, (2.5, 2.5, 2.5), looks.shifts[6])
    return np.asarray(np.float32(amplitude) * np.clip(0.8 + 0.6 * waves, 0, 2), dtype=np.float32)
