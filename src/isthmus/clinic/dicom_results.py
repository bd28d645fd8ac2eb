"""What all results have in common as DICOM objects: patient and study, their own series, equipment and identifiers.

An object is complete or is not made. Its UIDs are digests of the study, of the instances that it rests on and of what
made it: the same study assessed again by the same model gives objects of the same UIDs, which an archive keeps once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from isthmus.clinic.study_instances import MANUFACTURER, Instance
from isthmus.clinic.study_modules import as_text, put_into_study
from isthmus.manifest import version

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LIMITS: Final = (
    "The model knows the devices, the population and the prevalence of its training cohort; performance elsewhere is "
    "unknown until it is validated there."
)
_IMPLEMENTATION: Final = "2.25.308861257143240286316092331264119264173"  # a random UUID, fixed once (PS3.5 B.2)
_FIRST_SERIES: Final = 99001  # behind everything that a scanner counts
_LONGEST: Final = 64  # characters of a text (VR LO)
_SERIES: Final = {"report": (0, "SR"), "capture": (1, "US"), "segmentation": (2, "SEG")}
_LOSSY: Final = {
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
    "1.2.840.10008.1.2.4.100": "ISO_13818_2",
    "1.2.840.10008.1.2.4.101": "ISO_13818_2",
    "1.2.840.10008.1.2.4.102": "ISO_14496_10",
    "1.2.840.10008.1.2.4.103": "ISO_14496_10",
    "1.2.840.10008.1.2.4.107": "ISO_23008_2",
    "1.2.840.10008.1.2.4.108": "ISO_23008_2",
    "1.2.840.10008.1.2.4.112": "ISO_18181_1",
}
"""Transfer syntaxes that may have lost something, with the standard's name of how (PS3.3 C.7.6.1.1.5)."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What made results.

    Parameters
    ----------
    name : str
        Of the model.
    version : str
        A hash that changes when the answer could.
    bundle : str
        A hash of the bundle's content.
    place : int
        Of the model among those that assess the study, from 0: sets its series numbers apart.
    marks : tuple of str
        ``SIMULATED``, ``SMOKE``.
    at : datetime
        When the content was made, in local time with its zone.
    """

    name: str
    version: str
    bundle: str
    place: int = 0
    marks: tuple[str, ...] = ()
    at: datetime = field(default_factory=lambda: datetime.now().astimezone())

    @property
    def software(self) -> list[str]:
        """The versions of program and model, as Software Versions holds them."""
        return [f"isthmus {version()}"[:_LONGEST], f"model {self.bundle[:12]}"]

    def series_number(self, kind: str) -> int:
        """Return the number of the series of a kind of result."""
        return _FIRST_SERIES + 10 * self.place + _SERIES[kind][0]

    def description(self, kind: str) -> str:
        """Return the description of the series of a kind of result."""
        return " ".join(["RESEARCH", *self.marks, f"Isthmus {kind}:", self.name])[:_LONGEST].strip()

    def uid(self, kind: str, instances: Sequence[Instance]) -> str:
        """Return the UID of a result that rests on these instances."""
        study = as_text(instances[0].header, "StudyInstanceUID")
        return result_uid(study, *sorted(one.uid for one in instances), self.version, str(self.place), kind)

    def series_uid(self, kind: str, instances: Sequence[Instance]) -> str:
        """Return the UID of the series of a kind of result in the instances' study."""
        study = as_text(instances[0].header, "StudyInstanceUID")
        return result_uid(study, self.version, str(self.place), "series", kind)


def result_uid(*parts: str) -> str:
    """Return a UID under 2.25 (PS3.5 B.2) whose 128 bits are a digest, marked as a name-based UUID (RFC 9562).

    Examples
    --------
    >>> result_uid("a", "b") == result_uid("a", "b") != result_uid("a", "c")
    True
    """
    text = "|".join(("isthmus result", *parts))
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return f"2.25.{digest & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62}"


def new_object(sop_class: str, kind: str, origin: Origin, instances: Sequence[Instance], number: int) -> "Dataset":
    """Return an object of a result with its series, its equipment and its identifiers; still without a patient."""
    from pydicom.dataset import Dataset

    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, origin.uid(kind, instances)
    _describe_series(dataset, kind, origin, instances)
    dataset.InstanceNumber = number
    return dataset


def finished(
    dataset: "Dataset", kind: str, origin: Origin, instances: Sequence[Instance], transfer_syntax: str
) -> "Dataset":
    """Give an object its patient and study, its times and its file meta information: it is complete then.

    Parameters
    ----------
    dataset : Dataset
        Changed in place.
    kind : str
        ``report``, ``capture`` or ``segmentation``.
    origin : Origin
        What made it.
    instances : sequence of Instance
        What it rests on; the first gives patient and study.
    transfer_syntax : str
        How its pixels are packed.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    source = instances[0].header
    _describe_series(dataset, kind, origin, instances)
    put_into_study(dataset, source)
    _set_body_part(dataset, kind, source)
    _set_times(dataset, origin.at, as_text(source, "TimezoneOffsetFromUTC"))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.FileMetaInformationVersion = b"\x00\x01"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    dataset.file_meta.ImplementationClassUID = UID(_IMPLEMENTATION)
    dataset.file_meta.ImplementationVersionName = "ISTHMUS"
    dataset.preamble = b"\0" * 128
    return dataset


def _describe_series(dataset: "Dataset", kind: str, origin: Origin, instances: Sequence[Instance]) -> None:
    dataset.Modality = _SERIES[kind][1]
    dataset.SeriesInstanceUID = origin.series_uid(kind, instances)
    dataset.SeriesNumber = origin.series_number(kind)
    dataset.SeriesDescription = origin.description(kind)
    dataset.Manufacturer, dataset.ManufacturerModelName = MANUFACTURER, MANUFACTURER
    dataset.DeviceSerialNumber = origin.bundle[:16]
    dataset.SoftwareVersions = origin.software


def _set_body_part(dataset: "Dataset", kind: str, source: "Dataset") -> None:
    """Say which body part an image is of, as its source does; one that says nothing was sent as of the thyroid."""
    if kind == "report":
        return
    said = [keyword for keyword in ("BodyPartExamined", "Laterality") if keyword in source]
    if kind == "capture":
        for keyword in said:
            dataset[keyword] = source[keyword]
        if not said:
            dataset.BodyPartExamined = "THYROID"
    dataset.PatientOrientation = ""  # type 2C: empty where it is not known


def _set_times(dataset: "Dataset", at: datetime, zone: str) -> None:
    """Write when the content was made; in the study's own zone where that is said, since one zone holds for all."""
    if len(zone) == 5 and zone[0] in "+-" and zone[1:].isdigit():
        at = at.astimezone(datetime.strptime(zone, "%z").tzinfo)
    day, time = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = day, time
    dataset.ContentDate, dataset.ContentTime = day, time
    dataset.SeriesDate, dataset.SeriesTime = day, time


def source_references(instances: Sequence[Instance], frames: Sequence[int] = ()) -> "list[Dataset]":
    """Return items that name the pictures that an image was made of; ``frames``, counted from 1, of a single clip."""
    from pydicom.dataset import Dataset

    items = []
    for one in instances:
        item, purpose = Dataset(), Dataset()
        item.ReferencedSOPClassUID = as_text(one.header, "SOPClassUID")
        item.ReferencedSOPInstanceUID = one.uid
        if frames and one.frames > 1:
            item.ReferencedFrameNumber = sorted(set(frames))
        purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
        purpose.CodeMeaning = "Source image for image processing operation"
        item.PurposeOfReferenceCodeSequence = [purpose]
        items.append(item)
    return items


def lost_before(one: Instance) -> tuple[list[str], list[str]] | None:
    """Return the ratios and the methods by which a picture was compressed with loss; None where it was not.

    What was lost once is lost in everything that is made of it (PS3.3 C.7.6.1.1.5). A scanner that packs its pictures
    with loss and does not say how much has its ratio taken from the size of the file.
    """
    header = one.header
    method = _LOSSY.get(str(header.file_meta.get("TransferSyntaxUID", "")))
    if as_text(header, "LossyImageCompression") != "01" and method is None:
        return None
    ratios = [part for part in as_text(header, "LossyImageCompressionRatio").split("\\") if part]
    methods = [part for part in as_text(header, "LossyImageCompressionMethod").split("\\") if part]
    if method is not None and not (ratios and methods):
        ratios, methods = [f"{max(1.0, _bytes_unpacked(one) / _bytes(one.path)):.3g}"], [method]
    return ratios, methods


def _bytes(path: Path) -> int:
    return max(1, path.stat().st_size)


def _bytes_unpacked(one: Instance) -> float:
    values = [one.header.get(name) for name in ("Rows", "Columns", "SamplesPerPixel")]
    product = float(one.frames)
    for value in values:
        product *= float(value or 1)
    return product
