"""Pulse-echo imaging: from what the sound meets (:class:`Medium`) to the scanner's picture.

The convolution model (Bamber & Dickinson, Phys. Med. Biol. 25:463, 1980): the echo is the medium's reflectivity
convolved with a point-spread function, here one that varies with depth (:mod:`pulse`, :mod:`beamforming`). All is
computed on the analytic signal: each scatterer's strength is multiplied by its carrier phase before the envelope of the
pulse is applied, so the rows must resolve that envelope, and the carrier only where the RF signal itself is asked for.

One unit of amplitude is the root mean square of the normal gland's echo at the probe's face.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from isthmus.phantom import display, pulse
from isthmus.phantom.beamforming import blur_along, coherent_gain, kept_rows, looks
from isthmus.phantom.clutter import cluttered
from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field, Medium
from isthmus.phantom.pulse import Signal
from isthmus.phantom.scan import Conversion, conversion
from isthmus.phantom.sounding import Sounding, reflectivity, sound

NOISE: Final = 0x4E01
"""Tells the electronic noise's random numbers from any others of the same seed."""


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


def form_picture(medium: Medium, device: Device, gain_db: float = 0.0, noise_seed: int = 0) -> Picture:
    """Return the picture that a device makes of a medium.

    Parameters
    ----------
    medium : Medium
        On the grid of ``device.grid(depth_mm)``, of either quality.
    device : Device
        The scanner.
    gain_db : float
        Overall gain against the device's own.
    noise_seed : int
        Of the electronic noise, 0 or more; another number is another moment of the same scene.
    """
    key = (noise_seed, 0)
    return _shown(_levels(medium, device, gain_db, key), device, medium, key)


def form_clip(media: Iterable[Medium], device: Device, gain_db: float = 0.0, noise_seed: int = 0) -> Iterator[Picture]:
    """Yield the picture of each medium of a sweep, all on one grid, with the device's persistence between them."""
    last: Field | None = None
    for number, medium in enumerate(media):
        key = (noise_seed, number)
        now = _levels(medium, device, gain_db, key)
        if last is not None:
            now += np.float32(device.persistence) * (last - now)
        last = now
        yield _shown(now, device, medium, key)


def analytic_signal(medium: Medium, device: Device) -> Signal:
    """Return the echoes [D, W] without their carrier, without gain or noise; the modulus is the envelope."""
    sounding = sound(medium, device)
    return next(looks(_received(medium, sounding, 1), sounding, 1, (0.0,)))


def radio_frequency(medium: Medium, device: Device) -> Field:
    """Return the RF echoes [D, W], without gain or noise; the grid must be that of a still."""
    carrier = np.exp(1j * sound(medium, device).carrier).astype(np.complex64)
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
    return display.grey(display.decibels(envelope, device, gain_db), device)


def _levels(medium: Medium, device: Device, gain_db: float, noise_key: tuple[int, int]) -> Field:
    """Decibels of the compounded envelope as a picture [H, W], speckle filter and edge enhancement done."""
    sounding = sound(medium, device)
    every = max(1, int(sounding.axial_sigma))
    echoes = _received(medium, sounding, every)
    noise = _noise(echoes.shape, sounding, every, noise_key)
    whole = np.zeros(echoes.shape, np.float32)
    for number, look in enumerate(looks(echoes, sounding, every, device.angles)):
        look += np.roll(noise, 37 * number, axis=0)
        whole += np.abs(look)
    gain = pulse.compensation(device, sounding.beams.range_mm[kept_rows(medium.grid.rows, every)]) / device.looks
    whole *= gain.astype(np.float32)[:, None]
    where = conversion(device, medium.grid)
    levels = display.smoothed(where.from_beams(whole, every), device, gain_db, where.spacing_mm)
    return display.enhanced(levels, device, where.spacing_mm)


def _received(medium: Medium, sounding: Sounding, every: int) -> Signal:
    """What comes back from each depth, directly and on detours."""
    echoes = blur_along(reflectivity(medium, sounding, coherent_gain(sounding)), sounding, every)
    return cluttered(echoes, sounding, every)


def _shown(levels: Field, device: Device, medium: Medium, noise_key: tuple[int, int]) -> Picture:
    where = conversion(device, medium.grid)
    pixels = display.with_video_noise(display.grey(levels, device), device, noise_key)
    pixels[~where.inside] = 0
    return Picture(pixels, where)


def _noise(shape: tuple[int, ...], sounding: Sounding, every: int, key: tuple[int, int]) -> Signal:
    """Electronic noise [D', W] in the receiver's band, before the time-gain compensation."""
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence([*key, NOISE])))
    white = generator.standard_normal((*shape, 2), dtype=np.float32)
    band = cv2.GaussianBlur(white, (0, 0), sigmaX=0.7, sigmaY=sounding.axial_sigma / every)
    level = float(10 ** (sounding.device.noise_db / 20) / np.sqrt(2 * np.mean(band[::4, ::4] ** 2)))
    return np.asarray((band * np.float32(level)).view(np.complex64)[..., 0])
