"""From a clip to the square pictures that a network gets, with the way back to the source's pixels.

Order: marks over the tissue filled in, grey or colour, what lies outside the view's scan area painted black, speckle
reduction at source resolution, a square window of whole source pixels, one resize. Nothing outside the scan area can
reach a network, because it is painted over before anything mixes neighbouring pixels; speckle reduction sees a border
of 32 pixels around the window, of the scan area only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from isthmus.errors import InputError, PictureError, RegionMissing
from isthmus.imaging.clip import Box, Clip, Lesion
from isthmus.imaging.denoise import BORDER, LOCAL, Denoise, denoise
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.marks import fill_marks, find_still_marks
from isthmus.imaging.region import ScanArea, find_scan_area

Window = tuple[int, int, int, int]
"""``x0, y0, x1, y1`` in whole source pixels; may reach outside the frame."""


class Preparation(BaseModel):
    """How pictures are made ready; belongs to a protocol's arm and travels in its bundle.

    Parameters
    ----------
    crop : str
        ``lesion``: a square around the lesion; ``scan_area``: a square around the ultrasound picture.
    margin : float
        Surroundings on each side of a lesion, as a share of its longer side.
    marks : str
        ``erase``: letters, ticks and calipers that the scanner drew over the tissue are filled in from around them
        (:mod:`isthmus.imaging.marks`), of a clip those that stand still in all frames that are prepared; ``keep``:
        they stay.
    denoise : str
        ``none``, ``median``, ``srad`` or ``nlm``; at source resolution.
    normalise : str
        ``unit`` (0 to 1), ``z`` (mean 0, standard deviation 1) or ``percentile_z`` (clipped at its 1st and 99th
        percentile first), each for one picture; ``imagenet`` (0 to 1, less ImageNet's mean, by its deviation: what
        published weights were trained on; needs ``rgb``). Done on the batch, not here.
    channels : str
        ``gray`` (luminance) or ``rgb``.
    train_size : int
        Side of the prepared square.
    crop_size : int
        Side of the part that a network sees (random in training, the middle otherwise); ``train_size`` by default.
    layout : str
        How a network gets the frames; ``2d``: each by itself, ``3d``: all as one volume, ``frames_as_channels``: all as
        channels of one picture, in the order of time. Done on the batch, not here.
    frames : FrameSampling, optional
        Which frames of a clip; None: the view is a still of one frame.

    Examples
    --------
    >>> Preparation(train_size=128).crop_size
    128
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop: Literal["lesion", "scan_area"] = "lesion"
    margin: float = Field(0.15, ge=0.0, le=2.0)
    marks: Literal["erase", "keep"] = "erase"
    denoise: Denoise = "none"
    normalise: Literal["unit", "percentile_z", "z", "imagenet"] = "unit"
    channels: Literal["gray", "rgb"] = "gray"
    train_size: int = Field(256, ge=8, le=2048)
    crop_size: int = Field(256, ge=8, le=2048)
    layout: Literal["2d", "3d", "frames_as_channels"] = "2d"
    frames: FrameSampling | None = None

    @model_validator(mode="before")
    @classmethod
    def _crop_size_by_default(cls, values: Any) -> Any:
        if isinstance(values, dict) and "crop_size" not in values and "train_size" in values:
            return {**values, "crop_size": values["train_size"]}
        return values

    @model_validator(mode="after")
    def _crop_within_square(self) -> "Preparation":
        if self.crop_size > self.train_size:
            raise ValueError(f"crop_size {self.crop_size} is larger than train_size {self.train_size}")
        return self

    @model_validator(mode="after")
    def _three_channels_for_imagenet(self) -> "Preparation":
        if self.normalise == "imagenet" and self.channels != "rgb":
            raise ValueError("normalise 'imagenet' has a mean for red, green and blue; set channels to 'rgb'")
        return self

    @model_validator(mode="after")
    def _frames_for_a_volume(self) -> "Preparation":
        if self.sees_all_frames and (self.frames is None or self.frames.count < 2):
            raise ValueError(f"layout {self.layout!r} is of several frames; set frames.count to 2 or more")
        return self

    @property
    def sees_all_frames(self) -> bool:
        """Whether a network gets the frames of a clip at once, and not each by itself."""
        return self.layout != "2d"

    @property
    def colours(self) -> int:
        """C of the prepared pixels."""
        return 1 if self.channels == "gray" else 3

    @property
    def input_channels(self) -> int:
        """Channels of a network's input: the colours, of each frame where frames are channels."""
        frames = self.frames.count if self.layout == "frames_as_channels" and self.frames is not None else 1
        return frames * self.colours

    def geometric(self) -> dict[str, Any]:
        """Return what decides the prepared pixels; keys the cache.

        Not among it: ``normalise``, ``crop_size``, ``layout`` and ``frames.count``, which are for the batch. Networks
        that see frames and networks that see volumes so share what is prepared.
        """
        kept = self.model_dump(exclude={"normalise": True, "crop_size": True, "layout": True, "frames": {"count"}})
        return {name: value for name, value in kept.items() if name != "frames" or value is not None}


@dataclass(frozen=True, eq=False)
class Prepared:
    """Pictures ready for a network.

    Parameters
    ----------
    pixels : uint8 array [T, S, S, C]
        S is ``train_size``; C is 1 (gray) or 3 (rgb).
    lesion_mask : bool array [T, S, S]
        The lesion's mask, or its filled box, carried along; all False without a lesion.
    frame_indices : int64 array [T]
        Which frames of the clip these are.
    source_to_prepared : float64 array [2, 3]
        Takes (x, y, 1) of a source pixel to the prepared picture. Whole numbers are the centres of pixels, as in
        ``cv2.warpAffine``; a corner of a :data:`Box` is half a pixel less.
    window : tuple of int
        The square in source pixels.
    region : Box
        The part of the source outside which everything was painted black.
    """

    pixels: NDArray[np.uint8]
    lesion_mask: NDArray[np.bool_]
    frame_indices: NDArray[np.int64]
    source_to_prepared: NDArray[np.float64]
    window: Window
    region: Box


def prepare(clip: Clip, preparation: Preparation) -> Prepared:
    """Cut, clean and resize a clip's frames; all of them by one window, which holds the lesion in every frame.

    Parameters
    ----------
    clip : Clip
        ``clip.scan_area`` is taken as given; where it is None it is found in the first frame. In a double picture
        only the panel that holds the lesion is used.
    preparation : Preparation
        What to do.

    Returns
    -------
    Prepared

    Raises
    ------
    RegionMissing
        When a lesion crop is asked for and the clip has no lesion.
    PictureError
        When the lesion lies wholly outside the scan area, or the scan area outside the frame.
    """
    (prepared,) = prepare_each(clip, [clip.lesion], preparation)
    if isinstance(prepared, InputError):
        raise prepared
    return prepared


def prepare_each(
    clip: Clip, lesions: Sequence[Lesion | InputError | None], preparation: Preparation
) -> list[Prepared | InputError]:
    """Prepare a clip for each of several lesions as :func:`prepare` would, cleaning its frames only once.

    Parameters
    ----------
    clip : Clip
        Its own lesion is not looked at.
    lesions : sequence of Lesion
        An error in a lesion's place is handed back.
    preparation : Preparation
        What to do.

    Returns
    -------
    list
        For each lesion what was prepared, or the error that :func:`prepare` would raise.
    """
    if clip.scan_area is None and lesions:
        found = find_scan_area(clip.frames[0])
        clip = replace(clip, scan_area=found.box, panels=found.panels)
    placed: list[_Placed | InputError] = []
    for lesion in lesions:
        try:
            if isinstance(lesion, InputError):
                raise lesion
            placed.append(_place(replace(clip, lesion=lesion), preparation))
        except InputError as error:
            placed.append(error)
    tissue = _Tissue(clip.frames, preparation, [one for one in placed if not isinstance(one, InputError)])
    return [one if isinstance(one, InputError) else _prepared(one, preparation, tissue) for one in placed]


class _Placed(NamedTuple):
    """A clip with its lesion, the square to be cut, and what of the frame is ultrasound picture."""

    clip: Clip
    window: Window
    region: Window


def _place(clip: Clip, preparation: Preparation) -> _Placed:
    lesion = _lesion_box(clip)
    if preparation.crop == "lesion" and lesion is None:
        raise RegionMissing(
            "a lesion crop was asked for and no lesion is given",
            where=clip.source or None,
            expected="a mask or a box",
            hint="draw one, or use a model whose preparation has crop: scan_area",
        )
    region = _region(clip, lesion)
    if preparation.crop == "lesion" and lesion is not None:
        _check_overlap(lesion, region, clip.source)
        return _Placed(clip, _square(lesion, 1.0 + 2.0 * preparation.margin), region)
    return _Placed(clip, _square(region, 1.0), region)


def _prepared(placed: _Placed, preparation: Preparation, tissue: "_Tissue") -> Prepared:
    clip, window, region = placed
    size = preparation.train_size
    scale = size / (window[2] - window[0])
    shift = [scale * (0.5 - start) - 0.5 for start in window[:2]]
    return Prepared(
        pixels=np.stack([_picture(frame, window, region, tissue) for frame in range(len(clip.frames))]),
        lesion_mask=_lesion_mask(clip, window, size),
        frame_indices=np.arange(len(clip.frames)),
        source_to_prepared=np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]]),
        window=window,
        region=_as_box(region),
    )


def _lesion_box(clip: Clip) -> Box | None:
    bounds = None if clip.lesion is None else clip.lesion.bounds()
    if bounds is None:
        return None
    height, width = clip.frames.shape[1:3]
    x0, y0, x1, y1 = bounds
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise PictureError(
            f"the lesion {_shown((x0, y0, x1, y1))} lies outside the {width} x {height} picture",
            where=clip.source or None,
            hint="check that it is given in this picture's own pixels",
        )
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))


def _region(clip: Clip, lesion: Box | None) -> Window:
    height, width = clip.frames.shape[1:3]
    if clip.scan_area is None:
        found = find_scan_area(clip.frames[0])
    else:
        found = ScanArea(clip.scan_area, clip.panels or (clip.scan_area,))
    box = found.box if lesion is None else found.panel_at((lesion[0] + lesion[2]) / 2, (lesion[1] + lesion[3]) / 2)
    # Pixels that are only partly inside stay outside: the neighbour's share of them is not tissue.
    x0, y0 = max(0, int(np.ceil(box[0]))), max(0, int(np.ceil(box[1])))
    x1, y1 = min(width, int(np.floor(box[2]))), min(height, int(np.floor(box[3])))
    if x1 <= x0 or y1 <= y0:
        raise PictureError(
            f"the scan area {_shown(box)} holds no pixel of the {width} x {height} picture", where=clip.source or None
        )
    return x0, y0, x1, y1


def _check_overlap(lesion: Box, region: Window, source: str) -> None:
    if lesion[0] >= region[2] or lesion[2] <= region[0] or lesion[1] >= region[3] or lesion[3] <= region[1]:
        raise PictureError(
            f"the lesion {_shown(lesion)} lies outside the scan area {_shown(region)}",
            where=source or None,
            hint="check that box, mask and scan area are in this picture's own pixels",
        )


def _shown(box: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in box)


def _as_box(window: Window) -> Box:
    return float(window[0]), float(window[1]), float(window[2]), float(window[3])


def _square(box: tuple[float, ...], factor: float) -> Window:
    # Whole pixels: the window is then cut, not interpolated, and the affine is exact.
    side = max(1, round(max(box[2] - box[0], box[3] - box[1]) * factor))
    x0, y0 = (round((start + end - side) / 2.0) for start, end in ((box[0], box[2]), (box[1], box[3])))
    return x0, y0, x0 + side, y0 + side


class _Tissue:
    """A clip's frames without marks and with less speckle, made once for all windows of a region."""

    def __init__(self, frames: NDArray[np.uint8], preparation: Preparation, placed: Sequence[_Placed]) -> None:
        self._frames, self._preparation = frames, preparation
        self._windows = [(one.window, one.region) for one in placed]
        self._marks: dict[Window, list[Box]] = {}
        self._clean: dict[tuple[int, Window], NDArray[np.uint8]] = {}
        self._denoised: dict[tuple[int, Window], NDArray[np.uint8]] = {}

    @property
    def preparation(self) -> Preparation:
        return self._preparation

    def around(self, frame: int, window: Window, region: Window) -> tuple[NDArray[np.uint8], int, int] | None:
        """Return the tissue of a window and its border, and where it begins; None where the two do not meet."""
        if _bordered(window, region, self._preparation) is None:
            return None
        # Median and non-local means see no further than the border: one pass over all windows gives each its pixels.
        shared = self._preparation.denoise in LOCAL
        windows = [one for one, own in self._windows if own == region] if shared else [window]
        hull = (
            min(one[0] for one in windows), min(one[1] for one in windows),
            max(one[2] for one in windows), max(one[3] for one in windows),
        )  # fmt: skip
        area = _bordered(hull, region, self._preparation)
        assert area is not None
        if (frame, area) not in self._denoised:
            x0, y0, x1, y1 = area
            part = _channels(self._cleaned(frame, region)[y0:y1, x0:x1], self._preparation.channels)
            self._denoised[frame, area] = np.asarray(denoise(part, self._preparation.denoise), np.uint8)
        return self._denoised[frame, area], area[0], area[1]

    def _cleaned(self, frame: int, region: Window) -> NDArray[np.uint8]:
        if self._preparation.marks == "keep":
            return np.asarray(self._frames[frame])
        if (frame, region) not in self._clean:
            area = _as_box(region)
            if region not in self._marks:
                # Once for all frames: what is filled in does not flicker, and no calcification that moves is filled in.
                self._marks[region] = find_still_marks(self._frames, area)
            self._clean[frame, region] = fill_marks(self._frames[frame], self._marks[region], area)
        return self._clean[frame, region]


def _bordered(window: Window, region: Window, preparation: Preparation) -> Window | None:
    border = 0 if preparation.denoise == "none" else BORDER
    x0, y0 = max(region[0], window[0] - border), max(region[1], window[1] - border)
    x1, y1 = min(region[2], window[2] + border), min(region[3], window[3] + border)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _picture(frame: int, window: Window, region: Window, tissue: _Tissue) -> NDArray[np.uint8]:
    preparation = tissue.preparation
    side = window[2] - window[0]
    square = np.zeros((side, side, preparation.colours), dtype=np.uint8)
    found = tissue.around(frame, window, region)
    if found is not None:
        pixels, x0, y0 = found
        left, top = max(region[0], window[0]), max(region[1], window[1])
        right, bottom = min(region[2], window[2]), min(region[3], window[3])
        part = pixels[top - y0 : bottom - y0, left - x0 : right - x0]
        square[top - window[1] : bottom - window[1], left - window[0] : right - window[0]] = part
    size = preparation.train_size
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8).reshape(size, size, -1)


def _channels(frame: NDArray[np.uint8], channels: str) -> NDArray[np.uint8]:
    if channels == "gray" and frame.shape[2] == 3:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    if channels == "rgb" and frame.shape[2] == 1:
        return np.repeat(frame, 3, axis=2)
    return frame


def _lesion_mask(clip: Clip, window: Window, size: int) -> NDArray[np.bool_]:
    """Return at each prepared pixel whether the source pixel under its centre is lesion."""
    frames, height, width = clip.frames.shape[:3]
    scale = (window[2] - window[0]) / size
    centres = (np.arange(size) + 0.5) * scale
    x, y = centres + window[0], centres + window[1]
    result = np.zeros((frames, size, size), dtype=np.bool_)
    if clip.lesion is None:
        return result
    if clip.lesion.mask is None:
        for frame, (x0, y0, x1, y1) in enumerate(clip.lesion.boxes()):
            result[frame] = ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))[None]
        return result
    columns, lines = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    inside = ((lines >= 0) & (lines < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    taken = clip.lesion.mask[:, lines.clip(0, height - 1)][:, :, columns.clip(0, width - 1)]
    result[:] = taken & inside
    return result
