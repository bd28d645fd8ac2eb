"""A model's answers to a study as DICOM objects of the study: one report, a capture a picture, a region a still."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from isthmus.clinic.capture_pages import Pages, picture_pages, words_page
from isthmus.clinic.dicom_capture import capture
from isthmus.clinic.dicom_report import Reported, ReportedPicture, report
from isthmus.clinic.dicom_results import LIMITS, Origin
from isthmus.clinic.dicom_segmentation import segmentation
from isthmus.clinic.lesion_outline import outline_of
from isthmus.clinic.study_answers import NO_REGION, Answer, Model, NoAnswer, Seen
from isthmus.clinic.study_instances import Instance, Study
from isthmus.errors import PictureError
from isthmus.explain.prediction_drawing import explained
from isthmus.imaging.clip import MODALITIES
from isthmus.imaging.limits import Limits
from isthmus.imaging.masked_screen import ScreenMask, find_screen_mask, says_text
from isthmus.imaging.read import open_clip
from isthmus.inference.answer import answer_sentences
from isthmus.inference.output import Spec, remarks
from isthmus.models.card import REFERENCES

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LIMITS: Final = Limits()
_NOT_SHOWN: Final = "The picture is not shown: its screen text cannot be told from it, and may name the patient."


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The captures and regions of one answer."""

    objects: "list[Dataset]"
    notes: list[str]


def results_of(
    model: Model, study: Study, answers: Iterable[Answer | NoAnswer], origin: Origin
) -> "tuple[list[Dataset], list[str]]":
    """Return the objects that a model's answers make, and what happened, in words that name nobody.

    Parameters
    ----------
    model : Model
        The model.
    study : Study
        Its pictures.
    answers : iterable of Answer or NoAnswer
        Taken one by one: their pixels are let go in between.
    origin : Origin
        What made the results.
    """
    spec = model.predictor.spec
    objects, scored = list["Dataset"](), list[Reported]()
    said, missed, looked_at = list[str](), list[NoAnswer](), 0
    for answer in answers:
        if isinstance(answer, NoAnswer):
            missed.append(answer)
            looked_at += len(answer.instances)
            said += [f"{one.shown}: {answer.why}" for one in answer.instances]
            continue
        drawn = _drawn(answer, spec, origin, len(objects))
        objects += drawn.objects
        said += drawn.notes
        scored.append(Reported(answer.prediction, tuple(_reported(one) for one in answer.seen)))
        looked_at += len(answer.seen)
    if not scored and not missed:
        kinds = " or ".join(model.modalities)
        return [], [f"no result: no picture of this study is one that the model looks at ({kinds})"]
    count = sum(len(one.pictures) for one in scored)
    what = [f"{count} of {looked_at} pictures scored", *said]
    if not scored:
        return [_nothing(missed, what, spec, model, origin)], what
    words = [_sentence(one) for one in (*what, *study.sentences)]
    objects.insert(0, report(scored, spec, origin, study.instances, [*words, *remarks(spec), *_about(spec, model)]))
    return objects, what


def _reported(one: Seen) -> ReportedPicture:
    frames = tuple(number + 1 for number in one.picture.frames)
    return ReportedPicture(one.instance, frames, outline_of(one), one.part)


def _drawn(answer: Answer, spec: Spec, origin: Origin, made: int) -> _Drawn:
    drawn = _Drawn([], [])
    for one in answer.seen:
        pages, mask = _pages(one, answer, spec, origin)
        name = f"{one.instance.shown}{f', {one.part}' if one.part else ''}"
        if mask is None:
            drawn.notes.append(f"{name}: scored, not shown: its screen text cannot be told from its picture")
        drawn.objects.append(
            capture(
                pages,
                origin,
                [one.instance],
                made + len(drawn.objects) + 1,
                words=f"{_score(answer, spec)} Picture beside its Grad-CAM heat map: {name}",
                frames=[number + 1 for number in one.picture.frames],
                certain=mask is None or mask.certain,
                part=one.part,
            )
        )
        outline = outline_of(one)
        if outline is not None:
            region = segmentation(
                outline, origin, one.instance, one.instance.number, region_source=one.picture.region_source
            )
            if region is not None and not any(each.SOPInstanceUID == region.SOPInstanceUID for each in drawn.objects):
                drawn.objects.append(region)
    return drawn


def _pages(one: Seen, answer: Answer, spec: Spec, origin: Origin) -> tuple[Pages, ScreenMask | None]:
    lines = [*answer_sentences(answer.prediction, spec), *map(_sentence, answer.prediction.notes)]
    title, marks = _title(spec, origin, one.instance.shown), remarks(spec)
    mask = _mask(one.instance)
    if mask is None:
        return words_page(title, [lines[0], _NOT_SHOWN, *lines[1:]], marks), None
    target = one.predictor.spec.classes[explained(one.predictor, answer.prediction)]
    return picture_pages(one, mask, title, lines, target, marks), mask


def _mask(instance: Instance) -> ScreenMask | None:
    """Return what of a picture's screen may be shown; None where its text cannot be told from it."""
    try:
        with open_clip(instance.path, _LIMITS) as clip:
            text = says_text(instance.path, clip.info, _LIMITS)
            return find_screen_mask(clip, limits=_LIMITS, says_text=text, where=instance.shown)
    except PictureError:
        return None


def _nothing(missed: Sequence[NoAnswer], what: Sequence[str], spec: Spec, model: Model, origin: Origin) -> "Dataset":
    """Return the one page that says in the study that there is no score, and why."""
    instances = [one for answer in missed for one in answer.instances]
    reasons = list(dict.fromkeys(answer.why for answer in missed))
    headline = NO_REGION if reasons == [NO_REGION] else "no result"
    lines = [_sentence(headline), *map(_sentence, what)]
    pages = words_page(_title(spec, origin), [*lines, *_about(spec, model)], remarks(spec))
    return capture(pages, origin, instances, 1, words=f"{headline}: no picture of the study was scored", certain=True)


def _sentence(words: str) -> str:
    """Return words with a capital, but for the code of a modality, and a full stop."""
    first = words.split(" ")[0].rstrip(":")
    capital = words[:1] if first in MODALITIES else words[:1].upper()
    return f"{capital}{words[1:].removesuffix('.')}."


def _title(spec: Spec, origin: Origin, shown: str = "") -> str:
    where = f" {shown[:1].upper()}{shown[1:]}." if shown else ""
    return f"Isthmus, model {spec.name}, version {origin.bundle[:12]}; target {spec.target}.{where}"


def _score(answer: Answer, spec: Spec) -> str:
    return answer_sentences(answer.prediction, spec)[0]


def _about(spec: Spec, model: Model) -> list[str]:
    """Return what a report says of the model: whose data, under which licence, and its limits."""
    cohort = spec.cohort
    basis = REFERENCES[cohort.reference].replace("*", "")
    found = [f"Model {spec.name}, bundle {model.version}; target {spec.target}."]
    found.append(f"Trained on {cohort.name}; licence of the data: {cohort.licence}. {basis}")
    weights = getattr(spec, "weights", None)
    if weights is not None:
        found.append(f"Initial weights: {weights.origin}; licence: {weights.licence}.")
    found += [model.localiser_words] if model.localiser_words else []
    return [*found, LIMITS, "It gives an answer to any picture, also to one that shows no thyroid."]
