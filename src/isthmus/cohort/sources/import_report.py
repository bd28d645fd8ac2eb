"""What became of every file of a data set: one line each, and their counts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from isthmus.files import write_text
from isthmus.manifest import DISCLAIMER
from isthmus.tables.check import write_table

COLUMNS = ("file", "kind", "case", "status", "views", "label", "detail")
_TITLES = {
    "picture": "Picture files",
    "case": "Case files",
    "row": "Rows of the table",
    "column": "Columns of the table whose reading had to be found out",
    "cell": "Cells of the table that could not be used",
    "outline": "Outline files",
    "other": "Other files",
}


@dataclass(frozen=True)
class ReportLine:
    """The fate of one file.

    Parameters
    ----------
    file : str
        Its name in the source.
    kind : {'picture', 'case', 'row', 'column', 'cell', 'outline', 'other'}
        What it is: a picture or clip, a file that describes a case, a row, a column or a cell of a table, a file of
        outlines, or none of them.
    case : str
        The case it belongs to; empty where that cannot be told.
    status : str
        ``labelled``, ``unlabelled``, ``without outline``, ``repaired``, ``ambiguous``, ``duplicate of <picture>`` or
        ``unreadable``.
    views : int
        How many views of the cohort it gave.
    label : str
        The label; empty where there is none.
    detail : str
        What was decided and why, in words. Never a copy of a free-text field.
    """

    file: str
    kind: str
    case: str
    status: str
    views: int
    label: str
    detail: str


@dataclass
class ImportReport:
    """All lines of one import.

    Parameters
    ----------
    lines : list of ReportLine
        One for every picture and every case file.
    totals : dict
        Patients, groups, nodules and views, with a label and without, and each class.
    remarks : list of str
        What holds for the whole data set.
    """

    lines: list[ReportLine] = field(default_factory=list)
    totals: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def counts(self, kind: str) -> dict[str, int]:
        """Return the number of files of a kind by status; all duplicates count as ``duplicate``."""
        found = Counter(line.status.split(" of ")[0] for line in self.lines if line.kind == kind)
        return dict(sorted(found.items()))

    def kinds(self) -> list[str]:
        """Return the kinds of file that the report has lines of, in the order of the vocabulary."""
        return [kind for kind in _TITLES if any(line.kind == kind for line in self.lines)]

    def write(self, folder: Path) -> None:
        """Write ``import_report.csv`` and the summary ``import_report.md``."""
        write_table(folder / "import_report.csv", pd.DataFrame([asdict(line) for line in self.lines], columns=COLUMNS))
        write_text(folder / "import_report.md", self.summary())

    def summary(self) -> str:
        """Return the counts as Markdown."""
        parts = ["# Import report", "", DISCLAIMER, "", *(f"- {remark}" for remark in self.remarks), ""]
        for kind in self.kinds():
            parts += _markdown(_TITLES[kind], self.counts(kind))
        parts += _markdown("In the cohort", self.totals)
        return "\n".join(parts)


def _markdown(title: str, counts: Mapping[str, int]) -> list[str]:
    rows = [f"| {name} | {count} |" for name, count in counts.items()]
    return [f"## {title}", "", "| | files |" if "files" in title else "| | count |", "|---|---:|", *rows, ""]
