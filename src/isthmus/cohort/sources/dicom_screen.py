"""What of a scanner's screen may be kept: the scan area without its words, or nothing where that is uncertain."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.sources.dicom_files import DicomFile
from isthmus.errors import PictureError
from isthmus.imaging.burned_in import find_letters, find_words, painted
from isthmus.imaging.clip import Box, ClipInfo, OpenClip
from isthmus.imaging.limits import Limits
from isthmus.imaging.region import find_scan_area

_LOOKED_AT: Final = 9  # frames of a clip, evenly spread, that tell its scan area and its words
_WHOLE: Final = 0.98  # of the frame: such an area leaves no room for the scanner's text, and says nothing
_COLOURED: Final = 60  # levels between channels; a tinted grey picture stays below
_FLOW_SHARE: Final = 0.005  # of the scan area; a caliper or a body mark covers less


@dataclass(frozen=True)
class Shown:
    """What of a file's frames is kept.

    Parameters
    ----------
    panels : tuple of Box
        The scan area's panels; all outside is painted black.
    words : tuple of Box
        Painted black as well.
    marks : int
        How many other marks remain in the picture.
    modality : str
        ``doppler`` where there is colour, else ``bmode``: for files whose header does not say.
    notes : tuple of str
        How it was decided.
    """

    panels: tuple[Box, ...]
    words: tuple[Box, ...]
    marks: int
    modality: str
    notes: tuple[str, ...]

    @property
    def area(self) -> Box:
        """The box around all panels."""
        x0, y0, x1, y1 = zip(*self.panels, strict=True)
        return min(x0), min(y0), max(x1), max(y1)


def look_at(clip: OpenClip, file: DicomFile, limits: Limits) -> Shown:
    """Decide what of a file's frames is kept, from its regions and, in a clip, nine frames evenly spread.

    Raises
    ------
    PictureError
        When the screen's text cannot be told from the picture, or a frame cannot be decoded.
    """
    info = clip.info
    wanted = sorted({round(place) for place in np.linspace(0, info.frames - 1, min(info.frames, _LOOKED_AT))})
    limits.check_decoded(
        f"file {file.number}", width=info.width, height=info.height, channels=info.channels, frames=len(wanted)
    )
    frames = list(clip.frames(wanted))
    panels, found = info.panels, False
    if not panels or _is_whole(panels, info):
        panels, found = find_scan_area(np.max(frames, axis=0)).panels, True
    area = _around(panels)
    flow = max(_coloured(frame, panels) for frame in frames) >= _FLOW_SHARE
    # Letters stand still from one look to the next, and speckle does not: the darker of the two keeps the letters.
    stills = [np.minimum(one, next_) for one, next_ in pairwise(frames)] or frames
    words = {word: None for still in stills for word in find_words(still, area, colour_is_signal=flow)}
    if _is_whole(panels, info) and (file.burned_in == "YES" or words):
        raise PictureError(
            "its screen text cannot be told from its picture, and may name the patient",
            expected="ultrasound regions (0018,6011) in its header, or black around its scan area",
        )
    marks = max(len(find_letters(painted(still, panels, [*words]), area, colour_is_signal=flow)) for still in stills)
    notes = [f"{_counted(len(words), 'box', 'boxes')} of text painted over"] if words else []
    notes += [f"{_counted(marks, 'mark', 'marks')} left in it (calipers, arrows, letters?)"] if marks else []
    notes += ["scan area found, not stated"] if found else []
    return Shown(panels, tuple(words), marks, "doppler" if flow else "bmode", tuple(notes))


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
