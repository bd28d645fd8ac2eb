"""The virtual cohort's acoustics beside a public simulator, and their speed.

Against PyMUST (the extra `bench`): the same point scatterers, one plane wave sent, uniform dynamic receive aperture.
PyMUST adds up the field of every element at every frequency, then beamforms; ours deposits the points on a grid and
convolves. Our device is told what PyMUST is set to (f-number, length and frequency of its pulse); nothing is fitted to
its pictures.

Speed: stills and frames a second on one core, an even gland 40 mm deep, scatterers drawn anew or kept.
"""

import argparse
import importlib.metadata
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import scipy.signal
from discs import (
    LESION_DB,
    POINTS_MM,
    TOP_MM,
    Signal,
    draw_scatterers,
    half_width,
    likeness,
    point_measures,
    speckle_measures,
    steps,
)
from numpy.typing import NDArray

import tables
from isthmus.phantom.acoustics import analytic_signal, form_picture
from isthmus.phantom.devices import Device, devices
from isthmus.phantom.medium import Field, Grid, Medium, Scatterers
from isthmus.phantom.scatterers import FixedScatterers

F_NUMBER = 2.0
DENSITIES = {"dense": 150.0, "sparse": 6.0}  # scatterers a square millimetre
SPEED = 1.54  # of sound, mm a microsecond


@dataclass(frozen=True)
class Imaged:
    """What one simulator made of some scatterers: complex envelope on the grid, and the processor seconds it took."""

    signal: Signal
    seconds: float


class PyMust:
    """PyMUST's linear array of 128 elements, which sends one plane wave."""

    def __init__(self) -> None:
        import pymust

        self._pymust = pymust
        self.param = pymust.getparam("L11-5v")
        self.param.fs, self.param.c, self.param.fnumber = 4 * self.param.fc, 1540, F_NUMBER

    def pulse(self) -> tuple[float, float, float]:
        """Return the two-way pulse's mean frequency (MHz), length and length of its autocorrelation (mm, -6 dB)."""
        values, times = (np.ravel(part) for part in self._pymust.getpulse(self.param, 2))
        step = float(times[1] - times[0])
        padded = scipy.signal.hilbert(np.pad(values, len(values)))
        power = np.abs(np.fft.rfft(values, 1 << 18)) ** 2
        mean = float(np.average(np.fft.rfftfreq(1 << 18, step), weights=power)) / 1e6
        depth = step * 1e6 * SPEED / 2
        lengths = [half_width(np.abs(part), depth) for part in (padded, scipy.signal.correlate(padded, padded))]
        return mean, lengths[0], lengths[1]

    def image(self, where: NDArray[np.float64], grid: Grid) -> Imaged:
        """Return the beamformed signal of scatterers [K, 3] on the part of a grid that holds them; 0 above."""
        start = time.process_time()
        delays = np.zeros((1, self.param.Nelements))
        x, z, strength = where.T
        rf, _ = self._pymust.simus(x * 1e-3, z * 1e-3, strength, delays, self.param)
        iq = self._pymust.rf2iq(rf, self.param)
        rows = grid.z_mm > TOP_MM - 3
        columns, depths = np.meshgrid(grid.x_mm.astype(float) * 1e-3, grid.z_mm[rows].astype(float) * 1e-3)
        matrix = self._pymust.dasmtx(1j * np.array(iq.shape), columns, depths, delays, self.param)
        signal = np.zeros((grid.rows, grid.columns), np.complex64)
        signal[rows] = (matrix @ iq.flatten(order="F")).reshape(columns.shape, order="F")
        return Imaged(signal, time.process_time() - start)


def image(device: Device, where: NDArray[np.float64], grid: Grid) -> Imaged:
    """Return our signal of the same scatterers."""
    nothing = np.zeros((grid.rows, grid.columns), np.float32)
    x, z, strength = where.T
    points = np.stack([x, z, np.zeros_like(x), strength], axis=1).astype(np.float32)
    medium = Medium(grid, 0.0, nothing, nothing, nothing, points, FixedScatterers(0, "transverse", 0.0))
    start = time.process_time()
    return Imaged(analytic_signal(medium, device), time.process_time() - start)


def like(must: PyMust) -> Device:
    """Return our device with PyMUST's settings: a Gaussian pulse as long as its own, its receive f-number."""
    frequency, length, _ = must.pulse()
    band = 2 * np.log(2) / np.pi * SPEED / length
    return devices()["linear-9"].model_copy(
        update={
            "footprint_mm": 20.0, "lines": 250, "frequency_mhz": frequency, "bandwidth": band / frequency,
            "transmit_f": 1000.0, "receive_f": F_NUMBER, "active_mm": 38.4, "beam_constant": 1.206,
            "sidelobe_db": -40.0, "reverberation_db": None,
            "elevation_aperture_mm": 0.5, "elevation_focus_mm": 18.0,  # unfocused: PyMUST's scatterers lie in a plane
        }
    )  # fmt: skip


def axial_shift(reference: Field, other: Field) -> int:
    """Return by how many rows ``other`` lies deeper: simulators place their pulse's middle differently."""
    return max(range(-25, 26), key=lambda lag: float((reference[30:-30] * np.roll(other, -lag, axis=0)[30:-30]).sum()))


def expected(must: PyMust) -> dict[str, tuple[float, float]]:
    """Return what textbooks say of PyMUST and of ours.

    A uniform aperture's beam and its autocorrelation are the same sinc, 1.206 wavelengths F wide at half its height; a
    Gaussian's autocorrelation is wider than itself by sqrt(2).
    """
    frequency, length, correlation = must.pulse()
    width = 1.206 * SPEED / frequency * F_NUMBER
    rayleigh = float(np.sqrt(np.pi / (4 - np.pi)))
    return {
        "envelope SNR": (rayleigh, rayleigh),
        "distance from Rayleigh (KS)": (0.0, 0.0),
        "lateral correlation, mm": (width, float(np.sqrt(2) * width)),
        "axial correlation, mm": (correlation, float(np.sqrt(2) * length)),
        "lesion, dB": (LESION_DB, LESION_DB),
        "point, lateral, mm": (width, width),
        "point, axial, mm": (length, length),
    }


def spreads(device: Device, density: float, grid: Grid) -> dict[str, float]:
    """Return the standard deviation of our figures over other draws of the scatterers."""
    drawn = [
        speckle_measures(image(device, draw_scatterers(density, seed), grid).signal, grid) for seed in range(2, 10)
    ]
    return {key: float(np.std([one[key] for one in drawn], ddof=1)) for key in drawn[0]}


def compare() -> None:
    """Image the same scatterers with both, and write what was found."""
    must = PyMust()
    device = like(must)
    grid = device.grid(26)
    found: dict[str, tuple[float | str, float | str]] = {}
    spread: dict[str, float] = {}
    facts: dict[str, Any] = {"frequency_mhz": device.frequency_mhz, "f_number": F_NUMBER}
    for name, density in DENSITIES.items():
        where = draw_scatterers(density, seed=1)
        theirs, ours = must.image(where, grid), image(device, where, grid)
        shift = axial_shift(np.abs(ours.signal), np.abs(theirs.signal))
        aligned = np.roll(theirs.signal, -shift, axis=0)
        both = [speckle_measures(signal, grid) for signal in (aligned, ours.signal)]
        found |= {f"{name}: {key}": (both[0][key], both[1][key]) for key in both[0] if name == "dense" or "SNR" in key}
        if name == "dense":
            spread = spreads(device, density, grid)
        found[f"{name}: correlation of the two pictures"] = (likeness(aligned, ours.signal, grid), "")
        found[f"{name}: processor seconds"] = (theirs.seconds, ours.seconds)
        facts |= {f"{name}_scatterers": len(where), f"{name}_axial_shift_mm": shift * steps(grid)[1]}
    single = np.array([[x, z, 1.0] for x, z in POINTS_MM])
    both = [point_measures(one.signal, grid) for one in (must.image(single, grid), image(device, single, grid))]
    found |= {key: (both[0][key], both[1][key]) for key in both[0]}
    theory = expected(must)
    rows = [
        {
            "quantity": key,
            "PyMUST": values[0],
            "its theory": of[0],
            "ours": values[1],
            "our theory": of[1],
            "SD over draws": spread.get(key.removeprefix("dense: "), ""),
        }
        for key, values in found.items()
        for of in [theory.get(key.removeprefix("dense: "), ("", ""))]
    ]
    words = (
        "The same scatterers through both simulators; widths are at half the amplitude. PyMUST's uniform aperture has "
        "the side lobes of a sinc, ours a Gaussian lobe with a skirt at -40 dB: hence the cysts, the lesion's contrast "
        "and the sparse speckle. Rayleigh's figures hold for ever denser scatterers; a Gaussian resolution cell has "
        "14 here, or half a one. SD: of ours, over eight other draws."
    )
    facts["pymust"] = importlib.metadata.version("pymust")
    tables.write("acoustics_against_pymust", facts | machine(), rows, words)


def even_gland(device: Device, quality: Any, scatterers: Scatterers) -> Medium:
    """Return normal gland 40 mm deep."""
    grid = device.grid(40, quality)
    full = np.ones((grid.rows, grid.columns), np.float32)
    nothing = np.zeros((0, 4), np.float32)
    return Medium(grid, 0.0, full, full * np.float32(0.6), full * 0, nothing, scatterers)


def least_seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the least processor time of several runs; the first is not counted."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def time_device(device: Device, quality: str, rounds: int) -> dict[str, Any]:
    """Return a device's pictures a second."""
    kept = even_gland(device, quality, FixedScatterers(0, "transverse", 0.0))

    def anew() -> None:
        form_picture(even_gland(device, quality, FixedScatterers(0, "transverse", 0.0)), device)

    return {
        "device": device.name,
        "grid": f"{quality}, {kept.grid.rows} x {kept.grid.columns}",
        "a second, scatterers drawn": 1 / least_seconds(anew, rounds),
        "a second, scatterers kept": 1 / least_seconds(lambda: form_picture(kept, device), rounds),
    }


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    packages = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "opencv-python-headless")}
    return {"cpu_cores": len(os.sched_getaffinity(0)), **packages, **tables.machine()}


def main() -> None:
    """Compare, then time; either alone where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["pymust", "speed"])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    if options.only != "speed":
        compare()
    if options.only != "pymust":
        cv2.setNumThreads(1)
        rows = [time_device(device, q, options.rounds) for device in devices().values() for q in ("still", "clip")]
        words = "Pictures on one core, acoustics without tissue, 40 mm deep; least processor time of the rounds."
        tables.write("acoustics_speed", {"rounds": options.rounds} | machine(), rows, words)


if __name__ == "__main__":
    main()
