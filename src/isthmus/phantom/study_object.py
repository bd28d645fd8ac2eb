"""A view of a simulated cohort as the object that a scanner would send: pixels as they are, one frame held at a time.

An Ultrasound Image or Ultrasound Multi-frame Image (PS3.3 A.6, A.7), uncompressed in Explicit VR Little Endian, which
every archive takes; clips in baseline JPEG where that is asked for. What lies in a study besides (names, dates,
equipment) is made up, follows from the tables alone, and says that it is simulated.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from isthmus.errors import LimitError
from isthmus.files import atomic_path
from isthmus.imaging.clip import Box, OpenClip
from isthmus.imaging.dicom_header import read_header
from isthmus.imaging.limits import Limits
from isthmus.manifest import version
from isthmus.phantom.dicom_files import COMMENT, IMPLEMENTATION, JPEG_QUALITY, MANUFACTURER

ISSUER: Final = "ISTHMUS-SIMULATED"
STUDY: Final = "SIMULATED thyroid ultrasound"
_NO_UNITS, _CENTIMETRES = 0, 3  # PS3.3 C.8.5.5.1.15
_FORMAT_2D, _TISSUE, _OPAQUE = 1, 1, 0
# Image Type, value 4 (PS3.3 C.8.5.6.1.1): 0001 two-dimensional imaging, 0010 colour flow.
_IMAGING, _IMAGING_WITH_FLOW = "0001", "0011"
_FLOW_MODES: Final = ("doppler", "smi")
_LOSSY: Final = {"avi": "ISO_10918_1", "mp4": "ISO_14496_10", "jpeg": "ISO_10918_1"}
"""What a file's format has already done to its pixels: a picture that was ever lossy says so for good (C.7.6.1.1.5)."""
_PAST: Final = ("LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio")
_LONGEST: Final = 2**32 - 2  # bytes that an element of explicit length can hold


@dataclass(frozen=True)
class StudyPart:
    """Where an object stands: whose, in which study and series, from which scanner.

    Parameters
    ----------
    patient_id, exam_id : str
        As in the cohort's tables.
    sex, age_years : str, float or None
        Where they are known.
    site, device : str
        As in the cohort's tables; blank where unknown.
    modality : str
        A code of :data:`isthmus.tables.vocabulary.MODALITY`.
    study_uid, series_uid, instance_uid : UID
        Digests of the cohort and its ids.
    series, instance : int
        Running numbers.
    taken : datetime
        Made up.
    """

    patient_id: str
    exam_id: str
    sex: str
    age_years: float | None
    site: str
    device: str
    modality: str
    study_uid: UID
    series_uid: UID
    instance_uid: UID
    series: int
    instance: int
    taken: datetime


@dataclass(frozen=True)
class Geometry:
    """What the cohort's tables know of a picture.

    Parameters
    ----------
    region : Box
        The scan area.
    spacing_mm : tuple of float, optional
        Across and down.
    frame_rate_hz : float, optional
        Of a clip.
    """

    region: Box
    spacing_mm: tuple[float, float] | None
    frame_rate_hz: float | None


def write_object(path: Path, clip: OpenClip, part: StudyPart, geometry: Geometry, *, jpeg: bool = False) -> None:
    """Write a view as one ultrasound object.

    Parameters
    ----------
    path : Path
        Written atomically.
    clip : OpenClip
        The view's file, open; its frames are taken one at a time.
    part : StudyPart
        Where it stands.
    geometry : Geometry
        Scan area, spacing and rate.
    jpeg : bool
        Pack a clip in baseline JPEG, as scanners send theirs; a still is never packed.

    Raises
    ------
    LimitError
        When a clip is too long for one uncompressed object.
    OutputError
        When the disk is full, read-only or not ours.
    """
    dataset = _identity(part, multi=clip.info.frames > 1)
    _describe_pixels(dataset, clip, part.modality)
    _describe_frames(dataset, clip, geometry)
    dataset.SequenceOfUltrasoundRegions = [_region(geometry)]
    frames = clip.frames(range(clip.info.frames))
    if jpeg and clip.info.frames > 1:
        _pack(dataset, frames, clip)
        frames = iter(())
    stream = io.BytesIO()  # pydicom gives a full disk's error no number by which it could be told
    dataset.save_as(stream, enforce_file_format=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(stream.getbuffer())
        if "PixelData" not in dataset:
            _append_pixels(file, frames, clip, path)


def _identity(part: StudyPart, *, multi: bool) -> Dataset:
    storage = UltrasoundMultiFrameImageStorage if multi else UltrasoundImageStorage
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = storage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = part.instance_uid
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION
    dataset.file_meta.ImplementationVersionName = "ISTHMUS"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"SIMULATED^{part.patient_id}"
    dataset.PatientID, dataset.IssuerOfPatientID = part.patient_id, ISSUER
    dataset.PatientBirthDate, dataset.PatientSex = "", part.sex
    if part.age_years is not None:
        dataset.PatientAge = f"{int(part.age_years):03}Y"
    dataset.PatientComments = COMMENT
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = part.study_uid, part.series_uid
    dataset.StudyID = dataset.AccessionNumber = part.exam_id
    dataset.StudyDescription, dataset.SeriesDescription = STUDY, f"SIMULATED {part.modality}"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = part.taken.strftime("%Y%m%d")
    dataset.StudyTime, dataset.ContentTime = part.taken.strftime("%H%M00"), part.taken.strftime("%H%M%S")
    dataset.ReferringPhysicianName, dataset.PatientOrientation = "", ""
    dataset.Modality, dataset.BodyPartExamined = "US", "THYROID"
    dataset.SeriesNumber, dataset.InstanceNumber = part.series, part.instance
    dataset.Manufacturer, dataset.ManufacturerModelName = MANUFACTURER, part.device or "unknown"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "SIMULATED", version()
    dataset.InstitutionName = part.site
    dataset.ImageComments = COMMENT
    return dataset


def _describe_pixels(dataset: Dataset, clip: OpenClip, modality: str) -> None:
    info = clip.info
    kind = _IMAGING_WITH_FLOW if modality in _FLOW_MODES else _IMAGING
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "THYROID", kind]
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = info.height, info.width, info.channels
    dataset.PhotometricInterpretation = "MONOCHROME2" if info.channels == 1 else "RGB"
    if info.channels == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.UltrasoundColorDataPresent = int(info.channels == 3)
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    if info.format == "dicom":
        dataset.update(read_header(Path(info.source), Limits(), _PAST))
    elif info.format in _LOSSY:
        ratio = _ratio(clip, Path(info.source).stat().st_size)
        dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", _LOSSY[info.format]
        dataset.LossyImageCompressionRatio = ratio


def _ratio(clip: OpenClip, packed: int) -> str:
    return f"{_raw_bytes(clip) / max(packed, 1):.3g}"


def _raw_bytes(clip: OpenClip) -> int:
    return clip.info.frames * clip.info.height * clip.info.width * clip.info.channels


def _describe_frames(dataset: Dataset, clip: OpenClip, geometry: Geometry) -> None:
    if clip.info.frames == 1:
        return
    times, rate = clip.info.frame_times_s, geometry.frame_rate_hz
    if rate is None and times is not None and times[-1] > 0:
        rate = (len(times) - 1) / times[-1]
    step = 1000.0 / (rate or 1.0)
    dataset.NumberOfFrames = clip.info.frames
    dataset.FrameTime = f"{step:.10g}"
    dataset.FrameIncrementPointer = 0x00181063  # FrameTime
    dataset.CineRate = dataset.RecommendedDisplayFrameRate = max(1, round(1000.0 / step))


def _region(geometry: Geometry) -> Dataset:
    x0, y0, x1, y1 = geometry.region
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = _FORMAT_2D, _TISSUE, _OPAQUE
    region.RegionLocationMinX0, region.RegionLocationMinY0 = int(x0), int(y0)
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = int(x1) - 1, int(y1) - 1  # the last pixel inside
    known = geometry.spacing_mm is not None
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CENTIMETRES if known else _NO_UNITS
    across, down = geometry.spacing_mm or (10.0, 10.0)
    region.PhysicalDeltaX, region.PhysicalDeltaY = across / 10.0, down / 10.0
    return region


def _append_pixels(file: io.BufferedWriter, frames: Iterator[NDArray[np.uint8]], clip: OpenClip, path: Path) -> None:
    """Write Pixel Data, the last element of all, frame by frame (PS3.5 7.1.2, explicit length)."""
    length = _raw_bytes(clip)
    if length > _LONGEST:
        raise LimitError(
            f"the clip has {length:,} bytes of pixels",
            where=str(path.name),
            expected=f"at most {_LONGEST:,} in one uncompressed object",
            hint="--jpeg packs clips",
        )
    file.write(b"\xe0\x7f\x10\x00OB\0\0" + (length + length % 2).to_bytes(4, "little"))
    for pixels in frames:
        file.write(np.ascontiguousarray(pixels).data)
    file.write(b"\0" * (length % 2))


def _pack(dataset: Dataset, frames: Iterator[NDArray[np.uint8]], clip: OpenClip) -> None:
    packed = []
    for pixels in frames:
        stream = io.BytesIO()
        Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(
            stream, format="JPEG", quality=JPEG_QUALITY, subsampling="4:2:2"
        )
        packed.append(stream.getvalue())
    if clip.info.channels == 3:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", _LOSSY["jpeg"]
    dataset.LossyImageCompressionRatio = _ratio(clip, sum(map(len, packed)))
    dataset.PixelData = encapsulate(packed, has_bot=True)
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
