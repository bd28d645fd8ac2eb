"""A hospital's table as text: its cells by their names in the sheet, and what is wrong with them."""

import re
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class CellFault:
    """A cell, or a row, that cannot be used as it stands.

    Parameters
    ----------
    file, sheet : str
        The table's file name, and its sheet ('' for text).
    cell : str
        ``C17``; ``row 17`` for a whole row.
    value : str
        What stands there; '' for a blank cell, or where it may not be shown.
    expected : str
        What would have been right, and what becomes of it.
    heading : str
        Heading of the column.
    hidden : bool
        Whether the values are left out of messages: ids and names.
    other : str
        What another cell holds that this one contradicts.
    """

    file: str
    sheet: str
    cell: str
    value: str
    expected: str
    heading: str = ""
    hidden: bool = False
    other: str = ""

    @property
    def place(self) -> str:
        """Where it is, e.g. ``pathology.xlsx, Sheet1!C17 (病理)``."""
        cell = f"{self.sheet}!{self.cell}" if self.sheet else self.cell
        return f"{self.file}, {cell}" + (f" ({self.heading})" if self.heading else "")

    @property
    def order(self) -> tuple[int, int, str]:
        """Its place in the sheet, row by row."""
        letters = self.cell.removeprefix("row ").rstrip("0123456789")
        return int(re.sub(r"\D", "", self.cell)), len(letters), letters

    @property
    def what(self) -> str:
        """What is wrong, without the place."""
        shown = "" if self.hidden and self.value else f"{self.value!r}; " if self.value else "blank; "
        other = f"{self.other!r} " if self.other and not self.hidden else ""
        return f"{shown}expected {other}{self.expected}"

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class SourceTable:
    """A table, its cells as text.

    Parameters
    ----------
    frame : DataFrame
        One column a heading, '' for a blank cell; the index is each row's number in the sheet, the headings' row
        counted.
    file, sheet : str
        For messages: the file's name and the sheet's, '' for text.
    letters : dict of str to str
        Heading to the column's letter.
    faults : list of CellFault
        Found while reading; what they name is blank in ``frame``.
    origin : str
        How it was read, in words: ``"CSV, GB18030, semicolons"``.
    """

    frame: pd.DataFrame
    file: str
    sheet: str = ""
    letters: dict[str, str] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)
    origin: str = ""

    def fault(
        self, row: int, heading: str, expected: str, *, value: str | None = None, hidden: bool = False
    ) -> CellFault:
        """Return a fault of one cell; its value is what the table holds unless another is given."""
        shown = str(self.frame.at[row, heading]) if value is None else value
        return CellFault(self.file, self.sheet, f"{self.letters[heading]}{row}", shown, expected, heading, hidden)
