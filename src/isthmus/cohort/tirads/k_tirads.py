"""K-TIRADS: composition and echogenicity first, then three suspicious features.

2021: Ha 2021, 10.3348/kjr.2021.0713 (table 5). 2016: Shin 2016, 10.3348/kjr.2016.17.3.370. The suspicious features are
punctate echogenic foci, nonparallel orientation (taller than wide) and irregular margins. 2021 keeps its benign
patterns in category 2 whatever else they show; in 2016 a suspicious feature took them to 4. The entirely calcified
nodule (category 4 in 2021) has no code in the vocabulary.

Sizes of 2021: 3 above 20 mm; 4 above 10 to 15 mm, of which 15 is taken, as the guideline asks for without special risk
factors; 5 above 10 mm. Of 2016: spongiform 20 mm, 3 from 15 mm, 4 and 5 from 10 mm.
"""

from typing import Final

from isthmus.cohort.tirads.system import Grade, Level, Nodule, System

_MARGINS: Final = ("lobulated", "irregular", "extrathyroidal_extension")
_DARK: Final = ("hypoechoic", "very_hypoechoic")


def suspicious(nodule: Nodule) -> bool:
    """Return whether any of the three suspicious features is there."""
    return "punctate" in nodule.foci or nodule.shape == "taller_than_wide" or nodule.margin in _MARGINS


def _benign_pattern(nodule: Nodule) -> bool:
    if nodule.composition == "cystic":
        return True
    if nodule.composition == "spongiform":
        return nodule.echogenicity not in _DARK
    return nodule.composition != "solid" and "comet_tail" in nodule.foci


def _other(nodule: Nodule) -> str:
    if nodule.composition == "solid" and nodule.echogenicity in _DARK:
        return "5" if suspicious(nodule) else "4"
    return "4" if suspicious(nodule) else "3"


def k_grade_2021(nodule: Nodule) -> Grade:
    """Return the category of 2021.

    Examples
    --------
    >>> k_grade_2021(Nodule("mixed", "hypoechoic", "wider_than_tall", "smooth", frozenset())).low
    '3'
    """
    level = "2" if _benign_pattern(nodule) else _other(nodule)
    return Grade(level, level)


def k_grade_2016(nodule: Nodule) -> Grade:
    """Return the category of 2016: a benign pattern with a suspicious feature is 4."""
    level = ("4" if suspicious(nodule) else "2") if _benign_pattern(nodule) else _other(nodule)
    return Grade(level, level)


_REMARKS: Final = ("an entirely calcified nodule has no code in the vocabulary",)

K_TIRADS: Final = System(
    key="k",
    name="K-TIRADS 2021",
    source="Ha 2021, 10.3348/kjr.2021.0713",
    risk_source="Ha 2021",
    levels=(
        Level("2", "benign", (0.0, 0.03)),
        Level("3", "low suspicion", (0.03, 0.10), fna_mm=20),
        Level("4", "intermediate suspicion", (0.10, 0.40), fna_mm=15),
        Level("5", "high suspicion", (0.60, 1.0), fna_mm=10),
    ),
    rule=k_grade_2021,
    cuts=("4", "5"),
    from_size_on=False,
    remarks=(*_REMARKS, "category 4: 15 mm, the upper end of the guideline's 10 to 15 mm"),
)

K_TIRADS_2016: Final = System(
    key="k2016",
    name="K-TIRADS 2016",
    source="Shin 2016, 10.3348/kjr.2016.17.3.370",
    risk_source="Shin 2016",
    levels=(
        Level("2", "benign", (0.0, 0.03), fna_mm=20),
        Level("3", "low suspicion", (0.03, 0.15), fna_mm=15),
        Level("4", "intermediate suspicion", (0.15, 0.50), fna_mm=10),
        Level("5", "high suspicion", (0.60, 1.0), fna_mm=10),
    ),
    rule=k_grade_2016,
    cuts=("4", "5"),
    from_size_on=True,
    remarks=(*_REMARKS, "the 20 mm of category 2 are those of a spongiform nodule"),
)
