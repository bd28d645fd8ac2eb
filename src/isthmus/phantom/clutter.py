"""Echoes that come from elsewhere than where they are shown: what keeps fluid and shadows from being black.

Sound that is reflected more than once comes back late, and what side lobes far from the axis meet is shown on it:
Lediju et al., "Quantitative assessment of the magnitude, impact and spatial extent of ultrasonic clutter", Ultrason.
Imaging 30:151, 2008: 0 to 30 dB below a bladder's wall in five volunteers.
"""

from typing import Final

import cv2
import numpy as np

from isthmus.phantom.devices import Device
from isthmus.phantom.pulse import Signal
from isthmus.phantom.sounding import Sounding

REACH_MM: Final = 1.6
"""Standard deviation of the surroundings whose echoes are strewn."""
LATE_MM: Final = 0.8
"""How much deeper than they arose strewn echoes are shown: their way was longer."""
FAR_MM: Final = 3.2
"""Depth between where phases are taken and where they are strewn: the middle of the picture is its own other side."""
BRIGHTEST: Final = 6.0
"""Power, over the median of its depth, above which an interface does not strew more: it would wear a glow."""
_COARSE_MM: Final = 0.4


def cluttered(echoes: Signal, sounding: Sounding, every: int) -> Signal:
    """Return echoes [D', W], after the pulse and before the beam, with the late and the strewn ones added.

    Parameters
    ----------
    echoes : complex64 array [D', W]
        Of the tissue; may be changed.
    sounding : Sounding
        Its device and beams.
    every : int
        One row of so many was kept.
    """
    device, step_mm = sounding.device, sounding.beams.step_mm * every
    if device.clutter_db is not None:
        echoes = echoes + np.float32(10 ** (device.clutter_db / 20)) * _strewn(echoes, device, step_mm)
    if device.reverberation_db is not None:
        late = round(device.reverberation_mm / step_mm)
        echoes[late:] += np.float32(10 ** (device.reverberation_db / 20)) * echoes[:-late].copy()
    return echoes


def _strewn(echoes: Signal, device: Device, step_mm: float) -> Signal:
    """Return speckle of the strength of the surroundings' echoes.

    Its phases are those of the picture's other side, so that it moves with the tissue and is not the pattern of the
    place where it is shown; the beam, which sums them, makes speckle of them.
    """
    rows, columns = echoes.shape
    size = (max(4, round(device.footprint_mm / _COARSE_MM)), max(4, round(rows * step_mm / _COARSE_MM)))
    power = cv2.resize(echoes.real**2 + echoes.imag**2, size, interpolation=cv2.INTER_AREA)
    power = np.minimum(power, np.float32(BRIGHTEST) * np.median(power, axis=1, keepdims=True))
    around = cv2.GaussianBlur(power, (0, 0), REACH_MM / _COARSE_MM, borderType=cv2.BORDER_REPLICATE)
    down = round(LATE_MM / _COARSE_MM)
    around = np.concatenate([np.repeat(around[:1], down, axis=0), around[:-down]])
    strength = cv2.resize(np.sqrt(around), (columns, rows), interpolation=cv2.INTER_LINEAR)
    far = round(FAR_MM / step_mm)
    phases = np.concatenate([echoes[:far][::-1], echoes[:-far]])[:, ::-1]
    return np.asarray(strength * phases / np.maximum(np.abs(phases), np.float32(1e-12)))
