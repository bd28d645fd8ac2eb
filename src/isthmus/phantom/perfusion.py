"""How contrast agent comes and goes: a time-intensity curve for each pixel, by tissue and by the nodule's perfusion.

The curve is lognormal, one of the two models that fit contrast-enhanced ultrasound best (Strouthos et al., IEEE Trans
Ultrason Ferroelectr Freq Control 2010;57:1296). A lognormal density over its own mode ``m`` is
``exp(-ln(t / m)**2 / (2 s**2))``, so the time of the peak and its height are set directly.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.latents import Perfusion
from isthmus.phantom.materials import Label
from isthmus.phantom.medium import Field
from isthmus.phantom.random_fields import smooth_field

SPREAD: Final = 0.75
"""``s`` of the lognormal: half the peak is reached 0.41 times and again 2.4 times the time to peak after arrival."""
TIME_TO_PEAK_S: Final = 10.0
NONE_DB: Final = -60.0
_STEPS_PER_S: Final = 20
_RIM_MM, _RIM_GAIN_DB, _RIM_LEAD_S = 1.2, 9.0, 0.8
_CENTRIPETAL_S: Final = 0.8  # the core's delay against the rim
_CORE: Final = 0.8  # the core reaches to this share of the radius
_EDGE: Final = 0.12  # softness of the core's deficit, in units of the pattern
_TEXTURE_DB, _TEXTURE_MM = 1.5, 0.9
_BLOOM_MM: Final = 0.45  # blurring of the borders by the contrast mode
_TWIG_GAIN_DB, _TWIG_LEAD_S, _TWIG_MM, _TWIG_WIDTH = 5.0, 1.2, 2.2, 0.16  # vessels too fine to be drawn one by one
_TIMING_S, _TIMING_MM = 0.35, 3.0


@dataclass(frozen=True)
class _Flow:
    """A tissue's enhancement against the gland: peak, delay of arrival, time to peak, speed of wash-out."""

    peak_db: float
    delay_s: float
    to_peak_s: float = TIME_TO_PEAK_S
    washout: float = 1.0


_FLOWS: Final = {
    Label.GLAND: _Flow(0.0, 0.0),
    Label.ARTERY: _Flow(7.0, -3.5, 5.0, 0.8),
    Label.VEIN: _Flow(3.0, 4.5, 9.0, 0.8),
    Label.STRAP_MUSCLE: _Flow(-18.0, 3.0, 14.0, 0.7),
    Label.STERNOCLEIDOMASTOID: _Flow(-18.0, 3.0, 14.0, 0.7),
    Label.DEEP_MUSCLE: _Flow(-19.0, 3.0, 14.0, 0.7),
    Label.OESOPHAGUS: _Flow(-8.0, 2.0, 12.0, 0.8),
    Label.CONNECTIVE: _Flow(-20.0, 3.0, 14.0, 0.7),
    Label.FAT: _Flow(-23.0, 3.0, 14.0, 0.7),
    Label.SKIN: _Flow(-17.0, 3.0, 14.0, 0.7),
}
"""What is not named (air, cartilage, bone, fluid) takes up nothing. Levels as seen in clips of the neck: artery first
and brightest, gland strongly, muscle faintly."""


def lognormal(after_arrival_s: NDArray[np.floating], to_peak_s: float, washout: float = 1.0) -> NDArray[np.float64]:
    """Return the share of the peak, 0 to 1, at times after arrival.

    Parameters
    ----------
    after_arrival_s : array
        Seconds since the agent arrived; nothing before it.
    to_peak_s : float
        From arrival to the peak.
    washout : float
        After the peak, time runs this many times as fast.

    Examples
    --------
    >>> lognormal(np.array([-1.0, 10.0]), 10.0).tolist()
    [0.0, 1.0]
    """
    time = np.asarray(after_arrival_s, dtype=np.float64)
    time = np.where(time > to_peak_s, to_peak_s + washout * (time - to_peak_s), time)
    with np.errstate(divide="ignore"):
        decades = np.log(np.maximum(time, 0.0) / to_peak_s)
    share: NDArray[np.float64] = np.exp(-(decades**2) / (2.0 * SPREAD**2))
    return share


@dataclass(frozen=True, eq=False)
class Uptake:
    """Where, when and how much agent there is, pixel by pixel.

    Parameters
    ----------
    peak : float32 array [H, W]
        Power at the peak; the gland's is 1.
    arrival_s : float32 array [H, W]
        Against the gland's arrival.
    curve : intp array [H, W]
        Row of ``curves``.
    curves : float32 array [K, N]
        Shares of the peak at ``N`` times after arrival, 20 a second.
    """

    peak: Field
    arrival_s: Field
    curve: NDArray[np.intp]
    curves: Field

    def at(self, since_gland_s: float) -> Field:
        """Return the power [H, W] at a time after the gland's arrival."""
        step = ((np.float32(since_gland_s) - self.arrival_s) * _STEPS_PER_S).astype(np.intp)
        np.clip(step, 0, self.curves.shape[1] - 1, out=step)
        step += self.curve
        power: Field = self.peak * self.curves.ravel()[step]
        return power


def uptake(
    perfusion: Perfusion,
    labels: NDArray[np.uint8],
    distance_mm: Field,
    radius_mm: float,
    spacing_mm: float,
    seconds: float,
    random: np.random.Generator,
) -> Uptake:
    """Return how a section of the neck takes up the agent.

    Parameters
    ----------
    perfusion : Perfusion
        Of the nodule.
    labels : uint8 array [H, W]
        Codes of :class:`~isthmus.phantom.materials.Label`.
    distance_mm : float32 array [H, W]
        From the nodule's outline, negative inside.
    radius_mm : float
        Of the nodule, for what is core.
    spacing_mm : float
        A pixel.
    seconds : float
        How long after the gland's arrival the curves must reach.
    random : Generator
        Of the uneven texture.
    """
    flows = [*_FLOWS.values(), _Flow(perfusion.peak_db, perfusion.arrival_s, TIME_TO_PEAK_S, perfusion.washout)]
    nodule = len(flows) - 1
    rows = np.full(256, -1, dtype=np.intp)
    rows[list(_FLOWS)] = np.arange(nodule)
    row = rows[labels]
    inside = distance_mm < 0
    row[inside] = nodule
    peaks = np.array([*(flow.peak_db for flow in flows), NONE_DB], dtype=np.float32)
    delays = np.array([*(flow.delay_s for flow in flows), 0.0], dtype=np.float32)
    texture, timing, patches, network, stretches = (
        smooth_field(random, labels.shape, width / spacing_mm)
        for width in (_TEXTURE_MM, _TIMING_MM, 0.35 * radius_mm, _TWIG_MM, 1.5 * _TWIG_MM)
    )
    # Lines along which a smooth field is zero, in places: twigs that fill before the tissue between them.
    twigs = np.exp(-((network / _TWIG_WIDTH) ** 2)) * np.clip(stretches, 0.0, 1.0)
    peak_db = cv2.GaussianBlur(peaks[row], (0, 0), _BLOOM_MM / spacing_mm) + np.float32(_TEXTURE_DB) * texture
    peak_db += np.float32(_TWIG_GAIN_DB) * twigs
    arrival = delays[row] + np.float32(_TIMING_S) * timing - np.float32(_TWIG_LEAD_S) * twigs
    depth = np.clip(-distance_mm / radius_mm, 0.0, 1.0)  # 0 at the outline, 1 in the middle
    arrival += np.where(inside, np.float32(_CENTRIPETAL_S) * (depth - np.float32(0.3)), np.float32(0.0))
    rim = np.exp(-0.5 * ((distance_mm + _RIM_MM / 2) / (_RIM_MM / 2)) ** 2) * np.float32(perfusion.rim_enhancement)
    peak_db += np.float32(_RIM_GAIN_DB) * rim
    arrival -= np.float32(_RIM_LEAD_S) * rim
    kept = _core_deficit(perfusion.core_deficit, inside & (depth > 1.0 - _CORE), depth, patches)
    steps = np.arange(round((seconds + 10.0) * _STEPS_PER_S)) / _STEPS_PER_S
    curves = np.stack([lognormal(steps, flow.to_peak_s, flow.washout) for flow in flows]).astype(np.float32)
    power = (10.0 ** (peak_db / 10.0) * kept).astype(np.float32)
    return Uptake(power, arrival.astype(np.float32), np.maximum(row, 0) * curves.shape[1], curves)


def _core_deficit(share: float, core: NDArray[np.bool_], depth: Field, patches: Field) -> Field:
    """Return 1 where blood flows and 0 in the share of the core where it does not, with a soft edge."""
    if share <= 0.0 or not core.any():
        return np.ones(core.shape, dtype=np.float32)
    pattern = patches + np.float32(1.5) * depth  # more often in the middle
    level = float(np.quantile(pattern[core], 1.0 - share))
    gone = 1.0 / (1.0 + np.exp(-np.clip((pattern - level) / _EDGE, -30.0, 30.0)))
    return np.where(core, 1.0 - 0.985 * gone, 1.0).astype(np.float32)
