"""The DICOM objects of files that are predicted at the command line, for those who have no node."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isthmus.clinic.assessment import content_of, origin_of, version_of
from isthmus.clinic.device_rules import DeviceRule, DeviceRules
from isthmus.clinic.study_answers import Model, answers_of
from isthmus.clinic.study_instances import Study, read_study
from isthmus.clinic.study_results import results_of
from isthmus.errors import InputError
from isthmus.files import new_folder
from isthmus.inference.any_bundle import load_bundle, modalities_of
from isthmus.inference.fused_case import View
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.input_files import find_clips, find_pictures
from isthmus.inference.localiser import load_localiser
from isthmus.inference.named_files import columns_of, named

if TYPE_CHECKING:
    import pydicom

_KINDS: Final = {"SR": "report", "US": "capture", "SEG": "segmentation"}


@dataclass(frozen=True)
class DicomFiles:
    """What was written: the files, and what happened, in words that name nobody."""

    files: tuple[Path, ...]
    sentences: tuple[str, ...]


def refuse_other_than_dicom(inputs: Sequence[str]) -> None:
    """Refuse a file of which no DICOM result can be made, before anything is scored; folders are looked into later.

    Raises
    ------
    InputError
        When it is no ultrasound DICOM.
    """
    for path in (Path(named(one)[1] or one) for one in inputs):
        if path.is_file():
            _study([path], "bmode")


def write_dicom_results(
    bundle: Path,
    inputs: Sequence[str],
    out: Path,
    *,
    boxes: Sequence[str] = (),
    masks: Sequence[str] = (),
    scan_areas: Sequence[str] = (),
    columns: Sequence[str] = (),
    localiser: Path | None = None,
    device: str = "auto",
) -> DicomFiles:
    """Write report, captures and regions of DICOM files: ``NNN_report.dcm``, ``NNN_capture.dcm``, ….

    Parameters
    ----------
    bundle : Path
        The model.
    inputs, boxes, masks, scan_areas, columns
        As for :func:`isthmus.explain.prediction_cases.predict_given`; of one modality one file.
    out : Path
        Folder to make. The names of its files say nothing of the patient; the files do, as every object of a study.
    localiser : Path, optional
        Proposes the regions.
    device : str
        Where to compute.

    Raises
    ------
    InputError
        When a file is no ultrasound DICOM, or the files of one case are of several studies.
    OutputError
        When ``out`` exists.
    """
    predictor = load_bundle(bundle, device)
    proposer = None if localiser is None else load_localiser(localiser, predictor.device)
    words = "" if proposer is None else f"Regions are proposed by the localiser {proposer.spec.name}."
    model = Model(predictor, proposer, content_of(bundle), words)
    version = version_of([bundle], localiser, DeviceRules())
    views = _views(model, bundle, inputs, boxes, masks, scan_areas)
    given = {Path(view.path): view for view, _ in views}
    objects, sentences = list["pydicom.Dataset"](), list[str]()
    for study in _studies(views, joined=model.joins):
        answers = answers_of(model, study, float("inf"), given, dict(columns_of(columns)))
        made, said = results_of(model, study, answers, origin_of(model, version, 0))
        objects += made
        sentences += [*study.sentences, *said]
    return DicomFiles(tuple(_written(objects, out)), tuple(sentences))


def _views(
    model: Model,
    bundle: Path,
    inputs: Sequence[str],
    boxes: Sequence[str],
    masks: Sequence[str],
    scan_areas: Sequence[str],
) -> list[tuple[View, str]]:
    """Return each file with its region, and what it shows."""
    known = modalities_of(bundle)
    if not model.joins:
        assert not isinstance(model.predictor, FusedPredictor)
        clips = model.predictor.spec.prepare.frames is not None
        paths = (find_clips if clips else find_pictures)([Path(named(one)[1] or one) for one in inputs])
        drawn = View("", _one(boxes), _one(masks), _one(scan_areas))
        return [(replace(drawn, path=path), known[0]) for path in paths]
    found = dict(map(named, inputs))
    if len(found) < len(inputs) or not found.keys() <= set(known):
        raise InputError(
            "results in DICOM are made of one file of each modality", expected=f"{'=FILE '.join(known)}=FILE"
        )
    own = [dict(map(named, values)) for values in (boxes, masks, scan_areas)]
    return [
        (View(Path(path), own[0].get(name), own[1].get(name), own[2].get(name)), name) for name, path in found.items()
    ]


def _one(values: Sequence[str]) -> str | None:
    return named(values[0])[1] if values else None


def _studies(views: Sequence[tuple[View, str]], *, joined: bool) -> list[Study]:
    """Return the studies of files whose modality the person who gave them has said."""
    read = [_study([Path(view.path)], name) for view, name in views]
    studies: dict[str, list[Study]] = {}
    for one in read:
        key = str(one.instances[0].header.StudyInstanceUID)
        studies.setdefault(key, []).append(one)
    if joined and len(studies) > 1:
        raise InputError("the files of the case are of several studies", expected="files of one study of one patient")
    return [_together(own) for own in studies.values()]


def _together(own: Sequence[Study]) -> Study:
    instances = [instance for study in own for instance in study.instances]
    numbered = [replace(one, number=number) for number, one in enumerate(instances, start=1)]
    return Study(tuple(numbered), tuple(said for study in own for said in study.sentences))


def _study(files: Sequence[Path], modality: str) -> Study:
    rules = [{"modality": modality, "secondary_capture": captured} for captured in (False, True)]
    study = read_study(files, DeviceRules(rules=[DeviceRule.model_validate(one) for one in rules]))
    if not study.instances:
        why = study.sentences[0].partition(": ")[2] if study.sentences else "it holds no picture"
        raise InputError(f"no result in DICOM: {why}", where=files[0].name, expected="an ultrasound picture in DICOM")
    return study


def _written(objects: "Sequence[pydicom.Dataset]", out: Path) -> list[Path]:
    names: Mapping[str, str] = _KINDS
    found = []
    with new_folder(out) as partial:
        for number, dataset in enumerate(objects, start=1):
            name = f"{number:03d}_{names.get(str(dataset.Modality), 'capture')}.dcm"
            dataset.save_as(partial / name, enforce_file_format=True)
            found.append(out / name)
    return found
