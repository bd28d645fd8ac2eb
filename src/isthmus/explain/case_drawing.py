"""One chosen case, drawn twice: heat on its whole source picture, and a panel for the sheet of all cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.frame_lesions import as_box, lesions_on_source
from isthmus.explain.gallery import GalleryCase
from isthmus.explain.overlay import MIRRORED, heat_on_source, overlay, to_png, window_on_source
from isthmus.explain.seen_views import seen_views
from isthmus.files import atomic_path
from isthmus.imaging.clip import Box
from isthmus.imaging.read import read_clip
from isthmus.imaging.region import find_scan_area
from isthmus.inference.output import MARKS
from isthmus.inference.prediction import call_in_words

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.preparation import Preparation


@dataclass(frozen=True)
class DrawnCase:
    """An overlay on disk, with words for the report; ``alternative`` is read out to those who do not see it."""

    path: Path
    heading: str
    caption: str
    alternative: str


@dataclass(frozen=True, eq=False)
class CaseDrawer:
    """Draws cases of one arm.

    Parameters
    ----------
    store : PreparedStore
        The arm's prepared pixels.
    views : DataFrame
        Indexed by ``view_id``: ``path``, ``mask``, ``box``, ``region`` and, of clips, ``frame_boxes``.
    preparation : Preparation
        The arm's.
    classes : mapping
        Class code to shown name.
    reference : str
        What the labels rest on.
    marks : tuple of str
        ``SMOKE``, ``SIMULATED``.
    destination : Path
        Overlays go to its ``overlays/``.
    flips : bool
        The scores are means over mirror images; the heat is of the picture as it is, and the overlay says so.
    """

    store: "PreparedStore"
    views: pd.DataFrame
    preparation: "Preparation"
    classes: Mapping[str, str]
    reference: str
    marks: tuple[str, ...]
    destination: Path
    flips: bool = False

    def draw(
        self, number: int, heading: str, row: Mapping[Any, Any], small: NDArray[np.uint8]
    ) -> tuple[DrawnCase, GalleryCase]:
        """Write one overlay; return it, and the case's panel for the sheet.

        Parameters
        ----------
        number : int
            Its place among the cases; names the file.
        heading : str
            Why it was chosen.
        row : mapping
            Its row of ``localisation.csv``; of a clip the frame of most heat is drawn.
        small : ndarray of uint8, shape [h, h]
            Its heat, 255 for 1.
        """
        view_id, frame = str(row["view_id"]), frame_of(row)
        picture, heat, lesion = self.seen(row, small)
        place = self.store.rows([view_id])
        words, score, label = self.words(row)
        path = self.destination / "overlays" / f"{number:02d}.png"
        with atomic_path(path) as temporary:
            drawn = self._overlay(view_id, frame, heat, np.asarray(self.store.source_to_prepared[place])[0], score)
            to_png(drawn).save(temporary, format="PNG")
        inside = heat_in_words(row)
        panel = GalleryCase(
            heading,
            picture,
            heat,
            lesion,
            (f"View {view_id}: score {row['probability']:.2f}", f"Call: {words}", f"Label: {label}", inside),
        )
        which = f", frame {frame} (counted from 0)" if "frame" in row else ""
        caption = f"{heading}. View {view_id}{which}: score {row['probability']:.2f}, {words}; label {label}. {inside}."
        alternative = f"Ultrasound picture {view_id}{which} with a Grad-CAM heat map and the outline of the lesion."
        return DrawnCase(path, heading, caption, alternative), panel

    def words(self, row: Mapping[Any, Any]) -> tuple[str, str, str]:
        """Return a case's call in words, its score with the call, and its label."""
        called = call_in_words(str(row["call"]), self.classes, self.reference)
        of = f"{list(self.classes.values())[-1]} " if len(self.classes) > 2 else ""
        score = f"{of}{row['probability']:.2f}, {called}{MIRRORED if self.flips else ''}"
        return called, score, self.classes[str(row["label"])]

    def seen(
        self, row: Mapping[Any, Any], small: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
        """Return what the network saw of a case [h, w, C], the heat [h, w] on it, and the lesion [h, w].

        Of a clip it is the frame that the row names: the one of most heat.
        """
        seen = seen_views(self.store, [str(row["view_id"])], self.preparation)
        place = int(np.argmax(seen.frames[0] == frame_of(row)))
        return seen.pictures[0, place], enlarged(small, self.preparation.crop_size), seen.lesions[0, place]

    def _overlay(
        self, view_id: str, frame: int, heat: NDArray[np.float32], source_to_prepared: NDArray[np.float64], score: str
    ) -> NDArray[np.uint8]:
        view: Mapping[Any, Any] = self.views.loc[view_id].to_dict()
        picture = read_clip(view["path"], frames=[frame]).frames[0]
        shape, size = picture.shape[:2], self.preparation.train_size
        region = as_box(view["region"]) or scan_area_of(view["path"])
        return overlay(
            picture,
            heat_on_source(heat, source_to_prepared, size, shape, region),
            score=score,
            target=list(self.classes.values())[-1],
            region=region,
            mask=lesions_on_source(view, [frame], shape)[0],
            window=window_on_source(source_to_prepared, size, heat.shape[0], region),
            marks=[MARKS.get(mark, mark) for mark in self.marks],
        )


def scan_area_of(path: Path) -> Box:
    """Return the scan area as it was found when the view was prepared: in the first frame."""
    return find_scan_area(read_clip(path, frames=[0]).frames[0]).box


def frame_of(row: Mapping[Any, Any]) -> int:
    """Return which frame of its source a case's picture is; 0 of a still."""
    return int(row.get("frame", 0))


def enlarged(small: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Return kept heat [h, h], 255 for 1, as heat [size, size] whose hottest point is 1."""
    heat = cv2.resize(small.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(heat / max(float(heat.max()), 1.0), np.float32)


def heat_in_words(row: Mapping[Any, Any]) -> str:
    """Return how much of a case's heat lies in the lesion."""
    if np.isnan(row["lesion_area"]):
        return "No outline to compare with"
    if np.isnan(row["heat_in_lesion"]):
        return "No heat: nothing spoke for the class that is explained"
    return f"Heat in lesion {row['heat_in_lesion']:.2f}, centred Gaussian {row['gaussian_in_lesion']:.2f}"
