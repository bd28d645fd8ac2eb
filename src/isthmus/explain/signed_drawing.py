"""Chosen cases under their signed heat, and clips whose frames are channels as strips; their heat is computed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus.explain.case_drawing import CaseDrawer, DrawnCase, frame_of
from isthmus.explain.channel_strip import ChannelClip, channel_strip
from isthmus.explain.fold_networks import FoldNetwork
from isthmus.explain.frame_share import effects_of
from isthmus.explain.held_out_measures import HeldOutMeasures
from isthmus.explain.overlay import to_png
from isthmus.explain.seen_views import seen_views
from isthmus.explain.signed_maps import SignedCase
from isthmus.explain.signed_sheet import SheetCase, signed_sheet
from isthmus.files import atomic_path
from isthmus.inference.output import MARKS


@dataclass(frozen=True, eq=False)
class SignedDrawer:
    """Draws held-out cases of one arm.

    Parameters
    ----------
    cases : CaseDrawer
        The arm's, with its words and its folder.
    measures : HeldOutMeasures
        The arm's networks; they say whether heat is signed.
    """

    cases: CaseDrawer
    measures: HeldOutMeasures

    def strip(self, number: int, heading: str, row: Mapping[Any, Any]) -> DrawnCase:
        """Write ``strips/NN.png`` of a clip whose frames are channels.

        Parameters
        ----------
        number : int
            Its place among the cases; names the file.
        heading : str
            Why it was chosen.
        row : mapping
            Its row of ``localisation.csv``.
        """
        view_id, measures = str(row["view_id"]), self.measures
        seen = seen_views(measures.store, [view_id], measures.preparation)
        heat = measures.heat(fold_of(measures, row), [view_id], signed=measures.signed)[0, 0]
        effects = effects_of(pd.DataFrame([row]))[0]
        rate = rate_of(self.cases.views.loc[view_id].to_dict())
        clip = ChannelClip(seen.pictures[0], seen.lesions[0], heat, effects, seen.frames[0], rate, measures.signed)
        _, score, label = self.cases.words(row)
        words = f"{heading}. View {view_id}: score {score}; label {label}."
        path = self.cases.destination / "strips" / f"{number:02d}.png"
        drawn = channel_strip(clip, [f"{words} Research use only."], self._target, self._marks)
        with atomic_path(path) as temporary:
            to_png(drawn).save(temporary, format="PNG")
        alternative = f"{len(effects)} frames of clip {view_id} with the one Grad-CAM heat map of all. {clip.words()}"
        return DrawnCase(path, heading, f"{words} {clip.words()}", alternative)

    def sheet(self, chosen: Sequence[tuple[str, int]], rows: pd.DataFrame, title: str) -> Path:
        """Write ``signed.png``: the chosen cases under their signed heat, of clips the frame that the row names."""
        entries = [rows.iloc[row].to_dict() for _, row in chosen]
        cases = [
            SheetCase(self._signed(row), (f"View {row['view_id']}: score {row['probability']:.2f}, {heading}", label))
            for row, (heading, _) in zip(entries, chosen, strict=True)
            for label in [f"Call: {self.cases.words(row)[0]}. Label: {self.cases.words(row)[2]}"]
        ]
        path = self.cases.destination / "signed.png"
        return signed_sheet(cases, path, title=title, target=self._target, marks=self._marks)

    def _signed(self, row: Mapping[Any, Any]) -> SignedCase:
        view_id, measures = str(row["view_id"]), self.measures
        seen = seen_views(measures.store, [view_id], measures.preparation)
        heat = measures.heat(fold_of(measures, row), [view_id], signed=True)[0]
        place = int(np.argmax(seen.frames[0] == frame_of(row)))
        return SignedCase(seen.pictures[0, place], heat[place], seen.lesions[0, place])

    @property
    def _target(self) -> str:
        return list(self.cases.classes.values())[-1]

    @property
    def _marks(self) -> list[str]:
        return [MARKS.get(mark, mark) for mark in self.cases.marks]


def fold_of(measures: HeldOutMeasures, row: Mapping[Any, Any]) -> FoldNetwork:
    """Return the network that a row's view was held out from."""
    return next(
        fold
        for fold in measures.folds
        if (fold.seed, fold.fold) == (row["seed"], row["fold"]) and str(row["view_id"]) in fold.held_out_views
    )


def rate_of(view: Mapping[Any, Any]) -> float | None:
    """Return a clip's frames a second, where ``views.csv`` states them."""
    value = view.get("frame_rate_hz")
    return float(value) if value is not None and np.isfinite(value) and value > 0 else None
