"""What of a clip's frames is tissue: marks filled in, grey or colour, less speckle."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.imaging.crop_window import Placed, Window, as_box, bordered
from isthmus.imaging.denoise import LOCAL, denoise
from isthmus.imaging.marks import fill_marks, find_still_marks
from isthmus.imaging.preparation import Preparation


class CleanedTissue:
    """A clip's frames without marks and with less speckle, made once for all windows of a region."""

    def __init__(self, frames: NDArray[np.uint8], preparation: Preparation, placed: Sequence[Placed]) -> None:
        self._frames, self._preparation = frames, preparation
        self._windows = [(one.window, one.region) for one in placed]
        self._marks: dict[Window, list[Box]] = {}
        self._clean: dict[tuple[int, Window], NDArray[np.uint8]] = {}
        self._denoised: dict[tuple[int, Window], NDArray[np.uint8]] = {}

    @property
    def preparation(self) -> Preparation:
        """By what it is cleaned."""
        return self._preparation

    def around(self, frame: int, window: Window, region: Window) -> tuple[NDArray[np.uint8], int, int] | None:
        """Return the tissue of a window and its border, and where it begins; None where the two do not meet."""
        if bordered(window, region, self._preparation) is None:
            return None
        # Median and non-local means see no further than the border: one pass over all windows gives each its pixels.
        shared = self._preparation.denoise in LOCAL
        windows = [one for one, own in self._windows if own == region] if shared else [window]
        hull = (
            min(one[0] for one in windows), min(one[1] for one in windows),
            max(one[2] for one in windows), max(one[3] for one in windows),
        )  # fmt: skip
        area = bordered(hull, region, self._preparation)
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
            area = as_box(region)
            if region not in self._marks:
                # Once for all frames: what is filled in does not flicker, and no calcification that moves is filled in.
                self._marks[region] = find_still_marks(self._frames, area)
            self._clean[frame, region] = fill_marks(self._frames[frame], self._marks[region], area)
        return self._clean[frame, region]


def _channels(frame: NDArray[np.uint8], channels: str) -> NDArray[np.uint8]:
    if channels == "gray" and frame.shape[2] == 3:
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)[..., None]
    if channels == "rgb" and frame.shape[2] == 1:
        return np.repeat(frame, 3, axis=2)
    return frame
