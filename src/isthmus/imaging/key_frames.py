"""Key frames of a clip, as sonographers pick them: sampled in time, the clear ones, equally spaced around the largest.

After a study of contrast-enhanced clips (10.3389/fendo.2025.1634875): one frame every two seconds, of these 1 to 15
clear ones, of these five at equal intervals, the middle one that of the largest lesion. A study's reader judged by eye
what is clear; here it is measured (:mod:`isthmus.imaging.clearness`).
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clearness import clearest, clearness
from isthmus.imaging.clip import Box, ClipInfo, hull
from isthmus.imaging.frames import FrameSampling, middles

AS_LARGE = 0.95
"""From this share of the largest area on a frame counts as showing the lesion as large.

A probe that is held still shows the same section throughout, and its outlines differ by a pixel here and there: which
of them is the largest then means nothing, and the one nearest to the middle of the clip is taken.
"""

_BESIDE = 0.1  # of every_s: a sample lies up to half a frame beside its moment

SURROUNDINGS = 0.15
"""What of a lesion's surroundings on each side counts for its clearness, as a share of its longer side."""

Decode = Callable[[Sequence[int]], Iterator[NDArray[np.uint8]]]
"""Yields the frames [H, W, C] of these numbers, which ascend."""


def frame_times(info: ClipInfo, frame_rate_hz: float | None) -> NDArray[np.float64]:
    """Return the seconds of each frame since the clip's first.

    Parameters
    ----------
    info : ClipInfo
        Its own times count where the file states them.
    frame_rate_hz : float, optional
        Frames a second, for a file that does not.

    Raises
    ------
    PictureError
        When neither says.
    """
    if info.frame_times_s is not None:
        return np.asarray(info.frame_times_s, np.float64)
    if frame_rate_hz is None and info.frames > 1:
        raise PictureError(
            "the file does not say how many frames it has a second",
            where=info.source,
            expected="a frame rate: clips are followed by seconds, not by frames",
            hint="fill in frame_rate_hz in views.csv; isthmus predict takes --frame-rate",
        )
    return np.arange(info.frames) / (frame_rate_hz or 1.0)


def choose_key_frames(
    sampling: FrameSampling,
    times_s: NDArray[np.float64],
    boxes: NDArray[np.float64] | None,
    areas: NDArray[np.float64] | None,
    decode: Decode,
) -> NDArray[np.int64]:
    """Choose the key frames of a clip; only the frames that are sampled are decoded, one at a time.

    Parameters
    ----------
    sampling : FrameSampling
        Gives ``every_s``, ``clear``, ``stored`` and ``within``.
    times_s : float64 array [T]
        Of the clip's frames.
    boxes : float64 array [T, 4], optional
        The lesion's box in each frame, NaN where it is out of plane: there, and a little around it, a frame is to be
        clear. None: anywhere.
    areas : float64 array [T], optional
        The lesion's area in each frame, 0 where it is out of plane: such a frame is no key frame while ``within`` is
        ``lesion``. None where no frame says.
    decode : callable
        Gives the frames of these numbers.

    Returns
    -------
    int64 array [stored]
        Ascending; a clip with fewer samples repeats some, and leaves none out.
    """
    seen = np.ones(len(times_s), bool) if areas is None or sampling.within == "clip" else areas > 0
    assert sampling.every_s is not None
    numbers = sampled(times_s, sampling.every_s, seen)
    if sampling.clear is not None and len(numbers) > sampling.stored:
        windows = [None] * len(numbers) if boxes is None else _windows(boxes, numbers)
        measured = [clearness(frame, window) for frame, window in zip(decode(numbers.tolist()), windows, strict=True)]
        numbers = numbers[clearest(np.array(measured), sampling.stored, sampling.clear)]
    own = None if areas is None else areas[numbers]
    return numbers[equally_spaced(times_s[numbers], own, sampling.stored, sampling.every_s)]


def _windows(boxes: NDArray[np.float64], numbers: NDArray[np.int64]) -> list[Box | None]:
    extent = hull(boxes)
    windows = list[Box | None]()
    for box in boxes[numbers].tolist():
        x0, y0, x1, y1 = extent if extent is not None and np.isnan(box).any() else box
        around = SURROUNDINGS * max(x1 - x0, y1 - y0)
        windows.append((x0 - around, y0 - around, x1 + around, y1 + around))
    return windows


def sampled(times_s: NDArray[np.float64], every_s: float, seen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the frames nearest to every ``every_s`` seconds, from the first to the last that is seen.

    Parameters
    ----------
    times_s : float64 array [T]
        Of the frames, ascending.
    every_s : float
        Seconds.
    seen : bool array [T]
        Which frames come into question; all of them where it is none.

    Returns
    -------
    int64 array
        Ascending, all different; at least one.

    Examples
    --------
    >>> sampled(np.arange(20) / 4, 2.0, np.ones(20, bool))
    array([ 0,  8, 16])
    """
    numbers = np.flatnonzero(seen if seen.any() else np.ones_like(seen))
    times = times_s[numbers]
    # A clip of 4 s has a sample at its end also where its last time is written as 3.9999.
    ticks = times[0] + every_s * np.arange(int((times[-1] - times[0]) / every_s + 1e-3) + 1)
    return np.unique(numbers[_nearest(times, ticks)])


def equally_spaced(
    times_s: NDArray[np.float64], areas: NDArray[np.float64] | None, count: int, every_s: float
) -> NDArray[np.int64]:
    """Return places of ``count`` frames at equal intervals around that of the largest lesion.

    The middle one is the frame with the largest area of those that have enough frames on either side; of frames that
    are as large (:data:`AS_LARGE`), and where no area is known, the nearest to the middle in time. The interval is the
    widest multiple of ``every_s`` that fits on both sides, and each frame the nearest to its moment that no other has.

    Parameters
    ----------
    times_s : float64 array [N]
        Of the frames to choose from, ascending.
    areas : float64 array [N], optional
        The lesion's in each.
    count : int
        How many.
    every_s : float
        Seconds between two frames to choose from, where none is left out.

    Returns
    -------
    int64 array [count]
        Ascending, all different; of fewer frames than ``count`` some are repeated, and none is left out.

    Examples
    --------
    >>> equally_spaced(np.arange(15) * 2.0, None, 5, 2.0)
    array([ 1,  4,  7, 10, 13])
    >>> equally_spaced(np.arange(3) * 2.0, None, 5, 2.0)
    array([0, 0, 1, 2, 2])
    """
    total = len(times_s)
    if total <= count:
        return middles(total, count)
    before, after = count // 2, count - 1 - count // 2
    inner = np.arange(before, total - after)
    largest = inner if areas is None else inner[areas[inner] >= AS_LARGE * areas[inner].max()]
    centre = int(largest[_nearest(times_s[largest], np.array([(times_s[0] + times_s[-1]) / 2.0]))[0]])
    spans = [(times_s[centre] - times_s[0], before), (times_s[-1] - times_s[centre], after)]
    widest = min((span / steps for span, steps in spans if steps), default=0.0)
    interval = every_s * max(1, int(widest / every_s + _BESIDE))
    left = _outwards(times_s[centre] - times_s[: centre + 1][::-1], interval, before)
    right = _outwards(times_s[centre:] - times_s[centre], interval, after)
    return np.concatenate([centre - left[::-1], [centre], centre + right]).astype(np.int64)


def _outwards(distances: NDArray[np.float64], interval: float, count: int) -> NDArray[np.int64]:
    """Return how many frames from the centre those lie that are nearest to one, two ... intervals from it."""
    places, last = np.zeros(count, np.int64), 0
    for step in range(count):
        # Enough of them are left for the steps that follow.
        free = distances[last + 1 : len(distances) - (count - 1 - step)]
        last += 1 + int(np.argmin(np.abs(free - (step + 1) * interval)))
        places[step] = last
    return places


def _nearest(times_s: NDArray[np.float64], wanted_s: NDArray[np.float64]) -> NDArray[np.int64]:
    after = np.searchsorted(times_s, wanted_s).clip(0, len(times_s) - 1)
    before = (after - 1).clip(0)
    earlier = np.abs(wanted_s - times_s[before]) <= np.abs(times_s[after] - wanted_s)
    return np.where(earlier, before, after)


def brightest_of(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return of each pixel [H, W, C] the brightest value in the frames [T, H, W, C].

    In it the scan area of a contrast-enhanced clip is found: single frames are black where no agent is, and of a double
    picture the panel beside B-mode may be all black in the first.
    """
    return np.asarray(frames.max(axis=0))
