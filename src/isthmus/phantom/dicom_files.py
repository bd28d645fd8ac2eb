"""Recordings as the ultrasound objects that a scanner sends to the archive (PS3.3 A.6 and A.7).

A still is an Ultrasound Image, losslessly packed (RLE): MONOCHROME2, RGB, or PALETTE COLOR where the scanner keeps
its grey pictures so. A clip is an Ultrasound Multi-frame Image in baseline JPEG. No value comes from a clock, and
identifiers are digests of the seeds, so the same recording gives the same bytes.
"""

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    JPEGBaseline8Bit,
    RLELossless,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from isthmus.errors import InputError
from isthmus.files import atomic_path
from isthmus.phantom.recording import Recording

MANUFACTURER: Final = "Isthmus virtual scanner"
COMMENT: Final = "SIMULATED; research use; not a medical device"
IMPLEMENTATION: Final = UID("2.25.175421406937025390107229219803547311466")  # a random UUID, fixed once (PS3.5 B.2)
JPEG_QUALITY: Final = 92
_TISSUE, _COLOUR_FLOW, _CENTIMETRES, _FORMAT_2D = 1, 2, 3, 1
_OPAQUE_REGION: Final = 0
_FLOW_MODES: Final = ("doppler", "smi")
# Image Type, value 4 (PS3.3 C.8.5.6.1.1): 0001 two-dimensional imaging, 0010 colour flow.
_IMAGING, _IMAGING_WITH_FLOW = "0001", "0011"


def write_dicom(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    recording: Recording,
    *,
    patient_id: str,
    palette: bool = False,
) -> None:
    """Write a recording as one ultrasound object.

    Parameters
    ----------
    path : Path
        Written atomically.
    frames : iterable of uint8 array [H, W, C]
        The recording's frames, taken one at a time; a clip is held in memory only as packed JPEG.
    recording : Recording
        Gives shape, times, spacing and regions.
    patient_id : str
        As in the cohort's tables.
    palette : bool
        Store a still of at most 256 colours as PALETTE COLOR.

    Raises
    ------
    OutputError
        When the disk is full, read-only or not ours.
    """
    dataset = _identity(recording, patient_id)
    _describe_pixels(dataset, recording)
    _describe_regions(dataset, recording)
    pack = _pack_clip if recording.shape[0] > 1 else _pack_palette if palette else _pack_still
    pack(dataset, frames, recording)
    stream = io.BytesIO()  # pydicom gives a full disk's error no number by which it could be told
    dataset.save_as(stream, enforce_file_format=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(stream.getbuffer())


def _identity(recording: Recording, patient_id: str) -> Dataset:
    scene, multi = recording.scene, recording.shape[0] > 1
    storage = UltrasoundMultiFrameImageStorage if multi else UltrasoundImageStorage
    seeds = (scene.patient_seed, scene.nodule_seed, scene.view_seed)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = storage
    dataset.file_meta.ImplementationClassUID = IMPLEMENTATION
    dataset.file_meta.ImplementationVersionName = "ISTHMUS"
    dataset.SOPClassUID = storage
    dataset.SOPInstanceUID = digest_uid("instance", recording.modality, patient_id, *seeds)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID = digest_uid("study", patient_id, scene.patient_seed)
    dataset.SeriesInstanceUID = digest_uid("series", recording.modality, patient_id, *seeds)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"SIMULATED^{patient_id}"
    dataset.PatientID = patient_id
    # Type 2 (PS3.5 7.4.3): present, and empty where nothing is known. Nothing here comes from a clock.
    for keyword in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber",
                    "ReferringPhysicianName", "Laterality", "PatientOrientation"):  # fmt: skip
        setattr(dataset, keyword, "")
    dataset.Modality = "US"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.BodyPartExamined = "THYROID"
    dataset.SeriesDescription = recording.modality
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = scene.device.name
    dataset.ImageComments = COMMENT
    return dataset


def digest_uid(*parts: str | int) -> UID:
    """Return a UID under 2.25 (PS3.5 B.2) whose 128 bits are a digest, marked as a name-based UUID (RFC 9562)."""
    digest = int.from_bytes(hashlib.sha256("|".join(map(str, ("isthmus", *parts))).encode()).digest()[:16])
    digest = digest & ~(0xF << 76) & ~(0x3 << 62) | 0x8 << 76 | 0x2 << 62
    return UID(f"2.25.{digest}")


def _describe_pixels(dataset: Dataset, recording: Recording) -> None:
    count, height, width, channels = recording.shape
    flow = recording.modality in _FLOW_MODES
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "THYROID", _IMAGING_WITH_FLOW if flow else _IMAGING]
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = height, width, channels
    dataset.PhotometricInterpretation = "MONOCHROME2" if channels == 1 else "RGB"
    if channels == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.UltrasoundColorDataPresent = int(channels == 3)
    dataset.BurnedInAnnotation = "NO"  # PS3.3 C.7.6.1: what would identify a patient; scanner text does not
    dataset.LossyImageCompression = "00"
    if count > 1:
        step = recording.frame_times_s[1] * 1000.0
        dataset.NumberOfFrames = count
        dataset.FrameTime = f"{step:.6g}"
        dataset.FrameIncrementPointer = 0x00181063  # FrameTime
        dataset.CineRate = dataset.RecommendedDisplayFrameRate = max(1, round(1000.0 / step))


def _describe_regions(dataset: Dataset, recording: Recording) -> None:
    boxes = [(recording.region, _TISSUE)]
    if recording.colour_box is not None and recording.modality in _FLOW_MODES:
        boxes.append((recording.colour_box, _COLOUR_FLOW))
    dataset.SequenceOfUltrasoundRegions = []
    for (x0, y0, x1, y1), kind in boxes:
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = _FORMAT_2D, kind, _OPAQUE_REGION
        region.RegionLocationMinX0, region.RegionLocationMinY0 = int(x0), int(y0)
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = int(x1) - 1, int(y1) - 1  # the last pixel inside
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = _CENTIMETRES
        region.PhysicalDeltaX, region.PhysicalDeltaY = (step / 10.0 for step in recording.spacing_mm)
        dataset.SequenceOfUltrasoundRegions.append(region)


def _pack_still(dataset: Dataset, frames: Iterable[NDArray[np.uint8]], recording: Recording) -> None:
    (pixels,) = frames
    # RLE packs each colour plane by itself, whatever the Planar Configuration (PS3.5 annex G).
    packed = get_encoder(RLELossless).encode(
        np.ascontiguousarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]),
        rows=dataset.Rows,
        columns=dataset.Columns,
        samples_per_pixel=dataset.SamplesPerPixel,
        photometric_interpretation=dataset.PhotometricInterpretation,
        bits_allocated=8,
        bits_stored=8,
        pixel_representation=0,
        number_of_frames=1,
        encoding_plugin="pylibjpeg",
        planar_configuration=0,
    )
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.PixelData = encapsulate([packed])
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"


def _pack_palette(dataset: Dataset, frames: Iterable[NDArray[np.uint8]], recording: Recording) -> None:
    (pixels,) = frames
    flat = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).reshape(-1, 3).astype(np.uint32)
    colours, numbers = np.unique(flat[:, 0] << 16 | flat[:, 1] << 8 | flat[:, 2], return_inverse=True)
    if len(colours) > 256:
        raise InputError(f"a picture of {len(colours):,} colours has no palette", expected="at most 256")
    for name, shift in (("Red", 16), ("Green", 8), ("Blue", 0)):
        levels = (colours >> shift & 0xFF).astype("<u2")
        # 16-bit entries, the form that every reader knows: 8-bit levels spread over the whole range (C.7.6.3.1.5).
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [len(colours), 0, 16])
        setattr(dataset, f"{name}PaletteColorLookupTableData", (levels * 257).astype("<u2").tobytes())
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "PALETTE COLOR"
    if "PlanarConfiguration" in dataset:
        del dataset.PlanarConfiguration
    indices = numbers.reshape(*pixels.shape[:2], 1).astype(np.uint8)
    _pack_still(dataset, [indices], recording)


def _pack_clip(dataset: Dataset, frames: Iterable[NDArray[np.uint8]], recording: Recording) -> None:
    packed = []
    for pixels in frames:
        stream = io.BytesIO()
        Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(
            stream, format="JPEG", quality=JPEG_QUALITY, subsampling="4:2:2"
        )
        packed.append(stream.getvalue())
    if recording.shape[3] == 3:
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    raw = int(np.prod(recording.shape))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"
    dataset.LossyImageCompressionRatio = f"{raw / sum(map(len, packed)):.3g}"
    dataset.PixelData = encapsulate(packed, has_bot=True)
    dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OB"
