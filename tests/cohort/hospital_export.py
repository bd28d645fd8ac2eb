"""A hospital's DICOM export for tests: two hospitals, Chinese names, private tags, names burned into the screens."""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage, generate_uid

AREA = (60, 40, 260, 190)
"""The scan area on a screen of 320 x 240: left, top, right, bottom; ends exclusive."""


@dataclass(frozen=True)
class Person:
    """A patient as a hospital knows them."""

    patient_id: str
    name: str
    birth: str
    hospital: str
    accession: str
    days: tuple[str, ...]
    studies: tuple[str, ...] = field(default_factory=lambda: (generate_uid(), generate_uid()))


PEOPLE = (
    Person(
        "ZY0012345", "Zhang^Xiaoming=张^晓明", "19800105", "北京第一人民医院", "ACC2024001", ("20240301", "20240415")
    ),
    Person("ZY0012399", "Ouyang^Lihua=欧阳^丽华", "19751220", "北京第一人民医院", "ACC2024002", ("20240229",)),
    Person("00778812", "MURPHY^SIOBHAN", "19660617", "ST BRIGID GENERAL", "SB-99817", ("20231231",)),
)


def screen(person: Person, seed: int, *, word: str = "") -> np.ndarray:
    """Return a scanner's screen [240, 320, 3]: a sector of speckle under a header line with the name."""
    random = np.random.default_rng(seed)
    frame = np.zeros((240, 320, 3), np.uint8)
    x0, y0, x1, y1 = AREA
    speckle = cv2.GaussianBlur(random.uniform(0, 255, (y1 - y0, x1 - x0)).astype(np.float32), (0, 0), 2.0)
    frame[y0:y1, x0:x1] = np.clip((speckle - 127) * 1.5 + 70, 10, 130).astype(np.uint8)[..., None]
    cv2.putText(frame, person.name.split("=")[0], (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    cv2.putText(frame, person.days[0], (4, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    if word:
        cv2.putText(frame, word, (80, 170), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    return frame


def tissue_region(box: tuple[int, int, int, int] = AREA, *, kind: int = 1, millimetres: float = 0.12) -> Dataset:
    """Return an item of Sequence of Ultrasound Regions; ends of the box are exclusive, those of DICOM are not."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType = 1, kind
    item.RegionLocationMinX0, item.RegionLocationMinY0 = box[0], box[1]
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = box[2] - 1, box[3] - 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = millimetres / 10
    return item


def write_dicom(path: Path, person: Person, pixels: np.ndarray, *, exam: int = 0, number: int = 1, **elements) -> Path:
    """Write a DICOM file with everything in it that must not leave the hospital; ``None`` takes an element out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = pixels[None] if pixels.ndim == 3 else pixels
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "GB18030"
    clip = len(pixels) > 1
    dataset.SOPClassUID = UltrasoundMultiFrameImageStorage if clip else UltrasoundImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "US"
    dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate = person.patient_id, person.name, person.birth
    dataset.AccessionNumber, dataset.StudyInstanceUID = person.accession, person.studies[exam]
    dataset.SeriesInstanceUID = generate_uid()
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = person.days[exam]
    dataset.StudyTime = "093000"
    dataset.InstanceNumber = number
    dataset.InstitutionName = person.hospital
    dataset.ReferringPhysicianName = "Wang^Daifu=王^大夫"
    dataset.OperatorsName = "LI^SI"
    dataset.StudyDescription = f"Thyroid of {person.name.split('=')[0]}"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Acme Ultrasound", "Sonar 7"
    block = dataset.private_block(0x0019, "ACME PRIVATE", create=True)
    block.add_new(0x01, "LO", f"{person.name.split('=')[0]} {person.patient_id}")
    dataset.Rows, dataset.Columns = pixels.shape[1:3]
    if clip:
        dataset.NumberOfFrames, dataset.FrameTime = len(pixels), "50"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.SequenceOfUltrasoundRegions = [tissue_region()]
    dataset.PixelData = pixels.tobytes()
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def identifying_words(people=PEOPLE) -> list[str]:
    """Return every text that no byte of a cohort may hold: ids, names, numbers, days, UIDs, hospitals."""
    words = ["Wang^Daifu", "王", "LI^SI", "ACME PRIVATE"]
    for person in people:
        latin, _, own = person.name.partition("=")
        words += [person.patient_id, person.accession, person.hospital, person.birth, latin, *latin.split("^")]
        words += [*person.days, *(f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in person.days), *person.studies]
        words += [own, *own.split("^")] if own else []
    return words


def leaks(folder: Path, words: list[str]) -> list[str]:
    """Return where, in names and bytes of a folder's files, any of the words stands, in UTF-8 or GB18030."""
    found = []
    codes = {word: {word.encode("utf-8"), word.encode("gb18030"), word.lower().encode("utf-8")} for word in words}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes().lower() if path.is_file() else b""
        for word, coded in codes.items():
            # Two Chinese letters are as few bytes as chance needs in a compressed picture.
            searched = content if path.suffix != ".png" or len(word) > 4 else b""
            if word.lower() in str(path.relative_to(folder)).lower() or any(code.lower() in searched for code in coded):
                found.append(f"{path.relative_to(folder)}: {word}")
    return found
