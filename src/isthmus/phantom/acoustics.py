"""Pulse-echo imaging: from what the sound meets (:class:`Medium`) to the scanner's picture.

The convolution model (Bamber & Dickinson, Phys. Med. Biol. 25:463, 1980): the echo is the medium's reflectivity
convolved with a point-spread function, here one that varies with depth (:mod:`pulse`). Everything is computed on the
analytic signal: each scatterer's strength is multiplied by its carrier phase before the envelope of the pulse is
applied, so rows need to resolve the envelope of the pulse, and the carrier only where the RF signal itself is asked for.

One unit of amplitude is the root mean square of the normal gland's echo at the probe's face.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from isthmus.phantom import pulse
from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field, Medium
from isthmus.phantom.scan import Beams, Conversion, beams, conversion, to_beams

Signal = NDArray[np.complex64]

POINT_VOLUME_MM3: Final = 0.05
"""A point of amplitude 1 scatters as much as this volume of normal gland: about one resolution cell."""
SLICE_REACH_MM: Final = 1.5
"""Scatterers farther from the plane are left out: near the face the slice is cut to this, as the lens cuts it."""
SKIRT: Final = 5.0
"""Width of the lateral profile's side lobes over that of its main lobe."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A B-mode picture.

    Parameters
    ----------
    pixels : uint8 array [H, W]
        0 outside the scanned area.
    conversion : Conversion
        Where each pixel lies.
    """

    pixels: NDArray[np.uint8]
    conversion: Conversion

    @property
    def spacing_mm(self) -> float:
        """Of the square pixels."""
        return self.conversion.spacing_mm

    @property
    def scan(self) -> NDArray[np.bool_]:
        """Inside the scanned area [H, W]."""
        return self.conversion.inside

    def to_picture(self, field: NDArray[Any], order: int = 1) -> NDArray[Any]:
        """Return a field of the medium's grid [D, W] as it lies in the picture [H, W]; ``order`` 0 for masks."""
        return self.conversion.from_field(field, order)


@dataclass(frozen=True, eq=False)
class _Sounding:
    """What holds for every row of beams in one medium."""

    device: Device
    beams: Beams
    carrier: NDArray[np.float64]  # phase of an echo from each row, radians
    frequency: NDArray[np.float64]  # MHz
    loss: Field  # factor of amplitude [D, W]


def form_picture(medium: Medium, device: Device, gain_db: float = 0.0, noise_seed: int = 0) -> Picture:
    """Return the picture that a device makes of a medium.

    Parameters
    ----------
    medium : Medium
        On the grid of ``device.grid(depth_mm)``.
    device : Device
        The scanner.
    gain_db : float
        Overall gain against the device's own.
    noise_seed : int
        Of the electronic noise; another number is another moment of the same scene.
    """
    levels = _levels(medium, device, gain_db, (noise_seed, 0))
    return _shown(levels, device, medium)


def form_clip(media: Iterable[Medium], device: Device, gain_db: float = 0.0, noise_seed: int = 0) -> Iterator[Picture]:
    """Yield the picture of each medium of a sweep, all on one grid, with the device's persistence between them."""
    last: Field | None = None
    for number, medium in enumerate(media):
        now = _levels(medium, device, gain_db, (noise_seed, number))
        if last is not None:
            now += np.float32(device.persistence) * (last - now)
        last = now
        yield _shown(now, device, medium)


def analytic_signal(medium: Medium, device: Device) -> Signal:
    """Return the echoes [D, W] without their carrier, before any gain and without noise; the modulus is the envelope."""
    sounding = _sound(medium, device)
    return next(_looks(_blur_along(_reflectivity(medium, sounding), sounding, 1), sounding, 1, (0.0,)))


def radio_frequency(medium: Medium, device: Device) -> Field:
    """Return the RF echoes [D, W] before any gain and without noise; the grid must be that of a still."""
    carrier = np.exp(1j * _sound(medium, device).carrier).astype(np.complex64)
    return np.ascontiguousarray((analytic_signal(medium, device) * carrier[:, None]).real)


def envelope(rf: Field) -> Field:
    """Return the envelope [D, W] of RF echoes: the modulus of the analytic signal (Hilbert transform) of each beam."""
    rows = rf.shape[0]
    whole = scipy.fft.next_fast_len(rows)
    spectrum = scipy.fft.fft(rf, n=whole, axis=0, workers=1)
    spectrum[(whole + 1) // 2 :] = 0
    spectrum[1 : (whole + 1) // 2] *= 2
    return np.abs(scipy.fft.ifft(spectrum, axis=0, workers=1, overwrite_x=True)[:rows]).astype(np.float32)


def compress(envelope: Field, device: Device, gain_db: float = 0.0) -> NDArray[np.uint8]:
    """Return an envelope as grey values: logarithm, dynamic range and grey map."""
    return _grey(_decibels(envelope, device, gain_db), device)


def _levels(medium: Medium, device: Device, gain_db: float, noise_key: tuple[int, int]) -> Field:
    """Decibels of the compounded envelope as a picture [H, W], speckle filter and edge enhancement done."""
    sounding = _sound(medium, device)
    every = max(1, int(pulse.axial_sigma(device) / sounding.beams.step_mm))
    echoes = _blur_along(_reflectivity(medium, sounding), sounding, every)
    angles = np.linspace(-1, 1, device.looks) * device.steering_degrees if device.looks > 1 else np.zeros(1)
    noise = _noise(echoes.shape, device, every * sounding.beams.step_mm, noise_key)
    whole = np.zeros(echoes.shape, np.float32)
    for number, look in enumerate(_looks(echoes, sounding, every, tuple(angles.tolist()))):
        look += np.roll(noise, 37 * number, axis=0)
        whole += np.abs(look)
    gain = pulse.compensation(device, sounding.beams.range_mm[_kept(len(sounding.carrier), every)]) / len(angles)
    whole *= gain.astype(np.float32)[:, None]
    levels = conversion(device, medium.grid).from_beams(_decibels(whole, device, gain_db), every)
    return _enhanced(_smoothed(levels, device), device)


def _shown(levels: Field, device: Device, medium: Medium) -> Picture:
    where = conversion(device, medium.grid)
    pixels = _grey(levels, device)
    pixels[~where.inside] = 0
    return Picture(pixels, where)


def _sound(medium: Medium, device: Device) -> _Sounding:
    lines = beams(device, medium.grid)
    met = pulse.cumulative(lines.sample(medium.attenuation), lines.step_mm)
    frequency = pulse.centre_frequency(device, met.mean(axis=1, dtype=np.float64))
    carrier = np.cumsum(4 * np.pi / pulse.SPEED * frequency) * lines.step_mm
    return _Sounding(device, lines, carrier, frequency, np.exp(-pulse.loss(device, met)))


def _kept(rows: int, every: int) -> slice:
    """The rows that are kept where only one of ``every`` is needed to resolve the pulse's envelope."""
    return slice((every - 1) // 2, rows - rows % every, every)


# What reflects


def _reflectivity(medium: Medium, sounding: _Sounding) -> Signal:
    """All that reflects, with loss and carrier phase [D, W]; odd columns' scatterers lie an eighth wavelength deeper.

    That quincunx keeps the echo's real and imaginary part equally strong whatever the rows' distance.
    """
    lines = sounding.beams
    diffuse = _slice_sum(medium, sounding)
    diffuse *= lines.sample(medium.backscatter)
    diffuse *= sounding.loss
    carrier = np.exp(-1j * sounding.carrier).astype(np.complex64)[:, None]
    echoes = np.empty(diffuse.shape, np.complex64)
    np.multiply(diffuse[:, 0::2], carrier, out=echoes[:, 0::2])
    np.multiply(diffuse[:, 1::2], carrier * np.complex64(-1j), out=echoes[:, 1::2])
    if medium.specular.any():
        echoes.real += lines.sample(medium.specular) * sounding.loss / _coherent_gain(sounding)[:, None]
    if len(medium.points):
        _deposit_points(echoes, medium, sounding)
    return echoes


def _slice_sum(medium: Medium, sounding: _Sounding) -> Field:
    """The scatterers that the elevational beam sums, of unit variance [D, W]."""
    pitch = medium.scatterers.pitch_mm
    sigma = pulse.elevational_sigma(sounding.device, sounding.beams.range_mm, sounding.frequency)
    reach = min(SLICE_REACH_MM, 2.2 * float(sigma.max()))
    first = int(np.ceil((medium.elevation_mm - reach) / pitch))
    last = int(np.floor((medium.elevation_mm + reach) / pitch))
    away = np.arange(first, last + 1)[:, None] * pitch - medium.elevation_mm
    weights = np.exp(-0.5 * (away / sigma) ** 2)
    weights = (weights / np.sqrt((weights**2).sum(axis=0))).astype(np.float32)
    whole = np.zeros((medium.grid.rows, medium.grid.columns), np.float32)
    for number, weight in enumerate(weights, start=first):
        whole += medium.scatterers.slice(number, medium.grid) * weight[:, None]
    return whole


def _deposit_points(echoes: Signal, medium: Medium, sounding: _Sounding) -> None:
    """Add the point reflectors in place, each shared by its four neighbours, with the phase of its exact depth."""
    lines, device = sounding.beams, sounding.device
    x, z, elevation, amplitude = medium.points.astype(np.float64).T
    start, reach = to_beams(device, x, z, in_tissue=True)
    column = (start / device.footprint_mm + 0.5) * echoes.shape[1] - 0.5
    row = reach / lines.step_mm - 0.5
    depth = np.clip(row, 0, len(echoes) - 1)
    nearest = depth.astype(int)
    sigma = pulse.elevational_sigma(device, lines.range_mm, sounding.frequency)[nearest]
    # Against the gland, whose slices sum to unit variance in voxels of rows x columns x the beam's thickness.
    voxel = lines.step_mm * lines.pitch_mm[nearest] * sigma * np.sqrt(np.pi)
    strength = amplitude * np.sqrt(POINT_VOLUME_MM3 / voxel) * np.exp(-0.5 * (elevation / sigma) ** 2)
    phase = np.interp(depth, np.arange(len(echoes)), sounding.carrier)
    echo = strength * np.exp(-1j * phase)
    for down in (0, 1):
        for across in (0, 1):
            i, j = np.floor(row).astype(int) + down, np.floor(column).astype(int) + across
            share = (1 - np.abs(row - i)) * (1 - np.abs(column - j))
            here = (i >= 0) & (i < echoes.shape[0]) & (j >= 0) & (j < echoes.shape[1])
            i, j = i[here], j[here]
            np.add.at(echoes, (i, j), (echo[here] * share[here] * sounding.loss[i, j]).astype(np.complex64))


# The point-spread function


def _axial_kernel(sounding: _Sounding) -> NDArray[np.float64]:
    sigma = pulse.axial_sigma(sounding.device) / sounding.beams.step_mm
    reach = int(np.ceil(3.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(kernel / np.sqrt((kernel**2).sum()))


def _blur_along(echoes: Signal, sounding: _Sounding, every: int) -> Signal:
    """Apply the pulse's envelope along the beams and keep one row of ``every``; white noise keeps its variance."""
    parts = echoes.view(np.float32).reshape(*echoes.shape, 2)
    kernel = _axial_kernel(sounding)
    blurred = cv2.sepFilter2D(parts, cv2.CV_32F, np.ones(1), kernel, borderType=cv2.BORDER_CONSTANT)
    kept = np.ascontiguousarray(blurred[_kept(len(echoes), every)])
    return np.asarray(kept.view(np.complex64)[..., 0])


def _lateral_sigma(sounding: _Sounding) -> NDArray[np.float64]:
    """Of the two-way profile's main lobe at each row, in beams."""
    lines = sounding.beams
    return pulse.lateral_fwhm(sounding.device, lines.range_mm, sounding.frequency) / pulse.FWHM / lines.pitch_mm


def _coherent_gain(sounding: _Sounding) -> Field:
    """Gain [D] of an even, coherent reflector through a point-spread function of unit energy."""
    sigma, skirt = _lateral_sigma(sounding), 10 ** (sounding.device.sidelobe_db / 20)
    overlap = 2 * skirt * SKIRT * np.sqrt(2 / (1 + SKIRT**2))
    energy = np.sqrt(np.pi) * sigma * (1 + overlap + skirt**2 * SKIRT)
    total = np.sqrt(2 * np.pi) * sigma * (1 + skirt * SKIRT)
    return np.asarray(total / np.sqrt(energy) * _axial_kernel(sounding).sum(), np.float32)


def _looks(echoes: Signal, sounding: _Sounding, every: int, angles: tuple[float, ...]) -> Iterator[Signal]:
    """Yield the echoes after the lateral beam, once for each steering angle (degrees).

    A beam steered by a sees the scatterers' lateral frequencies about 2 k sin(a): looks far apart share few of them,
    and their speckle differs (Burckhardt, IEEE Trans. Sonics Ultrason. 25:1, 1978).
    """
    kept = _kept(len(sounding.carrier), every)
    sigma = _lateral_sigma(sounding)[kept, None].astype(np.float32)
    turn = (4 * np.pi / pulse.SPEED * sounding.frequency * sounding.beams.pitch_mm)[kept, None]
    columns = echoes.shape[1]
    whole = scipy.fft.next_fast_len(columns + int(np.ceil(4 * sigma.max())))
    spectrum = scipy.fft.fft(echoes, n=whole, axis=1, workers=1)
    waves = 2 * np.pi * scipy.fft.fftfreq(whole)
    skirt = np.float32(SKIRT * 10 ** (sounding.device.sidelobe_db / 20))
    for angle in angles:
        away = (waves - turn * np.sin(np.radians(angle)) + np.pi) % (2 * np.pi) - np.pi
        exponent = (away.astype(np.float32) * sigma) ** 2 * np.float32(-0.5)
        transfer = np.exp(exponent)
        transfer += skirt * np.exp(np.float32(SKIRT**2) * exponent)
        transfer /= np.sqrt(np.mean(transfer**2, axis=1, keepdims=True))
        yield scipy.fft.ifft(spectrum * transfer, axis=1, workers=1, overwrite_x=True)[:, :columns]


def _noise(shape: tuple[int, ...], device: Device, step_mm: float, key: tuple[int, int]) -> Signal:
    """Electronic noise [D', W] in the receiver's band, before the time-gain compensation."""
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence([*key, 0x4E01])))
    white = generator.standard_normal((*shape, 2), dtype=np.float32)
    band = cv2.GaussianBlur(white, (0, 0), sigmaX=0.7, sigmaY=max(0.3, pulse.axial_sigma(device) / step_mm))
    band *= np.float32(10 ** (device.noise_db / 20) / np.sqrt(2 * np.mean(band[::4, ::4] ** 2)))
    return np.asarray(band.view(np.complex64)[..., 0])


# The display


def _decibels(envelope: Field, device: Device, gain_db: float) -> Field:
    """Level above the display's black, dB, kept within 20 dB below it."""
    black = device.headroom_db - device.dynamic_range_db
    levels = np.log10(np.maximum(envelope, np.float32(1e-9)))
    levels *= 20
    levels += np.float32(gain_db - black)
    return np.maximum(levels, np.float32(-20), out=levels)


def _smoothed(levels: Field, device: Device) -> Field:
    """Reduce speckle where the local variance is no more than speckle's: Lee's filter, on the logarithm.

    Lee, IEEE Trans. Pattern Anal. Mach. Intell. 2:165, 1980. The logarithm of one look's speckle has a standard
    deviation of 5.57 dB (Dutt & Greenleaf, Ultrason. Imaging 18:82, 1996).
    """
    if device.smoothing == 0:
        return levels
    mean = cv2.GaussianBlur(levels, (0, 0), 2.0)
    away = levels - mean
    variance = cv2.GaussianBlur(away**2, (0, 0), 2.0)
    speckle = np.float32(5.57**2 / device.looks)
    signal = np.maximum(variance - speckle, 0) / np.maximum(variance, speckle)
    return np.asarray(mean + (1 - np.float32(device.smoothing) * (1 - signal)) * away)


def _enhanced(levels: Field, device: Device) -> Field:
    """Sharpen edges: what differs from the surroundings, raised."""
    if device.edge == 0:
        return levels
    return levels + np.float32(device.edge) * (levels - cv2.GaussianBlur(levels, (0, 0), 1.5))


def _grey(levels: Field, device: Device) -> NDArray[np.uint8]:
    knots = np.array(device.grey)
    steps = 1024
    table = np.interp(np.linspace(0, 1, steps), knots[:, 0], knots[:, 1])
    greys = np.round(table * 255).astype(np.uint8)
    place = np.clip(levels * np.float32(steps / device.dynamic_range_db), 0, steps - 1)
    return greys[place.astype(np.int32)]
