"""The DICOM files of a hospital's export: what their headers say, and why the other files are none.

Here, and only here, are elements read that name a patient. They are needed to join pictures with a table and to tell
people apart; nothing of them is printed, and nothing of them is written but into the key file's folder.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from pydicom import config
from pydicom.dataset import FileDataset
from pydicom.uid import UID

from isthmus.cohort.dates import parse_date
from isthmus.errors import CohortError, PictureError
from isthmus.imaging.dicom_header import read_header
from isthmus.imaging.limits import Limits

KEYS: Final = (
    "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyID", "StudyInstanceUID", "SeriesInstanceUID",
    "SOPInstanceUID", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstitutionName",
    "StudyDescription", "SeriesDescription", "ProtocolName", "SeriesNumber", "InstanceNumber",
)  # fmt: skip
"""What a map can join by, and take a site or a label from."""

_ORDER: Final = ("StudyTime", "AcquisitionDateTime", "AcquisitionTime", "ContentTime")
_PEOPLE: Final = ("PatientName", "PatientBirthDate")
_KIND: Final = (
    "SOPClassUID", "Modality", "Manufacturer", "ManufacturerModelName", "BurnedInAnnotation", "ImageType",
    "SequenceOfUltrasoundRegions", "Rows", "Columns", "NumberOfFrames", "SpecificCharacterSet",
)  # fmt: skip
_HEADER_SUFFIXES: Final = (".dcm", ".dicom", ".ima")
_PREAMBLE: Final = 128
_MEDIA_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_SEGMENTATION: Final = "1.2.840.10008.5.1.4.1.1.66.4"
_LONGEST_TEXT: Final = 64  # the standard's own bound for the elements that are kept
_2D, _M_MODE, _SPECTRAL = 1, 2, 3
_COLOUR_FLOW: Final = 2
# Image Type's fourth value for ultrasound, in hexadecimal (PS3.3 C.8.5.6.1.1).
_DOPPLER_BITS: Final = 0x0004 | 0x0008 | 0x0010 | 0x0020 | 0x0100
_TWO_D_BITS: Final = 0x0001 | 0x0010 | 0x0100
_M_MODE_BIT: Final = 0x0002


@dataclass(frozen=True)
class DicomFile:
    """A file that holds an ultrasound picture or clip. Its text form names nobody.

    Parameters
    ----------
    number : int
        Its running number among the export's files.
    file : str
        Its path in the export.
    keys : dict
        The elements of :data:`KEYS` that it has, as text.
    person : tuple of str
        Name and date of birth, to tell two people under one id.
    taken : tuple of str
        What orders a patient's pictures in time.
    device : str
        Manufacturer and model.
    modality : str
        ``bmode`` or ``doppler``, by its regions or its image type; empty where neither says.
    burned_in : str
        ``YES``, ``NO`` or empty: Burned In Annotation (0028,0301).
    """

    number: int
    file: str = field(repr=False)
    keys: dict[str, str] = field(repr=False)
    person: tuple[str, ...] = field(repr=False)
    taken: tuple[str, ...] = field(repr=False)
    device: str
    modality: str
    burned_in: str

    @property
    def day(self) -> date | None:
        """The day of the examination."""
        dates = (parse_date(self.keys.get(name, "")) for name in ("StudyDate", "SeriesDate", "AcquisitionDate"))
        return next((day for day in dates if day is not None), None)

    @property
    def study(self) -> str:
        """What tells one examination of a patient from another."""
        study = self.keys.get("StudyInstanceUID") or self.keys.get("AccessionNumber")
        return study or str(self.day or "")


@dataclass(frozen=True)
class OtherFile:
    """A file of the export that gives no picture.

    Parameters
    ----------
    number : int
        Its running number.
    file : str
        Its path in the export.
    status : {'not DICOM', 'no picture', 'not ultrasound', 'unreadable', 'link', 'outline'}
        What it is.
    why : str
        In words that name nobody.
    """

    number: int
    file: str = field(repr=False)
    status: str
    why: str


def walk_export(
    source: Path, limits: Limits, progress: Callable[[int, int], None] | None = None
) -> Iterator[DicomFile | OtherFile]:
    """Yield every file of a folder, in the order of its paths; no pixel is read, and no link is followed.

    Parameters
    ----------
    source : Path
        The export; folders in it may be nested.
    limits : Limits
        What is refused as too large.
    progress : callable, optional
        Called as ``progress(done, total)``.

    Raises
    ------
    CohortError
        When there is no such folder, or it holds no file.
    """
    if not source.is_dir():
        raise CohortError("no such folder", where=str(source), expected="the folder of an export")
    paths = sorted(_paths(source))
    if not paths:
        raise CohortError("the folder is empty", where=str(source), expected="DICOM files")
    for number, relative in enumerate(paths, start=1):
        yield _told(source, relative, number, limits)
        if progress is not None:
            progress(number, len(paths))


def _paths(source: Path) -> Iterator[str]:
    # A link to a folder is a name among `folders`, and is not entered: so no loop can be.
    closed: list[str] = []
    for folder, folders, files in os.walk(source, onerror=lambda error: closed.append(error.filename)):
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        for name in [*files, *linked]:
            yield (Path(folder) / name).relative_to(source).as_posix()
    yield from (Path(folder).relative_to(source).as_posix() for folder in closed)


def _told(source: Path, relative: str, number: int, limits: Limits) -> DicomFile | OtherFile:
    path = source / relative
    if path.is_symlink():
        return OtherFile(number, relative, "link", "a link to another place is not followed")
    if path.is_dir():
        return OtherFile(number, relative, "unreadable", "a folder that cannot be opened")
    try:
        if not path.is_file():
            return OtherFile(number, relative, "not DICOM", "no ordinary file")
        if not _claims_dicom(path):
            return OtherFile(number, relative, "not DICOM", "no DICOM file")
        limits.check_file(path)
        header = read_header(path, limits, [*KEYS, *_ORDER, *_PEOPLE, *_KIND])
    except PictureError as error:
        return OtherFile(number, relative, "unreadable", error.what)
    except OSError as error:
        return OtherFile(number, relative, "unreadable", f"the file cannot be opened: {error.strerror}")
    return no_picture(header, relative, number) or _dicom_file(header, relative, number)


def _claims_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(_PREAMBLE + 4)
    return head[_PREAMBLE:] == b"DICM" or path.suffix.lower() in _HEADER_SUFFIXES


def no_picture(header: FileDataset, relative: str, number: int) -> OtherFile | None:
    """Return why a file holds no ultrasound picture in two dimensions; None where it does."""
    # A class that is none is not warned of: pydicom would print it.
    named = _text(header, "SOPClassUID") or str(header.file_meta.get("MediaStorageSOPClassUID", ""))
    kind = UID(named, validation_mode=config.IGNORE)
    modality = _text(header, "Modality")
    if kind == _MEDIA_DIRECTORY or Path(relative).name == "DICOMDIR":
        return OtherFile(number, relative, "no picture", "the medium's directory, which is not needed")
    if kind == _SEGMENTATION:
        return OtherFile(number, relative, "outline", "an outline of no picture that was used")
    if "Rows" not in header or "Columns" not in header:
        # A name of the standard's own list, never a text of the file.
        name = kind.name if kind.is_valid and kind.name != kind else "an object"
        return OtherFile(number, relative, "no picture", f"{name} without a picture, or a header that was cut short")
    if modality not in ("US", "IVUS") and "Ultrasound" not in kind.name:
        shown = modality if len(modality) <= 4 and modality.isalpha() else "not stated"
        return OtherFile(number, relative, "not ultrasound", f"its modality is {shown}")
    if _only_m_mode(header):
        return OtherFile(number, relative, "no picture", "M-mode alone: no picture of tissue in two dimensions")
    return None


def _dicom_file(header: FileDataset, relative: str, number: int) -> DicomFile:
    keys = {name: text for name in KEYS if (text := _text(header, name))}
    device = " ".join(dict.fromkeys([_text(header, "Manufacturer"), _text(header, "ManufacturerModelName")]))
    order = [_text(header, name) for name in ("StudyDate", *_ORDER)]
    counted = [keys.get(name, "").zfill(12) for name in ("SeriesNumber", "InstanceNumber")]
    return DicomFile(
        number,
        relative,
        keys,
        person=tuple(_text(header, name) for name in _PEOPLE),
        taken=(*order, *counted, relative),
        device="".join(letter for letter in " ".join(device.split()) if letter.isprintable())[:_LONGEST_TEXT],
        modality=modality_told(header),
        burned_in=_text(header, "BurnedInAnnotation").upper(),
    )


def _text(header: Any, name: str) -> str:
    value = header.get(name)
    if value is None:
        return ""
    parts = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return "\\".join(str(part) for part in parts).replace("\0", "").strip()


def modality_told(header: FileDataset) -> str:
    """Return ``bmode`` or ``doppler`` as regions or Image Type say; '' where neither does."""
    regions = _regions(header)
    if any(form == _SPECTRAL or kind == _COLOUR_FLOW for form, kind in regions):
        return "doppler"
    if (bits := _image_bits(header)) is not None:
        return "doppler" if bits & _DOPPLER_BITS else "bmode"
    return "bmode" if any(form == _2D for form, _ in regions) else ""


def _only_m_mode(header: FileDataset) -> bool:
    forms = {form for form, _ in _regions(header)}
    if forms & {_2D, _M_MODE, _SPECTRAL}:
        return _M_MODE in forms and _2D not in forms
    bits = _image_bits(header) or 0
    return bool(bits & _M_MODE_BIT) and not bits & _TWO_D_BITS


def _regions(header: FileDataset) -> list[tuple[int, int]]:
    found = []
    for region in header.get("SequenceOfUltrasoundRegions") or []:
        numbers = (region.get("RegionSpatialFormat"), region.get("RegionDataType"))
        if all(isinstance(number, int) for number in numbers):
            found.append(numbers)
    return found


def _image_bits(header: FileDataset) -> int | None:
    parts = _text(header, "ImageType").split("\\")
    try:
        return int(parts[3], 16) if len(parts) > 3 else None
    except ValueError:
        return None
