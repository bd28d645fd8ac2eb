"""The words of decisions: biopsies where a label is one of cancer, neck dissections where it is one of node metastasis.

A kind of target that is acted on otherwise is one more row of :data:`KINDS`.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Words:
    """How a positive case and acting on a positive call are named.

    Parameters
    ----------
    case, cases : str
        A positive case, and several.
    whom : str
        What patients have, in a sentence; empty where the class itself is named.
    action, actions : str
        What is done at a positive call; empty ``action``: nothing that has a name.
    acting : str
        Doing so, with whom it is done to behind it: ``biopsying``.
    acted_on, would, all_were : str
        ``were biopsied``, ``would be``, ``all were``: done to those called positive, to so many of 1,000, to everybody.
    needless : str
        Positive calls, or actions, in the others.
    others : str
        What the others are, all of whom would be acted on, in a figure.
    columns : tuple of str
        Headings for positive calls, negative ones, cases found, cases missed, and needless ones.
    """

    case: str
    cases: str
    whom: str
    action: str
    actions: str
    acting: str
    acted_on: str
    would: str
    all_were: str
    needless: str
    others: str
    columns: tuple[str, str, str, str, str]


PLAIN: Final = Words(
    "positive case", "positive cases", "", "", "actions", "acting on", "", "", "", "false alarms",
    "all others called positive", ("Called positive", "Called negative", "Found", "Missed", "False alarms"),
)  # fmt: skip
_CANCER = Words(
    "cancer", "cancers", "cancer", "biopsy", "biopsies", "biopsying", "were biopsied", "would be", "all were",
    "needless biopsies", "all others biopsied",
    ("Biopsied", "Biopsies avoided", "Cancers found", "Cancers missed", "Needless biopsies"),
)  # fmt: skip
_NODE_METASTASIS = Words(
    "metastasis", "metastases", "a lymph node metastasis", "dissection", "dissections", "dissecting the neck of",
    "had a neck dissection", "would have one", "all had", "needless dissections", "all others dissected",
    ("Dissections", "Dissections avoided", "Metastases found", "Metastases missed", "Needless dissections"),
)  # fmt: skip

KINDS: Final[tuple[tuple[tuple[str, ...], Words], ...]] = (
    (("olnm", "lnm", "lymph", "node_meta", "nodal", "metasta"), _NODE_METASTASIS),
    (("malig", "cancer", "carcinoma"), _CANCER),
)
"""Parts of a target's name, and the words for such a target; the first row that fits is taken."""


def words_of(evidence: dict[str, Any]) -> Words:
    """Return the words for a study's target; a label that is a TI-RADS grade is neither cancer nor metastasis.

    Examples
    --------
    >>> words_of({"target": "olnm"}).columns[1], words_of({"target": "olnm", "reference": "tirads"}).cases
    ('Dissections avoided', 'positive cases')
    """
    target = str(evidence["target"]).lower()
    if evidence.get("reference") == "tirads":
        return PLAIN
    return next((words for parts, words in KINDS if any(part in target for part in parts)), PLAIN)
