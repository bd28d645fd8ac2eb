"""How clearly a frame shows what lies inside a window: its sharpness and its contrast.

Both are of the grey window after a Gaussian blur of one pixel, which takes the noise of single pixels and of video
compression off:

- sharpness: the Tenengrad, mean(Gx^2 + Gy^2) of the 3 x 3 Sobel gradients (Tenenbaum 1970; GRA6 of Pertuz, Puig and
  Garcia, Pattern Recognition 46:1415, 2013). A frame that moved while it was built up, or lost contact, has less;
- contrast: the standard deviation of the grey values, 0 to 1 (RMS contrast; Peli, J Opt Soc Am A 7:2032, 1990). A
  contrast-enhanced frame before the agent came, or long after it went, has next to none.

They have different units, so that frames of one clip are compared by the mean of their two ranks. A frame with less
than :data:`CLEAR_AT_LEAST` of the contrast of the clip's best is not clear, however few there are.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box

CLEAR_AT_LEAST = 0.25
"""Of the largest contrast: before the agent comes it is a tenth or less, and two thirds while it is washed out."""

_NOISE_PIXELS = 1.0
_SOBEL_GAIN = 8.0  # of the 3 x 3 kernel on a ramp of one a pixel


class Clearness(NamedTuple):
    """Sharpness and contrast of a frame; see the module."""

    sharpness: float
    contrast: float


def clearness(frame: NDArray[np.uint8], window: Box | None = None) -> Clearness:
    """Measure a frame inside a window.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        Grey or colour.
    window : Box, optional
        In the frame's pixels; what reaches outside the frame, or a part of a pixel, is left off. All of the frame
        where it is None.

    Returns
    -------
    Clearness
        Both 0 where the window holds no whole pixel of the frame.

    Examples
    --------
    >>> stripes = np.tile(np.repeat(np.array([0, 255], np.uint8), 5), (30, 6))[..., None]
    >>> float(round(clearness(stripes, (0, 0, 60, 30)).contrast, 2))
    0.48
    """
    height, width = frame.shape[:2]
    window = window or (0.0, 0.0, float(width), float(height))
    x0, y0 = max(0, int(np.ceil(window[0]))), max(0, int(np.ceil(window[1])))
    x1, y1 = min(width, int(np.floor(window[2]))), min(height, int(np.floor(window[3])))
    if x1 <= x0 or y1 <= y0:
        return Clearness(0.0, 0.0)
    part = frame[y0:y1, x0:x1]
    grey = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) if part.shape[2] == 3 else part[..., 0]
    smooth = cv2.GaussianBlur(grey.astype(np.float32) / np.float32(255.0), (0, 0), _NOISE_PIXELS)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *axes, scale=1.0 / _SOBEL_GAIN) for axes in ((1, 0), (0, 1)))
    gradient = np.square(across, dtype=np.float64) + np.square(down, dtype=np.float64)
    return Clearness(float(gradient.mean()), float(smooth.std(dtype=np.float64)))


def clearest(measured: NDArray[np.float64], fewest: int, most: int) -> NDArray[np.int64]:
    """Return which frames of a clip are clear.

    Parameters
    ----------
    measured : float64 array [T, 2]
        Sharpness and contrast of each.
    fewest : int
        So many, the clearest, are returned at least, clear or not; all where there are no more.
    most : int
        So many, the clearest, are returned at most.

    Returns
    -------
    int64 array
        Their places, ascending. Of equally clear ones the earlier.

    Examples
    --------
    >>> clearest(np.array([[0.1, 0.3], [0.4, 0.5], [0.2, 0.1], [0.3, 0.4]]), 1, 2)
    array([1, 3])
    """
    contrast = measured[:, 1]
    clear = int(np.count_nonzero(contrast >= CLEAR_AT_LEAST * contrast.max()))
    ranks = _ranks(measured[:, 0]) + _ranks(contrast)
    return np.sort(np.argsort(-ranks, kind="stable")[: min(most, max(fewest, clear))]).astype(np.int64)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2.0
