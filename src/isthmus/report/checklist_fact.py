"""A fact that answers an item of a checklist, and the places where facts stand."""

from dataclasses import dataclass
from typing import Final

COHORT: Final = "Cohort and flow"
METHODS: Final = "Methods"
RESULTS: Final = "Results by arm"
TOP: Final = "first screen"
CALLS: Final = "Calls and mistakes"
VERSIONS: Final = "Versions"


@dataclass(frozen=True)
class Fact:
    """An answer that the report gives.

    Parameters
    ----------
    says : str
        The sentence or number.
    where : str
        Sections of the page and files, separated by semicolons.
    open : str
        What it leaves to the authors; blank where it answers the question.
    """

    says: str
    where: str
    open: str = ""


def heading_of(key: str) -> str:
    """Return the heading of a subject's section."""
    from isthmus.report.subjects import SUBJECTS  # the subjects know the checklists, which know the subjects

    return next((subject.heading for subject in SUBJECTS if subject.key == key), key)
