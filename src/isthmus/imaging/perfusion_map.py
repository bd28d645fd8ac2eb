"""A contrast-enhanced clip in cells a few pixels wide, held still on the lesion: which of them are gland, which dark.

What lies around a thyroid nodule is rarely all gland: the carotid fills earlier and brighter, muscle hardly at all.
The tissue to compare a lesion with is found by how it fills, since an outline of the gland is not to be had.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

CELLS: Final = 8
"""To a radius of the lesion; never narrower than 2 pixels."""
ENHANCING_DB: Final = -6.0
"""Tissue that enhances lies above this, against the brightest of what surrounds the lesion."""
_BRIGHTEST: Final = 0.97
STILL_SHARE: Final = 0.5
"""What shows this share of its mean intensity in the clip's first tenth does not fill."""
FEWEST_CELLS: Final = 12
UNENHANCED_DB: Final = -4.0
"""A part of the core is unenhanced below this, against the lesion's own brighter fifth, over the whole clip. Of -3 to
-7 dB it came nearest to the shares of ten simulated nodules; real perfusion has no such number."""
EARLY_SHARE, ARTERIAL_LEAD_S = 0.2, 3.0
"""How much earlier the early group of cells must have shown this share of its agent to be called arterial."""
_BOTH: Final = 0.1  # the least share of either group

Cells = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PerfusionMap:
    """What was taken for what, to be looked at.

    Parameters
    ----------
    level : float32 array [Y, X]
        Mean linear intensity of each cell over the clip.
    lesion, tissue : bool array [Y, X]
        Cells that are mostly lesion, and the cells that it is compared with.
    """

    level: Cells
    lesion: NDArray[np.bool_]
    tissue: NDArray[np.bool_]


class CellMap:
    """Mean linear intensity of each cell in each frame that was added.

    Parameters
    ----------
    radius : float
        Of the lesion, in pixels.
    across, down : int
        What the map must hold around the lesion's middle, in pixels.
    """

    def __init__(self, radius: float, across: int, down: int) -> None:
        self.side = max(2, round(radius / CELLS))
        self._cells = (-(-across // self.side), -(-down // self.side))
        self._frames: list[Cells] = []

    @property
    def reach(self) -> tuple[int, int]:
        """How far from the lesion's middle the map may reach, across and down, in pixels."""
        return self._cells[0] * self.side // 2 + 1, self._cells[1] * self.side // 2 + 1

    def add(self, linear: NDArray[np.float32], x: float, y: float) -> None:
        """Add a frame's linear intensity [H, W]; ``x``, ``y`` is the lesion's middle in it. Beyond it all is dark."""
        self._frames.append(self._reduced(linear, x, y))

    def share_of(self, region: NDArray[np.bool_], x: float, y: float) -> Cells:
        """Return the share of each cell [Y, X] that lies in a region [H, W] of a frame."""
        return self._reduced(region.astype(np.float32), x, y)

    def frames(self) -> Cells:
        """Return all that was added [T, Y, X]."""
        return np.stack(self._frames)

    def _reduced(self, picture: NDArray[np.float32], x: float, y: float) -> Cells:
        wide, high = self._cells[0] * self.side, self._cells[1] * self.side
        left, top = round(x - wide / 2), round(y - high / 2)
        canvas = np.zeros((high, wide), np.float32)
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(picture.shape[1], left + wide), min(picture.shape[0], top + high)
        if x0 < x1 and y0 < y1:
            canvas[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
        return np.asarray(cv2.resize(canvas, self._cells, interpolation=cv2.INTER_AREA), np.float32)


def comparison_cells(curves: NDArray[np.floating], times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which cells around a lesion are the tissue to compare it with: they enhance, and are no artery.

    What is bright from the start, and cells darker than :data:`ENHANCING_DB` over the whole clip, are left out. Of the
    others the early group is left out where there are two: the cut of the times at which they have shown a fifth of
    their agent that parts them best (Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62-66), if it parts them by
    :data:`ARTERIAL_LEAD_S`.

    Parameters
    ----------
    curves : array [T, N]
        Linear intensity of each cell.
    times_s : float64 array [T]
        Ascending.

    Returns
    -------
    bool array [N]
        None of them where fewer than :data:`FEWEST_CELLS` would be left.
    """
    level = curves.mean(axis=0)
    # Letters, ticks and a clock are as bright before the agent as after; a clip that begins with the agent is spared.
    fills = np.median(curves[: max(3, len(curves) // 10)], axis=0) < STILL_SHARE * level
    if np.count_nonzero(fills) >= FEWEST_CELLS:
        level = np.where(fills, level, 0.0)
    bright = float(np.quantile(level[level > 0], _BRIGHTEST)) if level.any() else 0.0
    enhancing = np.flatnonzero((level > 0) & (level >= bright * 10.0 ** (ENHANCING_DB / 10.0)))
    if not len(enhancing):
        return np.zeros(len(level), np.bool_)
    kept = enhancing[~_early_group(_filled(curves[:, enhancing], times_s))]
    chosen = np.zeros(len(level), np.bool_)
    if len(kept) >= FEWEST_CELLS:
        chosen[kept] = True
    return chosen


def _filled(curves: NDArray[np.floating], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return when each cell has shown a fifth of all the agent that it shows: steadier than a level that is crossed."""
    received = np.cumsum(curves * np.gradient(times_s)[:, None], axis=0)
    times: NDArray[np.float64] = times_s[np.argmax(received >= EARLY_SHARE * received[-1], axis=0)]
    return times


def _early_group(filled: NDArray[np.float64]) -> NDArray[np.bool_]:
    ordered = np.sort(filled)
    number = len(ordered)
    counts = np.arange(1, number)
    sums = np.cumsum(ordered)[:-1]
    early, late = sums / counts, (ordered.sum() - sums) / (number - counts)
    allowed = (counts >= _BOTH * number) & (number - counts >= _BOTH * number) & (np.diff(ordered) > 0)
    if not allowed.any():
        return np.zeros(number, np.bool_)
    cut = int(np.argmax(np.where(allowed, counts * (number - counts) * (late - early) ** 2, -1.0)))
    if late[cut] - early[cut] < ARTERIAL_LEAD_S:
        return np.zeros(number, np.bool_)
    return np.asarray(filled <= ordered[cut])


def unenhanced_share(cells: Cells, lesion: NDArray[np.bool_], core: NDArray[np.bool_]) -> float:
    """Return the share of the core's cells that stay dark while the lesion enhances; NaN where it has too few.

    Parameters
    ----------
    cells : float32 array [T, Y, X]
    lesion, core : bool array [Y, X]
    """
    if np.count_nonzero(core) < FEWEST_CELLS:
        return float("nan")
    level = cells.mean(axis=0)
    bright = float(np.quantile(level[lesion], 0.8))
    return float((level[core] < bright * 10.0 ** (UNENHANCED_DB / 10.0)).mean())
