"""What a draft map makes of a table, before anything is imported: counts, and three rows as understood."""

from collections.abc import Sequence
from dataclasses import dataclass

from isthmus.cohort.cell_values import tidy
from isthmus.cohort.join import Joined, SourcePicture, join_rows
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.rows import UnderstoodRows, nodule_keys, understand
from isthmus.cohort.source_table import SourceTable

_SHOWN_ROWS = 3
_COLUMNS = ("patient_id", "nodule_id", "sex", "age_years", "size_mm", "tirads", "site")


@dataclass(frozen=True)
class Preview:
    """What would come of an import.

    Parameters
    ----------
    headings : list of str
        Of ``rows``.
    rows : list of list of str
        Three rows as understood; ids are shortened.
    counts : list of str
        Sentences about rows, pictures and cells.
    """

    headings: list[str]
    rows: list[list[str]]
    counts: list[str]


def preview(table: SourceTable, mapping: CohortMap, pictures: Sequence[SourcePicture]) -> Preview:
    """Understand a table by a map and join it, without writing anything.

    Raises
    ------
    InputError
        When the map does not fit the table.
    """
    rows = understand(table, mapping)
    joined = join_rows(table.frame, pictures, mapping.join, unit=nodule_keys(rows, mapping))
    found = dict(joined.pairs)
    first = [row for row in found if row not in rows.left_out] + [row for row in table.frame.index if row not in found]
    columns = [name for name in (*_COLUMNS, *mapping.targets) if name in rows.values.columns]
    dated = ["exam date"] if rows.days else []
    shown = []
    for row in first[:_SHOWN_ROWS]:
        cells = [_cell(rows, row, column) for column in columns]
        cells += ["yes" if row in rows.days else "-"] * len(dated)
        shown.append([str(row), str(len(found.get(row, []))), *cells])
    return Preview(["row", "pictures", *columns, *dated], shown, _counts(joined, rows, len(pictures)))


def shortened(text: str) -> str:
    """Return an id that can be recognised and not be read: its ends.

    Examples
    --------
    >>> shortened("20231234"), shortened("007")
    ('20…34', '0…')
    """
    text = tidy(text)
    return f"{text[:2]}…{text[-2:]}" if len(text) > 5 else f"{text[:1]}…" if text else "-"


def _cell(rows: UnderstoodRows, row: int, column: str) -> str:
    value = rows.value(row, column)
    return shortened(value) if column in ("patient_id", "nodule_id") else value or "-"


def _counts(joined: Joined, rows: UnderstoodRows, pictures: int) -> list[str]:
    twice = len({row for found in joined.ambiguous for row in found.rows})
    taken = sum(len(found) for _, found in joined.pairs)
    counts = [
        f"{len(joined.pairs)} of {len(rows.values)} rows find pictures, {taken} of {pictures} pictures find a row"
        + (f"; {twice} rows are ambiguous" if twice else "")
    ]
    if rows.faults:
        counts.append(f"{len(rows.faults)} cells are not understood, the first: {rows.faults[0]}")
    return counts
