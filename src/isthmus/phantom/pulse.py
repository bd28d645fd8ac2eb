"""The pulse and the beam: what a scanner's point-spread function is at each depth, and what attenuation does to it.

Lengths in mm, frequencies in MHz, times in microseconds; amplitudes are of two-way (pulse-echo) signals.
"""

from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field

Real = TypeVar("Real", np.float32, np.float64)
Profile = NDArray[np.floating[Any]]
Signal = NDArray[np.complex64]

SPEED: Final = 1.54
"""Of sound in soft tissue, mm a microsecond."""
FWHM: Final = 2.0 * np.sqrt(2.0 * np.log(2.0))
"""Full width at half maximum of a Gaussian of unit standard deviation."""
NEPERS_PER_DB: Final = np.log(10.0) / 20.0
LOWEST_SHARE: Final = 0.4
"""The centre frequency never falls below this share of the device's own: a transducer hears nothing lower."""


def spectral_sigma(device: Device) -> float:
    """Return the standard deviation, MHz, of the two-way amplitude spectrum, a Gaussian about the centre frequency.

    The bandwidth is the full width where the two-way amplitude is halved (-6 dB).
    """
    return float(device.bandwidth * device.frequency_mhz / FWHM)


def axial_sigma(device: Device) -> float:
    """Return the standard deviation, mm, of the echo's Gaussian envelope in depth.

    A spectrum of standard deviation s gives an envelope of standard deviation 1 / (2 pi s) in time, and depth is half
    of speed times time.
    """
    return float(SPEED / (4.0 * np.pi * spectral_sigma(device)))


def axial_fwhm(device: Device) -> float:
    """Return the full width, mm, at half the echo's amplitude in depth: 0.44 c / (bandwidth * centre frequency)."""
    return float(FWHM * axial_sigma(device))


def cumulative(attenuation: Field, step_mm: float) -> Field:
    """Return the two-way attenuation down to each row's middle, nepers / MHz.

    Parameters
    ----------
    attenuation : float32 array [D, ...]
        One way, dB / (cm MHz).
    step_mm : float
        Between rows.
    """
    whole = np.cumsum(attenuation, axis=0, dtype=np.float32)
    whole -= 0.5 * attenuation
    whole *= np.float32(2.0 * NEPERS_PER_DB * step_mm / 10.0)
    return whole


def loss(device: Device, attenuation: NDArray[Real]) -> NDArray[Real]:
    """Return the loss of an echo's amplitude, nepers, after ``attenuation`` (two-way, nepers / MHz).

    For a Gaussian spectrum exp(-(f - f0)^2 / 2 s^2), attenuation exp(-c f) leaves a Gaussian of the same width about
    f0 - s^2 c, smaller by exp(-(f0 c - s^2 c^2 / 2)): Szabo, Diagnostic Ultrasound Imaging: Inside Out, 2nd ed. 2014,
    section 4.2 (Gaussian pulses in power-law media). Below :data:`LOWEST_SHARE` the frequency stays.
    """
    s2, lowest = spectral_sigma(device) ** 2, LOWEST_SHARE * device.frequency_mhz
    turn = (device.frequency_mhz - lowest) / s2
    shifted = np.minimum(attenuation, attenuation.dtype.type(turn))
    result = shifted * (attenuation.dtype.type(-0.5 * s2) * shifted + attenuation.dtype.type(device.frequency_mhz))
    result += attenuation.dtype.type(lowest) * (attenuation - shifted)
    return np.asarray(result)


def centre_frequency(device: Device, attenuation: Profile) -> Profile:
    """Return the echo's centre frequency, MHz, after ``attenuation`` (two-way, nepers / MHz); see :func:`loss`."""
    shifted = device.frequency_mhz - spectral_sigma(device) ** 2 * attenuation
    return np.asarray(np.maximum(shifted, LOWEST_SHARE * device.frequency_mhz))


def compensation(device: Device, range_mm: Profile) -> Profile:
    """Return the time-gain compensation, a factor of amplitude: the loss at the attenuation that the device assumes."""
    assumed = 2.0 * NEPERS_PER_DB * device.compensation_db_cm_mhz / 10.0 * range_mm
    return np.asarray(np.exp(loss(device, assumed)), np.float64)


def lateral_fwhm(device: Device, range_mm: Profile, frequency_mhz: Profile) -> Profile:
    """Return the two-way beam's lateral full width, mm, at half its amplitude.

    One way, an aperture of f-number F gives ``beam_constant`` * wavelength * F (1.21 for a uniform one, up to 2 with
    apodisation: Szabo 2014, section 6.5). Reception is focused everywhere until its aperture is used up; the transmit
    beam adds its cone away from the focus. The product of two Gaussian profiles has the summed inverse squares.
    """
    wavelength = SPEED / frequency_mhz
    received = device.beam_constant * wavelength * np.maximum(device.receive_f, range_mm / device.active_mm)
    sent = np.hypot(
        device.beam_constant * wavelength * device.transmit_f,
        (range_mm - device.focus_mm) / device.transmit_f,
    )
    return np.asarray(1.0 / np.sqrt(received**-2 + sent**-2), np.float64)


def elevational_sigma(device: Device, range_mm: Profile, frequency_mhz: Profile) -> Profile:
    """Return the standard deviation, mm, of the two-way beam's amplitude across the image plane.

    A lens focuses at one depth, in transmission and reception alike: the slice is thin there and thick elsewhere.
    """
    f_number = device.elevation_focus_mm / device.elevation_aperture_mm
    one_way = np.hypot(
        device.beam_constant * SPEED / frequency_mhz * f_number,
        device.elevation_aperture_mm * (1.0 - range_mm / device.elevation_focus_mm),
    )
    return np.asarray(one_way / np.sqrt(2.0) / FWHM, np.float64)
