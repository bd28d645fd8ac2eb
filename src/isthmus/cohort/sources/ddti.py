"""Make a cohort of DDTI, the open thyroid ultrasound database of Pedraza 2015 (10.1117/12.2073532).

One case is one patient with one nodule; the grade (TI-RADS) belongs to the case; a panel with its outline is a view. A
picture that stands several times is one view: it stays with the first labelled case that outlines it, and cases that
share a picture share a group. Nothing is guessed: what no rule covers is reported and left out.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pandas as pd

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.description import Description, Target, write_description
from isthmus.cohort.sources.ddti_case import Case, CaseUnreadable, read_case
from isthmus.cohort.sources.ddti_outline import bounding_box
from isthmus.cohort.sources.ddti_picture import Picture, read_picture, resolve_duplicates
from isthmus.cohort.sources.import_report import ImportReport, ReportLine
from isthmus.errors import CohortError
from isthmus.files import new_folder, refuse_existing, writing
from isthmus.imaging.read import write_mask
from isthmus.manifest import Manifest
from isthmus.tables.check import write_table
from isthmus.tables.cohort import format_box

TARGET: Final = "tirads_4a_or_higher"
GROUPS: Final = "tirads_group"
SIMULATED_MARK: Final = "SIMULATED.txt"
"""A file of this name beside the pictures says that the tree is synthetic, and so is then the cohort."""

Progress = Callable[[int, int, str], None]

_REASONS: Final = {
    "ambiguous": "in no picture is it clear which outline was graded",
    "duplicate": "every picture is pixel-identical to one of another case",
    "without outline": "no picture has an outline",
    "unreadable": "the case file or every picture cannot be read",
}
"""Why a case that gives no view is left out, by the status of its line; the line itself says more."""
_PICTURE = re.compile(r"([0-9]{1,6})_([0-9]{1,6})\.jpe?g", re.IGNORECASE)
_CASE = re.compile(r"([0-9]{1,6})\.xml", re.IGNORECASE)
_NODULE_COLUMNS = ("composition", "echogenicity", "margin", "echogenic_foci", "tirads")


@dataclass
class _Source:
    cases: dict[str, Case] = field(default_factory=dict)
    unreadable_cases: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    unreadable_files: list[ReportLine] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)

    def not_read(self, path: Path, kind: Literal["picture", "case"], reason: str) -> None:
        self.unreadable_files.append(ReportLine(path.name, kind, "", "unreadable", 0, "", f"{reason}: not read"))


def import_ddti(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read DDTI's folder of ``N.xml`` and ``N_M.jpg`` and write a cohort folder.

    Parameters
    ----------
    source : Path
        The flat folder of case files and pictures.
    destination : Path
        The cohort folder to make; it may not exist.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    ImportReport
        One line for every picture and every case file; also written into the folder.

    Raises
    ------
    CohortError
        When there is no such folder, or it holds no DDTI files, or nothing in it can be used.
    OutputError
        When the destination exists or cannot be written.
    """
    source, destination = Path(source), Path(destination)
    refuse_existing(destination)
    found = _read_source(source, progress or (lambda done, total, what: None))
    report, record = ImportReport(), Manifest("cohort import ddti")
    simulated = (source / SIMULATED_MARK).is_file()
    with new_folder(destination) as folder:
        _write_cohort(folder, found, report, simulated)
        report.write(folder)
        record.facts |= {"pictures": report.counts("picture"), "cases": report.counts("case"), "cohort": report.totals}
        record.write(folder, [path for path in folder.iterdir() if path.is_file()])
        load_cohort(folder)  # what we write keeps our own contract, or is not written
    return report


def _read_source(source: Path, progress: Progress) -> _Source:
    if not source.exists():
        raise CohortError("no such folder", where=str(source), expected="the folder of DDTI's N.xml and N_M.jpg")
    if not source.is_dir():
        raise CohortError("this is a file", where=str(source), expected="the folder of DDTI's N.xml and N_M.jpg")
    try:
        names = sorted(path.name for path in source.iterdir())
    except OSError as error:
        raise CohortError(f"the folder cannot be read: {error.strerror}", where=str(source)) from error
    found = _Source()
    case_files = [name for name in names if name.lower().endswith(".xml")]
    picture_files = [name for name in names if name.lower().endswith((".jpg", ".jpeg"))]
    if not case_files and not picture_files:
        raise CohortError(
            f"no case file and no picture among {len(names)} files here",
            where=str(source),
            expected="DDTI's N.xml and N_M.jpg",
            hint="unpack the database and name the folder that holds the files themselves",
        )
    for name in case_files:
        _read_one_case(found, source / name)
    for done, name in enumerate(sorted(picture_files, key=_natural), start=1):
        _read_one_picture(found, source / name)
        progress(done, len(picture_files), name)
    found.groups = resolve_duplicates(found.pictures, found.cases)
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|\D+", name)]


def _read_one_case(found: _Source, path: Path) -> None:
    if not _CASE.fullmatch(path.name):
        found.not_read(path, "case", "its name is not that of a case (N.xml)")
    elif path.stem in found.cases or path.stem in found.unreadable_cases:
        found.not_read(path, "case", "another case file differs from it only in its suffix")
    else:
        try:
            found.cases[path.stem] = read_case(path)
        except CaseUnreadable as error:
            found.unreadable_cases[path.stem] = str(error)


def _read_one_picture(found: _Source, path: Path) -> None:
    match = _PICTURE.fullmatch(path.name)
    if not match:
        found.not_read(path, "picture", "its name is not that of a picture of a case (N_M.jpg)")
        return
    if path.stem in found.pictures:
        found.not_read(path, "picture", "another picture differs from it only in its suffix")
        return
    number, index = match.groups()
    case = found.cases.get(number)
    picture = read_picture(path, number, case.marks.get(index, []) if case else [])
    if case is None and not picture.unreadable:
        reason = found.unreadable_cases.get(number)
        picture.fault = f"its case file cannot be read: {reason}" if reason else f"there is no case file {number}.xml"
    found.pictures[path.stem] = picture


def _write_cohort(folder: Path, found: _Source, report: ImportReport, simulated: bool) -> None:
    views = [row for picture in found.pictures.values() for row in _write_views(folder, picture, found)]
    if not views:
        raise CohortError(
            "no picture here has an outline that can be used",
            where=f"{len(found.pictures)} pictures, {len(found.cases)} readable case files",
            expected="DDTI's N_M.jpg with the marks of their N.xml",
        )
    used = sorted({row["nodule_id"] for row in views}, key=int)
    cases = [found.cases[number] for number in used]
    patients = [{"patient_id": c.number, "site": "DDTI", **_values(c, ("sex", "age_years"))} for c in cases]
    nodules = [_nodule(case, found.groups) for case in cases]
    report.lines = _lines(found)
    excluded = [
        {"patient_id": line.case, "stage": "import", "reason": _REASONS[line.status.split(" of ")[0]]}
        for line in report.lines
        if line.kind == "case" and line.case and line.views == 0
    ]
    for name, rows in (("patients", patients), ("nodules", nodules), ("views", views)):
        write_table(folder / f"{name}.csv", pd.DataFrame(rows))
    write_table(folder / "excluded.csv", pd.DataFrame(excluded, columns=["patient_id", "stage", "reason"]))
    report.totals = _totals(nodules, views)
    report.remarks = _remarks(found, simulated)
    write_description(folder, _description(simulated).model_copy(update={"remarks": report.remarks}))


def _write_views(folder: Path, picture: Picture, found: _Source) -> Iterable[dict[str, str]]:
    if not picture.kept:
        return
    with writing(folder):
        target = folder / "pictures" / picture.path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(picture.path.read_bytes())
    for region in picture.regions:
        panel = ("left", "right")[region.panel] if len(picture.panels) == 2 else ""
        view_id = f"{picture.name}_{panel}" if panel else picture.name
        write_mask(folder / "masks" / f"{view_id}.png", region.mask)
        yield {
            "view_id": view_id,
            "nodule_id": picture.case,
            "exam_id": picture.case,
            "acquisition_id": picture.name,
            "modality": "bmode",
            "path": f"pictures/{picture.path.name}",
            "region": format_box(picture.panels[region.panel]),
            "panel": panel,
            "mask": f"masks/{view_id}.png",
            "box": format_box(bounding_box(region.mask)),
            "region_source": "drawn",
        }


def _values(case: Case, names: Iterable[str]) -> dict[str, str]:
    return {name: case.values.get(name, "") for name in names}


def _nodule(case: Case, groups: dict[str, str]) -> dict[str, str]:
    return {
        "nodule_id": case.number,
        "patient_id": case.number,
        "group_id": groups.get(case.number, case.number),
        "reference": "tirads" if case.label else "",
        "sampling": "selected",
        **_values(case, _NODULE_COLUMNS),
        TARGET: case.label,
        GROUPS: case.group,
    }


def _lines(found: _Source) -> list[ReportLine]:
    lines = []
    for picture in found.pictures.values():
        case = found.cases.get(picture.case)
        label = case.label if case else ""
        status, detail = picture.outcome(label)
        lines.append(ReportLine(picture.path.name, "picture", picture.case, status, picture.views, label, detail))
    by_case: dict[str, list[ReportLine]] = defaultdict(list)
    for line in lines:
        by_case[line.case].append(line)
    for number, case in sorted(found.cases.items(), key=lambda item: int(item[0])):
        lines.append(_case_line(case, by_case[number], found))
    for number, reason in sorted(found.unreadable_cases.items(), key=lambda item: int(item[0])):
        lines.append(ReportLine(f"{number}.xml", "case", number, "unreadable", 0, "", reason))
    return lines + found.unreadable_files


def _case_line(case: Case, pictures: list[ReportLine], found: _Source) -> ReportLine:
    notes = list(case.notes)
    named = {f"{case.number}_{index}" for index in case.marks}
    lost = sorted(named - set(found.pictures), key=_natural)
    if lost:
        notes.append(f"its mark names a picture that is not there: {', '.join(lost)}")
    tied = found.groups.get(case.number)
    if tied:
        others = sorted((n for n, group in found.groups.items() if group == tied and n != case.number), key=int)
        notes.append(f"shares a picture with case {', '.join(others)}: one group")
    views = sum(line.views for line in pictures)
    if views:
        status = "labelled" if case.label else "unlabelled"
    elif pictures:
        status = pictures[0].status
        notes.append("no picture of it gives a view")
    else:
        status = "without outline"
        notes.append("it has no picture")
    return ReportLine(f"{case.number}.xml", "case", case.number, status, views, case.label, "; ".join(notes))


def _targets() -> dict[str, Target]:
    classes = {
        TARGET: {"0": "TI-RADS 2 or 3", "1": "TI-RADS 4a or higher"},
        GROUPS: {"low": "TI-RADS 2 or 3", "intermediate": "TI-RADS 4a or 4b", "high": "TI-RADS 4c or 5"},
    }
    return {
        name: Target(
            name=name,
            column=name,
            table="nodules",
            unit="nodule",
            classes=own,
            aggregation={"nodule": "mean", "patient": "maximum"},
            reference="tirads",
        )
        for name, own in classes.items()
    }


def _description(simulated: bool) -> Description:
    if simulated:
        return Description(
            name="Synthetic pictures in DDTI's layout",
            licence="made by a program; free of any right",
            citation="none",
            simulated=True,
            targets=_targets(),
        )
    return Description(
        name="DDTI",
        licence="called open access by its authors; no licence text",
        citation="Pedraza L, Vargas C, Narvaez F, Duran O, Munoz E, Romero E. An open access thyroid ultrasound image "
        "database. Proc SPIE 9287, 2015. doi:10.1117/12.2073532",
        targets=_targets(),
    )


def _totals(nodules: list[dict[str, str]], views: list[dict[str, str]]) -> dict[str, int]:
    label = {row["nodule_id"]: row[TARGET] for row in nodules}
    labelled = [row for row in nodules if row[TARGET]]
    return {
        "patients": len(nodules),
        "nodules": len(nodules),
        "groups": len({row["group_id"] for row in nodules}),
        "views": len(views),
        "nodules with a label": len(labelled),
        "groups with a label": len({row["group_id"] for row in labelled}),
        "views with a label": sum(bool(label[row["nodule_id"]]) for row in views),
        "nodules of TI-RADS 2 or 3": sum(row[TARGET] == "0" for row in nodules),
        "nodules of TI-RADS 4a or higher": sum(row[TARGET] == "1" for row in nodules),
        "views of TI-RADS 2 or 3": sum(label[row["nodule_id"]] == "0" for row in views),
        "views of TI-RADS 4a or higher": sum(label[row["nodule_id"]] == "1" for row in views),
    }


def _remarks(found: _Source, simulated: bool) -> list[str]:
    kind = "SIMULATED pictures in DDTI's layout" if simulated else "DDTI"
    return [
        f"{kind}: {len(found.pictures)} pictures, {len(found.cases) + len(found.unreadable_cases)} case files.",
        "One case is taken as one patient with one nodule; the TI-RADS grade belongs to the case.",
        "The label is the TI-RADS grade, not pathology; a blank grade is unlabelled, never benign.",
        "Grades printed under pictures are not read, also where they differ from the case file.",
        "Free-text report fields are not copied.",
    ]
