"""What a network saw of prepared views: the centre crop of each frame that it looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.frames import seen_frames

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.preparation import Preparation


@dataclass(frozen=True, eq=False)
class SeenViews:
    """Views as a network sees them; a still is a clip of one frame.

    Parameters
    ----------
    pictures : ndarray of uint8, shape [N, T, h, w, C]
        Centre crops.
    outlines : ndarray of bool, shape [N, T, S, S]
        The lesion on the whole prepared pictures, frame by frame.
    frames : ndarray of int64, shape [N, T]
        Their numbers in the source, counted from 0.
    """

    pictures: NDArray[np.uint8]
    outlines: NDArray[np.bool_]
    frames: NDArray[np.int64]

    @property
    def lesions(self) -> NDArray[np.bool_]:
        """The lesion on what was seen: bool [N, T, h, w]."""
        return middle(self.outlines, self.pictures.shape[2])

    def only(self, places: NDArray[np.int64]) -> "SeenViews":
        """Return the views as stills: of each the one frame at its place [N]."""
        rows = np.arange(len(places))
        return SeenViews(
            self.pictures[rows, places][:, None],
            self.outlines[rows, places][:, None],
            self.frames[rows, places][:, None],
        )


def seen_views(store: "PreparedStore", view_ids: Sequence[str], preparation: "Preparation") -> SeenViews:
    """Return what a network saw of these views.

    Parameters
    ----------
    store : PreparedStore
        The arm's prepared pixels.
    view_ids : sequence of str
        N views.
    preparation : Preparation
        The arm's.
    """
    places, size = store.rows(view_ids), preparation.crop_size
    own = looked_at(preparation)
    return SeenViews(
        middle(np.asarray(store.pixels[places])[:, own], size),
        np.asarray(store.lesion_masks[places])[:, own].astype(bool),
        np.asarray(store.frame_indices[places])[:, own],
    )


def largest_lesion(seen: SeenViews) -> NDArray[np.int64]:
    """Return the place [N] of each view's frame with the largest lesion; of equal ones the nearest to the middle."""
    areas = seen.lesions.sum(axis=(2, 3))
    count = areas.shape[1]
    order = np.array(sorted(range(count), key=lambda place: abs(place - count // 2)))
    return np.asarray(order[areas[:, order].argmax(axis=1)], np.int64)


def looked_at(preparation: "Preparation") -> NDArray[np.int64]:
    """Return which of the stored frames a network sees."""
    frames = preparation.frames
    return np.zeros(1, np.int64) if frames is None else seen_frames(frames.stored, frames.count)


def middle(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the centre crop of pictures [N, T, S, S, ...], by the rule of ``inference.batch.centre``."""
    top, left = (pixels.shape[2] - size) // 2, (pixels.shape[3] - size) // 2
    return pixels[:, :, top : top + size, left : left + size]
