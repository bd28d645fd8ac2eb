"""How bright a lesion, its ring and the tissue beyond are in each frame of a contrast-enhanced clip.

Grey values are log-compressed echo power; averaging them would average decibels. They are made linear first: with a
display of ``D`` dB, grey ``g`` of 255 is the power ``10**((g / 255 - 1) * D / 10)``, full white 1 (Payen et al.,
Ultrasound Med. Biol. 39 (2013) 1826-1837, who saw 9.2 to 9.6 dB a decade of agent for the 10 of theory).
A tinted picture is read by its luminance. Black and white pixels lie at or beyond the ends of the display.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo, OpenClip
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.key_frames import frame_times
from isthmus.imaging.lesion_regions import OUTLINED, REACH, REGIONS, RING, ellipse_in, regions_of
from isthmus.imaging.lesion_track import LesionTrack, track_box, track_boxes, track_mask
from isthmus.imaging.limits import Limits
from isthmus.imaging.perfusion_map import (
    FEWEST_CELLS,
    CellMap,
    Cells,
    PerfusionMap,
    comparison_cells,
    unenhanced_share,
)
from isthmus.imaging.prepare_views import CacheItem
from isthmus.imaging.read import DEFAULT_LIMITS, open_clip
from isthmus.imaging.region import ScanArea, find_scan_area

DYNAMIC_RANGE_DB: Final = 60.0
"""Of a contrast display that does not say; the clinical settings that Payen et al. measured are 60 and 80 dB."""
FEWEST_FRAMES: Final = 8
FEWEST_PIXELS: Final = 30
MOST_HZ: Final = 5.0
"""A bolus takes seconds to come: more frames a second than this are not read."""
_SCAN_LOOKS: Final = 5
_EACH_FRAME: Final = FrameSampling(count=1, stored=1)
_WHITE: Final = 254  # a lossy file's white


@dataclass(frozen=True, eq=False)
class IntensityCurves:
    """Mean linear intensity of each region over time.

    Parameters
    ----------
    times_s : float64 array [T]
        Since the first frame.
    means, errors : mapping of float64 array [T]
        For each of :data:`REGIONS` its mean, and the standard error that its pixels would have were they independent;
        NaN where the lesion is not in the picture.
    saturated : mapping of float
        The largest share of a region's pixels that was white in one frame.
    unenhanced_share : float
        Share of the core that stays dark while the rest of the lesion enhances; NaN for a lesion too small for it.
    tissue_share : float
        How much of what lies around the lesion enhances as gland, see
        :func:`isthmus.imaging.perfusion_map.comparison_cells`.
    dynamic_range_db : float
        By which the compression was undone.
    outline : str
        ``mask``, or ``box``: then the lesion is taken for the ellipse in it.
    map : PerfusionMap
        Where lesion and tissue lie.
    """

    times_s: NDArray[np.float64]
    means: Mapping[str, NDArray[np.float64]]
    errors: Mapping[str, NDArray[np.float64]]
    saturated: Mapping[str, float]
    unenhanced_share: float
    tissue_share: float
    dynamic_range_db: float
    outline: str
    map: PerfusionMap


def read_intensity_curves(
    item: CacheItem,
    frame_rate_hz: float | None = None,
    dynamic_range_db: float = DYNAMIC_RANGE_DB,
    limits: Limits = DEFAULT_LIMITS,
) -> IntensityCurves:
    """Read the curves of a clip; one frame is held at a time.

    Parameters
    ----------
    item : CacheItem
        The clip with its lesion. In a double picture the panel that holds the lesion is used.
    frame_rate_hz : float, optional
        Used where the file does not time its frames.
    dynamic_range_db : float
        Of the display.
    limits : Limits
        What is refused as too large.

    Raises
    ------
    PictureError
        When it is a still or too short, has no lesion or no frame rate, or the lesion leaves no tissue around it.
    LimitError
        When it is beyond the limits.
    """
    with open_clip(item.path, limits) as source:
        info = source.info
        times = _times(info, frame_rate_hz)
        track = _track(item, info, limits)
        panel = _panel(item, source, track)
        power = _linear(dynamic_range_db)
        wanted = _spread(times)
        sums = _Sums(times[wanted], track, panel)
        for place, (frame, pixels) in enumerate(zip(wanted, source.frames(wanted), strict=True)):
            sums.add(place, frame, pixels, power)
    return sums.curves(info.source, dynamic_range_db)


def _spread(times: NDArray[np.float64]) -> list[int]:
    """Return the frames that are looked at, no more than :data:`MOST_HZ` of them a second."""
    return [int(frame) for frame in np.unique(times * MOST_HZ // 1, return_index=True)[1]]


def _times(info: ClipInfo, frame_rate_hz: float | None) -> NDArray[np.float64]:
    if info.frames == 1:
        raise PictureError("it is a still", where=info.source, expected="a clip")
    if info.frames < FEWEST_FRAMES:
        raise PictureError(
            f"it has {info.frames} frames", where=info.source, expected=f"at least {FEWEST_FRAMES} for a curve"
        )
    times = frame_times(info, frame_rate_hz)
    if (np.diff(times) <= 0).any():
        raise PictureError("its frame times do not ascend", where=info.source, hint="export the clip again")
    return np.asarray(times - times[0])


def _track(item: CacheItem, info: ClipInfo, limits: Limits) -> LesionTrack:
    if item.mask is not None:
        return track_mask(item.mask, info, limits)
    if item.boxes is not None:
        return track_boxes(item.boxes, info)
    if item.box is not None:
        return track_box(item.box, info)
    raise PictureError(
        "no lesion is given", where=info.source, expected="a mask or a box", hint="mask or box in views.csv"
    )


def _panel(item: CacheItem, source: OpenClip, track: LesionTrack) -> tuple[int, int, int, int]:
    """Return the picture that holds the lesion, in whole pixels."""
    info = source.info
    if item.scan_area is not None:
        area = ScanArea(item.scan_area, (item.scan_area,))
    elif info.scan_area is not None:
        area = ScanArea(info.scan_area, info.panels or (info.scan_area,))
    else:
        # Before the agent comes the picture is as black as the screen: the brightest of several moments shows it.
        looks = np.unique(np.linspace(0, info.frames - 1, _SCAN_LOOKS).astype(int)).tolist()
        area = find_scan_area(np.maximum.reduce(list(source.frames(looks))))
    seen = track.boxes[~np.isnan(track.boxes).any(axis=1)]
    middle = np.median((seen[:, :2] + seen[:, 2:]) / 2, axis=0)
    x0, y0, x1, y1 = area.panel_at(float(middle[0]), float(middle[1]))
    left, top = max(0, int(np.ceil(x0))), max(0, int(np.ceil(y0)))
    right, bottom = min(info.width, int(x1)), min(info.height, int(y1))
    if not (left <= middle[0] < right and top <= middle[1] < bottom):
        raise PictureError(
            "the lesion lies outside the scan area", where=info.source, hint="check region, mask and box in views.csv"
        )
    return left, top, right, bottom


def _linear(dynamic_range_db: float) -> NDArray[np.float32]:
    """Return the linear intensity of each of 256 grey values."""
    return (10.0 ** ((np.arange(256) / 255.0 - 1.0) * dynamic_range_db / 10.0)).astype(np.float32)


@dataclass(eq=False)
class _Sums:
    """What is kept of the frames that went by."""

    times: NDArray[np.float64]
    track: LesionTrack
    panel: tuple[int, int, int, int]
    means: dict[str, NDArray[np.float64]] = field(init=False)
    errors: dict[str, NDArray[np.float64]] = field(init=False)
    white: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self.means, self.errors = ({name: np.full(len(self.times), np.nan) for name in REGIONS} for _ in range(2))
        self.white = dict.fromkeys(REGIONS, 0.0)
        self._seen: list[int] = []
        self._largest = 0
        self._shares: dict[str, Cells] = {}

    def add(self, place: int, frame: int, pixels: NDArray[np.uint8], power: NDArray[np.float32]) -> None:
        """Add a frame of the clip, the ``place``-th that is looked at."""
        box = self.track.boxes[frame]
        if np.isnan(box).any():
            return
        left, top, right, bottom = self._window(box)
        mask = self._mask(frame, box)[top:bottom, left:right]
        area = int(np.count_nonzero(mask))
        if area < FEWEST_PIXELS:
            return
        part = pixels[top:bottom, left:right]
        grey = part[..., 0] if part.shape[2] == 1 else np.asarray(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY), np.uint8)
        linear, regions = power[grey], regions_of(mask)
        for name in OUTLINED:
            inside = linear[regions[name]].astype(np.float64)
            if len(inside) >= FEWEST_PIXELS:
                self.means[name][place] = inside.mean()
                self.errors[name][place] = inside.std() / np.sqrt(len(inside))
                self.white[name] = max(self.white[name], float((grey[regions[name]] >= _WHITE).mean()))
        self._seen.append(place)
        middle = float((box[0] + box[2]) / 2 - left), float((box[1] + box[3]) / 2 - top)
        self._cells.add(linear, *middle)
        if area > self._largest:
            self._largest = area
            self._shares = {name: self._cells.share_of(region, *middle) for name, region in regions.items()}

    def _window(self, box: NDArray[np.float64]) -> tuple[int, int, int, int]:
        """Return the part of the panel that the map of cells covers around a box."""
        x, y = (box[:2] + box[2:]) / 2
        across, down = self._cells.reach
        left, top, right, bottom = self.panel
        return (
            max(left, int(x - across)), max(top, int(y - down)),
            max(left, min(right, int(x + across) + 1)), max(top, min(bottom, int(y + down) + 1)),
        )  # fmt: skip

    @cached_property
    def _cells(self) -> CellMap:
        across, down = np.nanmax(self.track.boxes[:, 2:] - self.track.boxes[:, :2], axis=0).tolist()
        radius = float(np.sqrt(across * down / np.pi))
        margin = 2.0 * (max(2.0, RING * radius) + REACH * radius)
        return CellMap(radius, int(across + margin) + 2, int(down + margin) + 2)

    def _mask(self, frame: int, box: NDArray[np.float64]) -> NDArray[np.bool_]:
        if self.track.outlines is not None:
            lesion = self.track.lesion(np.array([frame]), _EACH_FRAME)
            assert lesion.mask is not None
            return np.asarray(lesion.mask[0])
        x0, y0, x1, y1 = box.tolist()
        return ellipse_in((x0, y0, x1, y1), *self.track.size)

    def curves(self, where: str, dynamic_range_db: float) -> IntensityCurves:
        """Return the curves once all frames have gone by."""
        if len(self._seen) < FEWEST_FRAMES:
            raise PictureError(
                f"a lesion of {FEWEST_PIXELS} pixels or more is seen in {len(self._seen)} frames",
                where=where,
                expected=f"at least {FEWEST_FRAMES} for a curve",
            )
        cells, shares = self._cells.frames(), self._shares
        around = shares["tissue"] > 0.99
        if np.count_nonzero(around) < FEWEST_CELLS:
            raise PictureError("the lesion fills the picture", where=where, expected="tissue to compare it with")
        chosen = comparison_cells(cells[:, around], self.times[self._seen])
        # Without gland the curve is that of all that lies around, to be looked at and not to be compared with.
        tissue = cells[:, around][:, chosen if chosen.any() else slice(None)].astype(np.float64)
        self.means["tissue"][self._seen] = tissue.mean(axis=1)
        self.errors["tissue"][self._seen] = tissue.std(axis=1) / np.sqrt(tissue.shape[1])
        dark = unenhanced_share(cells, shares["lesion"] > 0.99, shares["core"] > 0.99)
        outline = "box" if self.track.outlines is None else "mask"
        compared = np.zeros(around.shape, np.bool_)
        compared[around] = chosen
        seen = PerfusionMap(cells.mean(axis=0), shares["lesion"] > 0.5, compared)
        share = float(chosen.mean())
        return IntensityCurves(
            self.times, self.means, self.errors, self.white, dark, share, dynamic_range_db, outline, seen
        )
