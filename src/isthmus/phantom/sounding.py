"""What one medium does to the beams of one device: how far the sound gets, at which frequency, and what it meets."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from isthmus.phantom import pulse
from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field, Medium
from isthmus.phantom.pulse import Profile
from isthmus.phantom.scan import Beams, beams, to_beams

POINT_VOLUME_MM3: Final = 0.05
"""A point of amplitude 1 scatters as much as this volume of normal gland: about one resolution cell."""
SLICE_REACH_MM: Final = 1.5
"""Scatterers farther from the plane are left out: near the face the slice is cut to this, as the lens cuts it."""
FILLING_STEP_MM: Final = 0.5
"""Depth after which shadows are filled from their sides once more."""


@dataclass(frozen=True, eq=False)
class Sounding:
    """What holds along the beams of one device in one medium.

    Parameters
    ----------
    device : Device
        The scanner.
    beams : Beams
        Its samples, D rows of W.
    frequency_mhz : array [D]
        Centre frequency of the echoes from each row.
    carrier : array [D]
        Their phase, radians.
    transmitted : float32 array [D, W]
        Amplitude that is left of an echo on its way there and back.
    """

    device: Device
    beams: Beams
    frequency_mhz: Profile
    carrier: Profile
    transmitted: Field

    @property
    def lateral_sigma(self) -> Profile:
        """Standard deviation [D] of the two-way beam's amplitude, in beams."""
        width = pulse.lateral_fwhm(self.device, self.beams.range_mm, self.frequency_mhz)
        return np.asarray(width / pulse.FWHM / self.beams.pitch_mm)

    @property
    def axial_sigma(self) -> float:
        """Standard deviation of the echo's envelope, in rows."""
        return pulse.axial_sigma(self.device) / self.beams.step_mm


def sound(medium: Medium, device: Device) -> Sounding:
    """Return what the attenuation of a medium does to a device's beams."""
    lines = beams(device, medium.grid)
    met = pulse.cumulative(lines.sample(medium.attenuation), lines.step_mm)
    frequency = pulse.centre_frequency(device, met.mean(axis=1, dtype=np.float64))
    _fill_shadows(met, device, lines, frequency)
    carrier = np.cumsum(4 * np.pi / pulse.SPEED * frequency) * lines.step_mm
    return Sounding(device, lines, frequency, carrier, np.exp(-pulse.loss(device, met)))


def _fill_shadows(met: Field, device: Device, lines: Beams, frequency: Profile) -> None:
    """Let sound that passes beside an obstacle into its shadow, in place.

    An echo is the mean over the rays of a converging aperture. At a distance d behind the obstacle they come from a
    width of d / F, standard deviation d / (F sqrt 12), and steered looks from d tan(a) to the side: reached here by a
    diffusion that meets both at d = 10 mm.
    """
    block = max(1, round(FILLING_STEP_MM / lines.step_mm))
    steered = float(np.mean(np.tan(np.radians(device.angles)) ** 2))
    variance = 10.0 * (1.0 / (12.0 * device.transmit_f**2) + steered) * block * lines.step_mm
    more = np.zeros(met.shape[1], np.float32)
    for first in range(0, len(met), block):
        met[first : first + block] += more
        last = min(first + block, len(met)) - 1
        scale = np.float32(-frequency[last])
        passed = np.exp(scale * met[last])[None]
        sigma = float(np.sqrt(variance) / lines.pitch_mm[last])
        filled = cv2.GaussianBlur(passed, (0, 0), sigmaX=sigma, sigmaY=1e-3, borderType=cv2.BORDER_REPLICATE)[0]
        more += np.log(np.maximum(filled, np.float32(1e-30))) / scale - met[last]


def reflectivity(medium: Medium, sounding: Sounding, coherent_gain: Field) -> pulse.Signal:
    """Return all that reflects, with loss and carrier phase, complex64 [D, W].

    Scatterers of odd columns lie an eighth of a wavelength deeper: that quincunx keeps the echo's real and imaginary
    parts equally strong whatever the rows' distance.

    Parameters
    ----------
    medium : Medium
        What the sound meets.
    sounding : Sounding
        Of it.
    coherent_gain : float32 array [D]
        Of an even reflector through the point-spread function: what the specular part is divided by.
    """
    lines = sounding.beams
    diffuse = _slice_sum(medium, sounding)
    diffuse *= lines.sample(medium.backscatter)
    diffuse *= sounding.transmitted
    carrier = np.exp(-1j * sounding.carrier).astype(np.complex64)[:, None]
    echoes = np.empty(diffuse.shape, np.complex64)
    np.multiply(diffuse[:, 0::2], carrier, out=echoes[:, 0::2])
    np.multiply(diffuse[:, 1::2], carrier * np.complex64(-1j), out=echoes[:, 1::2])
    if medium.specular.any():
        echoes.real += lines.sample(medium.specular) * sounding.transmitted / coherent_gain[:, None]
    if len(medium.points):
        _deposit_points(echoes, medium, sounding)
    return echoes


def _slice_sum(medium: Medium, sounding: Sounding) -> Field:
    """The scatterers that the elevational beam sums, of unit variance [D, W]."""
    pitch = medium.scatterers.pitch_mm
    sigma = pulse.elevational_sigma(sounding.device, sounding.beams.range_mm, sounding.frequency_mhz)
    reach = min(SLICE_REACH_MM, 2.2 * float(sigma.max()))
    first = int(np.ceil((medium.elevation_mm - reach) / pitch))
    last = int(np.floor((medium.elevation_mm + reach) / pitch))
    away = np.arange(first, last + 1)[:, None] * pitch - medium.elevation_mm
    weights = np.exp(-0.5 * (away / sigma) ** 2)
    weights = (weights / np.sqrt((weights**2).sum(axis=0))).astype(np.float32)
    whole = np.zeros((medium.grid.rows, medium.grid.columns), np.float32)
    share = np.empty_like(whole)
    for number, weight in enumerate(weights, start=first):
        whole += np.multiply(medium.scatterers.slice(number, medium.grid), weight[:, None], out=share)
    return whole


def _deposit_points(echoes: pulse.Signal, medium: Medium, sounding: Sounding) -> None:
    """Add the point reflectors in place, each shared by its four neighbours, with the phase of its exact depth."""
    lines, device = sounding.beams, sounding.device
    x, z, elevation, amplitude = medium.points.astype(np.float64).T
    start, reach = to_beams(device, x, z, in_tissue=True)
    column = (start / device.footprint_mm + 0.5) * echoes.shape[1] - 0.5
    row = reach / lines.step_mm - 0.5
    depth = np.clip(row, 0, len(echoes) - 1)
    nearest = depth.astype(int)
    sigma = pulse.elevational_sigma(device, lines.range_mm, sounding.frequency_mhz)[nearest]
    # Against the gland, whose slices sum to unit variance in voxels of rows x columns x the beam's thickness.
    voxel = lines.step_mm * lines.pitch_mm[nearest] * sigma * np.sqrt(np.pi)
    strength = amplitude * np.sqrt(POINT_VOLUME_MM3 / voxel) * np.exp(-0.5 * (elevation / sigma) ** 2)
    echo = strength * np.exp(-1j * np.interp(depth, np.arange(len(echoes)), sounding.carrier))
    for down in (0, 1):
        for across in (0, 1):
            i, j = np.floor(row).astype(int) + down, np.floor(column).astype(int) + across
            share = (1 - np.abs(row - i)) * (1 - np.abs(column - j))
            here = (i >= 0) & (i < echoes.shape[0]) & (j >= 0) & (j < echoes.shape[1])
            i, j = i[here], j[here]
            np.add.at(echoes, (i, j), (echo[here] * share[here] * sounding.transmitted[i, j]).astype(np.complex64))
