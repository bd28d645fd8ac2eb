"""A fused bundle in memory: cases with the pictures of several members in, calibrated probabilities out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd

from isthmus.errors import InputError
from isthmus.inference.case_perfusion import case_perfusion
from isthmus.inference.case_rules import JoinedCase, join_case, taken_as_one
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
from isthmus.inference.load import device_here, load_bundle
from isthmus.inference.member_values import MemberViews, means_of_cases, member_values
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import FailedPicture, Prediction, Predictions, call_in_words
from isthmus.inference.predictor import Predictor
from isthmus.models.coded_head import CodedHead
from isthmus.models.fused_bundle import load_heads, member_folder, read_fused_bundle
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.fused_columns import PERFUSION, indicator_name
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.inputs import FloatArray

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore

Progress = Callable[[str, int, int], None]
OwnNetworks = Path | Mapping[str, Path] | None
"""The Python file of the members' own network, or one a member."""

_BLOCK: Final = 16
"""Cases that are held and scored at once."""


@dataclass(frozen=True, eq=False)
class FusedPredictor:
    """A model of several arms in memory; made by :func:`load_fused_bundle`.

    Parameters
    ----------
    spec : FusedBundleSpec
        What the bundle says of itself.
    members : mapping
        Member to its networks: part n of each belongs to head n.
    heads : sequence of CodedHead
        Their probabilities are averaged.
    device : str
        Where the networks compute.
    """

    spec: FusedBundleSpec
    members: Mapping[str, Predictor]
    heads: Sequence[CodedHead]
    device: str

    def predict(
        self, cases: Sequence[Case], *, localiser: Proposer | None = None, progress: Progress | None = None
    ) -> Predictions:
        """Score cases.

        Parameters
        ----------
        cases : sequence of Case
            One a nodule, or a patient where the label is the patient's.
        localiser : Proposer, optional
            Proposes the region of B-mode pictures and clips that have neither box nor mask, where a member needs one.
        progress : callable, optional
            Called with what, done, total.

        Returns
        -------
        Predictions
            One a case, in order. A case of which a picture cannot be read, or a column is wrong, stands in
            ``.failures``: leaving out what was given would be another answer. The others go on.

        Raises
        ------
        InputError
            When there is no case, or no case at all could be scored (then with the first one's error).
        """
        if not cases:
            raise InputError("no case was given", expected="at least one")
        if not all(isinstance(case, Case) for case in cases):
            raise InputError(
                "this model of several arms scores cases, not files",
                where=self.spec.name,
                expected="isthmus.inference.fused_case.Case, which says what each file shows",
            )
        found: list[Prediction] = []
        failures: list[FailedPicture] = []
        waiting: list[tuple[int, ReadCase]] = []
        for number, case in enumerate(cases, start=1):
            read = self.read(case, localiser)
            if isinstance(read, FailedPicture):
                failures.append(read)
            else:
                waiting.append((number, read))
            if len(waiting) == _BLOCK or (number == len(cases) and waiting):
                scores = self.score(*self._side_by_side([nodule for _, one in waiting for nodule in one.nodules]))
                ends = np.cumsum([len(one.nodules) for _, one in waiting])
                for (place, one), own in zip(waiting, np.split(scores, ends[:-1], axis=1), strict=True):
                    if np.isnan(own).any(axis=0).all():
                        failures.append(FailedPicture(one.case.shown, _unmeasured()))
                    else:
                        found.append(replace(self._prediction(one, own), number=place))
                waiting = []
            if progress is not None:
                progress("cases", number, len(cases))
        if not found:
            raise failures[0].error
        return Predictions(found, failures)

    def score_stores(
        self,
        stores: "Mapping[str, PreparedStore]",
        views: Mapping[str, pd.DataFrame],
        cases: pd.DataFrame,
        measured: FloatArray | None = None,
    ) -> pd.DataFrame:
        """Score nodules of picture caches.

        Parameters
        ----------
        stores : mapping
            For each member a store that was prepared as its bundle says.
        views : mapping
            For each member `view_id` and `nodule_id`.
        cases : DataFrame
            One row a nodule: `nodule_id` and what the tables know of it.
        measured : float64 array [N, features], optional
            The nodules' perfusion, for a model that takes it.

        Returns
        -------
        DataFrame
            `nodule_id` and `p_<class>`, the mean of the pairs, not calibrated, as `predictions.csv` holds it; nodules
            that lack what the model cannot do without have no row.
        """
        place_of = {nodule: place for place, nodule in enumerate(cases["nodule_id"].tolist())}
        own: dict[str, MemberViews] = {}
        for arm in self.members:
            there = views[arm][views[arm]["nodule_id"].isin(list(place_of))]
            if len(there):
                rows = np.asarray(stores[arm].rows(there["view_id"].tolist()), np.int64)
                places = there["nodule_id"].map(place_of).to_numpy(dtype=np.int64)
                own[arm] = MemberViews(stores[arm].pixels, stores[arm].lesion_masks, rows, places)
        positive = self.score(own, cases, measured).mean(axis=0)
        names = list(self.spec.classes)
        rows_of = cases[["nodule_id"]].assign(**{f"p_{names[0]}": 1.0 - positive, f"p_{names[-1]}": positive})
        scored: pd.DataFrame = rows_of[~np.isnan(positive)].reset_index(drop=True)
        return scored

    def score(
        self, views: Mapping[str, MemberViews], cases: pd.DataFrame, measured: FloatArray | None = None
    ) -> FloatArray:
        """Return each pair's uncalibrated probability of the positive class: float64 [heads, N].

        Parameters
        ----------
        views : mapping
            Member to its views of the N cases; a member without any may be left out.
        cases : DataFrame
            N rows: what is known of them.
        measured : float64 array [N, features], optional
            Their perfusion.
        """
        given = self.features(views, cases, measured)
        return np.stack([one.head.probabilities(own) for one, own in zip(self.heads, given, strict=True)])

    def features(
        self, views: Mapping[str, MemberViews], cases: pd.DataFrame, measured: FloatArray | None = None
    ) -> list[FloatArray]:
        """Return what each head is given of the cases, float64 [N, its columns]; parameters as for :meth:`score`."""
        found = []
        for number, head in enumerate(self.heads):
            blocks = {} if measured is None else {PERFUSION: measured}
            for arm, own in views.items():
                member = self.members[arm]
                values = member_values(
                    member.parts[number],
                    own,
                    member.spec.prepare,
                    self.spec.join,
                    self.device,
                    flips=member.spec.flips,
                    frame_scores=member.spec.frame_scores,
                )
                blocks[arm] = means_of_cases(values, own.cases, len(cases))
            found.append(head.features(blocks, cases))
        return found

    def features_of(self, read: ReadCase) -> list[FloatArray]:
        """Return what each head is given of the nodules of a case that :meth:`read` gave: float64 [N, its columns]."""
        return self.features(*self._side_by_side(read.nodules))

    def join(self, read: ReadCase, pairs: FloatArray) -> JoinedCase:
        """Return what each nodule of a case counts for in its answer.

        Parameters
        ----------
        read : ReadCase
            From :meth:`read`.
        pairs : float64 array [heads, N]
            Each pair's probability of the positive class; a nodule that one does not score counts for nothing.
        """
        positive, names = pairs.mean(axis=0), [nodule.name for nodule in read.nodules]
        return join_case(np.stack([1.0 - positive, positive], axis=1), names, names, self.spec)

    @property
    def calibration(self) -> LogisticCalibration:
        """Of the positive class."""
        said = self.spec.calibration
        return LogisticCalibration(said.intercept, said.slope, said.method)

    def read(self, case: Case, localiser: Proposer | None = None) -> ReadCase | FailedPicture:
        """Read a case's pictures as the members need them; parameters as for :meth:`predict`.

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
                    picture = self.members[arm].read(
                        view.path,
                        box=view.box,
                        mask=view.mask,
                        scan_area=view.scan_area,
                        localiser=localiser if self._is_b_mode(arm) else None,
                        frame_rate_hz=view.frame_rate_hz,
                    )
                except InputError as error:
                    return FailedPicture(f"{case.name}: {view.name}" if case.name else view.name, error)
                pictures.setdefault(arm, []).append(picture)
        measured, doubts = case_perfusion(views[PERFUSION]) if self.spec.perfusion else (None, list[str]())
        if not pictures and measured is not None and np.isnan(measured).all():
            return _unmeasured()
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

    def _side_by_side(
        self, nodules: Sequence[ReadNodule]
    ) -> tuple[dict[str, MemberViews], pd.DataFrame, FloatArray | None]:
        """Return the views of nodules, what is known of them and their perfusion, as :meth:`score` takes them."""
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

    def _prediction(self, read: ReadCase, pairs: FloatArray) -> Prediction:
        """Join the pairs' probabilities of the positive class [heads, N] of the nodules of one case."""
        spec, joined = self.spec, self.join(read, pairs)
        own = joined.of(pairs.T)
        mean = float(own.mean())
        probability, each = float(self.calibration.apply(np.array([mean]))[0]), self.calibration.apply(own)
        threshold, names = spec.thresholds.value, list(spec.classes)
        pictures = {picture.source: picture for own in read.pictures.values() for picture in own}
        clips = {picture.source: picture.frames for own in read.pictures.values() for picture in own if picture.frames}
        notes = [f"{arm}: {note}" for arm, own in read.pictures.items() for picture in own for note in picture.notes]
        call = spec.positive if probability >= threshold else names[0]
        above = int((each >= threshold).sum())
        if 0 < above < len(each):
            who = "folds" if spec.mode is None else "pairs"
            notes.append(f"{above} of {len(each)} {who} lie at or above the threshold, the others below")
        notes += joined.notes
        return Prediction(
            sources=tuple(pictures),
            probabilities={names[0]: 1.0 - mean, names[-1]: mean},
            probability=probability,
            calibrated=True,
            call=call,
            words=call_in_words(call, spec.classes, spec.cohort.reference),
            threshold=threshold,
            member_range=(float(each.min()), float(each.max())),
            region_source="/".join(sorted({one.region_source for own in read.pictures.values() for one in own})),
            notes=(*read.notes, *dict.fromkeys(notes), *taken_as_one(spec, read.case.nodules, len(read.case.files))),
            frames=tuple(clips.get(source, ()) for source in pictures) if clips else (),
            case=read.case.name,
        )


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


def _unmeasured() -> InputError:
    return InputError("its perfusion was not measured, and the model cannot do without", expected="another clip")


def load_fused_bundle(folder: str | Path, device: str = "auto", *, own_networks: OwnNetworks = None) -> FusedPredictor:
    """Load a fused bundle once, for any number of cases.

    Parameters
    ----------
    folder : str or Path
        The bundle.
    device : str
        As for :func:`isthmus.inference.load.load_bundle`.
    own_networks : Path or mapping, optional
        The Python file of a network of the user's own, or one for each member that has such.

    Raises
    ------
    BundleError
        When the folder is no fused bundle, is incomplete or altered.
    InputError
        When the device is not there.
    """
    folder = Path(folder)
    spec, place, members = read_fused_bundle(folder), device_here(device), dict[str, Predictor]()
    for member in spec.members:
        arm = member.arm
        own = own_networks.get(arm) if isinstance(own_networks, Mapping) else own_networks
        members[arm] = load_bundle(member_folder(folder, arm), place, own_network=own)
    return FusedPredictor(spec, members, load_heads(folder, spec), place)
