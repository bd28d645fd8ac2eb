"""What is known of each case beside its label: descriptors, size, site, device, and marks drawn over the lesion."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from isthmus.errors import PictureError
from isthmus.imaging.clip import Box, Lesion
from isthmus.imaging.mark_kinds import kind_of_mark
from isthmus.imaging.marks import find_burned_in_text
from isthmus.imaging.read import read_clip, read_mask
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases
from isthmus.report.error_rates import size_class
from isthmus.tables.vocabulary import DESCRIPTORS

RECORDED: Final = ("age_years", "sex", "size_mm")
"""What Table 1 and the subgroups ask for beside the descriptors."""

_DRAWN: Final = ("marks", "calipers")
_OWN: Final = ("nodule_id", "patient_id", "group_id", "split", "site", "device", "size", *_DRAWN, "cohort", "unit_id")
"""Identifiers, and columns that are made here."""

_MARGIN = 0.15
"""Of the lesion crop around the box, as the networks have it by default."""


def case_facts(cases: Sequence[Cases], progress: Progress | None = None, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return what is known of the cases of several cohorts.

    Parameters
    ----------
    cases : sequence of Cases
        Of the run's cohort and of the external ones.
    progress : callable, optional
        Called with what, done, total.
    columns : sequence of str
        Further columns of ``nodules.csv`` and ``patients.csv``; one that neither has is left out.

    Returns
    -------
    DataFrame
        One row a nodule, or a patient where that is the unit: ``cohort``, ``unit_id``, ``patient_id``, what the cohort
        has of the descriptors, ``tirads``, ``age_years``, ``sex``, ``size_mm`` and ``columns``, as it stands there
        (of a patient's nodules the largest one's); the class of ``size``, ``site``, ``device`` (``several devices``
        where its views are of more than one), ``marks``, ``calipers``; text or None.
    """
    return pd.concat([_facts(one, progress, columns) for one in cases], ignore_index=True)


def _facts(cases: Cases, progress: Progress | None, columns: Sequence[str]) -> pd.DataFrame:
    nodules = with_patients(cases.cohort.nodules, cases.cohort.patients)
    views = cases.pictures
    asked = dict.fromkeys((*DESCRIPTORS, "tirads", *RECORDED, *columns))
    recorded = [name for name in asked if name in nodules.columns and name not in _OWN]
    facts = nodules[["nodule_id", "patient_id", *recorded]].copy()
    if "size_mm" in nodules.columns:
        facts["size"] = [size_class(float(size)) for size in nodules["size_mm"]]
    by_nodule = views.groupby("nodule_id", sort=False)
    sites = by_nodule["site"].first().rename("site")
    devices = by_nodule["device"].agg(_device).rename("device")
    found = views[["nodule_id"]].assign(found=pd.array(_marks(views, cases, progress), dtype=object))
    marks = found.groupby("nodule_id", sort=False)["found"].agg(list).map(_of_views)
    drawn = pd.DataFrame(marks.tolist(), index=marks.index, columns=list(_DRAWN), dtype=object)
    joined = facts.merge(pd.concat([sites, devices, drawn], axis=1), left_on="nodule_id", right_index=True)
    if cases.unit == "patient":
        joined = _of_patients(joined)
    return joined.rename(columns={"nodule_id": "unit_id"}).assign(cohort=cases.cohort.name).reset_index(drop=True)


def _of_patients(nodules: pd.DataFrame) -> pd.DataFrame:
    """Return one row a patient: what is known of the largest nodule, and marks and devices of all of them."""
    by_patient = nodules.groupby("patient_id", sort=False)
    devices = by_patient["device"].agg(_device)
    drawn = {name: by_patient[name].agg(_any_of, name) for name in _DRAWN}
    size = nodules["size_mm"] if "size_mm" in nodules.columns else pd.Series(0.0, index=nodules.index)
    largest = nodules.loc[size.sort_values(ascending=False, kind="stable").index].drop_duplicates("patient_id")
    return largest.sort_index().assign(
        nodule_id=lambda rows: rows["patient_id"],
        **{name: largest["patient_id"].map(found) for name, found in drawn.items()},
        device=lambda rows: rows["patient_id"].map(devices),
    )


def with_patients(nodules: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """Join what is known of its patient to each nodule; a column that both tables have is the nodule's."""
    own = [name for name in patients.columns if name not in nodules.columns]
    return nodules.merge(patients[["patient_id", *own]], on="patient_id", how="left")


def _device(values: "pd.Series[Any]") -> str | None:
    names = sorted({str(value) for value in values.dropna()})
    return None if not names else names[0] if len(names) == 1 else "several devices"


def _of_views(found: list[str | None]) -> tuple[str | None, str | None]:
    """Return `marks` and `calipers` of a nodule from what was found in each of its views."""
    known = {one for one in found if one is not None}
    if not known:
        return None, None
    return "no_marks" if known == {"no_marks"} else "marks", "calipers" if "calipers" in known else "no_calipers"


def _any_of(values: "pd.Series[Any]", name: str) -> str | None:
    known = set(values.dropna())
    return name if name in known else f"no_{name}" if known else None


def _marks(views: pd.DataFrame, cases: Cases, progress: Progress | None) -> list[str | None]:
    modality = dict(cases.cohort.views[["view_id", "modality"]].itertuples(index=False, name=None))
    found: list[str | None] = []
    rows = views[["view_id", "path", "mask", "box", "region"]].to_numpy(dtype=object).tolist()
    for done, (view, path, mask, box, region) in enumerate(rows, start=1):
        # Where colour lies over the tissue it is the modality's signal, not a mark.
        searched = modality[view] in ("bmode", "cine")
        found.append(_mark_in_crop(path, mask, box, region) if searched else None)
        if progress is not None:
            progress("marks in the crops", done, len(rows))
    return found


def _mark_in_crop(path: Path, mask: Path | None, box: Box | None, region: Box | None) -> str | None:
    """Return what is drawn in the lesion's crop of a view's first frame: `calipers`, other `marks`, `no_marks`.

    None without a lesion.
    """
    try:
        if box is None and mask is not None:
            x0, y0, x1, y1 = Lesion.still(mask=read_mask(mask)).boxes()[0].tolist()
            box = (x0, y0, x1, y1)
        if box is None:
            return None
        frame = read_clip(path).frames[0]
    except PictureError:
        return None  # what cannot be read failed when it was prepared, and is listed there
    within = region or (0.0, 0.0, float(frame.shape[1]), float(frame.shape[0]))
    found = find_burned_in_text(frame, _crop(box, within))
    if any(kind_of_mark(frame, mark) == "caliper" for mark in found):
        return "calipers"
    return "marks" if found else "no_marks"


def _crop(box: Box, within: Box) -> Box:
    x0, y0, x1, y1 = box
    half = (1 + 2 * _MARGIN) * max(x1 - x0, y1 - y0) / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return max(x - half, within[0]), max(y - half, within[1]), min(x + half, within[2]), min(y + half, within[3])
