"""What models say of a study's pictures: an answer for each usable picture, or for the one case that they make."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.clinic.study_cases import instances_of_case
from isthmus.clinic.study_instances import Instance, Study
from isthmus.errors import InputError, RegionMissing
from isthmus.explain.prediction_drawing import explained, heat_of
from isthmus.explain.prepared_heat import heat_of_pixels
from isthmus.inference.clip_proposal import NOT_FOUND, Proposer
from isthmus.inference.fused_case import Case, View
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.joined_cases import joined_of, predict_looks, read_looks
from isthmus.inference.looks import stack_looks
from isthmus.inference.pictures import Picture
from isthmus.inference.prediction import FailedPicture, Prediction
from isthmus.inference.predictor import Predictor

NO_REGION = "no result: region not found"


@dataclass(frozen=True, eq=False)
class Model:
    """A model that looks at studies.

    Parameters
    ----------
    predictor : Predictor or FusedPredictor
        In memory.
    localiser : Proposer, optional
        Proposes regions.
    version : str
        A hash of the bundle's content.
    localiser_words : str
        What is said of the localiser.
    """

    predictor: Predictor | FusedPredictor
    localiser: Proposer | None
    version: str
    localiser_words: str = ""

    @property
    def modalities(self) -> list[str]:
        """What it looks at, in its order."""
        if isinstance(self.predictor, FusedPredictor):
            own = [member.requires.modalities for member in self.predictor.spec.members]
            return list(dict.fromkeys(name for names in own for name in names))
        return list(self.predictor.spec.requires.modalities)

    def looks_at(self, instance: Instance) -> bool:
        """Whether an instance is of a modality that it looks at, and a still or a clip as it needs it."""
        if not isinstance(self.predictor, FusedPredictor):
            return instance.modality in self.modalities and _is_kind(instance, self.predictor)
        own = [arm for arm in self.predictor.spec.members if instance.modality in arm.requires.modalities]
        if self.predictor.spec.perfusion and instance.modality == "ceus":
            return True
        return any(_is_kind(instance, self.predictor.members[member.arm]) for member in own)

    def cannot_place(self, modality: str) -> bool:
        """Whether it needs a region in a modality in which a localiser, which learns from B-mode, proposes none."""
        if not isinstance(self.predictor, FusedPredictor):
            return modality != "bmode" and self.predictor.spec.requires.region != "none"
        own = [one.requires for one in self.predictor.spec.members if modality in one.requires.modalities]
        return modality not in ("bmode", "cine") and any(one.region != "none" for one in own)

    @property
    def joins(self) -> bool:
        """Whether it makes one case of the pictures of several modalities."""
        return isinstance(self.predictor, FusedPredictor) or self.predictor.spec.join is not None

    @property
    def needs_region(self) -> bool:
        """Whether it scores no picture without one."""
        members = self.predictor.members.values() if isinstance(self.predictor, FusedPredictor) else [self.predictor]
        return any(one.spec.requires.region != "none" for one in members)


def _is_kind(instance: Instance, predictor: Predictor) -> bool:
    """Whether an instance is a clip for a model of clips, or a still for one of stills."""
    return (instance.frames > 1) == (predictor.spec.prepare.frames is not None)


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture as a network saw it, and where its evidence lies.

    Parameters
    ----------
    instance : Instance
        Which of the study.
    picture : Picture
        With the region that was used.
    predictor : Predictor
        Whose preparation it is.
    heat : float32 array [T, crop, crop]
        Grad-CAM on each frame seen; one map of frames that are channels.
    part : str
        The member or modality that looked, of a model of several; '' else.
    """

    instance: Instance
    picture: Picture
    predictor: Predictor
    heat: NDArray[np.float32]
    part: str = ""


@dataclass(frozen=True, eq=False)
class Answer:
    """A score, with the pictures it rests on."""

    prediction: Prediction
    seen: tuple[Seen, ...]


@dataclass(frozen=True)
class NoAnswer:
    """Pictures without a score, and why, in words that name nobody."""

    instances: tuple[Instance, ...]
    why: str


def answers_of(
    model: Model,
    study: Study,
    within_s: float,
    given: Mapping[Path, View] | None = None,
    columns: Mapping[str, str | float | None] | None = None,
) -> Iterator[Answer | NoAnswer]:
    """Score what a model can look at in a study, one after the other; pixels are let go in between.

    Parameters
    ----------
    model : Model
        The model.
    study : Study
        Its pictures.
    within_s : float
        As for :func:`isthmus.clinic.study_cases.instances_of_case`.
    given : mapping, optional
        Of files whose region was drawn: what is known of them.
    columns : mapping, optional
        What is known of the one case of a fused model.

    Yields
    ------
    Answer or NoAnswer
        For each usable picture; for a model of several modalities one, of the case that they make.
    """
    views = given or {}
    if model.joins:
        yield from _of_case(model, study, within_s, views, columns or {})
        return
    for instance in study.instances:
        if model.looks_at(instance):
            yield _of_picture(model, instance, _view(instance, views))


def _drawn(view: View) -> bool:
    return view.box is not None or view.mask is not None


def _view(instance: Instance, views: Mapping[Path, View]) -> View:
    return views.get(instance.path) or View(instance.path, scan_area=instance.scan_area)


def _of_picture(model: Model, instance: Instance, view: View) -> Answer | NoAnswer:
    assert isinstance(model.predictor, Predictor)
    try:
        picture = model.predictor.read_view(view, model.localiser)
        picture = replace(picture, source=instance.shown)
        prediction = model.predictor.predict_picture(picture)
    except InputError as error:
        return NoAnswer((instance,), _why(error, [instance]))
    heat = heat_of(model.predictor, picture, prediction)
    return Answer(prediction, (Seen(instance, picture, model.predictor, heat),))


def _of_case(
    model: Model,
    study: Study,
    within_s: float,
    views: Mapping[Path, View],
    columns: Mapping[str, str | float | None],
) -> Iterator[Answer | NoAnswer]:
    usable = [one for one in study.instances if model.looks_at(one)]
    if not usable:
        return
    try:
        chosen, notes = instances_of_case(usable, model.modalities, within_s)
        blind = [one for one in chosen if model.cannot_place(one) and not _drawn(_view(chosen[one], views))]
        notes += [f"{one} is left out: regions are proposed in B-mode only, and nobody drew one" for one in blind]
        chosen = {modality: one for modality, one in chosen.items() if modality not in blind}
        if not chosen:
            yield NoAnswer(tuple(usable), f"no result: {notes[-1]}")
            return
        case = Case({modality: [_view(one, views)] for modality, one in chosen.items()}, columns)
        score = _fused if isinstance(model.predictor, FusedPredictor) else _joined
        prediction, seen = score(model, case, {str(one.path): one for one in chosen.values()})
    except InputError as error:
        yield NoAnswer(tuple(usable), _why(error, usable))
        return
    names = {one.path.name: one.shown for one in chosen.values()}
    said = [_renamed(note, names) for note in (*prediction.notes, *notes)]
    sources = tuple(_renamed(source, names) for source in prediction.sources)
    yield Answer(replace(prediction, notes=tuple(said), sources=sources), tuple(seen))


def _fused(model: Model, case: Case, files: Mapping[str, Instance]) -> tuple[Prediction, list[Seen]]:
    predictor = model.predictor
    assert isinstance(predictor, FusedPredictor)
    prediction = predictor.predict([case], localiser=model.localiser)[0]
    read = predictor.read(case, model.localiser)
    if isinstance(read, FailedPicture):
        raise read.error
    seen = []
    for arm, pictures in read.pictures.items():
        member = predictor.members[arm]
        for picture in pictures:
            instance = files[picture.clip.source]
            own = replace(picture, source=instance.shown)
            seen.append(Seen(instance, own, member, heat_of(member, picture, prediction), arm))
    return prediction, seen


def _joined(model: Model, case: Case, files: Mapping[str, Instance]) -> tuple[Prediction, list[Seen]]:
    predictor = model.predictor
    assert isinstance(predictor, Predictor)
    read = read_looks(predictor, case, model.localiser)
    prediction = predict_looks(predictor, read)
    pixels, _ = stack_looks(read.looks, joined_of(predictor).modalities)
    place = list(predictor.spec.classes).index(explained(predictor, prediction))
    seen = []
    # One picture of each modality makes one look.
    for modality, picture in read.looks[0].items():
        heat = heat_of_pixels(
            predictor.parts, pixels[[0]], predictor.spec.prepare, place, device=predictor.device, of=modality
        )
        instance = files[picture.clip.source]
        seen.append(Seen(instance, replace(picture, source=instance.shown), predictor, heat, modality))
    return prediction, seen


def _why(error: InputError, instances: list[Instance]) -> str:
    """Return why there is no score, without a path and without a file's name."""
    if isinstance(error, RegionMissing) and error.what == NOT_FOUND:
        return NO_REGION
    said = error.what + (f"; expected {error.expected}" if error.expected else "")
    for one in instances:
        said = said.replace(str(one.path), one.shown).replace(one.path.name, one.shown)
    return f"no result: {said}"


def _renamed(text: str, names: Mapping[str, str]) -> Any:
    for name, shown in names.items():
        text = text.replace(name, shown)
    return text
