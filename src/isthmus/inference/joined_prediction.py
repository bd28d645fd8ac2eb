"""What the fold models' scores make of a picture, or of the looks of a case: one prediction in words, with notes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isthmus.inference.answer_limits import referral_of, set_of
from isthmus.inference.case_rules import join_case, taken_as_one
from isthmus.inference.class_call import Call, call_among_classes, call_at_threshold
from isthmus.inference.descriptor_calibration import calibrate_descriptor
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import OutOfDistribution, Prediction, call_in_words
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.statistics.calibration import LogisticCalibration

Seen = dict[str, NDArray[np.float64]]
"""Descriptor to the probabilities of its codes."""


@dataclass(frozen=True)
class Facts:
    """What is kept of a picture, or of a look at several side by side, once its pixels are gone."""

    source: str
    regions: frozenset[str]
    notes: tuple[str, ...]
    frames: tuple[int, ...]


def facts_of(picture: Picture) -> Facts:
    """Return what is kept of a picture."""
    return Facts(picture.source, frozenset({picture.region_source}), picture.notes, picture.frames)


def facts_of_look(pictures: Sequence[Picture]) -> Facts:
    """Return what is kept of the pictures of a look."""
    source = " with ".join(one.source for one in pictures)
    notes = tuple(note for one in pictures for note in one.notes)
    return Facts(source, frozenset(one.region_source for one in pictures), notes, ())


@dataclass(frozen=True, eq=False)
class Scored:
    """Of N views: each part's probabilities [P, N, K], the descriptors of each, how unusual they are [N] (else NaN)."""

    members: NDArray[np.float64]
    descriptors: list[Seen]
    unusual: NDArray[np.float64]


def together(blocks: Sequence[Scored]) -> Scored:
    """Return what was scored block by block."""
    return Scored(
        np.concatenate([one.members for one in blocks], axis=1),
        [own for one in blocks for own in one.descriptors],
        np.concatenate([one.unusual for one in blocks]),
    )


@dataclass(frozen=True, eq=False)
class Judge:
    """Makes predictions of scores as a bundle says.

    Parameters
    ----------
    spec : BundleSpec
        What the bundle says of itself.
    calibration : LogisticCalibration or None
        Of the positive class of two.
    likeness : TrainingLikeness or None
        What the training pictures were like.
    """

    spec: BundleSpec
    calibration: LogisticCalibration | None
    likeness: TrainingLikeness | None

    def of_each(self, facts: Sequence[Facts], scored: Scored) -> list[Prediction]:
        """Return a prediction of each picture."""
        return [
            self._with_likeness(
                self._prediction([one], scored.members[:, row], scored.descriptors[row]),
                [one],
                scored.unusual[[row]],
            )
            for row, one in enumerate(facts)
        ]

    def of_case(
        self, facts: Sequence[Facts], scored: Scored, nodules: Sequence[str], pictures: int | None = None
    ) -> Prediction:
        """Join the looks of a case into one prediction, as the rows were that its calibration was fitted on.

        Parameters
        ----------
        facts : sequence of N Facts
            Of its looks.
        scored : Scored
            What the parts say of them.
        nodules : sequence of N str
            Which nodule each look shows; '' where nothing says it.
        pictures : int, optional
            How many pictures the looks show; by default one each.
        """
        spec = self.spec
        joined = join_case(scored.members.mean(axis=0), nodules, [fact.source for fact in facts], spec)
        # Descriptors are a nodule's: several nodules that count alike have none together.
        one = joined.nodule if joined.nodule or len(set(nodules)) > 1 else nodules[0]
        described = [own for own, name in zip(scored.descriptors, nodules, strict=True) if name == one]
        members = joined.of(scored.members.swapaxes(0, 1))
        found = self._prediction(facts, members, _mean(described) if described else {})
        notes = [*joined.notes, *taken_as_one(spec, nodules, len(facts) if pictures is None else pictures)]
        if spec.descriptors and not described:
            notes.append("descriptors are said of a nodule, and the score is of several")
        return self._with_likeness(replace(found, notes=(*found.notes, *notes)), facts, scored.unusual)

    def _prediction(self, facts: Sequence[Facts], members: NDArray[np.float64], seen: Seen) -> Prediction:
        """Join parts [P, K], and the descriptors [codes] that they mean, into one prediction."""
        spec, mean = self.spec, members.mean(axis=0)
        if len(spec.classes) > 2:
            call = call_among_classes(spec, members)
        else:
            call = call_at_threshold(spec, self.calibration, mean[-1:], members[:, -1], "fold models")
        return prediction_of(
            spec,
            call,
            mean,
            sources=[fact.source for fact in facts],
            regions=frozenset[str]().union(*(fact.regions for fact in facts)),
            notes=list(dict.fromkeys((*(note for fact in facts for note in fact.notes), *call.notes))),
            frames=[fact.frames for fact in facts] if spec.prepare.frames is not None else [],
            descriptors=_described(spec, seen),
        )

    def _with_likeness(
        self, prediction: Prediction, facts: Sequence[Facts], unusual: NDArray[np.float64]
    ) -> Prediction:
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


def prediction_of(
    spec: BundleSpec | FusedBundleSpec,
    call: Call,
    mean: Sequence[float] | NDArray[np.float64],
    *,
    sources: Sequence[str],
    regions: frozenset[str],
    notes: Sequence[str],
    frames: Sequence[tuple[int, ...]],
    descriptors: dict[str, dict[str, float]] | None = None,
    case: str = "",
) -> Prediction:
    """Return a call with what it rests on, in the words that the model's labels allow; the mean [K] is uncalibrated."""
    answer, found, referral = spec.answer, None, None
    if answer is not None:
        found = set_of(answer, call.calibrated, spec.classes, spec.unit)
        referral = referral_of(answer, found, call.probability, call.threshold)
    return Prediction(
        sources=tuple(sources),
        probabilities={name: float(value) for name, value in zip(spec.classes, mean, strict=True)},
        probability=call.probability,
        calibrated=spec.calibration is not None,
        call=call.call,
        words=call_in_words(call.call, spec.classes, spec.cohort.reference),
        threshold=call.threshold,
        member_range=call.member_range,
        region_source="/".join(sorted(regions)),
        notes=tuple(notes),
        descriptors=descriptors or {},
        frames=tuple(frames),
        case=case,
        calibrated_probabilities=call.calibrated,
        prediction_set=found,
        referral=referral,
    )


def _described(spec: BundleSpec, seen: Seen) -> dict[str, dict[str, float]]:
    heads = spec.descriptors.heads if spec.descriptors and seen else {}
    calibration = spec.descriptor_calibration
    found = {
        name: seen[name] if calibration is None else calibrate_descriptor(calibration, name, seen[name][None])[0]
        for name in heads
    }
    return {
        name: {code: float(value) for code, value in zip(codes, found[name], strict=True)}
        for name, codes in heads.items()
    }


def _mean(seen: Sequence[Seen]) -> Seen:
    return {name: np.asarray(np.mean([one[name] for one in seen], axis=0)) for name in seen[0]}
