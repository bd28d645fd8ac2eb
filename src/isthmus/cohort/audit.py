"""Check a cohort before anything is computed on it: files, geometry, leaks between groups, text in the picture."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from isthmus.cohort.check_report import CheckReport, Finding
from isthmus.cohort.check_views import FrameBoxes, SeenClip, check_view, look_at
from isthmus.cohort.cohort import Cohort, inspect_cohort
from isthmus.errors import CohortError, InputError, PictureError
from isthmus.tables.cohort import parse_box

Progress = Callable[[int, int, str], None]
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
    boxes = _frame_boxes(cohort)
    same: dict[str, list[tuple[str, str]]] = defaultdict(list)
    by_path = cohort.views.dropna(subset=["path"]).groupby("path", sort=True)
    for done, (name, rows) in enumerate(by_path, start=1):
        seen = _look(cohort.folder, str(name), report)
        if seen is not None:
            groups = {str(group_of.get(nodule, "")) for nodule in rows["nodule_id"]}
            same[seen.digest] += [(str(name), group) for group in sorted(groups)]
            for row in rows.to_dict("records"):
                view, findings = check_view(cohort.folder, row, seen, boxes.get(str(row["view_id"]), []))
                report.views.append(view)
                report.findings += findings
        progress(done, len(by_path), str(name))
    report.findings += _duplicates(same)


def _look(folder: Path, name: str, report: CheckReport) -> SeenClip | None:
    try:
        seen, findings = look_at(folder, name)
    except PictureError as error:
        report.findings.append(Finding("error", "picture", _said(error, folder / name), name))
        return None
    report.findings += findings
    return seen


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


def _duplicates(same: dict[str, list[tuple[str, str]]]) -> Iterator[Finding]:
    for holders in same.values():
        paths = sorted({path for path, _ in holders})
        if len({group for _, group in holders}) > 1:
            message = "identical pictures or clips stand in different groups: give their patients one group_id"
            yield Finding("error", "duplicates", message, ", ".join(paths))
        elif len(paths) > 1:
            yield Finding("note", "duplicates", "identical pictures or clips within one group", ", ".join(paths))
