"""What it means that two pictures are the same: a leak between groups or sides of a split, or contradicting labels."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Final

import pandas as pd

from isthmus.cohort.check_report import CheckedView, Finding, SamePicture, Severity
from isthmus.cohort.cohort import Cohort
from isthmus.cohort.near_duplicates import Pair
from isthmus.imaging.clip import Box

_SAME_LESION: Final = 0.3  # intersection over union of two outlines' boxes
_PAIRS_OF_ONE: Final = 20  # a picture that stands here 30 times makes 435 pairs: enough of them are listed


@dataclass
class _Holder:
    """Whose a picture is."""

    groups: set[str] = field(default_factory=set)
    sides: set[str] = field(default_factory=set)
    lesions: list[tuple[str, Box | None, dict[str, str]]] = field(default_factory=list)


def same_pictures(
    cohort: Cohort, views: list[CheckedView], identical: Mapping[str, list[str]], pairs: list[Pair]
) -> tuple[list[SamePicture], list[Finding]]:
    """Return all pairs of pictures that show the same, errors first, and what is to be said of them.

    Parameters
    ----------
    cohort : Cohort
    views : list of CheckedView
        Views whose picture could be decoded.
    identical : mapping of str to list of str
        Paths by the hash of their content.
    pairs : list of Pair
        Of pictures that are not identical; of identical ones the first stands for all.
    """
    holders = _holders(cohort, views)
    found: list[SamePicture] = []
    for paths in identical.values():
        for first, second in list(combinations(sorted(set(paths)), 2))[:_PAIRS_OF_ONE]:
            found.append(_judged(holders, first, second, None))
    copies = {path: sorted(set(paths)) for paths in identical.values() for path in paths}
    for pair in pairs:
        several = list(product(copies.get(pair.first, [pair.first]), copies.get(pair.second, [pair.second])))
        for first, second in several[:_PAIRS_OF_ONE]:
            found.append(_judged(holders, first, second, pair))
    rank = {"error": 0, "warning": 1, "note": 2}
    certain = {"identical": 0, "certain": 1, "probable": 2}
    found.sort(key=lambda one: (rank[one.severity], certain[one.certainty], one.first, one.second))
    return found, [*_identical(holders, identical), *_near(holders, found), *_contradictions(holders, found)]


def _holders(cohort: Cohort, views: list[CheckedView]) -> dict[str, _Holder]:
    nodules = cohort.nodules.set_index("nodule_id")
    patients = cohort.patients.set_index("patient_id")
    boxes = {view.view_id: view.lesion or view.box for view in views}
    holders: dict[str, _Holder] = defaultdict(_Holder)
    for row in cohort.views.dropna(subset=["path"]).to_dict("records"):
        holder = holders[str(row["path"])]
        if row["nodule_id"] not in nodules.index:
            continue
        nodule = nodules.loc[row["nodule_id"]]
        holder.groups.add(str(nodule["group_id"]))
        if "split" in nodules and not pd.isna(nodule["split"]):
            holder.sides.add(str(nodule["split"]))
        labels = {}
        for name, target in cohort.targets.items():
            of_patient = target.table == "patients" and nodule["patient_id"] in patients.index
            value = patients.loc[nodule["patient_id"], target.column] if of_patient else nodule.get(target.column)
            if value is not None and not pd.isna(value):
                labels[name] = target.classes.get(str(value), str(value))
        holder.lesions.append((str(row["nodule_id"]), boxes.get(str(row["view_id"])), labels))
    return holders


def _judged(holders: dict[str, _Holder], first: str, second: str, pair: Pair | None) -> SamePicture:
    one, two = holders[first], holders[second]
    certainty = "identical" if pair is None else pair.certainty
    severity: Severity = "note"
    if len(one.groups | two.groups) > 1:
        severity = "warning" if certainty == "probable" and not _apart(one, two) else "error"
    contradiction, other_lesion = _contradiction(one, two, pair)
    if contradiction and certainty != "probable":
        severity = "error"
    return SamePicture(
        first,
        second,
        certainty,
        "identical" if pair is None else pair.words,
        severity,
        (sorted(one.groups), sorted(two.groups)),
        contradiction,
        "" if contradiction else other_lesion,
        1.0 if pair is None else pair.correlation,
        pair,
    )


def _apart(one: _Holder, two: _Holder) -> bool:
    return len(one.sides | two.sides) > 1


def _contradiction(one: _Holder, two: _Holder, pair: Pair | None) -> tuple[str, str]:
    """Return how the labels of one lesion in both pictures differ, and those of lesions at other places."""
    same, other_places = set[str](), set[str]()
    for (nodule, box, labels), (other, theirs, others) in product(one.lesions, two.lesions):
        if nodule == other:
            continue
        if box is not None and theirs is not None:
            laid = theirs if pair is None else pair.on_first(theirs)
            said = same if _agreement(box, laid) >= _SAME_LESION else other_places
        elif len(one.lesions) == len(two.lesions) == 1:
            said = same
        else:
            said = other_places  # which of the lesions is meant cannot be told
        said |= {
            f"{name}: {labels[name]!r} and {others[name]!r}"
            for name in labels.keys() & others.keys()
            if labels[name] != others[name]
        }
    return "; ".join(sorted(same)), "; ".join(sorted(other_places))


def _agreement(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / total if total > 0 else 0.0


def _identical(holders: dict[str, _Holder], identical: Mapping[str, list[str]]) -> Iterator[Finding]:
    for each in identical.values():
        paths = sorted(set(each))
        if len(set().union(*(holders[path].groups for path in paths))) > 1:
            message = "identical pictures or clips stand in different groups: give their patients one group_id"
            yield Finding("error", "duplicates", message, ", ".join(paths))
        elif len(paths) > 1:
            yield Finding("note", "duplicates", "identical pictures or clips within one group", ", ".join(paths))


_SAID: Final = {
    ("certain", "error"): "the same picture or clip, changed, stands in different groups: give their patients one "
    "group_id",
    ("probable", "error"): "pictures or clips of probably one scan stand on several sides of the fixed split",
    ("probable", "warning"): "pictures or clips of probably one scan stand in different groups: look at them",
    ("certain", "note"): "nearly identical pictures or clips within one group",
    ("probable", "note"): "pictures or clips of probably one scan within one group",
}


def _near(holders: dict[str, _Holder], found: list[SamePicture]) -> Iterator[Finding]:
    for one in found:
        if one.pair is None:
            continue
        across = len(holders[one.first].groups | holders[one.second].groups) > 1
        severity: Severity = "note"
        if across:
            apart = _apart(holders[one.first], holders[one.second])
            severity = "error" if one.certainty == "certain" or apart else "warning"
        where = f"{one.first}, {one.second} ({one.words})"
        yield Finding(severity, "duplicates", _SAID[one.certainty, severity], where)


def _contradictions(holders: dict[str, _Holder], found: list[SamePicture]) -> Iterator[Finding]:
    for one in found:
        if one.contradiction:
            probable = one.certainty == "probable"
            message = f"{'probably ' if probable else ''}one lesion, shown twice, has two labels: {one.contradiction}"
            yield Finding("warning" if probable else "error", "labels", message, f"{one.first}, {one.second}")
        elif one.other_lesion and one.severity != "note":
            message = f"one picture, shown twice, has two labels; are these two lesions? {one.other_lesion}"
            yield Finding("warning", "labels", message, f"{one.first}, {one.second}")
    for path, holder in holders.items():
        same = _within(holder)
        if same:
            yield Finding("error", "labels", f"one lesion of one picture has two labels: {same}", path)


def _within(holder: _Holder) -> str:
    outlined = [lesion for lesion in holder.lesions if lesion[1] is not None]
    alone = [_Holder(holder.groups, holder.sides, [lesion]) for lesion in outlined]
    return "; ".join(sorted({said for a, b in combinations(alone, 2) if (said := _contradiction(a, b, None)[0])}))
