"""Point scatterers with a weak and an empty disc among them, and what is measured on a simulator's picture of them."""

from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from isthmus.phantom.medium import Field, Grid

Signal = NDArray[np.complex64]

HALF_MM, TOP_MM, BOTTOM_MM = 8.0, 12.0, 24.0  # what is filled with scatterers
LESION, CYST = (-3.5, 18.0, 2.3), (3.5, 18.0, 2.3)  # lateral, depth, radius
LESION_DB = -12.0
POINTS_MM = ((-5.0, 13.0), (0.0, 18.0), (5.0, 23.0))
AROUND_MM = 1.0


def draw_scatterers(density: float, seed: int) -> NDArray[np.float64]:
    """Return positions in mm and strengths [K, 3], ``density`` a square millimetre: equal, of either sign."""
    random = np.random.default_rng(seed)
    count = int(density * 2 * HALF_MM * (BOTTOM_MM - TOP_MM))
    x, z = random.uniform(-HALF_MM, HALF_MM, count), random.uniform(TOP_MM, BOTTOM_MM, count)
    strength = random.choice([-1.0, 1.0], count)
    strength[inside(LESION, x, z)] *= 10 ** (LESION_DB / 20)
    kept = ~inside(CYST, x, z)
    return np.stack([x, z, strength], axis=1)[kept]


def inside(disc: tuple[float, float, float], x: Any, z: Any, scale: float = 1.0) -> Any:
    """Return whether places lie in a disc."""
    return np.hypot(x - disc[0], z - disc[1]) < disc[2] * scale


def speckle_measures(signal: Signal, grid: Grid) -> dict[str, float]:
    """Return the statistics of the full speckle, and the contrasts, of a complex envelope [D, W]."""
    x, z = np.meshgrid(grid.x_mm, grid.z_mm)
    field = (np.abs(x) < HALF_MM - 1) & (z > TOP_MM + 1) & (z < BOTTOM_MM - 1)
    tissue = field & ~inside(LESION, x, z, 1.25) & ~inside(CYST, x, z, 1.25)
    amplitude, power = np.abs(signal), np.abs(signal) ** 2
    step_x, step_z = steps(grid)
    apart = np.zeros_like(tissue)
    apart[:: round(0.25 / step_z), :: round(0.9 / step_x)] = True
    sample = amplitude[tissue & apart] / np.sqrt(power[tissue].mean())
    rayleigh = scipy.stats.rayleigh(0, 0.5**0.5).cdf

    def contrast(disc: tuple[float, float, float]) -> float:
        return 10 * float(np.log10(power[inside(disc, x, z, 0.7)].mean() / power[tissue].mean()))

    return {
        "envelope SNR": float(amplitude[tissue].mean() / amplitude[tissue].std()),
        "distance from Rayleigh (KS)": float(scipy.stats.kstest(sample, rayleigh).statistic),
        "lateral correlation, mm": _correlation_width(signal, tissue, step_x, axis=1),
        "axial correlation, mm": _correlation_width(signal, tissue, step_z, axis=0),
        "lesion, dB": contrast(LESION),
        "cyst, dB": contrast(CYST),
    }


def point_measures(signal: Signal, grid: Grid) -> dict[str, float]:
    """Return the mean -6 dB widths of the echoes of the single points of :data:`POINTS_MM`."""
    amplitude = np.abs(signal)
    step_x, step_z = steps(grid)
    widths = []
    for x, z in POINTS_MM:
        near = (np.abs(grid.z_mm - z) < AROUND_MM)[:, None] & (np.abs(grid.x_mm - x) < AROUND_MM)
        row, column = np.unravel_index((amplitude * near).argmax(), amplitude.shape)
        widths.append((half_width(amplitude[row], step_x), half_width(amplitude[:, column], step_z)))
    lateral, axial = np.mean(widths, axis=0)
    return {"point, lateral, mm": float(lateral), "point, axial, mm": float(axial)}


def likeness(first: Signal, second: Signal, grid: Grid) -> float:
    """Return the correlation of two envelopes where the scatterers lie."""
    rows = (grid.z_mm > TOP_MM + 1) & (grid.z_mm < BOTTOM_MM - 1)
    return float(np.corrcoef(np.abs(first[rows]).ravel(), np.abs(second[rows]).ravel())[0, 1])


def steps(grid: Grid) -> tuple[float, float]:
    """Return the grid's steps across and down, mm."""
    return grid.width_mm / grid.columns, grid.depth_mm / grid.rows


def half_width(values: Field, step: float) -> float:
    """Return the full width at half maximum of the highest peak, by linear interpolation."""
    peak, half = int(values.argmax()), values.max() / 2
    right = peak + int(np.argmax(values[peak:] < half))
    left = peak - int(np.argmax(values[peak::-1] < half))
    upper = right - (half - values[right]) / (values[right - 1] - values[right])
    lower = left + (half - values[left]) / (values[left + 1] - values[left])
    return float(upper - lower) * step


def _correlation_width(signal: Signal, where: NDArray[np.bool_], step: float, axis: int) -> float:
    """Full width at half maximum of the complex signal's autocorrelation along an axis."""
    values = np.moveaxis(np.where(where, signal, 0), axis, 0)
    weights = np.moveaxis(where, axis, 0).astype(np.float32)
    size = len(values)
    shape = [
        abs(np.sum(values[k:] * values[: size - k].conj())) / np.sum(weights[k:] * weights[: size - k])
        for k in range(round(1.5 / step))
    ]
    return half_width(np.array([*shape[:0:-1], *shape], np.float32), step)
