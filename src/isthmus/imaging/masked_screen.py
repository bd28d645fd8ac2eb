"""What of a scanner's screen may be kept or shown: the scan area without its words, or nothing where that is uncertain.

The scan area is what the file states, where that leaves room for the scanner's text, and is found in the pixels
otherwise; in it, what looks like a word is found in nine frames evenly spread over a clip.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.burned_in import find_letters, find_words, painted
from isthmus.imaging.clip import Box, Clip, ClipInfo, OpenClip
from isthmus.imaging.dicom_header import read_header
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import DEFAULT_LIMITS, open_clip, read_frames
from isthmus.imaging.region import find_scan_area

_LOOKED_AT: Final = 9  # frames of a clip, evenly spread, that tell its scan area and its words
_WHOLE: Final = 0.98  # of the frame: such an area leaves no room for the scanner's text, and says nothing
_COLOURED: Final = 60  # levels between channels; a tinted grey picture stays below
_FLOW_SHARE: Final = 0.005  # of the scan area; a caliper or a body mark covers less
_BURNED_IN: Final = "BurnedInAnnotation"


@dataclass(frozen=True)
class ScreenMask:
    """What of a file's frames is kept.

    Parameters
    ----------
    width, height : int
        Of a frame, in pixels.
    panels : tuple of Box
        The scan area's panels; all outside is painted black.
    words : tuple of Box
        Painted black as well.
    marks : int
        How many other marks remain in the picture (calipers, arrows, single letters).
    modality : {'bmode', 'doppler'}
        ``doppler`` where there is colour: coloured letters are then not told from flow.
    stated : bool
        Whether the file states the scan area; else it was found in the pixels.
    """

    width: int
    height: int
    panels: tuple[Box, ...]
    words: tuple[Box, ...]
    marks: int
    modality: str
    stated: bool

    @property
    def area(self) -> Box:
        """The box around all panels."""
        return _around(self.panels)

    @property
    def certain(self) -> bool:
        """Whether nothing that a letter could be was left in the picture."""
        return not self.marks and self.modality != "doppler"

    @property
    def share(self) -> float:
        """The share of a frame's pixels that are painted black, from 0 to 1."""
        kept = painted(np.ones((self.height, self.width, 1), np.uint8), self.panels, self.words)
        return 1.0 - float(kept.mean())

    @property
    def notes(self) -> tuple[str, ...]:
        """How it was decided, in words."""
        words = (f"{_counted(len(self.words), 'box', 'boxes')} of text painted over",) if self.words else ()
        marks = f"{_counted(self.marks, 'mark', 'marks')} left in it (calipers, arrows, letters?)"
        return (*words, *((marks,) if self.marks else ()), *(() if self.stated else ("scan area found, not stated",)))

    def on(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a frame [H, W, C], black outside the scan area and in the words."""
        return painted(frame, self.panels, self.words)

    def to_json(self) -> dict[str, Any]:
        """Return what was masked, for a report."""
        return {
            "scan_area": [list(panel) for panel in self.panels],
            "scan_area_from": "header" if self.stated else "pixels",
            "words_masked": len(self.words),
            "share_masked": round(self.share, 4),
            "marks_left": self.marks,
            "certain": self.certain,
        }


@dataclass(frozen=True, eq=False)
class MaskedClip:
    """Frames that may be stored and shown.

    Parameters
    ----------
    clip : Clip
        Its frames are masked; with times, spacing and scan area as :func:`isthmus.imaging.read.read_clip` gives them.
    mask : ScreenMask
        What was masked.
    """

    clip: Clip
    mask: ScreenMask


def read_masked_clip(
    path: Path | str, *, frames: Sequence[int] | None = None, limits: Limits = DEFAULT_LIMITS, modality: str = "bmode"
) -> MaskedClip:
    """Read a picture or clip as it may be stored and shown: without the scanner's text, which may name the patient.

    Parameters
    ----------
    path, frames, limits, modality
        As for :func:`isthmus.imaging.read.read_clip`. What is masked is decided by the whole file, whichever frames
        are asked for.

    Returns
    -------
    MaskedClip

    Raises
    ------
    PictureError
        When the screen's text cannot be told from the picture: no frame of such a file may be shown. Also as
        :func:`isthmus.imaging.read.read_clip`.
    """
    with open_clip(path, limits) as source:
        mask = find_screen_mask(source, limits=limits, says_text=says_text(path, source.info, limits))
        clip = read_frames(_Masked(source, mask), frames=frames, limits=limits, modality=modality)
    return MaskedClip(clip, mask)


def says_text(path: Path | str, info: ClipInfo, limits: Limits = DEFAULT_LIMITS) -> bool:
    """Return whether a DICOM header says that its pixels name somebody (Burned In Annotation, 0028,0301)."""
    if info.format != "dicom":
        return False
    return str(read_header(Path(path), limits, [_BURNED_IN]).get(_BURNED_IN, "")).strip().upper() == "YES"


def find_screen_mask(clip: OpenClip, *, limits: Limits, says_text: bool, where: str | None = None) -> ScreenMask:
    """Decide what of a file's frames is kept, from the regions it states and, in a clip, nine frames evenly spread.

    Parameters
    ----------
    clip : OpenClip
        The file.
    limits : Limits
        What is refused as too large.
    says_text : bool
        Whether the header says that its pixels name somebody; see :func:`says_text`.
    where : str, optional
        What messages call the file; its path by default.

    Raises
    ------
    PictureError
        When the screen's text cannot be told from the picture, or a frame cannot be decoded.
    """
    info, where = clip.info, where or clip.info.source
    wanted = sorted({round(place) for place in np.linspace(0, info.frames - 1, min(info.frames, _LOOKED_AT))})
    limits.check_decoded(where, width=info.width, height=info.height, channels=info.channels, frames=len(wanted))
    frames = list(clip.frames(wanted))
    panels, stated = info.panels, True
    if not panels or _is_whole(panels, info):
        panels, stated = find_scan_area(np.max(frames, axis=0)).panels, False
    area = _around(panels)
    flow = max(_coloured(frame, panels) for frame in frames) >= _FLOW_SHARE
    # Letters stand still from one look to the next, and speckle does not: the darker of the two keeps the letters.
    stills = [np.minimum(one, next_) for one, next_ in pairwise(frames)] or frames
    words = {word: None for still in stills for word in find_words(still, area, colour_is_signal=flow)}
    if _is_whole(panels, info) and (says_text or words):
        raise PictureError(
            "its screen text cannot be told from its picture, and may name the patient",
            where=where,
            expected="ultrasound regions (0018,6011) in its header, or black around its scan area",
        )
    marks = max(len(find_letters(painted(still, panels, [*words]), area, colour_is_signal=flow)) for still in stills)
    return ScreenMask(info.width, info.height, panels, tuple(words), marks, "doppler" if flow else "bmode", stated)


@dataclass(frozen=True)
class _Masked:
    """A clip that gives its frames masked."""

    source: OpenClip
    mask: ScreenMask

    @property
    def info(self) -> ClipInfo:
        return self.source.info

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        return map(self.mask.on, self.source.frames(wanted))


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _around(panels: tuple[Box, ...]) -> Box:
    x0, y0, x1, y1 = zip(*panels, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _is_whole(panels: tuple[Box, ...], info: ClipInfo) -> bool:
    x0, y0, x1, y1 = _around(panels)
    return (x1 - x0) * (y1 - y0) >= _WHOLE * info.width * info.height


def _coloured(frame: NDArray[np.uint8], panels: tuple[Box, ...]) -> float:
    if frame.shape[2] == 1:
        return 0.0
    x0, y0, x1, y1 = (round(value) for value in _around(panels))
    part = frame[y0:y1, x0:x1].astype(np.int16)
    return float(np.mean(part.max(axis=2) - part.min(axis=2) > _COLOURED))
