"""A case read for a model of several arms: the pictures of each member, what is known, and what is said of the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from isthmus.errors import InputError
from isthmus.inference.case_perfusion import case_perfusion
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.fused_case import (
    Case,
    ReadCase,
    ReadNodule,
    View,
    nodules_of,
    refused_absence,
    views_by_member,
)
from isthmus.inference.given_columns import checked_columns
from isthmus.inference.member_values import MemberViews
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import FailedPicture
from isthmus.inference.predictor import Predictor
from isthmus.models.coded_head import CodedHead
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.fused_columns import PERFUSION, indicator_name
from isthmus.statistics.inputs import FloatArray


@dataclass(frozen=True, eq=False)
class CaseReader:
    """Reads cases for a fused model.

    Parameters
    ----------
    spec : FusedBundleSpec
        What the bundle says of itself.
    members : mapping
        Member to its networks, which say how their pictures are prepared.
    heads : sequence of CodedHead
        They say how an absent member counts.
    """

    spec: FusedBundleSpec
    members: Mapping[str, Predictor]
    heads: Sequence[CodedHead]

    def read(self, case: Case, localiser: Proposer | None = None) -> ReadCase | FailedPicture:
        """Read a case's pictures as the members need them.

        Of a patient with several nodules one that the model cannot do with is left out with a note, as in a run.
        """
        try:
            given = nodules_of(case, self.spec.unit)
        except InputError as error:
            return FailedPicture(case.shown, error)
        nodules, said, unusable = list[ReadNodule](), dict[str, list[str]](), dict[str, InputError]()
        for name, own in given.items():
            try:
                views = views_by_member(own, self.spec)
                known, notes = checked_columns(self.spec.columns, own.columns, own.shown)
            except InputError as error:
                return FailedPicture(case.shown, error)
            refused = refused_absence(views, self.spec, own.shown)
            read = refused or self._nodule(own, views, localiser)
            if isinstance(read, FailedPicture):
                return read
            if isinstance(read, InputError):
                unusable[name] = read
                continue
            absent = [arm for arm, there in views.items() if not there]
            nodules.append(ReadNodule(name, read.pictures, known, read.measured))
            said[name] = [*map(self._absent, absent), *notes, *read.doubts]
        if not nodules:
            return FailedPicture(case.shown, next(iter(unusable.values())))
        left_out = [f"nodule {name} is left out: {error.what}" for name, error in unusable.items()]
        return ReadCase(case, nodules, [*_by_nodule(said), *left_out])

    def _nodule(
        self, case: Case, views: Mapping[str, Sequence[View]], localiser: Proposer | None
    ) -> "_Read | FailedPicture | InputError":
        """Read a nodule's pictures; an error of its own where its perfusion is all there is, and was not measured."""
        pictures: dict[str, list[Picture]] = {}
        for arm, own in views.items():
            for view in own if arm != PERFUSION else ():
                try:
                    picture = self.members[arm].read_view(view, localiser if self._is_b_mode(arm) else None)
                except InputError as error:
                    return FailedPicture(f"{case.name}: {view.name}" if case.name else view.name, error)
                pictures.setdefault(arm, []).append(picture)
        measured, doubts = case_perfusion(views[PERFUSION]) if self.spec.perfusion else (None, list[str]())
        if not pictures and measured is not None and np.isnan(measured).all():
            return unmeasured()
        return _Read(pictures, measured, doubts)

    def _is_b_mode(self, arm: str) -> bool:
        """Whether a localiser, which learns from B-mode, may propose a member's regions."""
        return self.spec.member(arm).requires.modalities[0] in ("bmode", "cine")

    def _absent(self, arm: str) -> str:
        """Return what is said of a score without a member."""
        if self.spec.mode is None:
            return f"{arm} is absent: the score is the mean of the others"
        marked = any(indicator_name(arm) in dict(head.head.indicators) for head in self.heads)
        learnt = "" if marked else ", and the model learnt from no case without it"
        return f"{arm} is absent: it counts as that of an average training case{learnt}"

    def side_by_side(
        self, nodules: Sequence[ReadNodule]
    ) -> tuple[dict[str, MemberViews], pd.DataFrame, FloatArray | None]:
        """Return the views of nodules, what is known of them and their perfusion, as the predictor scores them."""
        views: dict[str, MemberViews] = {}
        for arm in self.members:
            own = [(place, picture) for place, one in enumerate(nodules) for picture in one.pictures.get(arm, ())]
            if own:
                pixels = np.stack([picture.prepared.pixels for _, picture in own])
                masks = np.stack([picture.prepared.lesion_mask for _, picture in own])
                places = np.array([place for place, _ in own], np.int64)
                views[arm] = MemberViews(pixels, masks, np.arange(len(own), dtype=np.int64), places)
        names = [column.name for column in self.spec.columns]
        cases = pd.DataFrame([one.known for one in nodules], columns=names, index=range(len(nodules)))
        measured = [one.measured for one in nodules if one.measured is not None]
        return views, cases, np.stack(measured) if measured else None


class _Read(NamedTuple):
    """The pictures of a nodule's members, its perfusion, and doubts about that."""

    pictures: dict[str, list[Picture]]
    measured: FloatArray | None
    doubts: list[str]


def _by_nodule(said: Mapping[str, Sequence[str]]) -> list[str]:
    """Return each note once, with its nodules where it is not of all."""
    notes = []
    for note in dict.fromkeys(note for own in said.values() for note in own):
        whose = [name for name, own in said.items() if note in own]
        notes.append(note if len(whose) == len(said) else f"nodule {', '.join(whose)}: {note}")
    return notes


def unmeasured() -> InputError:
    """Return what is wrong with a case whose perfusion is all there is, and was not measured."""
    return InputError("its perfusion was not measured, and the model cannot do without", expected="another clip")
