"""The report: an Imaging Measurement Report (TID 1500) as Comprehensive SR, a measurement group for each score.

Each group names the algorithm (TID 4019), its source images and, where a region was used, its outline as an image
region (TID 1410). Everything that is said in codes is said in words, too, since many viewers show only those.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from isthmus.clinic.capture_pages import NOTICE
from isthmus.clinic.dicom_codes import SCHEME, standard
from isthmus.clinic.dicom_measurements import evaluations, measurements, parameters, sizes
from isthmus.clinic.dicom_results import Origin, finished, result_uid
from isthmus.clinic.lesion_outline import Outline
from isthmus.clinic.study_instances import MANUFACTURER, Instance
from isthmus.clinic.study_modules import as_text, frames_of
from isthmus.inference.answer import answer_sentences
from isthmus.inference.output import Spec
from isthmus.inference.prediction import Prediction

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_EXPLICIT: Final = "1.2.840.10008.1.2.1"
_STAND_IN: Final = {
    "1.2.840.10008.5.1.4.1.1.6": "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.3": "1.2.840.10008.5.1.4.1.1.3.1",
}
"""SOP class that highdicom is told where a scanner still writes a retired one, which it does not know."""


@dataclass(frozen=True, eq=False)
class ReportedPicture:
    """A picture that a score rests on: which frames were looked at, counted from 1, and the region."""

    instance: Instance
    frames: tuple[int, ...]
    outline: Outline | None
    part: str = ""


@dataclass(frozen=True, eq=False)
class Reported:
    """A score with its pictures."""

    prediction: Prediction
    pictures: tuple[ReportedPicture, ...]


def report(
    answers: Sequence[Reported], spec: Spec, origin: Origin, instances: Sequence[Instance], words: Sequence[str]
) -> "Dataset":
    """Return the report of a study's scores.

    Parameters
    ----------
    answers : sequence of Reported
        At least one.
    spec : BundleSpec or FusedBundleSpec
        Of the model.
    origin : Origin
        What made it.
    instances : sequence of Instance
        The study's pictures.
    words : sequence of str
        What stands under the scores: what happened, the model's licence and limits.
    """
    from highdicom import sr
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    # Its messages quote names and UIDs.
    logging.getLogger("highdicom").setLevel(logging.CRITICAL)
    used = list({one.instance.uid: one.instance for answer in answers for one in answer.pictures}.values())
    groups: list[Any] = []
    for number, answer in enumerate(answers, start=1):
        groups += _groups(answer, number, spec, origin)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(origin)),
        procedure_reported=standard("ultrasonography"),
        imaging_measurements=groups,
        referenced_images=[stand_in(one) for one in used],
    )
    for text in (NOTICE, *words):
        content[0].ContentSequence.append(_comment(text))
    dataset = sr.ComprehensiveSR(
        evidence=[stand_in(one) for one in used],
        content=content[0],
        series_instance_uid=origin.series_uid("report", instances),
        series_number=origin.series_number("report"),
        sop_instance_uid=origin.uid("report", instances),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        coding_schemes=[
            CodingSchemeIdentificationItem(
                SCHEME, name="Isthmus private codes", version="1", responsible_organization="Isthmus"
            )
        ],
        transfer_syntax_uid=_EXPLICIT,
    )
    restore_classes(dataset, used)
    return finished(dataset, "report", origin, instances, _EXPLICIT)


def stand_in(one: Instance) -> "Dataset":
    """Return what a library that makes results needs to know of an instance, and nothing that names a patient."""
    from pydicom.dataset import Dataset

    header, dataset = one.header, Dataset()
    kind = as_text(header, "SOPClassUID")
    dataset.SOPClassUID = _STAND_IN.get(kind, kind)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, keyword, as_text(header, keyword))
    dataset.Modality, dataset.Rows, dataset.Columns = "US", int(header.Rows), int(header.Columns)
    if frames_of(header) > 1:
        dataset.NumberOfFrames = frames_of(header)
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
                    "StudyDate", "StudyTime", "ReferringPhysicianName"):  # fmt: skip
        setattr(dataset, keyword, "")
    return dataset


def _observer(origin: Origin) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    device = sr.DeviceObserverIdentifyingAttributes(
        uid=result_uid("device", origin.bundle),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=origin.name,
        serial_number=origin.bundle[:16],
    )
    return sr.ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=device)


def _groups(answer: Reported, number: int, spec: Spec, origin: Origin) -> list[Any]:
    """Return the group of a score, and one for each region where the score is of several pictures."""
    pictures = answer.pictures
    words = [*answer_sentences(answer.prediction, spec), *answer.prediction.notes]
    several = len(pictures) > 1
    score = _group(
        pictures,
        f"score {number}",
        origin,
        spec,
        words,
        numbers=measurements(answer.prediction, spec),
        said=evaluations(answer.prediction, spec),
        outline=None if several else pictures[0].outline,
    )
    regions = [
        _group([one], f"score {number}, region in {one.instance.shown}", origin, spec, [], outline=one.outline)
        for one in pictures
        if several and one.outline is not None
    ]
    return [score, *regions]


def _group(
    pictures: Sequence[ReportedPicture],
    name: str,
    origin: Origin,
    spec: Spec,
    words: Sequence[str],
    *,
    numbers: Sequence[Any] = (),
    said: Sequence[Any] = (),
    outline: Outline | None,
) -> Any:
    from highdicom import sr

    instances = [one.instance for one in pictures]
    common: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(origin.uid(f"tracking {name}", instances), name),
        "finding_sites": [sr.FindingSite(standard("thyroid"))],
        "algorithm_id": sr.AlgorithmIdentification(
            origin.name, origin.bundle, parameters(spec), standard("algorithm"), MANUFACTURER
        ),
        "measurements": [*numbers, *([] if outline is None else sizes(outline))],
        "qualitative_evaluations": list(said),
    }
    if outline is None:
        sources = [_reference(sr.SourceImageForMeasurementGroup, one.instance, one.frames) for one in pictures]
        group: Any = sr.MeasurementsAndQualitativeEvaluations(source_images=sources, **common)
    else:
        source = _reference(sr.SourceImageForRegion, instances[0], (outline.frame,))
        region = sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, outline.points.astype(np.float32), source)
        group = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=region, finding_type=standard("nodule"), **common
        )
    frames = [_frames_looked_at(one) for one in pictures if one.instance.frames > 1 and one.frames]
    for text in (*words, *frames):
        group[0].ContentSequence.append(_comment(text))
    return group


def _reference(kind: Any, instance: Instance, frames: Sequence[int]) -> Any:
    sop_class = as_text(instance.header, "SOPClassUID")
    sop_class = _STAND_IN.get(sop_class, sop_class)
    numbers = sorted(set(frames)) if instance.frames > 1 and frames else None
    return kind(sop_class, instance.uid, numbers)


def _frames_looked_at(one: ReportedPicture) -> str:
    shown = ", ".join(map(str, sorted(set(one.frames))))
    return f"Frames of {one.instance.shown} that the network looked at, counted from 1: {shown}."


def _comment(text: str) -> Any:
    from highdicom import sr

    return sr.TextContentItem(standard("comment"), text, sr.RelationshipTypeValues.CONTAINS)


def restore_classes(dataset: "Dataset", instances: Sequence[Instance]) -> None:
    """Write the instances' own SOP classes where a stand-in was named."""
    classes = {one.uid: as_text(one.header, "SOPClassUID") for one in instances}
    for element in list(dataset.iterall()):
        if element.keyword in ("ReferencedSOPSequence", "SourceImageSequence", "ReferencedInstanceSequence"):
            for item in element.value:
                item.ReferencedSOPClassUID = classes.get(str(item.ReferencedSOPInstanceUID), item.ReferencedSOPClassUID)
