"""The colours in which scanners show what is no echo: flow, stiffness, contrast agent. All are tables of 256 rows."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

ColourMap = NDArray[np.uint8]
"""[256, 3], from the lowest value to the highest."""


def _between(*stops: tuple[float, tuple[int, int, int]]) -> ColourMap:
    """Return a map that is linear between stops (position 0 to 1, red-green-blue)."""
    places = [place for place, _ in stops]
    steps = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(steps, places, [colour[channel] for _, colour in stops]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


def _rainbow() -> ColourMap:
    """Return hues from blue (soft) to red (hard) at full saturation; the hue alone tells the value."""
    sixths = (1.0 - np.linspace(0.0, 1.0, 256)) * 4.0  # 240 degrees of hue, in sixths of the circle
    channels = [np.clip(np.abs((sixths + shift) % 6.0 - 3.0) - 1.0, 0.0, 1.0) for shift in (0.0, 4.0, 2.0)]
    return np.rint(np.stack(channels, axis=1) * 255.0).astype(np.uint8)


GREY: Final = _between((0.0, (0, 0, 0)), (1.0, (255, 255, 255)))
AMBER: Final = _between((0.0, (0, 0, 0)), (0.35, (120, 50, 4)), (0.7, (236, 150, 30)), (1.0, (255, 250, 205)))
GOLD: Final = _between((0.0, (0, 0, 0)), (0.5, (150, 110, 40)), (1.0, (255, 240, 180)))
VELOCITY: Final = _between(
    (0.0, (90, 245, 255)), (0.2, (0, 130, 255)), (0.47, (0, 0, 120)), (0.5, (0, 0, 0)),
    (0.53, (120, 0, 0)), (0.8, (255, 60, 0)), (1.0, (255, 235, 70)),
)  # fmt: skip
"""Away from the probe (blue) through no flow (black, the middle) to towards it (red)."""
POWER: Final = _between((0.0, (60, 8, 0)), (0.45, (215, 75, 0)), (0.8, (255, 170, 20)), (1.0, (255, 245, 150)))
STIFFNESS: Final = _rainbow()
CONTRAST: Final = {"grey": GREY, "amber": AMBER, "gold": GOLD}


def paint(values: NDArray[np.floating], low: float, high: float, colours: ColourMap) -> NDArray[np.uint8]:
    """Return the colours [..., 3] of values; what lies beyond ``low`` and ``high`` saturates."""
    index = np.clip((values - low) * (255.0 / (high - low)), 0.0, 255.0)
    return np.asarray(colours[np.rint(index).astype(np.intp)], dtype=np.uint8)


def blend(under: NDArray[np.uint8], over: NDArray[np.uint8], weight: float | NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return ``over`` laid upon ``under`` [H, W, 3] with a weight between 0 and 1, one or per pixel [H, W]."""
    share = np.asarray(weight, dtype=np.float32)
    share = share[..., None] if share.ndim == 2 else share
    mixed: NDArray[np.float32] = under.astype(np.float32) * (1.0 - share) + over.astype(np.float32) * share
    return np.rint(mixed).astype(np.uint8)


def coloured(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a grey picture [H, W] as red, green and blue [H, W, 3]."""
    return np.repeat(grey[..., None], 3, axis=2)


def is_neutral(colour: Sequence[int]) -> bool:
    """Tell whether a colour is a grey."""
    return len(set(colour)) == 1
