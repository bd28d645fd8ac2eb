"""Ratings of heat maps: what a reader's file and the form's key hold, as pandera schemas."""

from collections.abc import Mapping
from typing import Final

import pandera.pandas as pa

from isthmus.tables import vocabulary
from isthmus.tables.cohort import coded, identifier, number, text, whole

ANCHORS: Final[Mapping[int, str]] = {
    1: "not at all: it lies elsewhere",
    2: "hardly",
    3: "in part",
    4: "mostly",
    5: "yes: it lies where I would look",
}
"""Answers to "Does the heat lie where you would look?"."""

GOOD: Final = 4
"""From this rating on a heat map counts as lying well."""

NO_CRITERION: Final = "none"
CRITERIA: Final[Mapping[str, tuple[str, str]]] = {
    "composition": ("composition", "c"),
    "echogenicity": ("echogenicity", "e"),
    "shape": ("shape", "s"),
    "margin": ("margin", "m"),
    "echogenic_foci": ("echogenic foci", "f"),
    NO_CRITERION: ("none of these", "n"),
}
"""What a reader sees under the heat: code to words and key; the descriptors of the ACR lexicon, and none."""


def _good_criteria(cell: str) -> bool:
    codes = cell.split(" ")
    known = set(codes) <= set(CRITERIA) and len(set(codes)) == len(codes)
    return known and (NO_CRITERION not in codes or codes == [NO_CRITERION])


RATINGS = pa.DataFrameSchema(
    {
        "form": identifier(),
        "reader_id": identifier(),
        "experience": coded(vocabulary.EXPERIENCE, required=True, nullable=False),
        "case": whole(1),
        "rating": pa.Column(
            int,
            pa.Check(lambda column: column.isin(list(ANCHORS)), error=f"a whole number from 1 to {max(ANCHORS)}"),
        ),
        "criteria": pa.Column(
            str,
            pa.Check(_good_criteria, element_wise=True, error="codes separated by one blank: " + ", ".join(CRITERIA)),
            nullable=True,
        ),
        "comment": text(),
    },
    name="ratings",
)

KEY = pa.DataFrameSchema(
    {
        "form": identifier(),
        "case": whole(1),
        "arm": identifier(),
        "view_id": identifier(),
        "nodule_id": identifier(),
        "group_id": identifier(),
        "label": text(required=True, nullable=False),
        "call": text(required=True, nullable=False),
        "probability": number(0, 1, required=True),
        "threshold": number(0, 1, required=True),
        "heat_in_lesion": number(0, 1, required=True),
    },
    name="key",
)
