"""DICOM for a research partner: each picture and clip masked, under a new header, and a report of what was done.

People get the pseudonyms of the key file, as in ``isthmus cohort import dicom``. A file whose text cannot be told from
its picture does not leave; it is a line of the report.
"""

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pydicom
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import UID, RLELossless

from isthmus.clinic.deidentified_header import READ, NewHeader, is_lossy, keywords_of, new_header
from isthmus.cohort.private_list import shown_name, write_private_list
from isthmus.cohort.pseudonyms import Pseudonyms, open_key, refuse_inside
from isthmus.cohort.sources.dicom_files import DicomFile, walk_export
from isthmus.cohort.sources.dicom_people import told_apart
from isthmus.cohort.sources.import_report import ReportLine
from isthmus.errors import CohortError, PictureError
from isthmus.files import new_folder, refuse_existing, write_json
from isthmus.imaging.dicom_header import CountedReads, read_header
from isthmus.imaging.limits import Limits
from isthmus.imaging.masked_screen import MaskedClip, read_masked_clip
from isthmus.manifest import DISCLAIMER
from isthmus.tables.check import write_table

FORMAT: Final = "isthmus-deidentification/1.0"
PROFILE: Final = "PS3.15 Annex E, Basic Application Level Confidentiality Profile, with the Clean Pixel Data Option"
_DEFAULT_LIMITS: Final = Limits()
_COLUMNS: Final = (
    "file", "status", "object", "frames", "scan_area_from", "words_masked", "share_masked", "marks_left", "certain",
    "elements_kept", "elements_removed", "private_removed", "detail",
)  # fmt: skip


@dataclass(frozen=True)
class Fate:
    """What became of one file of the export; its columns are those of ``deidentification_report.csv``.

    Parameters
    ----------
    file : str
        Its number; its path stands in the private list beside the key file.
    status : str
        ``written``, or why it was left out: ``unreadable``, ``no picture``, ``ambiguous``, ``not ultrasound``, …
    object : str
        The new file.
    detail : str
        In words.
    """

    file: str
    status: str
    object: str = ""
    frames: int | None = None
    scan_area_from: str = ""
    words_masked: int | None = None
    share_masked: float | None = None
    marks_left: int | None = None
    certain: bool | None = None
    elements_kept: str = ""
    elements_removed: str = ""
    private_removed: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class Deidentified:
    """A finished de-identification.

    Parameters
    ----------
    folder : Path
        Where the files and the report are.
    fates : list of Fate
        One for every file of the export, in the order of their numbers.
    """

    folder: Path
    fates: list[Fate]

    def counts(self) -> dict[str, int]:
        """Return the number of files by what became of them."""
        return dict(sorted(Counter(fate.status.split(" of ")[0] for fate in self.fates).items()))

    @property
    def uncertain(self) -> int:
        """How many of the written pictures still hold what a letter could be."""
        return sum(fate.certain is False for fate in self.fates)


def deidentify(
    source: Path | str,
    destination: Path | str,
    *,
    key: Path | str,
    limits: Limits = _DEFAULT_LIMITS,
    progress: Callable[[int, int, str], None] | None = None,
) -> Deidentified:
    """Write an export's ultrasound pictures and clips without what tells whose they are.

    Parameters
    ----------
    source : Path
        The export: folders of any depth; files need no suffix.
    destination : Path
        The folder to make; it may not exist.
    key : Path
        The key file of the pseudonyms: made, or used again; never inside the destination.
    limits : Limits
        What is refused as too large.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    Deidentified

    Raises
    ------
    CohortError
        When there is no export, none of its files can be written, or the key would lie in the destination.
    OutputError
        When the destination exists or cannot be written.
    """
    source, destination, key = Path(source), Path(destination), Path(key)
    refuse_existing(destination)
    refuse_inside(key, destination)
    found = list(walk_export(source, limits))
    pictures = [item for item in found if isinstance(item, DicomFile)]
    usable, left = told_apart(pictures)
    fates = {shown_name(item.number): _left_out(item) for item in found if not isinstance(item, DicomFile)}
    fates |= {line.file: Fate(line.file, line.status, detail=line.detail) for line in left}
    with new_folder(destination) as folder, open_key(key, outside=destination) as names:
        for done, file in enumerate(usable, start=1):
            fates[shown_name(file.number)] = _written(source / file.file, folder, file, names, limits)
            if progress is not None:
                progress(done, len(usable), "pictures")
        result = Deidentified(destination, [fates[name] for name in sorted(fates)])
        if not any(fate.object for fate in result.fates):
            told = "; ".join(f"{count} {status}" for status, count in result.counts().items())
            raise CohortError(
                f"none of {len(found):,} files can be de-identified: {told}",
                where=str(source),
                expected="DICOM files of ultrasound pictures",
            )
        _write_report(folder, result)
        lines = [_as_line(fate) for fate in result.fates]
        write_private_list(key, destination.name, {item.file: item.number for item in found}, lines)
    return result


def _left_out(item: Any) -> Fate:
    return Fate(shown_name(item.number), item.status, detail=item.why)


def _as_line(fate: Fate) -> ReportLine:
    return ReportLine(fate.file, "picture", fate.object.partition("/")[0], fate.status, 0, "", fate.detail)


def _written(path: Path, folder: Path, file: DicomFile, names: Pseudonyms, limits: Limits) -> Fate:
    called = shown_name(file.number)
    person = file.keys.get("PatientID") or "|".join(filter(None, file.person)) or file.study
    if not person:
        return Fate(called, "nobody's", detail="neither a Patient ID nor a study says whose it is")
    try:
        header = read_header(path, limits, READ)
        shown = read_masked_clip(path, limits=limits)
        patient = names.of(person)
        place = f"{patient}/{file.number:05d}.dcm"
        (folder / patient).mkdir(exist_ok=True)
        with warnings.catch_warnings():
            # A warning prints the value it warns of, and a value may name a patient.
            warnings.simplefilter("ignore")
            made = new_header(header, patient=patient, salt=names.salt, clean=shown.mask.certain, called=called)
            _add_pixels(made.dataset, shown, header)
            _save(made.dataset, folder / place)
            return _fate(called, place, path, shown, made)
    except PictureError as error:
        # A decoder's own words may hold the path, and a path may hold a name.
        what = error.what.replace(str(path), "the file")
        return Fate(called, "left out", detail=f"{what}; expected {error.expected}" if error.expected else what)
    except OSError as error:
        return Fate(called, "unreadable", detail=f"the file cannot be read: {error.strerror}")


def _save(made: Dataset, path: Path) -> None:
    try:
        made.save_as(path, enforce_file_format=True)
    except OSError:
        raise
    except Exception as error:
        # A scanner's value of a kind that the standard forbids; the text of the writer's error may quote it.
        path.unlink(missing_ok=True)
        raise PictureError(f"its header holds a value that cannot be written ({type(error).__name__})") from None


def _fate(called: str, place: str, path: Path, shown: MaskedClip, made: NewHeader) -> Fate:
    mask = shown.mask
    present, private = _elements(path)
    removed = [keyword for keyword in present if keyword not in made.kept and keyword not in made.dataset]
    notes = [*mask.notes, *(f"{keyword} not copied: it names somebody" for keyword in made.refused)]
    notes += ["coloured letters are not told from flow: look at it"] if mask.modality == "doppler" else []
    return Fate(
        called,
        "written",
        object=place,
        frames=len(shown.clip.frames),
        scan_area_from="header" if mask.stated else "pixels",
        words_masked=len(mask.words),
        share_masked=round(mask.share, 4),
        marks_left=mask.marks,
        certain=mask.certain,
        elements_kept=" ".join(made.kept),
        elements_removed=" ".join(removed),
        private_removed=private,
        detail="; ".join(notes),
    )


def _elements(path: Path) -> tuple[list[str], int]:
    with path.open("rb") as stream:
        return keywords_of(pydicom.dcmread(CountedReads(stream, path), stop_before_pixels=True, force=True))


def _add_pixels(made: Dataset, shown: MaskedClip, source: Dataset) -> None:
    frames = shown.clip.frames
    made.Rows, made.Columns, made.SamplesPerPixel = frames.shape[1:]
    made.PhotometricInterpretation = "RGB" if frames.shape[3] == 3 else "MONOCHROME2"
    if frames.shape[3] == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    syntax = UID(str(source.file_meta.TransferSyntaxUID), validation_mode=config.IGNORE)
    if is_lossy(syntax) and "LossyImageCompression" not in made:
        made.LossyImageCompression = "01"
    made.PixelData = frames.tobytes()
    made["PixelData"].VR = "OB"
    made.compress(RLELossless, generate_instance_uid=False)


def _write_report(folder: Path, result: Deidentified) -> None:
    rows = [asdict(fate) for fate in result.fates]
    write_table(folder / "deidentification_report.csv", pd.DataFrame(rows, columns=_COLUMNS))
    content = {
        "format": FORMAT,
        "notice": DISCLAIMER,
        "profile": PROFILE,
        "dates": "removed",
        "uids": "replaced, the same for the same one under one key file",
        "pixels": "black outside the scan area and in what looks like words; look at them before you share them",
        "counts": result.counts(),
        "files_with_marks_left": result.uncertain,
        "files": [{name: value for name, value in row.items() if value not in ("", None)} for row in rows],
    }
    write_json(folder / "deidentification_report.json", content)
