"""A bundle in memory that scores pictures and clips: calibrated probability, call at the frozen threshold, spread."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.prepare import Prepared
from isthmus.inference.boxes import BoxLike
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.engines import Engine, TorchEngine
from isthmus.inference.fused_case import View
from isthmus.inference.joined_prediction import Facts, Judge, Scored, Seen, facts_of, facts_of_look, together
from isthmus.inference.pictures import Picture, read_picture
from isthmus.inference.prediction import FailedPicture, Prediction, Predictions
from isthmus.inference.scores import probabilities
from isthmus.inference.spread import OUT_OF_DISTRIBUTION, SPREAD, spread
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.progress import Progress
from isthmus.statistics.calibration import LogisticCalibration

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.models.classifier import Classifier

_CHUNK = 32
"""Pictures, or frames of clips, that are held and scored at once."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model in memory; made by :func:`isthmus.inference.load.load_bundle`.

    Parameters
    ----------
    spec : BundleSpec
        What the bundle says of itself.
    parts : sequence of Classifier
        The fold models, on ``device``; where another engine runs the networks they are loaded when first asked for.
    device : str
        Where they compute.
    calibration : LogisticCalibration or None
        Of the positive class of two.
    likeness : TrainingLikeness or None
        What the training pictures were like; None where the bundle does not say.
    engine : Engine, optional
        What runs the networks; PyTorch where it is not given.
    """

    spec: BundleSpec
    parts: "Sequence[Classifier]"
    device: str
    calibration: LogisticCalibration | None = field(default=None)
    likeness: TrainingLikeness | None = field(default=None)
    engine: Engine | None = field(default=None)

    @property
    def runs(self) -> Engine:
        """What runs the networks."""
        return TorchEngine(self.spec, self.parts, self.device) if self.engine is None else self.engine

    @property
    def engine_name(self) -> str:
        """Which engine runs the networks."""
        return self.runs.name

    def predict(
        self,
        paths: Sequence[str | Path],
        *,
        boxes: Sequence[BoxLike | None] | None = None,
        masks: Sequence[str | Path | None] | None = None,
        scan_areas: Sequence[BoxLike | None] | None = None,
        localiser: Proposer | None = None,
        frame_rates_hz: Sequence[float | None] | None = None,
        nodule: bool = False,
        nodules: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> Predictions:
        """Score pictures or clips.

        Parameters
        ----------
        paths : sequence of path
            Stills, or clips where the model was trained on clips; a clip may be a folder of numbered frames.
        boxes, masks, scan_areas : sequence, optional
            One entry a picture, None where it has none; as for :func:`isthmus.inference.pictures.read_picture`.
        localiser : Proposer, optional
            Proposes the region of pictures that have neither box nor mask.
        frame_rates_hz : sequence, optional
            One entry a clip, for a model of key frames: frames a second where the file does not say, else None.
        nodule : bool
            True when all pictures show one nodule: one prediction, of the mean probability, or of the view that scores
            highest where the bundle's ``aggregation`` says so.
        nodules : sequence of str, optional
            One entry a picture, where all pictures show one patient, to whom the model's label belongs: an id of the
            nodule that it shows. One prediction, the nodules joined as ``aggregation`` says.
        progress : callable, optional
            Called with what, done, total.

        Returns
        -------
        Predictions
            One a picture, in order. A picture that cannot be read or scored stands in ``.failures``; the others go on.

        Raises
        ------
        InputError
            When there is no picture, a sequence has another length, several nodules are named and the model judges one,
            or no picture at all could be scored (then with the first one's error).
        """
        regions = [_spread(name, given, len(paths)) for name, given in _named(boxes, masks, scan_areas, frame_rates_hz)]
        shown = [""] * len(paths) if nodules is None else list(_spread("nodules", nodules, len(paths)))
        if len(set(shown)) > 1 and ("" in shown or self.spec.unit == "nodule"):
            raise InputError(
                f"pictures of the nodules {', '.join(dict.fromkeys(shown))} were given as one",
                where=self.spec.name,
                expected="one nodule" if self.spec.unit == "nodule" else "an id for each picture, or for none",
            )
        if not paths:
            raise InputError("no picture was given", expected="at least one")
        if self.spec.join is not None:
            raise InputError(
                f"this model looks at {', '.join(self.spec.join.modalities)} side by side: it scores cases, not files",
                where=self.spec.name,
                expected="isthmus.inference.joined_cases.predict_joined_cases, whose cases say what each file shows",
            )
        views = [
            View(path, box, mask, area, rate, nodule=name)
            for path, box, mask, area, rate, name in zip(paths, *regions, shown, strict=True)
        ]
        kept, scored, failures = self._score_views(views, localiser, progress)
        if nodule or nodules is not None:
            of_nodules = [shown[number - 1] for number in kept]
            return Predictions([self._judge.of_case(list(kept.values()), scored, of_nodules)], failures)
        each = zip(kept, self._judge.of_each(list(kept.values()), scored), strict=True)
        return Predictions([replace(one, number=number) for number, one in each], failures)

    def _score_views(
        self, views: Sequence[View], localiser: Proposer | None, progress: Progress | None
    ) -> tuple[dict[int, Facts], Scored, list[FailedPicture]]:
        """Read and score pictures block by block; return by number what is kept of those that have scores."""
        waiting, blocks = list[Prepared](), list[Scored]()
        kept, failures = dict[int, Facts](), list[FailedPicture]()
        for number, view in enumerate(views, start=1):
            try:
                picture = self.read_view(view, localiser)
            except InputError as error:
                failures.append(FailedPicture(view.name, error))
            else:
                # The source's pixels go at once: a clip's frames are many, and what is scored is small.
                waiting.append(picture.prepared)
                kept[number] = facts_of(picture)
            if len(waiting) == self._chunk or (number == len(views) and waiting):
                blocks.append(self.scored(*_stacked(waiting)))
                waiting = []
            if progress is not None:
                progress("pictures", number, len(views))
        if not kept:
            raise failures[0].error
        return kept, together(blocks), failures

    def read(
        self,
        path: str | Path,
        *,
        box: BoxLike | None = None,
        mask: str | Path | None = None,
        scan_area: BoxLike | None = None,
        localiser: Proposer | None = None,
        frame_rate_hz: float | None = None,
    ) -> Picture:
        """Read a picture as this model needs it; see :func:`isthmus.inference.pictures.read_picture`."""
        return read_picture(
            path,
            self.spec.prepare,
            self.spec.requires.region,
            box=box,
            mask=mask,
            scan_area=scan_area,
            localiser=localiser,
            frame_rate_hz=frame_rate_hz,
        )

    def read_view(self, view: View, localiser: Proposer | None = None) -> Picture:
        """Read a picture of a case; a localiser proposes its region where it has none."""
        return self.read(
            view.path,
            box=view.box,
            mask=view.mask,
            scan_area=view.scan_area,
            localiser=localiser,
            frame_rate_hz=view.frame_rate_hz,
        )

    def predict_picture(self, picture: Picture) -> Prediction:
        """Score a picture that :meth:`read` gave."""
        return self._judge.of_each([facts_of(picture)], self.scored(*_stacked([picture.prepared])))[0]

    def predict_side_by_side(
        self,
        pixels: NDArray[np.uint8],
        masks: NDArray[np.bool_],
        shown: Sequence[Sequence[Picture]],
        nodules: Sequence[str],
    ) -> Prediction:
        """Score a nodule, or a patient's nodules, by a network of several modalities.

        Parameters
        ----------
        pixels, masks : arrays [N, M, S, S, C] and [N, M, S, S]
            Of its N looks, black where a modality is absent.
        shown : sequence of N sequences of Picture
            What each look shows.
        nodules : sequence of N str
            Which nodule; '' where nothing says it.
        """
        pictures = {id(picture): picture for look in shown for picture in look}.values()
        looks = [facts_of_look(look) for look in shown]
        found = self._judge.of_case(looks, self.scored(pixels, masks), nodules, len(pictures))
        return replace(found, sources=tuple(picture.source for picture in pictures))

    def score_pixels(
        self, pixels: NDArray[np.uint8], masks: NDArray[np.uint8] | NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Return each part's uncalibrated probabilities of prepared pixels [N, T, S, S, C]: float64 [parts, N, K].

        ``masks`` [N, T, S, S] are the prepared lesion masks: networks that look at them need them.
        """
        return self.scored(pixels, masks).members

    @property
    def _chunk(self) -> int:
        """How many pictures or clips are scored at once."""
        frames = self.spec.prepare.frames
        return _CHUNK if frames is None else max(1, _CHUNK // frames.stored)

    def scored(self, pixels: NDArray[np.uint8], masks: NDArray[np.uint8] | NDArray[np.bool_] | None) -> Scored:
        """Return what the parts say of prepared pixels [N, T, S, S, C] with their lesion masks [N, T, S, S]."""
        spec, scored = self.spec, self.runs.view_scores(pixels, masks)
        members = [
            probabilities(one.logits, part.log_prior_shift) for one, part in zip(scored, spec.parts, strict=True)
        ]
        found: Seen = {
            name: np.asarray(np.mean([one.descriptors[name] for one in scored], axis=0), np.float64)
            for name in scored[0].descriptors
        }
        none = np.full(len(pixels), np.nan)
        unusual = none if self.likeness is None else self.likeness.scores([one.embeddings for one in scored])
        each = [{name: values[row] for name, values in found.items()} for row in range(len(pixels))]
        return Scored(np.stack(members), each, unusual)

    def score_store(self, store: "PreparedStore", view_ids: Sequence[str]) -> pd.DataFrame:
        """Score views of a picture cache.

        Parameters
        ----------
        store : PreparedStore
            Prepared as this bundle's ``prepare`` says.
        view_ids : sequence of str
            Which views.

        Returns
        -------
        DataFrame
            ``view_id`` and ``p_<class>``: the mean of the parts, not calibrated, as ``predictions.csv`` holds it;
            ``spread``, how far the parts lie apart (:func:`isthmus.inference.spread.spread`); of a bundle that says
            what its training pictures were like ``out_of_distribution``, how unlike them the view is.
        """
        rows = store.rows(view_ids)
        scores, unusual = np.zeros((len(rows), len(self.spec.classes))), np.zeros(len(rows))
        spreads = np.zeros(len(rows))
        for start in range(0, len(rows), self._chunk):
            chunk = rows[start : start + self._chunk]
            found = self.scored(np.asarray(store.pixels[chunk]), np.asarray(store.lesion_masks[chunk]))
            scores[start : start + self._chunk] = found.members.mean(axis=0)
            spreads[start : start + self._chunk] = spread(found.members)
            unusual[start : start + self._chunk] = found.unusual
        columns = {f"p_{name}": scores[:, place] for place, name in enumerate(self.spec.classes)}
        columns |= {SPREAD: spreads} | ({} if self.likeness is None else {OUT_OF_DISTRIBUTION: unusual})
        return pd.DataFrame({"view_id": list(view_ids), **columns})

    @property
    def _judge(self) -> Judge:
        return Judge(self.spec, self.calibration, self.likeness)


def _stacked(prepared: Sequence[Prepared]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the pixels [N, T, S, S, C] and lesion masks [N, T, S, S] of several pictures."""
    return np.stack([one.pixels for one in prepared]), np.stack([one.lesion_mask for one in prepared])


def _named(*given: Sequence[Any] | None) -> list[tuple[str, Sequence[Any] | None]]:
    return list(zip(("boxes", "masks", "scan_areas", "frame_rates_hz"), given, strict=True))


def _spread(name: str, given: Sequence[Any] | None, count: int) -> Sequence[Any]:
    if given is None:
        return [None] * count
    if isinstance(given, str) or len(given) != count:
        found = repr(given) if isinstance(given, str) else f"{len(given)} entries"
        raise InputError(
            f"{name} is {found} for {count} pictures", expected="one entry a picture, None where it has none"
        )
    return given
