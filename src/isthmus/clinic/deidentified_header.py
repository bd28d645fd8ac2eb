"""The header of a de-identified ultrasound picture: made anew of the elements that describe the picture, and no others.

PS3.15 Annex E says what the Basic Application Level Confidentiality Profile removes. What is not in the list here is
not copied at all, so that private elements, and elements that the standard has yet to invent, stay behind as well.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from isthmus.cohort.cell_values import tidy

_DESCRIBING: Final = (
    "SOPClassUID", "Modality", "Manufacturer", "ManufacturerModelName", "ImageType", "InstanceNumber", "SeriesNumber",
    "BodyPartExamined", "TransducerType", "FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate",
    "FrameIncrementPointer", "PreferredPlaybackSequencing", "StartTrim", "StopTrim", "FrameDelay",
    "MechanicalIndex", "BoneThermalIndex", "CranialThermalIndex", "SoftTissueThermalIndex", "DepthOfScanField",
    "PixelAspectRatio", "PixelSpacing", "UltrasoundColorDataPresent", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod", "SequenceOfUltrasoundRegions", "ConversionType",
)  # fmt: skip
"""Of the data set; the pixels' own elements are written with them."""

_OF_A_REGION: Final = (
    "RegionSpatialFormat", "RegionDataType", "RegionFlags", "RegionLocationMinX0", "RegionLocationMinY0",
    "RegionLocationMaxX1", "RegionLocationMaxY1", "ReferencePixelX0", "ReferencePixelY0", "PhysicalUnitsXDirection",
    "PhysicalUnitsYDirection", "ReferencePixelPhysicalValueX", "ReferencePixelPhysicalValueY", "PhysicalDeltaX",
    "PhysicalDeltaY", "TransducerFrequency", "PulseRepetitionFrequency", "DopplerCorrectionAngle", "SteeringAngle",
    "DopplerSampleVolumeXPosition", "DopplerSampleVolumeYPosition", "TMLinePositionX0", "TMLinePositionY0",
    "TMLinePositionX1", "TMLinePositionY1", "PixelComponentOrganization", "PixelComponentRangeStart",
    "PixelComponentRangeStop", "PixelComponentPhysicalUnits", "PixelComponentDataType",
)  # fmt: skip

READ: Final = (
    *_DESCRIBING, "SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber",
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "StudyID", "InstitutionName", "ReferringPhysicianName",
    "OperatorsName", "PhysiciansOfRecord", "BurnedInAnnotation",
)  # fmt: skip
"""What is asked of a source's header: what describes, what names (to look for it), and what UIDs are made of."""

_NAMING: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID", "InstitutionName",
    "ReferringPhysicianName", "OperatorsName", "PhysiciansOfRecord",
)  # fmt: skip
_TEXTS: Final = ("CS", "LO", "SH", "ST", "LT", "UT")
_EMPTY: Final = (
    # Type 2 of the modules that every picture has: they must be there, and may be empty.
    "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID",
    "PatientOrientation",
)  # fmt: skip
_METHOD: Final = "Isthmus: new header; text of the screen painted black"
_CODES: Final = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113101", "Clean Pixel Data Option"),
)
_LONGEST_NAMELESS: Final = 3  # '12' or 'US' stands in many a text by chance


@dataclass(frozen=True)
class NewHeader:
    """A header without pixels, and what became of the source's.

    Parameters
    ----------
    dataset : Dataset
        What may leave.
    kept : tuple of str
        Keywords that were copied.
    refused : tuple of str
        Keywords of the list that were not copied, since their text names somebody.
    """

    dataset: Dataset
    kept: tuple[str, ...]
    refused: tuple[str, ...]


def new_uid(original: str, salt: bytes) -> str:
    """Return the UID that stands for another one, the same for every file under one salt (PS3.5 B.2).

    Examples
    --------
    >>> new_uid("1.2.3", bytes(32)) == new_uid("1.2.3", bytes(32)) != new_uid("1.2.4", bytes(32))
    True
    >>> new_uid("1.2.3", bytes(32))[:5]
    '2.25.'
    """
    digest = hmac.new(salt, f"uid\0{original}".encode(), hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def new_header(source: Dataset, *, patient: str, salt: bytes, clean: bool, called: str) -> NewHeader:
    """Make the header of a de-identified picture.

    Parameters
    ----------
    source : Dataset
        The source's elements of :data:`READ`.
    patient : str
        The pseudonym.
    salt : bytes
        Of the key file; new UIDs are made with it.
    clean : bool
        Whether the pixels certainly hold no text.
    called : str
        The file's number in words: where a UID is missing, one is made of it.

    Returns
    -------
    NewHeader
    """
    names = _parts(str(source.get(keyword, "")) for keyword in _NAMING)
    made, kept, refused = Dataset(), [], []
    for keyword in _DESCRIBING:
        if keyword not in source or source[keyword].is_empty:
            continue
        if keyword == "SequenceOfUltrasoundRegions":
            made.SequenceOfUltrasoundRegions = Sequence(_region(item) for item in source[keyword].value)
        elif _names(source[keyword], names):
            refused.append(keyword)
            continue
        else:
            made.add(source[keyword])
        kept.append(keyword)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(made, keyword, new_uid(str(source.get(keyword, "")) or f"{keyword} of {called}", salt))
    for keyword in _EMPTY:
        setattr(made, keyword, None)
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientID = made.PatientName = patient
    for keyword, default in (("Manufacturer", None), ("InstanceNumber", None), ("SeriesNumber", None)):
        if keyword not in made:
            setattr(made, keyword, default)
    _say_so(made, clean)
    made.file_meta = _meta(made)
    return NewHeader(made, tuple(kept), tuple(refused))


def _say_so(made: Dataset, clean: bool) -> None:
    made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", _METHOD
    made.DeidentificationMethodCodeSequence = Sequence(map(_code, _CODES if clean else _CODES[:1]))
    made.LongitudinalTemporalInformationModified = "REMOVED"
    if clean:
        made.BurnedInAnnotation = "NO"


def _code(code: tuple[str, str]) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = code
    item.CodingSchemeDesignator = "DCM"
    return item


def _meta(made: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = made.SOPClassUID, made.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # The rest is pydicom's: it names the program that wrote the file, not the one that wrote the source.
    return meta


def _region(item: Dataset) -> Dataset:
    made = Dataset()
    for keyword in _OF_A_REGION:
        if keyword in item and not item[keyword].is_empty:
            made.add(item[keyword])
    return made


def _parts(texts: Iterable[str]) -> set[str]:
    parts = set()
    for text in texts:
        whole = tidy(text).lower()
        parts |= {whole, *whole.replace("^", " ").replace("=", " ").split()}
    return {part for part in parts if len(part) > _LONGEST_NAMELESS or not part.isascii()}


def _names(element: Any, names: set[str]) -> bool:
    if element.VR not in _TEXTS:
        return False
    text = tidy(str(element.value)).lower()
    return any(part in text for part in names)


def keywords_of(dataset: Dataset) -> tuple[list[str], int]:
    """Return the keywords of a header's elements, sorted, and how many private elements it has."""
    public = {keyword_for_tag(tag) or "unknown" for tag in dataset.keys() if not tag.is_private}  # noqa: SIM118
    return sorted(public), sum(tag.is_private for tag in dataset.keys())  # noqa: SIM118


def is_lossy(syntax: UID) -> bool:
    """Return whether pixels of this transfer syntax were compressed with loss (PS3.5 A.4)."""
    lossy = (50, 51, 81, 91, 93, 203)
    return str(syntax) in {f"1.2.840.10008.1.2.4.{last}" for last in lossy}
