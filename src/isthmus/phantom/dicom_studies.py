"""The test patients of a simulated cohort as DICOM studies: something to send to a node where there is no hospital.

One folder a study, one file a view, and beside them ``studies.csv``, which says whose each file is and what the tables
know of it. A cohort of real patients is never written so: its studies are in the archive, where they belong.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.cohort.cohort import Cohort, load_cohort
from isthmus.errors import CohortError
from isthmus.files import new_folder, refuse_existing, write_text
from isthmus.imaging.clip import ClipInfo
from isthmus.imaging.read import open_clip
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.phantom.dicom_files import digest_uid
from isthmus.phantom.rendering import TRUTH
from isthmus.phantom.study_object import Geometry, StudyPart, write_object
from isthmus.progress import Progress
from isthmus.tables.check import write_table
from isthmus.tables.cohort import parse_box

KEPT_ASIDE: Final = ("test", "temporal", "external")
"""The parts whose patients are written: what a model was trained on is nothing to try it with."""

STUDIES, TABLE = "studies", "studies.csv"
# What a file name, a Short String (PS3.5 6.2: 16 characters) and a person's name can all hold.
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,15}")
_FIRST_DAY: Final = datetime(2001, 1, 1, 8, 0, 0)
_DAYS, _MINUTES = 365, 9 * 60


@dataclass(frozen=True)
class Studies:
    """What was written.

    Parameters
    ----------
    folder : Path
        Where ``studies/`` and ``studies.csv`` lie.
    patients, studies, files : int
        How many.
    """

    folder: Path
    patients: int
    studies: int
    files: int


def write_studies(
    cohort_folder: Path,
    destination: Path,
    *,
    patients: int | None = None,
    jpeg: bool = False,
    progress: Progress | None = None,
) -> Studies:
    """Write the examinations of a simulated cohort's test patients as DICOM studies.

    Parameters
    ----------
    cohort_folder : Path
        A cohort that ``isthmus cohort simulate`` made.
    destination : Path
        Folder to make.
    patients : int, optional
        How many, in the order of their ids; all by default.
    jpeg : bool
        Pack clips in baseline JPEG; otherwise every pixel is as in the cohort.
    progress : callable, optional
        Called as ``progress(what, done, total)``.

    Returns
    -------
    Studies

    Raises
    ------
    CohortError
        When the cohort is not simulated, or sets no patient aside as a test.
    PictureError
        When a view cannot be read.
    OutputError
        When the destination exists or cannot be written.
    """
    refuse_existing(destination)
    cohort = load_cohort(cohort_folder)
    _refuse_real(cohort)
    views = _chosen_views(cohort, patients)
    record = Manifest("cohort dicom", {"simulated": True, "jpeg": jpeg, "cohort": cohort.fingerprint()})
    with new_folder(destination) as partial, record.stage("studies"):
        rows = []
        for number, (view, part) in enumerate(_parts(cohort, views)):
            if progress is not None:
                progress("views", number, len(views))
            rows.append(_write_view(partial, cohort, view, part, jpeg=jpeg))
        write_table(partial / TABLE, pd.DataFrame(rows))
        write_text(partial / "README.txt", _readme(cohort, jpeg=jpeg))
        record.write(partial, [partial / TABLE, *(partial / row["file"] for row in rows)])
    folders = {Path(row["file"]).parent for row in rows}
    return Studies(destination, views["patient_id"].nunique(), len(folders), len(rows))


def _refuse_real(cohort: Cohort) -> None:
    if not cohort.simulated or not (cohort.folder / TRUTH).is_dir():
        raise CohortError(
            "only a simulated cohort is written as DICOM studies, and this one is not",
            where=str(cohort.folder),
            expected=f"simulated: true, and {TRUTH}/",
            hint="isthmus cohort simulate stills COHORT --nodules 24 --test-only makes one; for real studies see "
            "isthmus deidentify",
        )


def _chosen_views(cohort: Cohort, patients: int | None) -> pd.DataFrame:
    nodules = cohort.nodules
    parts = nodules["split"] if "split" in nodules else pd.Series(None, index=nodules.index, dtype="object")
    views = cohort.views.merge(nodules.loc[parts.isin(KEPT_ASIDE)], on="nodule_id", suffixes=("", "_of_nodule"))
    chosen = sorted(views["patient_id"].unique())[:patients]
    if not chosen:
        raise CohortError(
            "no patient of this cohort is set aside as a test",
            where=str(cohort.folder),
            expected=f"split {', '.join(KEPT_ASIDE)} in nodules.csv",
            hint="isthmus cohort simulate … --test-only makes a cohort of test patients alone",
        )
    views = views[views["patient_id"].isin(chosen)]
    labels = [target.column for target in cohort.targets.values() if target.table == "patients"]
    views = views.merge(cohort.patients[["patient_id", *labels]], on="patient_id")
    if "exam_id" not in views:
        views = views.assign(exam_id=None)
    views = views.assign(exam_id=views["exam_id"].fillna(views["patient_id"]))
    for name in ("patient_id", "exam_id", "view_id"):
        for value in views[name]:
            if not _PLAIN_ID.fullmatch(value):
                raise CohortError(
                    f"{name} {value!r} cannot stand in a DICOM header and a file name",
                    where=str(cohort.folder),
                    expected="at most 16 letters, digits, '_', '.' and '-'",
                )
    return views.sort_values(["patient_id", "exam_id", "view_id"], ignore_index=True)


def _parts(cohort: Cohort, views: pd.DataFrame) -> Iterator[tuple[dict[str, Any], StudyPart]]:
    """Give each view its place: a study an examination, a series a modality, numbers in the order of the views."""
    fingerprint = cohort.fingerprint()
    people = {str(row["patient_id"]): row for row in map(_known, cohort.patients.to_dict("records"))}
    for _, own in views.groupby(["patient_id", "exam_id"], sort=True):
        rows = [_known(row) for row in own.to_dict("records")]
        patient, exam = str(rows[0]["patient_id"]), str(rows[0]["exam_id"])
        series = list(dict.fromkeys(row["modality"] for row in rows))
        study = digest_uid("study", fingerprint, patient, exam)
        begun = _FIRST_DAY + timedelta(days=_spread(study, _DAYS), minutes=_spread(study, _MINUTES))
        for place, row in enumerate(rows):
            part = StudyPart(
                patient_id=patient,
                exam_id=exam,
                sex=str(people[patient].get("sex", "")),
                age_years=people[patient].get("age_years"),
                site=str(people[patient]["site"]),
                device=str(row.get("device", "")),
                modality=row["modality"],
                study_uid=study,
                series_uid=digest_uid("series", fingerprint, patient, exam, row["modality"]),
                instance_uid=digest_uid("instance", fingerprint, row["view_id"]),
                series=series.index(row["modality"]) + 1,
                instance=place + 1,
                taken=begun + timedelta(seconds=20 * place),
            )
            yield row, part


def _spread(uid: str, below: int) -> int:
    return int(uid.rpartition(".")[2]) % below


def _known(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


def _write_view(
    partial: Path, cohort: Cohort, view: Mapping[str, Any], part: StudyPart, *, jpeg: bool
) -> dict[str, Any]:
    file = f"{STUDIES}/{part.patient_id}-{part.exam_id}/{view['view_id']}.dcm"
    with open_clip(cohort.folder / view["path"]) as clip:
        write_object(partial / file, clip, part, _geometry(view, clip.info), jpeg=jpeg)
    box = str(view.get("box", "")).split() or [""] * 4
    return {
        "file": file,
        "SOPInstanceUID": str(part.instance_uid),
        "patient_id": part.patient_id,
        "exam_id": part.exam_id,
        **{name: view.get(name, "") for name in ("nodule_id", "view_id", "modality", "plane")},
        **dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)),
        "site": part.site,
        **{target.column: view.get(target.column, "") for target in cohort.targets.values()},
    }


def _geometry(view: Mapping[str, Any], info: ClipInfo) -> Geometry:
    region = parse_box(view["region"]) if "region" in view else info.scan_area
    spacing = view.get("spacing_mm")
    return Geometry(
        region=region or (0.0, 0.0, float(info.width), float(info.height)),
        spacing_mm=(spacing, spacing) if spacing else info.spacing_mm,
        frame_rate_hz=view.get("frame_rate_hz"),
    )


def _readme(cohort: Cohort, *, jpeg: bool) -> str:
    packed = "clips in baseline JPEG" if jpeg else "every pixel as in the cohort"
    return "\n".join(
        [
            "SIMULATED thyroid ultrasound as DICOM studies. Nothing here comes from a patient: names, dates and",
            "equipment are made up.",
            DISCLAIMER,
            "",
            f"{cohort.name}; {packed}.",
            f"Licence: {cohort.licence}. {cohort.citation}",
            "",
            "studies/: one folder a study. studies.csv: whose each file is, the nodule's box, the labels; keep it from",
            "whatever is tested. Send with DCMTK: storescu +sd +r HOST PORT studies"
            + ("  (clips: storescu -xy)" if jpeg else ""),
            "",
        ]
    )
