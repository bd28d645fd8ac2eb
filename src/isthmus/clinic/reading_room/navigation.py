"""What the first page and the head of every page offer, each to those who may use it."""

from typing import NamedTuple


class Task(NamedTuple):
    """A page that one may go to.

    Parameters
    ----------
    path : str
        Its address.
    rule : str
        What it asks for (``roles.RULES``).
    words : str
        Its name and what one does there: ``navigation.<words>.name`` and ``.about`` of the catalogue.
    """

    path: str
    rule: str
    words: str


TASKS = (
    Task("/accounts", "accounts", "accounts"),
    Task("/audit", "audit", "audit"),
)
