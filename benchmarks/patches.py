"""Matched patches of real and simulated pictures, and what is measured on them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from real_pictures import Still

from isthmus.imaging.marks import find_burned_in_text
from isthmus.phantom import speckle

SIDE = 32
"""Pixels of a patch's side."""
DYNAMIC_RANGE_DB = 65.0
"""As DDTI's pictures state (DR65); taken for every source."""
TISSUES = ("nodule", "beside the nodule")
_AT_MOST = 4
_STRIDE = 8
_LEVELS = 32
_BLACK, _WHITE, _CLIPPED = 4, 251, 0.10


@dataclass(frozen=True, eq=False)
class Patch:
    """A square of one tissue: ``grey`` uint8 [SIDE, SIDE] at ``spacing_mm``."""

    source: str
    patient: str
    device: str
    tissue: str
    grey: NDArray[np.uint8]
    spacing_mm: float


def cut_patches(stills: Iterable[Still], spacing_mm: float, jpeg_quality: int | None) -> Iterator[Patch]:
    """Yield up to four patches of the nodule and of the tissue beside it from each picture.

    Parameters
    ----------
    stills : iterable of Still
        Pictures of a coarser scale than asked for by more than 3 % are passed over: enlarging would smooth them.
    spacing_mm : float
        The scale that all patches get, by averaging over area.
    jpeg_quality : int, optional
        Compress and restore first, as the real pictures were; None where they are JPEG already.

    Yields
    ------
    Patch
        Those with the most even brightness, without letters or calipers, at most a tenth of their pixels clipped.
    """
    for still in stills:
        if still.spacing_mm > 1.03 * spacing_mm:
            continue
        scale = still.spacing_mm / spacing_mm
        grey, lesion = _scaled(still, scale, jpeg_quality)
        usable = _usable(still, scale, grey.shape)
        for tissue, allowed in _tissues(lesion, usable).items():
            for top, left in _most_even(grey, allowed):
                square = grey[top : top + SIDE, left : left + SIDE]
                yield Patch(still.source, still.patient, still.device, tissue, square, spacing_mm)


def _scaled(still: Still, scale: float, quality: int | None) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    height, width = still.lesion.shape
    size = (round(width * scale), round(height * scale))
    grey = cv2.cvtColor(still.rgb, cv2.COLOR_RGB2GRAY)
    lesion = still.lesion.astype(np.uint8)
    if abs(scale - 1) > 0.03:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        lesion = cv2.resize(lesion, size, interpolation=cv2.INTER_NEAREST)
    if quality is not None:
        _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])
        grey = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return grey, lesion.astype(bool)


def _usable(still: Still, scale: float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the scan area without a rim, and without what the scanner wrote into it."""
    scale = 1.0 if abs(scale - 1) <= 0.03 else scale
    usable = np.zeros(shape, bool)
    x0, y0, x1, y1 = (round(value * scale) for value in still.area)
    usable[y0 + 4 : y1 - 4, x0 + 4 : x1 - 4] = True
    for left, top, right, bottom in find_burned_in_text(still.rgb, still.area):
        a, b, c, d = (round(value * scale) for value in (left - 3, top - 3, right + 3, bottom + 3))
        usable[max(b, 0) : d, max(a, 0) : c] = False
    return usable


def _tissues(lesion: NDArray[np.bool_], usable: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return where patches of each tissue may lie: inside the outline, or level with it and within 10 mm of it."""
    rows, columns = np.flatnonzero(lesion.any(axis=1)), np.flatnonzero(lesion.any(axis=0))
    if not rows.size:
        return {}
    beside = np.zeros_like(usable)
    reach = 2 * SIDE + 16
    beside[rows[0] : rows[-1] + 1, max(columns[0] - reach, 0) : columns[-1] + 1 + reach] = True
    kernel = np.ones((13, 13), np.uint8)
    grown = cv2.dilate(lesion.astype(np.uint8), kernel).astype(bool)
    return {TISSUES[0]: lesion & usable, TISSUES[1]: beside & ~grown & usable}


def _most_even(grey: NDArray[np.uint8], allowed: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the corners of at most four patches that do not overlap: those whose blocks differ least in brightness."""
    found = []
    for top in range(0, grey.shape[0] - SIDE + 1, _STRIDE):
        for left in range(0, grey.shape[1] - SIDE + 1, _STRIDE):
            if not allowed[top : top + SIDE, left : left + SIDE].all():
                continue
            square = grey[top : top + SIDE, left : left + SIDE].astype(np.float64)
            if np.mean((square <= _BLACK) | (square >= _WHITE)) > _CLIPPED:
                continue
            blocks = square.reshape(4, SIDE // 4, 4, SIDE // 4).mean(axis=(1, 3))
            found.append((float(blocks.std()), top, left))
    chosen: list[tuple[int, int]] = []
    for _, top, left in sorted(found):
        if all(abs(top - y) >= SIDE or abs(left - x) >= SIDE for y, x in chosen):
            chosen.append((top, left))
        if len(chosen) == _AT_MOST:
            break
    return chosen


def features(patch: Patch) -> dict[str, float]:
    """Return what is measured on one patch; a plane of brightness is taken off before speckle is looked at."""
    grey = speckle.without_trend(patch.grey)
    envelope = speckle.decompressed(grey, DYNAMIC_RANGE_DB)
    found = {
        "grey mean": float(patch.grey.mean()),
        "grey SD": float(grey.std()),
        "grey SNR": speckle.signal_to_noise(grey),
        "speckle SNR": speckle.signal_to_noise(envelope),
        "Nakagami m, moments": speckle.nakagami_by_moments(envelope),
        "Nakagami m, likelihood": speckle.nakagami_by_likelihood(envelope),
        "axial width (mm)": speckle.autocorrelation_width(grey, 0) * patch.spacing_mm,
        "lateral width (mm)": speckle.autocorrelation_width(grey, 1) * patch.spacing_mm,
        "grey skewness": float(np.mean((grey - grey.mean()) ** 3) / grey.std() ** 3),
        "axial high frequencies": _high_frequencies(grey, 0),
        "lateral high frequencies": _high_frequencies(grey, 1),
    }
    levels = np.clip(grey, 0, 255).astype(np.int64) * _LEVELS // 256
    for direction, offset in (("axial", (1, 0)), ("lateral", (0, 1))):
        texture = speckle.texture(speckle.cooccurrence(levels, offset, _LEVELS))
        found |= {f"GLCM {name}, {direction}": value for name, value in texture.items()}
    return found


def _high_frequencies(grey: NDArray[np.float64], axis: int) -> float:
    """Return the share of power above half the sampling limit along an axis."""
    windowed = (grey - grey.mean()) * np.hanning(grey.shape[axis]).reshape((-1, 1) if axis == 0 else (1, -1))
    power = np.abs(np.fft.rfft(windowed, axis=axis)) ** 2
    power = power.sum(axis=1 - axis)
    return float(power[len(power) // 2 :].sum() / power.sum())


def random_convolutions(greys: NDArray[np.uint8], filters: int = 300, seed: int = 0) -> NDArray[np.float64]:
    """Return what random filters answer on patches [N, SIDE, SIDE], brightness and contrast taken off.

    Two numbers a filter (share of answers above 0, and their mean where above 0): features [N, 2 * filters].

    Source: A. Dempster et al., Data Mining and Knowledge Discovery 34 (2020) 1454-1495, in two dimensions.
    """
    generator = np.random.default_rng(seed)
    values = greys.astype(np.float32)
    values -= values.mean(axis=(1, 2), keepdims=True)
    values /= values.std(axis=(1, 2), keepdims=True) + 1e-6
    found = np.empty((len(values), 2 * filters))
    for number in range(filters):
        side = int(generator.choice([3, 5, 7, 9]))
        kernel = generator.normal(size=(side, side)).astype(np.float32)
        kernel -= kernel.mean()
        kernel /= np.abs(kernel).sum()
        bias = float(generator.uniform(-0.15, 0.15))
        for row, value in enumerate(values):
            answer = cv2.filter2D(value, -1, kernel, borderType=cv2.BORDER_REFLECT) - bias
            positive = answer > 0
            found[row, 2 * number] = positive.mean()
            found[row, 2 * number + 1] = answer[positive].mean() if positive.any() else 0.0
    return found
