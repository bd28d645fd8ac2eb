"""Check a cohort before anything is computed on it: files, geometry, leaks between groups, text in the picture."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.check_report import CheckedView, CheckReport, Finding, Severity
from isthmus.cohort.cohort import Cohort, inspect_cohort
from isthmus.errors import InputError, PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.marks import find_burned_in_text
from isthmus.imaging.read import read_clip, read_mask
from isthmus.tables.cohort import parse_box

Progress = Callable[[int, int, str], None]
CROP_MARGIN: Final = 0.15  # of the standard preparation: what a lesion network sees around the box
FEW_GROUPS: Final = 10  # below it no measure of a class has an interval worth printing


def check_cohort(cohort: Cohort | Path | str, progress: Progress | None = None) -> CheckReport:
    """Check a cohort whole; nothing found is raised, everything is reported.

    Parameters
    ----------
    cohort : Cohort or Path
        A loaded cohort, or a folder: then a broken schema is a finding too.
    progress : callable, optional
        Called as ``progress(done, total, what)`` for each picture.

    Returns
    -------
    CheckReport
        ``failed`` when there is any error.
    """
    report = CheckReport()
    if not isinstance(cohort, Cohort):
        try:
            cohort, bad = inspect_cohort(Path(cohort))
        except InputError as error:
            report.findings.append(Finding("error", "schema", str(error), error.where or ""))
            return report
        report.findings += [
            Finding("error", "schema", f"{value.column}: {value.value!r}; expected {value.expected}", _line(value))
            for value in bad
        ]
        if any(value.line == 1 for value in bad):
            return report  # without its columns there is nothing to go on with
    report.name, report.simulated = cohort.name, cohort.simulated
    report.counts = _counts(cohort)
    _pictures(cohort, report, progress or (lambda done, total, what: None))
    report.findings += [*_splits(cohort), *_labels(cohort, report)]
    order = {"error": 0, "warning": 1, "note": 2}
    report.findings.sort(key=lambda finding: order[finding.severity])
    return report


def _line(value: Any) -> str:
    return f"{Path(value.file).name}, line {value.line}"


def _counts(cohort: Cohort) -> dict[str, int]:
    return {
        "patients": len(cohort.patients),
        "groups": cohort.nodules["group_id"].nunique(),
        "nodules": len(cohort.nodules),
        "views": len(cohort.views),
        "pictures": cohort.views["path"].nunique(),
        "excluded": 0 if cohort.excluded is None else len(cohort.excluded),
    }


def _splits(cohort: Cohort) -> Iterator[Finding]:
    nodules = cohort.nodules
    if "split" not in nodules or nodules["split"].isna().all():
        return
    for group, splits in nodules["split"].fillna("none").groupby(nodules["group_id"]):
        sides = sorted(set(splits))
        if len(sides) > 1:
            message = f"the group stands on several sides of the fixed split: {', '.join(sides)}"
            yield Finding("error", "split", message, f"group {group}")


def _labels(cohort: Cohort, report: CheckReport) -> Iterator[Finding]:
    for target in cohort.targets.values():
        nodules = cohort.nodules.merge(cohort.patients[["patient_id", "site"]], on="patient_id")
        if target.table == "patients":
            labels = cohort.patients.set_index("patient_id")[target.column]
            nodules["_label"] = nodules["patient_id"].map(labels)
        else:
            nodules["_label"] = nodules[target.column]
        marked = cohort.views["view_id"].isin([view.view_id for view in report.views if view.reached])
        for name, chosen in (("_views", cohort.views), ("_marked", cohort.views[marked])):
            counts = chosen["nodule_id"].value_counts()
            nodules[name] = nodules["nodule_id"].map(counts).fillna(0).astype(int)
        for (site, label), rows in nodules.groupby(["site", nodules["_label"].fillna("")]):
            report.balance.append(
                {
                    "target": target.name,
                    "site": str(site),
                    "class": target.classes.get(str(label), "no label"),
                    "nodules": len(rows),
                    "groups": rows["group_id"].nunique(),
                    "views": int(rows["_views"].sum()),
                    "views_with_marks": int(rows["_marked"].sum()),
                }
            )
        labelled = nodules[nodules["_views"] > 0].groupby("_label")["group_id"].nunique()
        for label, shown in target.classes.items():
            count = int(labelled.get(label, 0))
            if count < FEW_GROUPS:
                message = f"class {shown!r} has {count} groups with a view, fewer than {FEW_GROUPS}"
                yield Finding("warning", "labels", message, f"target {target.name}")


def _pictures(cohort: Cohort, report: CheckReport, progress: Progress) -> None:
    group_of = cohort.nodules.set_index("nodule_id")["group_id"].to_dict()
    same: dict[str, list[tuple[str, str]]] = defaultdict(list)
    by_path = cohort.views.dropna(subset=["path"]).groupby("path", sort=True)
    for done, (name, rows) in enumerate(by_path, start=1):
        frame = _decode(cohort.folder, str(name), report)
        if frame is not None:
            digest = hashlib.sha256(repr(frame.shape).encode() + frame.tobytes()).hexdigest()
            groups = {str(group_of.get(nodule, "")) for nodule in rows["nodule_id"]}
            same[digest] += [(str(name), group) for group in sorted(groups)]
            for row in rows.to_dict("records"):
                _view(cohort.folder, row, frame, report)
        progress(done, len(by_path), str(name))
    for holders in same.values():
        paths = sorted({path for path, _ in holders})
        if len({group for _, group in holders}) > 1:
            message = "pixel-identical pictures stand in different groups: give their patients one group_id"
            report.findings.append(Finding("error", "duplicates", message, ", ".join(paths)))
        elif len(paths) > 1:
            message = "pixel-identical pictures within one group"
            report.findings.append(Finding("note", "duplicates", message, ", ".join(paths)))


def _inside_folder(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PictureError("this link leads out of the cohort folder", where=name)
    return path


def _decode(folder: Path, name: str, report: CheckReport) -> NDArray[np.uint8] | None:
    try:
        frame: NDArray[np.uint8] = read_clip(_inside_folder(folder, name)).frames[0]
    except PictureError as error:
        report.findings.append(Finding("error", "picture", error.what, name))
        return None
    return frame


def _view(folder: Path, row: dict[Any, Any], frame: NDArray[np.uint8], report: CheckReport) -> None:
    height, width = frame.shape[:2]
    whole: Box = (0.0, 0.0, float(width), float(height))
    view = CheckedView(str(row["view_id"]), str(row["path"]), _box(row, "region"), _box(row, "box"), _text(row, "mask"))
    report.views.append(view)

    def found(severity: Severity, subject: str, message: str) -> None:
        view.marked = view.marked or severity != "note"
        report.findings.append(Finding(severity, subject, message, f"view {view.view_id}"))

    for name, box, outer in (("region", view.region, whole), ("box", view.box, whole)):
        if box is not None and not _contains(outer, box):
            found("error", "geometry", f"the {name} leaves the picture of {width} x {height} pixels")
    if view.box is not None and view.region is not None and not _contains(view.region, view.box):
        found("warning", "geometry", "the box leaves the scan region; what is outside will be black")
    lesion = view.box
    if view.mask is not None:
        lesion = _mask(folder, view, frame, found) or lesion
    view.text = find_burned_in_text(frame, view.region or whole)
    if view.text:
        crop = None if lesion is None else _crop(lesion)
        reached = sum(crop is not None and _overlap(text, crop) for text in view.text)
        if reached:
            view.reached = reached
            found("warning", "text", "burned-in marks inside the lesion crop; a network sees it with them filled in")
        else:
            found("note", "text", "burned-in marks inside the scan area, off the lesion")


def _mask(folder: Path, view: CheckedView, frame: NDArray[np.uint8], found: Callable[..., None]) -> Box | None:
    try:
        mask = read_mask(_inside_folder(folder, str(view.mask)))
    except PictureError as error:
        found("error", "mask", f"the mask cannot be read: {error.what}")
        return None
    if mask.shape != frame.shape[:2]:
        shown = f"{mask.shape[1]} x {mask.shape[0]} pixels, its picture {frame.shape[1]} x {frame.shape[0]}"
        found("error", "mask", f"the mask has {shown}")
        return None
    if not mask.any():
        found("error", "mask", "the mask is empty")
        return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    if view.region is not None and not _contains(view.region, box):
        found("warning", "geometry", "the mask leaves the scan region; what is outside will be black")
    if view.box is not None and max(abs(a - b) for a, b in zip(view.box, box, strict=True)) > 1:
        found("warning", "geometry", "the box is not the mask's: they differ by more than a pixel")
    return box


def _text(row: dict[Any, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else str(value)


def _box(row: dict[Any, Any], name: str) -> Box | None:
    value = _text(row, name)
    try:
        return None if value is None else parse_box(value)
    except ValueError:
        return None  # a bad box is a finding of the schema already


def _contains(outer: Box, inner: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _crop(box: Box) -> Box:
    x0, y0, x1, y1 = box
    half = max(x1 - x0, y1 - y0) * (1 + 2 * CROP_MARGIN) / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return cx - half, cy - half, cx + half, cy + half


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
