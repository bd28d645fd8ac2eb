"""The coded words of reports: the standard's where it has them, else those of the private scheme 99ISTHMUS.

:data:`PRIVATE` is the whole scheme but for the classes of a model, which are ``CLASS_`` and the class code, and
the findings of the ACR lexicon, which are the codes of :mod:`isthmus.tables.vocabulary` in capitals.
"""

import hashlib
from typing import TYPE_CHECKING, Final

from isthmus.tables.vocabulary import DESCRIPTORS

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

SCHEME: Final = "99ISTHMUS"
_LONGEST_CODE, _LONGEST_MEANING = 16, 64

PRIVATE: Final[dict[str, str]] = {
    "SCORE": "Model score, calibrated probability",
    "SCORE_RAW": "Model score, not calibrated",
    "CLASS_SCORE": "Model score of one class of several, calibrated probability",
    "THRESHOLD": "Threshold of the model score",
    "SINGLE_LOW": "Smallest score of the model's single networks",
    "SINGLE_HIGH": "Largest score of the model's single networks",
    "CALL": "Call at the model's threshold",
    "CLASS": "Class that the model score is of",
    "SET": "Class in the model's prediction set",
    "EMPTY_SET": "No class: an unusual case",
    "REFER": "Model refers the case to somebody else",
    "LIKENESS": "Likeness to the model's training pictures",
    "UNLIKE": "Unlike the training pictures",
    "NOT_UNLIKE": "Not seen to be unlike the training pictures",
    "UNUSUAL": "Share of training cases that are less unusual",
    "REGION": "Where the region came from",
    "DRAWN": "Drawn or given by a person",
    "PROPOSED": "Proposed by a localiser, drawn by nobody",
    "WHOLE": "No region: the whole scan area",
    "ACR_POINTS_LOW": "ACR TI-RADS points of the findings seen, fewest",
    "ACR_POINTS_HIGH": "ACR TI-RADS points of the findings seen, most",
    "ACR_LEVEL_LOW": "ACR TI-RADS level that the table suggests, lowest",
    "ACR_LEVEL_HIGH": "ACR TI-RADS level that the table suggests, highest",
    **{f"TR{level}": f"ACR TI-RADS TR{level}" for level in range(1, 6)},
    "COMPOSITION": "ACR lexicon: composition",
    "ECHOGENICITY": "ACR lexicon: echogenicity",
    "SHAPE": "ACR lexicon: shape",
    "MARGIN": "ACR lexicon: margin",
    "ECHOGENIC_FOCI": "ACR lexicon: echogenic foci",
}
"""Code value to its meaning."""

STANDARD: Final[dict[str, tuple[str, str, str]]] = {
    "ultrasonography": ("16310003", "SCT", "Diagnostic ultrasonography"),
    "nodule": ("237495005", "SCT", "Thyroid nodule"),
    "thyroid": ("69748006", "SCT", "Thyroid"),
    "long_axis": ("103339001", "SCT", "Long Axis"),
    "short_axis": ("103340004", "SCT", "Short Axis"),
    "width": ("103355008", "SCT", "Width"),
    "height": ("121207", "DCM", "Height"),
    "yes": ("373066001", "SCT", "Yes"),
    "no": ("373067005", "SCT", "No"),
    "comment": ("121106", "DCM", "Comment"),
    "one": ("1", "UCUM", "no units"),
    "percent": ("%", "UCUM", "Percent"),
    "millimetre": ("mm", "UCUM", "mm"),
    "points": ("{points}", "UCUM", "points"),
    "algorithm": ("123110", "DCM", "Artificial Intelligence"),
}
"""Value, scheme and meaning of what the standard's own lists have."""


def private(value: str, meaning: str | None = None) -> "Code":
    """Return a concept of the private scheme; a long code ends in a digest of its whole."""
    from pydicom.sr.coding import Code

    meaning = (meaning or PRIVATE[value])[:_LONGEST_MEANING]
    if len(value) > _LONGEST_CODE:
        value = f"{value[:9]}_{hashlib.sha256(value.encode()).hexdigest()[:6]}"
    return Code(value, SCHEME, meaning)


def standard(name: str) -> "Code":
    """Return a concept of the standard's lists."""
    from pydicom.sr.coding import Code

    return Code(*STANDARD[name])


def class_code(code: str, name: str) -> "Code":
    """Return the concept of a class of a model."""
    return private(f"CLASS_{code}", name)


def finding_code(descriptor: str, code: str) -> "Code":
    """Return the concept of a finding of the ACR lexicon."""
    return private(code.upper(), DESCRIPTORS[descriptor].get(code, code))
