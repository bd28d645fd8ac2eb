"""A table's cells as they were read, before it is known which row holds the headings."""

from dataclasses import dataclass, field
from typing import Final

MOST_CELLS: Final = 20_000_000
MOST_COLUMNS: Final = 2_000


@dataclass
class RawCells:
    """Rows of text; row 1 of the sheet first, blank rows kept, so that cells have the names that Excel shows.

    Parameters
    ----------
    sheet : str
        The sheet's name, '' for a text file.
    rows : list of list of str
        Cells; rows may differ in length.
    wrong : dict of (int, int) to str
        (row from 1, column from 0) of cells that cannot be used, and what was expected.
    origin : str
        How it was read, in words.
    several : bool
        Whether the workbook has other sheets.
    """

    sheet: str = ""
    rows: list[list[str]] = field(default_factory=list)
    wrong: dict[tuple[int, int], str] = field(default_factory=dict)
    origin: str = ""
    several: bool = False
