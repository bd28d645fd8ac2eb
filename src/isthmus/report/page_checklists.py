"""The checklists on the page: how much is filled in, and which items wait for the authors."""

from typing import Final

from isthmus.report.checklists import KEYS, STATUSES, Answer, checklist, counted, fill_in
from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count
from isthmus.report.subject import Shown, Subject, from_the_run


def show(context: ReportContext) -> Shown | None:
    """Return the section: counts by checklist, and the numbers of open items."""
    answers = fill_in(context)
    rows = []
    for key in KEYS:
        numbers = counted(answers[key])
        cells = [Cell(count(numbers[status])) for status in STATUSES]
        cells.append(Cell(_open(answers[key])))
        rows.append(Row(f"{checklist(key).name} ({checklist(key).source})", cells))
    table = Table(
        "Items, their parts counted singly",
        ["Reported", "Partly", "Authors must fill in", "Not applicable", "Waiting for the authors"],
        rows,
        first="Checklist",
    )
    sentence = (
        "Filled in with what this report knows; what only the authors know is left open and marked. A filled item says "
        "that something is reported, not that it was well done. For every item tables/checklist_*.csv say what is "
        "asked, what the report says, where it stands, and what is left to write. The texts are paraphrases: the "
        "guidelines' own forms are what is handed in."
    )
    return Shown([sentence], tables=[table])


def _open(answers: list[Answer]) -> str:
    return ", ".join(answer.item.number for answer in answers if answer.status == "authors must fill in") or "none"


# Filled in from the whole report, not from the evidence alone; the page calls checklists.write_checklists.
SUBJECT: Final = Subject("checklists", "Checklists", from_the_run, show)
