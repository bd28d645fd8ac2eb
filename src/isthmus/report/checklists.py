"""Reporting checklists filled in with what a report knows; what only the authors know is left open and marked."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.checklist_fact import Fact
from isthmus.report.checklist_facts import flags, known_facts
from isthmus.report.context import ReportContext
from isthmus.tables.check import write_table

FOLDER: Final = Path(__file__).parent / "checklists"
KEYS: Final = ("claim_2024", "tripod_ai", "stard_ai")
FORMAT: Final = "isthmus-checklist/1."

Status = Literal["reported", "partly", "authors must fill in", "not applicable"]
STATUSES: Final[tuple[Status, ...]] = ("reported", "partly", "authors must fill in", "not applicable")


@dataclass(frozen=True)
class Item:
    """An item, or a part of one.

    Parameters
    ----------
    number, section, text : str
        As the guideline numbers it; the text is a paraphrase.
    facts : tuple of str
        All of these answer it; see :func:`isthmus.report.checklist_facts.known_facts`.
    also : tuple of str
        These add to the answer where they are known.
    not_if : tuple of str
        Reasons for which it does not apply; see :func:`isthmus.report.checklist_facts.flags`.
    authors : str
        What only the authors can say; where it is not blank the item is never ``reported``.
    """

    number: str
    section: str
    text: str
    facts: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    not_if: tuple[str, ...] = ()
    authors: str = ""


@dataclass(frozen=True)
class Checklist:
    """A guideline's items; ``numbered`` counts them as it does, its parts a, b, c as one."""

    key: str
    name: str
    source: str
    numbered: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Answer:
    """What the report says to an item, where, and what is left to the authors."""

    item: Item
    status: Status
    says: str
    where: str
    authors: str


@cache
def checklist(key: str) -> Checklist:
    """Return a checklist by its key.

    Raises
    ------
    InputError
        When there is none of this name, or its file is of another format.

    Examples
    --------
    >>> [(checklist(key).name, checklist(key).numbered) for key in KEYS]
    [('CLAIM 2024', 44), ('TRIPOD+AI', 27), ('STARD-AI', 40)]
    """
    path = FOLDER / f"{key}.yaml"
    if not path.is_file():
        raise InputError(f"no checklist is called {key!r}", expected=", ".join(KEYS))
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not str(content.get("format")).startswith(FORMAT):
        raise InputError(f"the format is {content.get('format')!r}", where=str(path), expected=f"{FORMAT}x")
    return Checklist(
        key, content["name"], content["source"], content["numbered"], tuple(_item(entry) for entry in content["items"])
    )


def _item(entry: dict[str, Any]) -> Item:
    lists = {name: tuple(entry.get(name, ())) for name in ("facts", "also", "not_if")}
    return Item(str(entry["number"]), entry["section"], entry["text"], **lists, authors=entry.get("authors", ""))


def fill_in(context: ReportContext) -> dict[str, list[Answer]]:
    """Return the answers to every item of every checklist, by the checklist's key."""
    known, reasons = known_facts(context), flags(context)
    return {key: [_answer(item, known, reasons) for item in checklist(key).items] for key in KEYS}


def _answer(item: Item, known: dict[str, Fact], reasons: dict[str, str]) -> Answer:
    for reason in item.not_if:
        if reason in reasons:
            return Answer(item, "not applicable", reasons[reason], "", "")
    own = [known[name] for name in item.facts if name in known]
    more = [known[name] for name in item.also if name in known]
    says = " ".join(fact.says for fact in (*own, *more))
    places = [place for fact in (*own, *more) for place in fact.where.split("; ") if place]
    where = "; ".join(dict.fromkeys(places))
    left = "; ".join(filter(None, (item.authors, *(fact.open for fact in own))))
    if not own and not more:
        return Answer(item, "authors must fill in", "", "", left or "nothing of this was recorded")
    if len(own) < len(item.facts):
        return Answer(item, "partly", says, where, left or "the rest was not recorded")
    return Answer(item, "partly" if left else "reported", says, where, left)


def checklist_frames(context: ReportContext) -> dict[str, DataFrame]:
    """Return a table for each checklist: ``item, section, asks, status, says, where, authors``, in its order."""
    return {
        f"checklist_{key}": DataFrame(
            {
                "item": [answer.item.number for answer in answers],
                "section": [answer.item.section for answer in answers],
                "asks": [answer.item.text for answer in answers],
                "status": [answer.status for answer in answers],
                "says": [answer.says for answer in answers],
                "where": [answer.where for answer in answers],
                "authors": [answer.authors for answer in answers],
            }
        )
        for key, answers in fill_in(context).items()
    }


def write_checklists(folder: Path, context: ReportContext) -> list[Path]:
    """Write ``checklist_claim_2024.csv``, ``checklist_tripod_ai.csv`` and ``checklist_stard_ai.csv``.

    Parameters
    ----------
    folder : Path
        Made if needed.
    context : ReportContext

    Raises
    ------
    OutputError
        When the folder cannot be written.
    """
    written = []
    for name, frame in checklist_frames(context).items():
        written.append(Path(folder) / f"{name}.csv")
        write_table(written[-1], frame)
    return written


def counted(answers: list[Answer]) -> dict[Status, int]:
    """Return how many items have each status, in the order of :data:`STATUSES`."""
    counts = Counter(answer.status for answer in answers)
    return {status: counts[status] for status in STATUSES}
