"""The point-spread function at work: pulse along the beams, beam across them, steered looks."""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
import scipy.fft

from isthmus.phantom import pulse
from isthmus.phantom.medium import Field
from isthmus.phantom.pulse import Profile, Signal
from isthmus.phantom.sounding import Sounding

SKIRT: Final = 5.0
"""Width of the lateral profile's side lobes over that of its main lobe."""


def kept_rows(rows: int, every: int) -> slice:
    """Return the rows that are kept where one of ``every`` resolves the pulse's envelope."""
    return slice((every - 1) // 2, rows - rows % every, every)


def blur_along(echoes: Signal, sounding: Sounding, every: int) -> Signal:
    """Apply the pulse's envelope along the beams and keep one row of ``every``; white noise keeps its variance.

    Parameters
    ----------
    echoes : complex64 array [D, W]
        What reflects, without its carrier.
    sounding : Sounding
        Its device and beams.
    every : int
        At least 1.
    """
    parts = echoes.view(np.float32).reshape(*echoes.shape, 2)
    kernel = _axial_kernel(sounding)
    blurred = cv2.sepFilter2D(parts, cv2.CV_32F, np.ones(1), kernel, borderType=cv2.BORDER_CONSTANT)
    kept = np.ascontiguousarray(blurred[kept_rows(len(echoes), every)])
    return np.asarray(kept.view(np.complex64)[..., 0])


def looks(echoes: Signal, sounding: Sounding, every: int, angles: tuple[float, ...]) -> Iterator[Signal]:
    """Yield the echoes after the lateral beam, once for each steering angle; white noise keeps its variance.

    A beam steered by a sees the scatterers' lateral frequencies about 2 k sin(a): looks far apart share few of them,
    so their speckle differs (Burckhardt, IEEE Trans. Sonics Ultrason. 25:1, 1978).

    Parameters
    ----------
    echoes : complex64 array [D', W]
        After :func:`blur_along`.
    sounding : Sounding
        Its device and beams.
    every : int
        As given there.
    angles : tuple of float
        Degrees.
    """
    kept = kept_rows(len(sounding.carrier), every)
    sigma = sounding.lateral_sigma[kept]
    turn = (4 * np.pi / pulse.SPEED * sounding.frequency_mhz * sounding.beams.pitch_mm)[kept]
    columns = echoes.shape[1]
    whole = scipy.fft.next_fast_len(columns + int(np.ceil(4 * sigma.max())))
    spectrum = scipy.fft.fft(echoes, n=whole, axis=1, workers=1)
    for angle in angles:
        transfer = _transfer(whole, sigma, turn * np.sin(np.radians(angle)), np.float32(_skirt_level(sounding)))
        yield scipy.fft.ifft(spectrum * transfer, axis=1, workers=1, overwrite_x=True)[:, :columns]


def _transfer(size: int, sigma: Profile, turn: Profile, skirt: np.float32) -> Field:
    """Lateral transfer function [D', size] of unit energy, about the lateral frequency ``turn`` (radians a beam)."""
    waves = scipy.fft.fftfreq(size).astype(np.float32)
    away = waves - (turn / (2 * np.pi)).astype(np.float32)[:, None]
    away -= np.rint(away)
    away *= (2 * np.pi * sigma).astype(np.float32)[:, None]
    exponent = away * away
    transfer = np.exp(np.float32(-0.5) * exponent)
    exponent *= np.float32(-0.5 * SKIRT**2)
    transfer += np.float32(SKIRT) * skirt * np.exp(exponent)
    transfer /= np.sqrt(np.einsum("dw,dw->d", transfer, transfer) / np.float32(size))[:, None]
    return transfer


def coherent_gain(sounding: Sounding) -> Field:
    """Return the gain [D] of an even, coherent reflector through the point-spread function, whose energy is 1."""
    sigma, skirt = sounding.lateral_sigma, _skirt_level(sounding)
    overlap = 2 * skirt * SKIRT * np.sqrt(2 / (1 + SKIRT**2))
    energy = np.sqrt(np.pi) * sigma * (1 + overlap + skirt**2 * SKIRT)
    total = np.sqrt(2 * np.pi) * sigma * (1 + skirt * SKIRT)
    return np.asarray(total / np.sqrt(energy) * _axial_kernel(sounding).sum(), np.float32)


def _axial_kernel(sounding: Sounding) -> Profile:
    sigma = sounding.axial_sigma
    reach = int(np.ceil(3.5 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(kernel / np.sqrt((kernel**2).sum()))


def _skirt_level(sounding: Sounding) -> float:
    return float(10 ** (sounding.device.sidelobe_db / 20))
