"""The instances of one study: which of them a model may look at, as what, and in which order.

What names the patient is read here, because results belong to the same patient's study; it stays in ``header``, whose
text form is never written anywhere but into a result's own header.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isthmus.clinic.device_rules import LEFT_OUT, DeviceRule, DeviceRules
from isthmus.clinic.study_modules import OF_THE_STUDY, as_text, frames_of, whole
from isthmus.cohort.sources.dicom_files import modality_told, no_picture
from isthmus.errors import InputError, PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.dicom_header import read_header
from isthmus.imaging.limits import Limits
from isthmus.imaging.masked_screen import find_screen_mask, says_text
from isthmus.imaging.read import open_clip

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

MANUFACTURER: Final = "Isthmus"
"""Of every result; what it made itself is never looked at."""

_OF_THE_PICTURE: Final = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "Modality", "Manufacturer",
    "ManufacturerModelName", "SeriesDescription", "ImageType", "SequenceOfUltrasoundRegions", "Rows", "Columns",
    "NumberOfFrames", "SamplesPerPixel", "AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate",
    "ContentTime", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "BodyPartExamined", "Laterality", "PhotometricInterpretation",
)  # fmt: skip
_ULTRASOUND: Final = (
    "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3",  # the retired forms of both
)  # fmt: skip
_COLOURED: Final = "coloured"
_DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, eq=False)
class Instance:
    """An ultrasound picture or clip of the study.

    Parameters
    ----------
    path : Path
        The file.
    header : FileDataset
        What was read of it: its patient and study, and what describes the picture.
    number : int
        Its place among the pictures of the study, counted from 1.
    modality : str
        What it is looked at as.
    scan_area : Box, optional
        Where a rule says that the ultrasound picture lies.
    taken : datetime, optional
        When it was acquired, as its scanner says.
    """

    path: Path = field(repr=False)
    header: "FileDataset" = field(repr=False)
    number: int
    modality: str
    scan_area: Box | None = None
    taken: datetime | None = None

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return frames_of(self.header)

    @property
    def uid(self) -> str:
        """Its SOP Instance UID."""
        return str(self.header.SOPInstanceUID)

    @property
    def shown(self) -> str:
        """What words call it: by the numbers that a viewer shows, which name nobody."""
        series, image = whole(self.header, "SeriesNumber"), whole(self.header, "InstanceNumber")
        if series is None or image is None:
            return f"picture {self.number}"
        return f"series {series} image {image}"


@dataclass(frozen=True, eq=False)
class Study:
    """One study's pictures, in the order in which they were taken, and what is said of its other instances."""

    instances: tuple[Instance, ...]
    sentences: tuple[str, ...]


def read_study(files: Sequence[Path], rules: DeviceRules, limits: Limits = _DEFAULT_LIMITS) -> Study:
    """Read the headers of all instances of a study.

    Parameters
    ----------
    files : sequence of Path
        Part 10 files, in any order; an instance that comes twice counts once.
    rules : DeviceRules
        Which instances are used, and as what.
    limits : Limits
        What is refused as too large.

    Raises
    ------
    InputError
        When the files are of several studies, or name several patients.
    """
    headers, sentences = _headers(files, limits)
    _refuse_several([header for _, header in headers.values()])
    found, reasons = list[Instance](), Counter[str]()
    for path, header in headers.values():
        instance = _instance(path, header, rules, limits)
        if isinstance(instance, Instance):
            found.append(instance)
        else:
            reasons[instance] += 1
    found.sort(key=_order)
    numbered = tuple(replace(one, number=number) for number, one in enumerate(found, start=1))
    left_out = [f"{count} of {len(files)} instances left out: {why}" for why, count in sorted(reasons.items())]
    return Study(numbered, (*sentences, *left_out))


def _headers(files: Sequence[Path], limits: Limits) -> "tuple[dict[str, tuple[Path, FileDataset]], list[str]]":
    found: dict[str, tuple[Path, FileDataset]] = {}
    faults = Counter[str]()
    for path in files:
        try:
            limits.check_file(path)
            header = read_header(path, limits, [*OF_THE_STUDY, *_OF_THE_PICTURE])
            uid = as_text(header, "SOPInstanceUID")
            if not uid or not as_text(header, "StudyInstanceUID") or not as_text(header, "SeriesInstanceUID"):
                raise PictureError("it does not say which instance, series and study it is")
            found.setdefault(uid, (path, header))
        except PictureError as error:
            faults[error.what.replace(str(path), "the file")] += 1
        except OSError as error:
            faults[f"the file cannot be opened: {error.strerror}"] += 1
    return found, [f"{count} of {len(files)} instances not read: {why}" for why, count in sorted(faults.items())]


def _refuse_several(headers: "Sequence[FileDataset]") -> None:
    for keyword, what in (("StudyInstanceUID", "studies"), ("PatientID", "patients")):
        # No value is quoted: each of them is somebody's.
        if len({as_text(header, keyword) for header in headers}) > 1:
            raise InputError(f"the instances are of several {what}", expected="those of one study of one patient")


def _instance(path: Path, header: "FileDataset", rules: DeviceRules, limits: Limits) -> Instance | str:
    """Return an instance that is looked at, or why it is not."""
    if (other := no_picture(header, "", 0)) is not None:
        return other.why
    if as_text(header, "Manufacturer") == MANUFACTURER:
        return "an earlier result"
    captured = as_text(header, "SOPClassUID") not in _ULTRASOUND
    rule = next((one for one in rules.rules if _fits(one, header, captured)), None)
    if rule is None and captured:
        return "no ultrasound image of a scanner (a screen capture is looked at only where a device rule says so)"
    if rule is not None and rule.modality == LEFT_OUT:
        return "a device rule leaves it out"
    modality = rule.modality if rule is not None else _told(path, header, limits)
    if modality == _COLOURED:
        return "it is coloured, and its header does not say what the colours are: a device rule can"
    return Instance(path, header, 0, modality, None if rule is None else rule.scan_area, _taken(header))


def _fits(rule: DeviceRule, header: "FileDataset", captured: bool) -> bool:
    kinds = as_text(header, "ImageType").split("\\")
    regions = [region.get("RegionDataType") for region in header.get("SequenceOfUltrasoundRegions") or []]
    frames = frames_of(header)
    said = {
        "Manufacturer": rule.manufacturer,
        "ManufacturerModelName": rule.model,
        "SeriesDescription": rule.series_description,
    }
    return (
        rule.secondary_capture == captured
        and all(pattern is None or rule.found(pattern, as_text(header, name)) for name, pattern in said.items())
        and all(kind in kinds for kind in rule.image_type)
        and (not rule.region_data_type or any(kind in rule.region_data_type for kind in regions))
        and (rule.frames_from is None or frames >= rule.frames_from)
        and (rule.frames_to is None or frames <= rule.frames_to)
    )


def _told(path: Path, header: "FileDataset", limits: Limits) -> str:
    """Return what the header says, or the pixels where it says nothing: flow is coloured.

    What a header calls B-mode and is coloured is neither: scanners write elastograms and microvascular images so, and a
    model of grey pictures would score their colours.
    """
    told = modality_told(header)
    if told != "doppler" and not as_text(header, "PhotometricInterpretation").startswith("MONOCHROME"):
        try:
            with open_clip(path, limits) as clip:
                seen = find_screen_mask(clip, limits=limits, says_text=says_text(path, clip.info, limits)).modality
        except PictureError:
            seen = "bmode"  # said again, with the reason, when it is looked at
        if told and seen == "doppler":
            return _COLOURED
        told = seen
    return "cine" if frames_of(header) > 1 and told in ("", "bmode") else told or "bmode"


def _taken(header: "FileDataset") -> datetime | None:
    texts = [as_text(header, "AcquisitionDateTime")]
    texts += [as_text(header, f"{kind}Date") + as_text(header, f"{kind}Time") for kind in ("Acquisition", "Content")]
    for text in texts:
        digits = text.partition(".")[0].partition("+")[0].partition("-")[0]
        if len(digits) == 14 and digits.isdigit():
            try:
                return datetime.strptime(digits, "%Y%m%d%H%M%S")
            except ValueError:
                continue
    return None


def _order(one: Instance) -> tuple[str, int, int, str]:
    header = one.header
    numbers = [whole(header, name) or 0 for name in ("SeriesNumber", "InstanceNumber")]
    return "" if one.taken is None else one.taken.isoformat(), numbers[0], numbers[1], one.uid
