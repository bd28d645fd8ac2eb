"""Ultrasound DICOM as a scanner sends it: a banner with the patient's name in the pixels, regions, a dark nodule.

Nothing of it was recorded from anybody. The nodule is a dark disc in speckle, which
:func:`tests.inference.discs.dark_localiser` finds without training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

HEIGHT, WIDTH = 240, 320
AREA = (20, 40, 300, 220)
"""The scan area: x0, y0, x1, y1, ends exclusive."""

NODULE = (150, 120, 34)
"""Where the nodule lies: x, y, radius."""

SPACING_CM = 0.012
PATIENT = "Wang^Xiaodong=王^小东"
BANNER = "WANG XIAODONG 1960-02-03"
_ROOT = "1.2.826.0.1.3680043.8.498.1"


def ultrasound_dicom(
    path: Path,
    *,
    frames: int = 1,
    seed: int = 0,
    discs: Sequence[tuple[int, int, int]] = (NODULE,),
    patient: str = PATIENT,
    charset: str | Sequence[str] | None = "ISO_IR 192",
    study: int = 1,
    series: int = 1,
    instance: int = 1,
    banner: str = BANNER,
    colour: bool = False,
    regions: bool = True,
    **elements: Any,
) -> Path:
    """Write one ultrasound object.

    Parameters
    ----------
    path : Path
        Its folder is made.
    frames : int
        More than one gives an Ultrasound Multi-frame Image of 10 frames a second, in which the nodule moves.
    seed : int
        Of the speckle.
    discs : sequence of (x, y, radius)
        Nodules; none for a picture in which nothing is to be found.
    patient : str
        Name, in the character set.
    charset : str, sequence of str or None
        Specific Character Set; None leaves it out, and ``patient`` must then be ASCII.
    study, series, instance : int
        Give the UIDs and numbers.
    banner : str
        Burned in above the scan area; '' for none.
    colour : bool
        A box of red and blue flow, and a region that says so.
    regions : bool
        Whether the header says where the scan area lies, with its scale.
    elements
        Other elements by keyword; None takes one away.
    """
    dataset = _described(frames, series, instance)
    dataset.PatientName = patient
    dataset.StudyInstanceUID = f"{_ROOT}.{study}"
    dataset.SeriesInstanceUID = f"{_ROOT}.{study}.{series}"
    dataset.SOPInstanceUID = f"{_ROOT}.{study}.{series}.{instance}"
    if charset is not None:
        dataset.SpecificCharacterSet = charset if isinstance(charset, str) else list(charset)
    if regions:
        dataset.SequenceOfUltrasoundRegions = [_region(AREA, 1)] + ([_region((60, 60, 120, 100), 2)] if colour else [])
    pixels = np.stack([_screen(seed + 1000 * frame, frame, discs, banner, colour) for frame in range(frames)])
    dataset.PixelData = np.ascontiguousarray(pixels).tobytes()
    dataset["PixelData"].VR = "OB"
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.ImplementationClassUID = UID(f"{_ROOT}.9")
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _described(frames: int, series: int, instance: int) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = UltrasoundImageStorage if frames == 1 else UltrasoundMultiFrameImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "SMALL PARTS", "0001"]
    dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "H00471", "19600203", "F"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20260301", "101500", "77"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "A5512", "Li^Na"
    dataset.ContentDate, dataset.ContentTime = "20260301", f"1016{instance % 60:02d}"
    dataset.AcquisitionDateTime = f"20260301{dataset.ContentTime}"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "US", series, instance
    dataset.Manufacturer, dataset.ManufacturerModelName = "Test Maker", "Scanner 1"
    dataset.PatientOrientation, dataset.BodyPartExamined = "", "THYROID"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = HEIGHT, WIDTH, 3
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.UltrasoundColorDataPresent, dataset.LossyImageCompression = 1, "00"
    if frames > 1:
        dataset.NumberOfFrames, dataset.FrameTime = frames, "100"
        dataset.FrameIncrementPointer = 0x00181063  # FrameTime
    return dataset


def _region(box: tuple[int, int, int, int], kind: int) -> Dataset:
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, kind, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = box[0], box[1]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = box[2] - 1, box[3] - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = SPACING_CM
    return region


def _screen(
    seed: int, frame: int, discs: Sequence[tuple[int, int, int]], banner: str, colour: bool
) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = AREA
    lines, columns = np.mgrid[:HEIGHT, :WIDTH]
    grey = 150 + 10 * np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH))
    for x, y, radius in discs:
        grey[(columns - x - frame) ** 2 + (lines - y) ** 2 <= radius**2] -= 100
    screen = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    screen[y0:y1, x0:x1] = np.clip(grey, 20, 250).astype(np.uint8)[y0:y1, x0:x1, None]
    if colour:
        screen[60:80, 60:120], screen[80:100, 60:120] = (200, 20, 20), (20, 20, 200)
    picture = Image.fromarray(screen)
    ImageDraw.Draw(picture).text((24, 8), banner, (255, 255, 255), font=ImageFont.load_default(16))
    return np.asarray(picture, np.uint8)
