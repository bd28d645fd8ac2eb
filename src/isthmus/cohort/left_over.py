"""What an import does not use: a line for every row and picture, and the patients who are excluded by it."""

from collections import defaultdict
from collections.abc import Callable

from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.join import Joined, SourcePicture
from isthmus.cohort.people import Entry
from isthmus.cohort.rows import UnderstoodRows
from isthmus.cohort.sources.import_report import ReportLine

_EXCLUDED = {
    "without pictures": "no picture in the source fits its row",
    "no usable picture": "none of its pictures can be used",
    "ambiguous": "its pictures fit more than one row",
    "left out": "its row cannot be used",
}


def unused_pictures(joined: Joined, shown: Callable[[SourcePicture], str]) -> list[ReportLine]:
    """Return a line for every picture that no row fits, or that fits rows of several nodules."""
    lines = [
        ReportLine(shown(picture), "picture", "", "without row", 0, "", "no row of the table fits it")
        for picture in joined.pictures_without_row
    ]
    for found in joined.ambiguous:
        where = f"{found.why}: rows {', '.join(map(str, found.rows))}"
        lines += [ReportLine(shown(picture), "picture", "", "ambiguous", 0, "", where) for picture in found.pictures]
    return lines


def row_lines(
    draft: CohortDraft,
    joined: Joined,
    rows: UnderstoodRows,
    used: list[Entry],
    name_of: Callable[[str], str],
) -> list[ReportLine]:
    """Return a line for every row; patients who lose every picture are excluded from the draft.

    Parameters
    ----------
    draft : CohortDraft
        To be filled.
    joined : Joined
        What the join found.
    rows : UnderstoodRows
        The table's rows.
    used : list of Entry
        Pictures that gave a view, with their rows.
    name_of : callable
        The patient's id in the cohort, from the hospital's.
    """
    views: dict[int, int] = defaultdict(int)
    for entry in used:
        views[entry.row] += entry.made.views if entry.made else 0
    status = dict.fromkeys((row for row, _ in joined.pairs), "no usable picture")
    status |= dict.fromkeys(joined.rows_without_pictures, "without pictures")
    status |= {row: "ambiguous" for found in joined.ambiguous for row in found.rows}
    status |= dict.fromkeys(rows.left_out, "left out")
    status |= dict.fromkeys(views, "used")
    present = {entry.patient for entry in used}
    lines = []
    for row in rows.values.index:
        original = rows.value(row, "patient_id")
        patient = name_of(original) if original else ""
        fate = status.get(row, "used with another row")
        lines.append(ReportLine(f"row {row}", "row", patient, fate, views[row], "", rows.left_out.get(row, "")))
        if patient and patient not in present and fate in _EXCLUDED:
            draft.exclude(patient, "import", _EXCLUDED[fate])
    return lines
