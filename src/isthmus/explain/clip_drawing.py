"""One chosen clip, drawn three ways: a film of its overlay (MP4, GIF) and a filmstrip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.attention_curve import Attention
from isthmus.explain.calcifications import masks_on_crops
from isthmus.explain.case_drawing import CaseDrawer, heat_in_words, scan_area_of
from isthmus.explain.clip_film import NARROW, WIDE, SourceClip, film_frames
from isthmus.explain.clip_localisation import frame_attention
from isthmus.explain.clip_video import playing_rate, write_gif, write_mp4
from isthmus.explain.filmstrip import SeenClip, filmstrip
from isthmus.explain.frame_lesions import as_box, lesions_on_source
from isthmus.explain.held_out_measures import HeldOutMeasures
from isthmus.explain.overlay import to_png
from isthmus.explain.seen_views import seen_views
from isthmus.explain.signed_drawing import fold_of, rate_of
from isthmus.files import atomic_path
from isthmus.imaging.read import read_clip
from isthmus.inference.output import MARKS


@dataclass(frozen=True)
class DrawnClip:
    """A clip's films and strip on disk, with words; ``alternative`` is read out to those who do not see them."""

    video: Path
    gif: Path
    filmstrip: Path
    heading: str
    caption: str
    alternative: str


@dataclass(frozen=True, eq=False)
class ClipDrawer:
    """Draws held-out clips of one arm; heat is computed anew for the few that are drawn, not kept for all.

    Parameters
    ----------
    cases : CaseDrawer
        The arm's, with its words and its folder.
    measures : HeldOutMeasures
        The arm's networks.
    """

    cases: CaseDrawer
    measures: HeldOutMeasures

    def draw(self, number: int, heading: str, row: Mapping[Any, Any]) -> DrawnClip:
        """Write ``films/NN.mp4``, ``films/NN.gif`` and ``filmstrips/NN.png``.

        Parameters
        ----------
        number : int
            Its place among the cases; names the files.
        heading : str
            Why it was chosen.
        row : mapping
            Its row of ``localisation.csv``.
        """
        view_id, target = str(row["view_id"]), list(self.cases.classes.values())[-1]
        seen = self._seen(view_id, row)
        _, score, label = self.cases.words(row)
        marks = [MARKS.get(mark, mark) for mark in self.cases.marks]
        rate, speed = playing_rate(seen.attention.frames, seen.attention.rate_hz)
        source = self._source(view_id, seen.attention)
        frames, fewer = (
            film_frames(source, seen.heat, seen.attention, score=score, target=target, marks=marks, half=half)
            for half in (WIDE, NARROW)
        )
        folder, name = self.cases.destination, f"{number:02d}"
        film, gif, strip = folder / "films" / f"{name}.mp4", folder / "films" / f"{name}.gif", folder / "filmstrips"
        write_mp4(frames, film, rate)
        write_gif(fewer, gif, rate)
        words = f"{heading}. View {view_id}: score {score}; label {label}. {heat_in_words(row)}."
        with atomic_path(strip / f"{name}.png") as temporary:
            to_png(filmstrip(seen, [f"{words} Research use only."], target, marks)).save(temporary, format="PNG")
        played = f"The film shows the {len(frames)} frames that the network saw, {speed}."
        return DrawnClip(film, gif, strip / f"{name}.png", heading, f"{words} {played}", _alternative(view_id, seen))

    def _seen(self, view_id: str, row: Mapping[Any, Any]) -> SeenClip:
        measures = self.measures
        seen = seen_views(measures.store, [view_id], measures.preparation)
        heat = measures.heat(fold_of(measures, row), [view_id])
        truth = None
        if measures.calcifications is not None:
            truth = masks_on_crops(measures.store, [view_id], measures.preparation, measures.calcifications)[0]
        attention = Attention(
            frame_attention(heat)[0],
            seen.frames[0],
            seen.lesions[0].any(axis=(1, 2)),
            None if truth is None else truth.any(axis=(1, 2)),
            rate_of(self.cases.views.loc[view_id].to_dict()),
        )
        return SeenClip(seen.pictures[0], heat[0], seen.lesions[0], attention, truth)

    def _source(self, view_id: str, attention: Attention) -> SourceClip:
        cases, frames = self.cases, attention.frames
        view: Mapping[Any, Any] = cases.views.loc[view_id].to_dict()
        own, places = np.unique(frames, return_inverse=True)
        pictures = read_clip(view["path"], frames=own.tolist()).frames
        region = as_box(view["region"]) or scan_area_of(view["path"])
        lesions = lesions_on_source(view, own.tolist(), (pictures.shape[1], pictures.shape[2]))
        return SourceClip(
            pictures[places],
            [lesions[place] for place in places],
            region,
            np.asarray(cases.store.source_to_prepared[cases.store.rows([view_id])])[0],
            cases.preparation.train_size,
        )


def _alternative(view_id: str, seen: SeenClip) -> str:
    attention = seen.attention
    hottest = attention.hottest
    share: NDArray[np.float64] = np.nan_to_num(attention.share)
    most = "" if hottest is None else f"; {attention.name(hottest)} has most heat, {share[hottest]:.0%} of the clip's"
    words = f"Ultrasound clip {view_id} with a Grad-CAM heat map on {len(share)} frames{most}. {attention.words()}"
    return words.strip()
