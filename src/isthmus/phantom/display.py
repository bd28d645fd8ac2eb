"""From an envelope to grey values: speckle filter, logarithm, edge enhancement, grey map, noise of the video signal."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom import pulse
from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field

SPECKLE_DB: Final = 5.57
"""Standard deviation of one look's log-compressed speckle (Dutt & Greenleaf, Ultrason. Imaging 18:82, 1996)."""
SURROUNDINGS: Final = 2.5
"""Over how many times the speckle filter's window it looks whether levels vary more than speckle does."""
VIDEO: Final = 0x71DE0
"""Tells the video noise's random numbers from any others of the same seed."""
BELOW_BLACK_DB: Final = 20.0
"""How far below black levels are still told apart, so that filters do not see a cliff there."""


def decibels(envelope: Field, device: Device, gain_db: float) -> Field:
    """Return the level above the display's black, dB."""
    levels = np.log10(np.maximum(envelope, np.float32(1e-9)))
    levels *= np.float32(20)
    levels += np.float32(gain_db - device.headroom_db + device.dynamic_range_db)
    return np.maximum(levels, np.float32(-BELOW_BLACK_DB), out=levels)


def smoothed(envelope: Field, device: Device, gain_db: float, spacing_mm: float) -> Field:
    """Return the level above black, dB, with less speckle where levels vary no more than speckle does.

    Lee's filter (IEEE Trans. Pattern Anal. Mach. Intell. 2:165, 1980), in part: ``device.smoothing``. Amplitudes are
    averaged, not their logarithms, in which the few darkest samples would count for most.
    """
    levels = decibels(envelope, device, gain_db)
    if device.smoothing == 0:
        return levels
    window = device.window / spacing_mm
    across = window * pulse.lateral_fwhm(device, np.array(device.focus_mm), np.array(device.frequency_mhz))
    along = window * pulse.axial_fwhm(device)
    calm = np.asarray(cv2.GaussianBlur(envelope, (0, 0), float(across), sigmaY=along), np.float32)
    mean = decibels(calm, device, gain_db)
    away = levels - mean
    variance = cv2.GaussianBlur(away**2, (0, 0), SURROUNDINGS * float(across), sigmaY=SURROUNDINGS * along)
    speckle = np.float32(SPECKLE_DB**2 / device.looks)
    signal = np.maximum(variance - speckle, 0) / np.maximum(variance, speckle)
    return np.asarray(mean + (1 - np.float32(device.smoothing) * (1 - signal)) * away)


def enhanced(levels: Field, device: Device, spacing_mm: float) -> Field:
    """Sharpen edges: what differs from the surroundings, raised by ``device.edge``."""
    if device.edge == 0:
        return levels
    return levels + np.float32(device.edge) * (levels - cv2.GaussianBlur(levels, (0, 0), device.edge_mm / spacing_mm))


def grey(levels: Field, device: Device) -> NDArray[np.uint8]:
    """Return levels (dB above black) as grey values by the device's map."""
    steps = 1024
    knots = np.array(device.grey)
    table = np.interp(np.linspace(0, 1, steps), knots[:, 0], knots[:, 1])
    greys: NDArray[np.uint8] = np.round(table * 255).astype(np.uint8)
    place = np.clip(levels * np.float32(steps / device.dynamic_range_db), 0, steps - 1)
    return np.asarray(greys[place.astype(np.int32)])


def with_video_noise(greys: NDArray[np.uint8], device: Device, key: tuple[int, int]) -> NDArray[np.uint8]:
    """Add the noise of an analogue video output and the frame grabber behind it; ``key`` is the moment's."""
    if device.video_noise == 0:
        return greys
    generator = np.random.Generator(np.random.SFC64(np.random.SeedSequence([*key, VIDEO])))
    noise = generator.standard_normal(greys.shape, dtype=np.float32) * np.float32(device.video_noise)
    return np.asarray(np.clip(np.rint(greys + noise), 0, 255), np.uint8)
