"""Check a cohort before anything is computed on it: files, geometry, leaks between groups, marks in the picture."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.cohort.check_duplicates import same_pictures
from isthmus.cohort.check_report import CheckedView, CheckReport, Finding
from isthmus.cohort.check_views import FrameBoxes, check_view, look_at
from isthmus.cohort.cohort import Cohort, inspect_cohort
from isthmus.cohort.duplicate_features import Features
from isthmus.cohort.near_duplicates import KnownPictures, Pair, find_near_duplicates
from isthmus.cohort.shortcuts import find_shortcuts
from isthmus.errors import CohortError, InputError, PictureError
from isthmus.imaging.mark_kinds import KINDS
from isthmus.tables.cohort import parse_box

Progress = Callable[[int, int, str], None]
_WORKERS, _AHEAD = 2, 8  # decoders, and pictures held in memory at once
FEW_GROUPS: Final = 10  # below it no measure of a class has an interval worth printing


def check_cohort(cohort: Cohort | Path | str, progress: Progress | None = None) -> CheckReport:
    """Check a cohort whole; nothing found is raised, everything is reported.

    Parameters
    ----------
    cohort : Cohort or Path
        A loaded cohort, or a folder: then a broken schema is a finding too.
    progress : callable, optional
        Called as ``progress(done, total, what)``, for each picture as it is read (``what`` is "pictures") and as it is
        held against all others ("pairs").

    Returns
    -------
    CheckReport
        ``failed`` when there is any error.

    Raises
    ------
    CohortError
        When there is no such folder: nothing was checked.
    """
    report = CheckReport()
    if not isinstance(cohort, Cohort):
        if not Path(cohort).is_dir():
            raise CohortError(
                "no such cohort folder",
                where=str(cohort),
                hint="make one with 'isthmus cohort import' or 'isthmus cohort simulate'",
            )
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
    if not cohort.targets:
        yield Finding("warning", "labels", "nothing in it is labelled: no model can be trained or judged on it", "")
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


@dataclass(eq=False)
class _Looked:
    """What one file gave."""

    name: str
    digest: str = ""
    features: list[tuple[int, Features]] = field(default_factory=list)
    views: list[CheckedView] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unreadable: bool = False


def _pictures(cohort: Cohort, report: CheckReport, progress: Progress) -> None:
    boxes = _frame_boxes(cohort)
    by_path = cohort.views.dropna(subset=["path"]).groupby("path", sort=True)
    identical: dict[str, list[str]] = defaultdict(list)
    with KnownPictures() as pictures:
        for done, looked in enumerate(_looked_at(cohort.folder, by_path, boxes), start=1):
            report.views += looked.views
            report.findings += looked.findings
            if looked.unreadable:
                report.unreadable.append(looked.name)
            elif looked.digest not in identical:
                for frame, features in looked.features:
                    pictures.add(looked.name, features, frame)
            if looked.digest:
                identical[looked.digest].append(looked.name)
            progress(done, len(by_path), "pictures")
        pairs = _pairs(pictures, progress)
    report.same, findings = same_pictures(cohort, report.views, identical, pairs)
    report.findings += [*findings, *_tells(cohort, report)]


def _pairs(pictures: KnownPictures, progress: Progress) -> list[Pair]:
    return find_near_duplicates(pictures, progress=lambda done, total, _: progress(done, total, "pairs"))


def _looked_at(folder: Path, by_path: Any, boxes: dict[str, FrameBoxes]) -> Iterator[_Looked]:
    """Yield what each file gives, in order; a few are decoded ahead, side by side."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        waiting: deque[Future[_Looked]] = deque()
        for name, rows in by_path:
            waiting.append(pool.submit(_look, folder, str(name), rows.to_dict("records"), boxes))
            if len(waiting) >= _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _look(folder: Path, name: str, rows: list[dict[Any, Any]], boxes: dict[str, FrameBoxes]) -> _Looked:
    looked = _Looked(name)
    try:
        seen, looked.findings = look_at(folder, name)
    except PictureError as error:
        looked.findings = [Finding("error", "picture", _said(error, folder / name), name)]
        looked.unreadable = True
        return looked
    looked.digest, looked.features = seen.digest, seen.features
    for row in rows:
        view, findings = check_view(folder, row, seen, boxes.get(str(row["view_id"]), []))
        looked.views.append(view)
        looked.findings += findings
    return looked


def _tells(cohort: Cohort, report: CheckReport) -> Iterator[Finding]:
    """Count marks and sources of regions by class and site; yield a warning for each that goes with the label."""
    flags: dict[str, dict[str, bool | None]] = {}
    sources = _sources(cohort)
    for view in report.views:
        mine: dict[str, bool | None] = {}
        for kind, words in KINDS.items():
            of_kind = [inside for one, inside in zip(view.kinds, view.in_crop, strict=True) if one == kind]
            mine[f"{words}, anywhere in the scan area"] = bool(of_kind) if view.searched else None
            mine[f"{words}, in the lesion crop"] = any(of_kind) if view.searched and view.lesion is not None else None
        for source in sorted(set(sources.values())):
            mine[f"region {source}"] = sources.get(view.view_id) == source
        flags[view.view_id] = mine
    tells = pd.DataFrame.from_dict(flags, orient="index").astype("object")
    if tells.empty:
        return
    report.rates, report.associations = find_shortcuts(cohort, tells)
    for one in report.associations:
        if one.notable:
            subject = "region" if one.what.startswith("region ") else "marks"
            yield Finding("warning", subject, one.sentence(), f"target {one.target}")


def _sources(cohort: Cohort) -> dict[str, str]:
    """Return where each view's lesion region comes from: ``region_source``, 'given' or 'missing'."""
    found = {}
    for row in cohort.views.to_dict("records"):
        stated = row.get("region_source")
        here = any(not pd.isna(row.get(name)) for name in ("mask", "box") if name in row)
        found[str(row["view_id"])] = "missing" if not here and pd.isna(stated) else _word(stated)
    return found


def _word(stated: Any) -> str:
    return "given, its source not stated" if stated is None or pd.isna(stated) else str(stated)


def _said(error: PictureError, path: Path) -> str:
    # Of a folder of frames it is worth knowing which one; more of the path is not the report's business.
    frame = Path(error.where or "")
    return f"{error.what} ({frame.name})" if frame.parent == path else error.what


def _frame_boxes(cohort: Cohort) -> dict[str, FrameBoxes]:
    found: dict[str, FrameBoxes] = defaultdict(list)
    if cohort.boxes is not None:
        for row in cohort.boxes.to_dict("records"):
            try:
                found[str(row["view_id"])].append((int(row["frame"]), parse_box(row["box"])))
            except ValueError:
                continue  # a bad row is a finding of the schema already
    return found
