"""Media for the tests of acoustics: even ones, and what is put into them."""

from dataclasses import dataclass

import numpy as np

from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field, Grid, Medium


@dataclass(frozen=True)
class WhiteScatterers:
    """Independent standard normal strengths."""

    seed: int = 0
    pitch_mm: float = 0.25

    def slice(self, index: int, grid: Grid) -> Field:
        random = np.random.default_rng([self.seed, index + 1000])
        return random.standard_normal((grid.rows, grid.columns), dtype=np.float32)


def bench(**changes) -> Device:
    """A plain 8 MHz probe: focused on reception only, one look, no filter, a linear display."""
    plain = {
        "name": "bench", "title": "Bench", "geometry": "linear", "footprint_mm": 30, "frequency_mhz": 8.0,
        "bandwidth": 0.4, "transmit_f": 50, "receive_f": 2.5, "focus_mm": 20, "active_mm": 30, "sidelobe_db": -200,
        "elevation_aperture_mm": 4, "elevation_focus_mm": 20, "lines": 200, "compensation_db_cm_mhz": 0.0,
        "noise_db": -200, "dynamic_range_db": 60, "headroom_db": 30, "grey": ((0, 0), (1, 1)), "height": 400,
        "layout": "plain",
    }  # fmt: skip
    return Device(**{**plain, **changes})


def even(
    device: Device, depth_mm: float = 40, *, attenuation: float = 0.0, quality="still", seed=0, elevation_mm=0.0
) -> Medium:
    """A homogeneous gland of the given attenuation, dB / (cm MHz)."""
    grid = device.grid(depth_mm, quality)
    full = np.ones((grid.rows, grid.columns), np.float32)
    points = np.zeros((0, 4), np.float32)
    return Medium(grid, elevation_mm, full, full * np.float32(attenuation), full * 0, points, WhiteScatterers(seed))


def half_width(values: Field, step: float) -> float:
    """Full width at half maximum of a single peak, by linear interpolation."""
    peak, half = int(values.argmax()), values.max() / 2
    right = peak + int(np.argmax(values[peak:] < half))
    left = peak - int(np.argmax(values[peak::-1] < half))
    upper = right - (half - values[right]) / (values[right - 1] - values[right])
    lower = left + (half - values[left]) / (values[left + 1] - values[left])
    return float(upper - lower) * step


def decibels(power_ratio: float) -> float:
    return float(10 * np.log10(power_ratio))
