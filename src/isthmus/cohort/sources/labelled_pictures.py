"""What public sets of stills have in common: every picture is read, told from its copies, outlined and written once.

Copies (pixel-identical pictures) are never counted twice. Within one part of the published split the first stays and
the patients that share it become one group; between parts the copy nearer to the test set stays and the training copy
is left out; where copies have contradicting labels none stays. Each is a line of the import report.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.description import Target
from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.sources import Progress
from isthmus.cohort.sources.import_report import ReportLine
from isthmus.errors import CohortError, PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.read import read_clip, read_mask

MALIGNANT: Final = Target(
    name="malignant",
    column="malignant",
    table="nodules",
    unit="nodule",
    classes={"0": "benign", "1": "malignant"},
    aggregation={"nodule": "mean", "patient": "maximum"},
    reference="mixed",
)
"""The target of every set with pathology; ``mixed`` where surgery and cytology are not told apart."""

NO_PATIENT_IDS: Final = (
    "The set names no patients: every picture is taken as a patient of its own, so one patient may stand on two sides "
    "of a split, and intervals are narrower than they should be."
)

_NEARER_TO_TEST: Final = ("test", "tune", "train", "")
_LOSSY_INSIDE: Final = 127  # a JPEG of black and white: what is nearer to white is inside
_LOSSY_BETWEEN: Final = 0.02  # share of pixels that may be neither, at blurred edges


@dataclass
class Still:
    """One picture of a set, as its tables describe it.

    Parameters
    ----------
    path : Path
        The picture; ``file`` is its name in the report, ``picture_name`` its stem in the cohort.
    view_id, nodule_id, patient_id : str
        Its ids in the cohort.
    label : str
        ``'0'``, ``'1'`` or '' for none.
    split : str
        The published part, as a code of the cohort; '' for none.
    mask : Path, optional
        Its mask picture; JPEG is read as black and white.
    boxes : sequence of Box
        Boxes drawn, for sets without masks.
    outlined : bool
        Whether the set gives each picture a region; one without is then left out.
    patient, nodule : dict
        Further columns.
    notes : list of str
        What was decided, for the report.
    fault : str
        Why the set's own tables do not let the picture be used; '' when they do.
    """

    file: str
    path: Path
    picture_name: str
    view_id: str
    nodule_id: str
    patient_id: str
    label: str = ""
    split: str = ""
    mask: Path | None = None
    boxes: Sequence[Box] = ()
    outlined: bool = True
    patient: Mapping[str, Any] = field(default_factory=dict)
    nodule: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    fault: str = ""
    status: str = ""
    region: NDArray[np.bool_] | None = None


def require(source: Path, *parts: str, name: str) -> None:
    """Refuse a source that lacks one of these files or folders."""
    missing = [part for part in parts if not (source / part).exists()]
    if missing:
        raise CohortError(
            f"no {', no '.join(missing)} here",
            where=str(source),
            expected=f"{name} as published",
            hint="unpack the set and name the folder that holds these; 'isthmus cohort import --help' lists them",
        )


def listed(folder: Path, suffixes: Sequence[str] = (".jpg", ".jpeg", ".png", ".bmp")) -> list[Path]:
    """Return the pictures of a folder, sorted; hidden files are none."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def add_stills(draft: CohortDraft, stills: Sequence[Still], *, site: str, progress: Progress | None) -> None:
    """Read all pictures, settle copies, and add patients, nodules, views and report lines to the draft."""
    same: dict[str, list[Still]] = defaultdict(list)
    names: set[str] = set()
    for done, still in enumerate(stills, start=1):
        if still.view_id in names:
            still.fault = "another picture differs from it only in its suffix"
        names.add(still.view_id)
        digest = _read(still)
        if digest:
            same[digest].append(still)
        if progress is not None:
            progress(done, len(stills), still.file)
    groups: dict[str, str] = {}
    for holders in same.values():
        if len({still.path for still in holders}) > 1:
            _settle(holders, groups)
    for still in stills:
        if not still.status:
            _add(draft, still, groups, site)
    _report(draft, stills)


def _read(still: Still) -> str:
    """Return the digest of a picture's pixels, '' where it cannot be used; its region is read on the way."""
    if still.fault:
        still.status = "unreadable" if not still.path.is_file() else "ambiguous"
        return ""
    try:
        pixels = read_clip(still.path).frames[0]
    except PictureError as error:
        still.status, still.fault = "unreadable", error.what
        return ""
    height, width = pixels.shape[:2]
    if still.outlined:
        _outline(still, height, width)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest() if not still.status else ""


def _outline(still: Still, height: int, width: int) -> None:
    try:
        if still.mask is not None:
            region = _mask(still.mask)
            if region.shape != (height, width):
                raise PictureError(
                    f"its mask is {region.shape[1]} x {region.shape[0]} pixels, the picture {width} x {height}"
                )
            if not region.any():
                raise PictureError("its mask is empty")
            still.region = region
        elif not still.boxes:
            raise PictureError("it has no outline")
        for x0, y0, x1, y1 in still.boxes:
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise PictureError(f"its box {x0:g} {y0:g} {x1:g} {y1:g} is empty or leaves {width} x {height}")
    except PictureError as error:
        still.status, still.fault = "without outline", error.what


def _mask(path: Path) -> NDArray[np.bool_]:
    if not path.is_file():
        raise PictureError("it has no mask")
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return read_mask(path)
    grey = read_clip(path).frames[0].max(axis=2)
    if np.mean((grey > 64) & (grey < 192)) > _LOSSY_BETWEEN:
        raise PictureError("its mask is not black and white")
    inside: NDArray[np.bool_] = grey > _LOSSY_INSIDE
    return inside


def _settle(holders: list[Still], groups: dict[str, str]) -> None:
    names = ", ".join(dict.fromkeys(still.file for still in holders))
    if {"0", "1"} <= {still.label for still in holders}:
        for still in holders:
            still.status, still.fault = "ambiguous", f"the same pixels have contradicting labels: {names}"
        return
    first = min(holders, key=lambda still: (_NEARER_TO_TEST.index(still.split), not still.label))
    parts = {still.split for still in holders}
    for still in holders:
        if still.path != first.path:
            still.status = f"duplicate of {first.view_id}"
            other = f" (published in {' and '.join(sorted(parts))}: the copy nearer to test stays)"
            still.fault = f"the same pixels as {first.file}" + (other if len(parts) > 1 else "")
    first.notes.append(f"the same pixels stand in {names}")
    # A group never runs over the published parts: the training copy is gone, and the parts stay as published.
    _tie(groups, sorted({still.patient_id for still in holders if still.split == first.split}))


def _tie(groups: dict[str, str], patients: list[str]) -> None:
    if len(patients) > 1:
        tied = {groups.get(patient, patient) for patient in patients}
        lowest = min(tied)
        for patient in [*patients, *(one for one, group in groups.items() if group in tied)]:
            groups[patient] = lowest


def _add(draft: CohortDraft, still: Still, groups: Mapping[str, str], site: str) -> None:
    draft.add_patient(still.patient_id, site, **still.patient)
    group = groups.get(still.patient_id, still.patient_id)
    nodule = {"malignant": still.label, "split": still.split, "sampling": "selected", **still.nodule}
    draft.add_nodule(still.nodule_id, still.patient_id, group_id=group, **nodule)
    picture = draft.copy_picture(still.path, f"{still.picture_name}{still.path.suffix.lower()}")
    draft.add_view(
        still.view_id,
        still.nodule_id,
        picture,
        mask=still.region,
        box=still.boxes[0] if still.boxes else None,
        region_source="drawn" if still.region is not None or still.boxes else "",
        acquisition_id=still.view_id,
    )


def _report(draft: CohortDraft, stills: Sequence[Still]) -> None:
    used = {row["patient_id"] for row in draft.rows("patients")}
    for still in stills:
        status = still.status or ("labelled" if still.label else "unlabelled")
        detail = "; ".join([*([still.fault] if still.fault else []), *still.notes])
        views = 0 if still.status else 1
        draft.report.lines.append(
            ReportLine(still.file, "picture", still.patient_id, status, views, still.label, detail)
        )
        if still.patient_id not in used:
            draft.exclude(still.patient_id, "import", _reason(stills, still.patient_id))
    draft.report.totals = totals(draft)


def _reason(stills: Sequence[Still], patient: str) -> str:
    kinds = Counter(still.status.split(" of ")[0] for still in stills if still.patient_id == patient)
    return "no picture can be used: " + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def totals(draft: CohortDraft) -> dict[str, int]:
    """Return patients, groups, nodules and views, each class, and each part of the published split."""
    nodules = draft.rows("nodules")
    counts = {name: draft.count(name) for name in ("patients", "nodules", "views")}
    counts["groups"] = len({row.get("group_id", row["patient_id"]) for row in nodules})
    for code, shown in MALIGNANT.classes.items():
        counts[f"nodules {shown}"] = sum(row.get("malignant") == code for row in nodules)
    counts["nodules without a label"] = sum("malignant" not in row for row in nodules)
    parts = Counter(row["split"] for row in nodules if row.get("split"))
    return counts | {f"nodules in {part}": parts[part] for part in _NEARER_TO_TEST if parts[part]}


def note_rows(draft: CohortDraft, file: str, reasons: Iterable[tuple[str, str]]) -> None:
    """Add a report line for each row of a table that gives no picture: (which row, why)."""
    draft.report.lines += [ReportLine(file, "row", "", "unreadable", 0, "", f"{row}: {why}") for row, why in reasons]
