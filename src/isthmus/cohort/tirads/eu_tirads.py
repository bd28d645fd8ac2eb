"""EU-TIRADS: patterns, of which one feature of high risk decides (Russ 2017, 10.1159/000478927).

2: pure cysts and entirely spongiform nodules. 5: at least one of non-oval shape, irregular margins,
microcalcifications, marked hypoechogenicity of solid tissue. Of the others, 4 is mildly hypoechoic, also where partly
cystic, and 3 iso- or hyperechoic. Follow-up is tied to no size; for category 5 of up to 10 mm the guideline offers
active surveillance or aspiration.
"""

from typing import Final

from isthmus.cohort.tirads.system import Grade, Level, Nodule, System

_MARGINS: Final = ("lobulated", "irregular", "extrathyroidal_extension")


def eu_grade(nodule: Nodule) -> Grade:
    """Return the category.

    Examples
    --------
    >>> eu_grade(Nodule("mixed", "hypoechoic", "wider_than_tall", "smooth", frozenset())).low
    '4'
    """
    if nodule.composition in ("cystic", "spongiform"):
        return Grade("2", "2")
    high = nodule.shape == "taller_than_wide" or nodule.margin in _MARGINS
    high = high or "punctate" in nodule.foci or nodule.echogenicity == "very_hypoechoic"
    level = "5" if high else "4" if nodule.echogenicity == "hypoechoic" else "3"
    return Grade(level, level)


EU_TIRADS: Final = System(
    key="eu",
    name="EU-TIRADS 2017",
    source="Russ 2017, 10.1159/000478927",
    risk_source="Russ 2017",
    levels=(
        Level("2", "benign", (0.0, 0.0)),
        Level("3", "low risk", (0.02, 0.04), fna_mm=20),
        Level("4", "intermediate risk", (0.06, 0.17), fna_mm=15),
        Level("5", "high risk", (0.26, 0.87), fna_mm=10),
    ),
    rule=eu_grade,
    cuts=("4", "5"),
    from_size_on=False,
    remarks=(
        "the code spongiform is ACR's (more than half of the nodule), EU-TIRADS asks for all of it",
        "an ill-defined margin is not an irregular one",
        "the code cystic includes almost completely cystic, EU-TIRADS 2 is a pure cyst",
    ),
)
