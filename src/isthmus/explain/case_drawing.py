"""One chosen case, drawn twice: heat on its whole source picture, and a panel for the sheet of all cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.explain.gallery import GalleryCase
from isthmus.explain.overlay import MIRRORED, heat_on_source, lesion_on_source, overlay, to_png, window_on_source
from isthmus.files import atomic_path
from isthmus.imaging.clip import Box, Lesion
from isthmus.imaging.read import read_clip, read_mask
from isthmus.imaging.region import find_scan_area
from isthmus.inference.output import MARKS
from isthmus.inference.prediction import call_in_words

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.imaging.prepare import Preparation


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
        Indexed by ``view_id``: ``path``, ``mask``, ``box``, ``region``.
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
            Its row of ``localisation.csv``.
        small : ndarray of uint8, shape [h, h]
            Its heat, 255 for 1.
        """
        view_id = str(row["view_id"])
        picture, heat, lesion = self.seen(view_id, small)
        place = self.store.rows([view_id])
        words = call_in_words(str(row["call"]), self.classes, self.reference)
        score, label = f"{row['probability']:.2f}", self.classes[str(row["label"])]
        path = self.destination / "overlays" / f"{number:02d}.png"
        with atomic_path(path) as temporary:
            drawn = self._overlay(
                view_id,
                heat,
                np.asarray(self.store.source_to_prepared[place])[0],
                f"{score}, {words}{MIRRORED if self.flips else ''}",
            )
            to_png(drawn).save(temporary, format="PNG")
        inside = heat_in_words(row)
        panel = GalleryCase(
            heading,
            picture,
            heat,
            lesion,
            (f"View {view_id}: score {score}", f"Call: {words}", f"Label: {label}", inside),
        )
        caption = f"{heading}. View {view_id}: score {score}, {words}; label {label}. {inside}."
        alternative = f"Ultrasound picture {view_id} with a Grad-CAM heat map and the outline of the lesion."
        return DrawnCase(path, heading, caption, alternative), panel

    def seen(
        self, view_id: str, small: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]:
        """Return what the network saw of a view [h, w, C], the heat [h, w] on it, and the lesion [h, w]."""
        place, size = self.store.rows([view_id]), self.preparation.crop_size
        picture = middle(np.asarray(self.store.pixels[place])[:, 0], size)[0]
        lesion = middle(np.asarray(self.store.lesion_masks[place])[:, 0], size)[0].astype(bool)
        return picture, enlarged(small, size), lesion

    def _overlay(
        self, view_id: str, heat: NDArray[np.float32], source_to_prepared: NDArray[np.float64], score: str
    ) -> NDArray[np.uint8]:
        view: Mapping[Any, Any] = self.views.loc[view_id].to_dict()
        frame = read_clip(view["path"]).frames[0]
        shape, size, lesion = frame.shape[:2], self.preparation.train_size, None
        region = _box(view["region"]) or find_scan_area(frame).box
        if isinstance(view["mask"], str | Path):
            lesion = Lesion.still(mask=read_mask(view["mask"]))
        elif _box(view["box"]) is not None:
            lesion = Lesion.still(box=_box(view["box"]))
        return overlay(
            frame,
            heat_on_source(heat, source_to_prepared, self.preparation.train_size, frame.shape[:2], region),
            score=score,
            target=list(self.classes.values())[-1],
            region=region,
            mask=lesion_on_source(lesion, shape),
            window=window_on_source(source_to_prepared, size, heat.shape[0], region),
            marks=[MARKS.get(mark, mark) for mark in self.marks],
        )


def middle(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """Return the centre crop [N, size, size, ...] of [N, S, S, ...], by the rule of ``inference.batch.centre``."""
    top, left = (pixels.shape[1] - size) // 2, (pixels.shape[2] - size) // 2
    return pixels[:, top : top + size, left : left + size]


def _box(value: Any) -> Box | None:
    # pandas turns None into NaN in some columns.
    return (value[0], value[1], value[2], value[3]) if isinstance(value, tuple | list) else None


def enlarged(small: NDArray[np.uint8], size: int) -> NDArray[np.float32]:
    """Return kept heat [h, h], 255 for 1, as heat [size, size] whose hottest point is 1."""
    heat = cv2.resize(small.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(heat / max(float(heat.max()), 1.0), np.float32)


def heat_in_words(row: Mapping[Any, Any]) -> str:
    """Return how much of a case's heat lies in the lesion."""
    if np.isnan(row["lesion_area"]):
        return "No outline to compare with"
    if np.isnan(row["heat_in_lesion"]):
        return "No heat: nothing spoke for the positive class"
    return f"Heat in lesion {row['heat_in_lesion']:.2f}, centred Gaussian {row['gaussian_in_lesion']:.2f}"
