"""TI-RADS from coded descriptors: ACR 2017, C-TIRADS 2020, EU-TIRADS 2017, K-TIRADS 2021 and 2016.

A level is given only where every way of filling in the missing descriptors gives the same one.
"""

from collections.abc import Mapping
from typing import Final

from isthmus.cohort.tirads.acr import ACR
from isthmus.cohort.tirads.c_tirads import C_TIRADS
from isthmus.cohort.tirads.eu_tirads import EU_TIRADS
from isthmus.cohort.tirads.grading import grade, unknown_codes
from isthmus.cohort.tirads.k_tirads import K_TIRADS, K_TIRADS_2016
from isthmus.cohort.tirads.system import Grade, Level, Nodule, Suggestion, System

SYSTEMS: Final[tuple[System, ...]] = (ACR, C_TIRADS, EU_TIRADS, K_TIRADS)
"""Those that a report compares with."""

ALL_SYSTEMS: Final[Mapping[str, System]] = {system.key: system for system in (*SYSTEMS, K_TIRADS_2016)}

__all__ = [
    "ACR",
    "ALL_SYSTEMS",
    "C_TIRADS",
    "EU_TIRADS",
    "K_TIRADS",
    "K_TIRADS_2016",
    "SYSTEMS",
    "Grade",
    "Level",
    "Nodule",
    "Suggestion",
    "System",
    "grade",
    "unknown_codes",
]
