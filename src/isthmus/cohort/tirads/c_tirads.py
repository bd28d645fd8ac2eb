"""C-TIRADS: suspicious features counted, one point each (Zhou 2020, 10.1007/s12020-020-02441-y).

One point each for: solid composition, marked hypoechogenicity, vertical orientation, microcalcifications, and margins
that are ill defined, irregular or show extrathyroidal extension; one point less for comet-tail artefacts. Of several
kinds of echogenic foci the one with the most points counts. Category 1 has no nodule, 6 is proven by biopsy: neither
follows from descriptors.

Sizes: 4A above 15 mm, 4B to 5 above 10 mm. They were checked against secondary sources only, which differ in whether
a nodule of exactly this size counts; the lower limit of 5 mm for nodules beside capsule, trachea or nerve, or for
several nodules, needs what no column says and is left out.
"""

from typing import Final

from isthmus.cohort.tirads.system import Grade, Level, Nodule, System

_CATEGORY: Final = {-1: "2", 0: "3", 1: "4A", 2: "4B", 3: "4C", 4: "4C", 5: "5"}
_MARGINS: Final = ("ill_defined", "lobulated", "irregular", "extrathyroidal_extension")


def c_grade(nodule: Nodule) -> Grade:
    """Return the count, -1 to 5, and the category.

    Examples
    --------
    >>> c_grade(Nodule("solid", "very_hypoechoic", "taller_than_wide", "smooth", frozenset())).low
    '4C'
    """
    points = (nodule.composition == "solid") + (nodule.echogenicity == "very_hypoechoic")
    points += (nodule.shape == "taller_than_wide") + (nodule.margin in _MARGINS)
    points += 1 if "punctate" in nodule.foci else -1 if "comet_tail" in nodule.foci else 0
    return Grade(_CATEGORY[points], _CATEGORY[points], points)


C_TIRADS: Final = System(
    key="c",
    name="C-TIRADS 2020",
    source="Zhou 2020, 10.1007/s12020-020-02441-y",
    risk_source="Zhou 2020",
    levels=(
        Level("2", "benign", (0.0, 0.0)),
        Level("3", "probably benign", (0.0, 0.02)),
        Level("4A", "low suspicion", (0.02, 0.10), fna_mm=15),
        Level("4B", "moderate suspicion", (0.10, 0.50), fna_mm=10),
        Level("4C", "high suspicion", (0.50, 0.90), fna_mm=10),
        Level("5", "highly suggestive of malignancy", (0.90, 1.0), fna_mm=10),
    ),
    rule=c_grade,
    cuts=("4A", "4B", "4C"),
    from_size_on=False,
    remarks=("sizes from secondary sources; rules by place in the gland are left out",),
)
