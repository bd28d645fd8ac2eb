"""A fused bundle in memory: cases with the pictures of several members in, calibrated probabilities out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from isthmus.errors import InputError
from isthmus.inference.case_rules import JoinedCase, join_case, taken_as_one
from isthmus.inference.cases import refuse_no_cases
from isthmus.inference.class_call import call_at_threshold
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.engine_choice import choose_engine
from isthmus.inference.engines import AUTO
from isthmus.inference.fused_case import Case, ReadCase
from isthmus.inference.fused_reading import CaseReader, unmeasured
from isthmus.inference.joined_prediction import prediction_of
from isthmus.inference.load import device_here, engine_for, load_with
from isthmus.inference.member_values import MemberViews, means_of_cases, member_values_of_parts
from isthmus.inference.prediction import FailedPicture, Prediction, Predictions
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle import read_bundle
from isthmus.models.coded_head import CodedHead
from isthmus.models.fused_bundle import load_heads, member_folder, read_fused_bundle
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.fused_columns import PERFUSION
from isthmus.progress import Progress
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.inputs import FloatArray

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore

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
        refuse_no_cases(cases)
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
                for (place, one), own in zip(waiting, self._scores([one for _, one in waiting]), strict=True):
                    if np.isnan(own).any(axis=0).all():
                        failures.append(FailedPicture(one.case.shown, unmeasured()))
                    else:
                        found.append(replace(self._prediction(one, own), number=place))
                waiting = []
            if progress is not None:
                progress("cases", number, len(cases))
        if not found:
            raise failures[0].error
        return Predictions(found, failures)

    def _scores(self, read: Sequence[ReadCase]) -> list[FloatArray]:
        """Return each pair's probabilities [heads, N] of the N nodules of each case."""
        scores = self.score(*self._reader.side_by_side([nodule for one in read for nodule in one.nodules]))
        ends = np.cumsum([len(one.nodules) for one in read])
        return np.split(scores, ends[:-1], axis=1)

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
        positive = self.pair_scores(stores, views, cases, measured).mean(axis=0)
        names = list(self.spec.classes)
        rows_of = cases[["nodule_id"]].assign(**{f"p_{names[0]}": 1.0 - positive, f"p_{names[-1]}": positive})
        scored: pd.DataFrame = rows_of[~np.isnan(positive)].reset_index(drop=True)
        return scored

    def pair_scores(
        self,
        stores: "Mapping[str, PreparedStore]",
        views: Mapping[str, pd.DataFrame],
        cases: pd.DataFrame,
        measured: FloatArray | None = None,
    ) -> FloatArray:
        """Return each pair's probability of the positive class, float64 [heads, N]; as for :meth:`score_stores`."""
        place_of = {nodule: place for place, nodule in enumerate(cases["nodule_id"].tolist())}
        own: dict[str, MemberViews] = {}
        for arm in self.members:
            there = views[arm][views[arm]["nodule_id"].isin(list(place_of))]
            if len(there):
                rows = np.asarray(stores[arm].rows(there["view_id"].tolist()), np.int64)
                places = there["nodule_id"].map(place_of).to_numpy(dtype=np.int64)
                own[arm] = MemberViews(stores[arm].pixels, stores[arm].lesion_masks, rows, places)
        return self.score(own, cases, measured)

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
        blocks: list[dict[str, FloatArray]] = [{} if measured is None else {PERFUSION: measured} for _ in self.heads]
        for arm, own in views.items():
            for number, values in enumerate(member_values_of_parts(self.members[arm].runs, own, self.spec.join)):
                blocks[number][arm] = means_of_cases(values, own.cases, len(cases))
        return [head.features(own, cases) for head, own in zip(self.heads, blocks, strict=True)]

    def features_of(self, read: ReadCase) -> list[FloatArray]:
        """Return what each head is given of the nodules of a case that :meth:`read` gave: float64 [N, its columns]."""
        return self.features(*self._reader.side_by_side(read.nodules))

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

    def read(self, case: Case, localiser: Proposer | None = None) -> ReadCase | FailedPicture:
        """Read a case's pictures; see :meth:`isthmus.inference.fused_reading.CaseReader.read`."""
        return self._reader.read(case, localiser)

    @property
    def _reader(self) -> CaseReader:
        return CaseReader(self.spec, self.members, self.heads)

    @property
    def engine_name(self) -> str:
        """Which engine runs the members' networks."""
        return next(iter(self.members.values())).engine_name

    @property
    def calibration(self) -> LogisticCalibration:
        """Of the positive class."""
        said = self.spec.calibration
        return LogisticCalibration(said.intercept, said.slope, said.method)

    def _prediction(self, read: ReadCase, pairs: FloatArray) -> Prediction:
        """Join the pairs' probabilities of the positive class [heads, N] of the nodules of one case."""
        spec, joined = self.spec, self.join(read, pairs)
        own = joined.of(pairs.T)
        mean = np.array([own.mean()])
        call = call_at_threshold(spec, self.calibration, mean, own, "folds" if spec.mode is None else "pairs")
        pictures = {picture.source: picture for own in read.pictures.values() for picture in own}
        clips = {picture.source: picture.frames for own in read.pictures.values() for picture in own if picture.frames}
        notes = [f"{arm}: {note}" for arm, own in read.pictures.items() for picture in own for note in picture.notes]
        said = dict.fromkeys([*notes, *call.notes, *joined.notes])
        return prediction_of(
            spec,
            call,
            [1.0 - mean[0], mean[0]],
            sources=list(pictures),
            regions=frozenset(one.region_source for own in read.pictures.values() for one in own),
            notes=[*read.notes, *said, *taken_as_one(spec, read.case.nodules, len(read.case.files))],
            frames=[clips.get(source, ()) for source in pictures] if clips else [],
            case=read.case.name,
        )


def load_fused_bundle(
    folder: str | Path, device: str = "auto", *, own_networks: OwnNetworks = None, engine: str = AUTO
) -> FusedPredictor:
    """Load a fused bundle once, for any number of cases.

    Parameters
    ----------
    folder : str or Path
        The bundle.
    device, engine : str
        As for :func:`isthmus.inference.load.load_bundle`; one engine for all members.
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
    spec, members = read_fused_bundle(folder), dict[str, Predictor]()
    places = {one.arm: member_folder(folder, one.arm) for one in spec.members}
    known = {arm: (place, read_bundle(place)) for arm, place in places.items()}
    chosen = choose_engine(folder, spec, known, engine_for(device, engine))
    device = "cpu" if chosen.engines else device_here(device)
    for arm, (place, own) in known.items():
        network = own_networks.get(arm) if isinstance(own_networks, Mapping) else own_networks
        members[arm] = load_with(place, own, device, own_network=network, engine=chosen.engines.get(arm))
    return FusedPredictor(spec, members, load_heads(folder, spec), device)
