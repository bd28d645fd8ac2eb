"""ACR TI-RADS: points of five features, their sum a level (Tessler 2017, 10.1016/j.jacr.2017.01.046).

Risks are those observed by Middleton 2017 (10.2214/AJR.16.17613) in 3,422 nodules. The chart has no level for one
point: such a nodule lies between TR1 and TR2. The chart's own defaults for what "cannot be determined" (solid,
isoechoic, no points for the margin) are not applied: a blank in a table does not say that a reader looked and could
not tell.
"""

from collections.abc import Mapping
from typing import Final

from isthmus.cohort.tirads.system import Grade, Level, Nodule, System

COMPOSITION: Final[Mapping[str, int]] = {
    "cystic": 0, "spongiform": 0, "predominantly_cystic": 1, "mixed": 1, "predominantly_solid": 1, "solid": 2,
}  # fmt: skip
ECHOGENICITY: Final[Mapping[str, int]] = {
    "anechoic": 0, "hyperechoic": 1, "isoechoic": 1, "hypoechoic": 2, "very_hypoechoic": 3,
}  # fmt: skip
SHAPE: Final[Mapping[str, int]] = {"wider_than_tall": 0, "taller_than_wide": 3}
MARGIN: Final[Mapping[str, int]] = {
    "smooth": 0, "ill_defined": 0, "lobulated": 2, "irregular": 2, "extrathyroidal_extension": 3,
}  # fmt: skip
FOCI: Final[Mapping[str, int]] = {
    "comet_tail": 0, "macrocalcifications": 1, "peripheral_calcifications": 2, "punctate": 3,
}  # fmt: skip
"""All that apply add up."""

GAP: Final = 1
"""Points to which the chart gives no level."""


def acr_grade(nodule: Nodule) -> Grade:
    """Return points and level.

    Examples
    --------
    >>> acr_grade(Nodule("solid", "hypoechoic", "wider_than_tall", "smooth", frozenset({"punctate"})))
    Grade(low='TR5', high='TR5', points=7)
    """
    if nodule.composition == "spongiform":
        return Grade("TR1", "TR1", 0)  # "Do not add further points for other categories."
    points = COMPOSITION[nodule.composition] + ECHOGENICITY[nodule.echogenicity] + SHAPE[nodule.shape]
    points += MARGIN[nodule.margin] + sum(FOCI[code] for code in nodule.foci)
    if points == GAP:
        return Grade("TR1", "TR2", points)
    level = {0: "TR1", 2: "TR2", 3: "TR3"}.get(points) or ("TR4" if points < 7 else "TR5")
    return Grade(level, level, points)


ACR: Final = System(
    key="acr",
    name="ACR TI-RADS 2017",
    source="Tessler 2017, 10.1016/j.jacr.2017.01.046",
    risk_source="Middleton 2017, 10.2214/AJR.16.17613",
    levels=(
        Level("TR1", "benign", (0.003, 0.003)),
        Level("TR2", "not suspicious", (0.015, 0.015)),
        Level("TR3", "mildly suspicious", (0.048, 0.048), fna_mm=25, follow_mm=15),
        Level("TR4", "moderately suspicious", (0.091, 0.091), fna_mm=15, follow_mm=10),
        Level("TR5", "highly suspicious", (0.35, 0.35), fna_mm=10, follow_mm=5),
    ),
    rule=acr_grade,
    cuts=("TR4", "TR5"),
    from_size_on=True,
    remarks=("one point has no level in the chart: it lies between TR1 and TR2",),
)
