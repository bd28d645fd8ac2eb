"""The words of decisions: cancers and biopsies where the label is one of cancer, plain cases and calls elsewhere."""

from dataclasses import dataclass
from typing import Any

CANCER_TARGETS = ("malig", "cancer", "carcinoma")


@dataclass(frozen=True)
class Words:
    """How a positive case and acting on a positive call are named."""

    case: str
    cases: str
    action: str
    acted_on: str
    needless: str


_CANCER = Words("cancer", "cancers", "biopsy", "biopsied", "needless biopsies")
_PLAIN = Words("positive case", "positive cases", "positive call", "called positive", "false alarms")


def words_of(evidence: dict[str, Any]) -> Words:
    """Return the words for a study's target; a label that is a TI-RADS grade is no cancer."""
    target = str(evidence["target"]).lower()
    cancer = evidence.get("reference") != "tirads" and any(word in target for word in CANCER_TARGETS)
    return _CANCER if cancer else _PLAIN
