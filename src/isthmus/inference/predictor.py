"""A bundle in memory that scores pictures and clips: calibrated probability, call at the frozen threshold, spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.clip import Clip
from isthmus.imaging.prepare import Prepared
from isthmus.inference.boxes import BoxLike
from isthmus.inference.case_rules import join_case, taken_as_one
from isthmus.inference.class_call import class_call
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.descriptor_calibration import calibrate_descriptor
from isthmus.inference.input_files import name_of
from isthmus.inference.pictures import Picture, picture_of_clip, read_picture
from isthmus.inference.prediction import FailedPicture, OutOfDistribution, Prediction, Predictions, call_in_words
from isthmus.inference.scores import ViewScores, probabilities, view_scores
from isthmus.inference.spread import OUT_OF_DISTRIBUTION, SPREAD, spread
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.statistics.calibration import LogisticCalibration

if TYPE_CHECKING:
    from isthmus.imaging.cache import PreparedStore
    from isthmus.models.classifier import Classifier

Progress = Callable[[str, int, int], None]
Seen = dict[str, NDArray[np.float64]]
"""Descriptor to the probabilities of its codes."""

_CHUNK = 32
"""Pictures, or frames of clips, that are held and scored at once."""


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model in memory; made by :func:`isthmus.inference.load.load_bundle`.

    Parameters
    ----------
    spec : BundleSpec
        What the bundle says of itself.
    parts : list of Classifier
        The fold models, on ``device``.
    device : str
        Where they compute.
    calibration : LogisticCalibration or None
        Of the positive class of two.
    likeness : TrainingLikeness or None
        What the training pictures were like; None where the bundle does not say.
    """

    spec: BundleSpec
    parts: "list[Classifier]"
    device: str
    calibration: LogisticCalibration | None = field(default=None)
    likeness: TrainingLikeness | None = field(default=None)

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
        waiting: list[Prepared] = []
        scores: list[NDArray[np.float64]] = []
        unusual: list[NDArray[np.float64]] = []
        seen: list[Seen] = []
        failures: list[FailedPicture] = []
        kept: list[_Facts] = []
        places: list[int] = []
        whose: list[str] = []
        for number, (path, box, mask, area, rate) in enumerate(zip(paths, *regions, strict=True), start=1):
            try:
                picture = self.read(path, box=box, mask=mask, scan_area=area, localiser=localiser, frame_rate_hz=rate)
            except InputError as error:
                failures.append(FailedPicture(name_of(path), error))
            else:
                # The source's pixels go at once: a clip's frames are many, and what is scored is small.
                waiting.append(picture.prepared)
                kept.append(_facts(picture))
                places.append(number)
                whose.append(shown[number - 1])
            if len(waiting) == self._chunk or (number == len(paths) and waiting):
                scored = self._score(*_stacked(waiting))
                scores.append(scored.members)
                unusual.append(scored.unusual)
                seen += _each(scored.descriptors, len(waiting))
                waiting = []
            if progress is not None:
                progress("pictures", number, len(paths))
        if not kept:
            raise failures[0].error
        table, far = np.concatenate(scores, axis=1), np.concatenate(unusual)
        if nodule or nodules is not None:
            return Predictions([self._judged(self._joined(kept, table, seen, whose), kept, far)], failures)
        each = [
            self._judged(self._prediction([facts], table[:, row], seen[row]), [facts], far[[row]])
            for row, facts in enumerate(kept)
        ]
        return Predictions([replace(one, number=n) for one, n in zip(each, places, strict=True)], failures)

    def predict_clip(self, clip: Clip) -> Prediction:
        """Score a still, or a whole clip, that is in memory already, with its lesion (and scan area) set."""
        return self.predict_picture(picture_of_clip(clip, self.spec.prepare, self.spec.requires.region))

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

    def predict_picture(self, picture: Picture) -> Prediction:
        """Score a picture that :meth:`read` gave."""
        scored, facts = self._score(*_stacked([picture.prepared])), [_facts(picture)]
        found = self._prediction(facts, scored.members[:, 0], _each(scored.descriptors, 1)[0])
        return self._judged(found, facts, scored.unusual)

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
        scored = self._score(pixels, masks)
        pictures = {id(picture): picture for look in shown for picture in look}.values()
        looks = [_facts_of_look([_facts(picture) for picture in look]) for look in shown]
        joined = self._joined(looks, scored.members, _each(scored.descriptors, len(shown)), nodules, len(pictures))
        judged = self._judged(joined, looks, scored.unusual)
        return replace(judged, sources=tuple(picture.source for picture in pictures))

    def score_pictures(self, pictures: Sequence[Picture]) -> NDArray[np.float64]:
        """Return each part's uncalibrated probabilities: float64 [parts, N, K]."""
        return self.score_pixels(*_stacked([picture.prepared for picture in pictures]))

    def score_pixels(
        self, pixels: NDArray[np.uint8], masks: NDArray[np.uint8] | NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Return each part's uncalibrated probabilities of prepared pixels [N, T, S, S, C]: float64 [parts, N, K].

        ``masks`` [N, T, S, S] are the prepared lesion masks: networks that look at them need them.
        """
        return self._score(pixels, masks).members

    def score_descriptors(self, pixels: NDArray[np.uint8]) -> Seen:
        """Return the parts' mean descriptor probabilities of prepared pixels: descriptor to float64 [N, codes]."""
        return self._score(pixels, None).descriptors

    @property
    def _chunk(self) -> int:
        """How many pictures or clips are scored at once."""
        frames = self.spec.prepare.frames
        return _CHUNK if frames is None else max(1, _CHUNK // frames.stored)

    def _score(self, pixels: NDArray[np.uint8], masks: NDArray[np.uint8] | NDArray[np.bool_] | None) -> "_Scored":
        spec, scored = self.spec, list[ViewScores]()
        # A volume's maps are as large as those of all its frames.
        batch = self._chunk if spec.prepare.layout == "3d" else _CHUNK
        for classifier in self.parts:
            scored.append(
                view_scores(
                    classifier,
                    pixels,
                    spec.prepare,
                    batch,
                    self.device,
                    masks=masks,
                    flips=spec.flips,
                    frame_scores=spec.frame_scores,
                )
            )
        members = [
            probabilities(one.logits, part.log_prior_shift) for one, part in zip(scored, spec.parts, strict=True)
        ]
        found: Seen = {
            name: np.asarray(np.mean([one.descriptors[name] for one in scored], axis=0), np.float64)
            for name in scored[0].descriptors
        }
        none = np.full(len(pixels), np.nan)
        unusual = none if self.likeness is None else self.likeness.scores([one.embeddings for one in scored])
        return _Scored(np.stack(members), found, unusual)

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
            found = self._score(np.asarray(store.pixels[chunk]), np.asarray(store.lesion_masks[chunk]))
            scores[start : start + self._chunk] = found.members.mean(axis=0)
            spreads[start : start + self._chunk] = spread(found.members)
            unusual[start : start + self._chunk] = found.unusual
        columns = {f"p_{name}": scores[:, place] for place, name in enumerate(self.spec.classes)}
        columns |= {SPREAD: spreads} | ({} if self.likeness is None else {OUT_OF_DISTRIBUTION: unusual})
        return pd.DataFrame({"view_id": list(view_ids), **columns})

    def calibrate(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return calibrated probabilities of the positive class; unchanged where there is no calibration."""
        return values if self.calibration is None else self.calibration.apply(values)

    def _prediction(self, facts: "Sequence[_Facts]", members: NDArray[np.float64], seen: Seen) -> Prediction:
        """Join parts [P, K], and the descriptors [codes] that they mean, into one prediction."""
        spec, mean = self.spec, members.mean(axis=0)
        if len(spec.classes) > 2:
            return self._among_classes(facts, members, seen)
        probability = float(self.calibrate(mean[-1:])[0])
        each = self.calibrate(members[:, -1])
        notes = list(dict.fromkeys(note for fact in facts for note in fact.notes))
        call = None
        if spec.thresholds is not None:
            threshold = spec.thresholds.value
            call = spec.positive if probability >= threshold else next(iter(spec.classes))
            above = int((each >= threshold).sum())
            if 0 < above < len(each):
                notes.append(f"{above} of {len(each)} fold models lie at or above the threshold, the others below")
        sources = tuple(fact.source for fact in facts)
        return Prediction(
            sources=sources,
            probabilities={name: float(value) for name, value in zip(spec.classes, mean, strict=True)},
            probability=probability,
            calibrated=self.calibration is not None,
            call=call,
            words=call_in_words(call, spec.classes, spec.cohort.reference),
            threshold=None if spec.thresholds is None else spec.thresholds.value,
            member_range=(float(each.min()), float(each.max())),
            region_source="/".join(sorted(frozenset[str]().union(*(fact.regions for fact in facts)))),
            notes=tuple(notes),
            descriptors=self._descriptors(seen),
            frames=tuple(fact.frames for fact in facts) if self.spec.prepare.frames is not None else (),
        )

    def _among_classes(self, facts: "Sequence[_Facts]", members: NDArray[np.float64], seen: Seen) -> Prediction:
        """Join parts [P, K] of several classes into one prediction: the most probable class is called."""
        spec, mean, found = self.spec, members.mean(axis=0), class_call(self.spec, members)
        notes = dict.fromkeys((*(note for fact in facts for note in fact.notes), *found.notes))
        return Prediction(
            sources=tuple(fact.source for fact in facts),
            probabilities={name: float(value) for name, value in zip(spec.classes, mean, strict=True)},
            probability=found.probability,
            calibrated=spec.calibration is not None,
            call=found.call,
            words=call_in_words(found.call, spec.classes, spec.cohort.reference),
            threshold=None,
            member_range=found.member_range,
            region_source="/".join(sorted(frozenset[str]().union(*(fact.regions for fact in facts)))),
            notes=tuple(notes),
            descriptors=self._descriptors(seen),
            frames=tuple(fact.frames for fact in facts) if spec.prepare.frames is not None else (),
            calibrated_probabilities=found.calibrated,
        )

    def _joined(
        self,
        facts: "Sequence[_Facts]",
        table: NDArray[np.float64],
        seen: Sequence[Seen],
        nodules: Sequence[str],
        pictures: int | None = None,
    ) -> Prediction:
        """Join the looks [P, N, K] of a case into one prediction, as the rows were that its calibration was fitted on.

        Parameters
        ----------
        nodules : sequence of N str
            Which nodule each look shows; '' where nothing says it.
        pictures : int, optional
            How many pictures the looks show; by default one each.
        """
        spec = self.spec
        joined = join_case(table.mean(axis=0), nodules, [fact.source for fact in facts], spec)
        # Descriptors are a nodule's: several nodules that count alike have none together.
        one = joined.nodule if joined.nodule or len(set(nodules)) > 1 else nodules[0]
        described = [own for own, name in zip(seen, nodules, strict=True) if name == one]
        found = self._prediction(facts, joined.of(table.swapaxes(0, 1)), _mean(described) if described else {})
        notes = [*joined.notes, *taken_as_one(spec, nodules, len(facts) if pictures is None else pictures)]
        if spec.descriptors and not described:
            notes.append("descriptors are said of a nodule, and the score is of several")
        return replace(found, notes=(*found.notes, *notes))

    def _judged(self, prediction: Prediction, facts: "Sequence[_Facts]", unusual: NDArray[np.float64]) -> Prediction:
        """Say how unlike the training pictures a case is, whose pictures' scores [N] are given."""
        if self.likeness is None:
            return prediction
        mean, count, cases = float(unusual.mean()), len(unusual), self.likeness.cases
        found = OutOfDistribution(
            score=mean,
            percentile=100 * float(self.likeness.shares_nearer([mean], count)[0]),
            unlike=bool(self.likeness.unlike([mean], count)[0]),
            compared=len(self.likeness.reference),
            unit="picture" if cases is None else cases.unit,
            usual=1 if cases is None else cases.usual,
            pictures=count,
        )
        odd = [one.source for one, alone in zip(facts, self.likeness.unlike(unusual), strict=True) if alone]
        note = f"unlike the training pictures by {'itself' if len(odd) == 1 else 'themselves'}: {', '.join(odd)}"
        notes = (*prediction.notes, note) if odd and len(facts) > 1 else prediction.notes
        return replace(prediction, out_of_distribution=found, notes=notes)

    def _descriptors(self, seen: Seen) -> dict[str, dict[str, float]]:
        heads = self.spec.descriptors.heads if self.spec.descriptors and seen else {}
        calibration = self.spec.descriptor_calibration
        found = {
            name: seen[name] if calibration is None else calibrate_descriptor(calibration, name, seen[name][None])[0]
            for name in heads
        }
        return {
            name: {code: float(value) for code, value in zip(codes, found[name], strict=True)}
            for name, codes in heads.items()
        }


@dataclass(frozen=True, eq=False)
class _Scored:
    """Of N views: each part's probabilities [P, N, K], the descriptors, and how unusual they are [N] (else NaN)."""

    members: NDArray[np.float64]
    descriptors: Seen
    unusual: NDArray[np.float64]


@dataclass(frozen=True)
class _Facts:
    source: str
    regions: frozenset[str]
    notes: tuple[str, ...]
    frames: tuple[int, ...]


def _facts(picture: Picture) -> _Facts:
    return _Facts(picture.source, frozenset({picture.region_source}), picture.notes, picture.frames)


def _facts_of_look(facts: Sequence[_Facts]) -> _Facts:
    regions = frozenset[str]().union(*(one.regions for one in facts))
    return _Facts(" with ".join(one.source for one in facts), regions, tuple(n for one in facts for n in one.notes), ())


def _stacked(prepared: Sequence[Prepared]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the pixels [N, T, S, S, C] and lesion masks [N, T, S, S] of several pictures."""
    return np.stack([one.pixels for one in prepared]), np.stack([one.lesion_mask for one in prepared])


def _each(found: Seen, count: int) -> list[Seen]:
    return [{name: values[row] for name, values in found.items()} for row in range(count)]


def _mean(seen: Sequence[Seen]) -> Seen:
    return {name: np.asarray(np.mean([one[name] for one in seen], axis=0)) for name in seen[0]}


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
